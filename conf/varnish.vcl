# A caching proxy in front of a server that speaks plain HTTP on this machine: its http_addr is
# 127.0.0.1:4480, and neither certificate nor key are set. Varnish does not speak TLS: have hitch
# or haproxy do that before it.
#
# It keeps what can never change: files that are asked for by checksum or version. Everything else
# is asked of the server each time, so that a publish is seen at once. What needs an access token is
# neither kept nor served from what is kept.

vcl 4.1;

backend notary {
    .host = "127.0.0.1";
    .port = "4480";
    .connect_timeout = 5s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
}

sub vcl_recv {
    # Health checks and metrics are for those who reach the server itself.
    if (req.url !~ "^/v2/") {
        return (synth(404));
    }
    if ((req.method != "GET" && req.method != "HEAD") || req.http.Authorization) {
        return (pass);
    }
    return (hash);
}

sub vcl_backend_response {
    # The server says so itself: to what may change it adds must-revalidate.
    if (beresp.status == 200 &&
        beresp.http.Cache-Control ~ "^public, max-age=[0-9]+, s-maxage=[1-9][0-9]*$") {
        set beresp.grace = 0s;
    } else {
        # Remember only that whoever asks for this at the same time need not wait for each other.
        set beresp.ttl = 2m;
        set beresp.uncacheable = true;
    }
    return (deliver);
}

sub vcl_deliver {
    if (obj.hits > 0) {
        # A file that was kept must not come with the request ID of whoever asked for it first.
        unset resp.http.X-Request-ID;
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
