"""Every route with every method, and paths that are no route."""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.harness import Item, Site, case
from tests.support.forge import Collection

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROUTES = {
    "ping": "/v2/",
    "tuf": "/v2/{gun}/_trust/tuf/",
    "role": "/v2/{gun}/_trust/tuf/root.json",
    "version": "/v2/{gun}/_trust/tuf/1.root.json",
    "timestamp-key": "/v2/{gun}/_trust/tuf/timestamp.key",
    "snapshot-key": "/v2/{gun}/_trust/tuf/snapshot.key",
    "changefeed": "/v2/{gun}/_trust/changefeed?records=1",
    "server-changefeed": "/v2/_trust/changefeed?records=1&change_id=-1",
    "health": "/_notary_server/health",
    "unknown": "/nothing/here",
}
UNKNOWN = {
    "root": "/",
    "v2-without-slash": "/v2",
    "v1": "/v1/",
    "ping-with-query": "/v2/?a=b",
    "tuf-without-slash": "/v2/a/_trust/tuf",
    "trust": "/v2/a/_trust/",
    "no-gun": "/v2/_trust/tuf/root.json",
    "empty-gun": "/v2//_trust/tuf/root.json",
    "changefeed-with-slash": "/v2/a/_trust/changefeed/",
    "health-with-slash": "/_notary_server/health/",
    "metrics-with-slash": "/metrics/",
    "role-without-suffix": "/v2/a/_trust/tuf/root",
    "other-role": "/v2/a/_trust/tuf/mirrors.json",
    "upper-case-role": "/v2/a/_trust/tuf/Root.json",
    "other-suffix": "/v2/a/_trust/tuf/root.txt",
    "key-of-root": "/v2/a/_trust/tuf/root.key",
    "key-of-targets": "/v2/a/_trust/tuf/targets.key",
    "key-of-delegation": "/v2/a/_trust/tuf/targets/a.key",
    "key-of-nothing": "/v2/a/_trust/tuf/.key",
    "json-of-nothing": "/v2/a/_trust/tuf/.json",
    "encoded-separator": "/v2/a/_trust%2Ftuf/root.json",
    "encoded-dot": "/v2/a/_trust/tuf/root%2Ejson",
    "root-under-a-name": "/v2/a/_trust/tuf/x/root.json",
    "delegation-of-root": "/v2/a/_trust/tuf/root/a.json",
    "delegation-with-blank": "/v2/a/_trust/tuf/targets/a%20b.json",
    "absolute-form": "http://localhost/v2/",
    "long": "/" + "x" * 8000,
    "no-leading-slash": "v2/",
    "asterisk": "*",
}

for route, path in ROUTES.items():
    for method in METHODS:

        @case(f"route/{route}/{method}")
        def call(site: Site, method: str = method, path: str = path) -> Iterator[Item]:
            site.published()
            yield site.request(method, path.format(gun=site.gun))


for name, target in UNKNOWN.items():

    @case(f"path/{name}")
    def get(site: Site, target: str = target) -> Iterator[Item]:
        yield site.request("GET", target)


@case("route/metrics/GET")
def metrics(site: Site) -> Iterator[Item]:
    """The families differ; that there are some is what both promise."""
    answer = site.request("GET", "/metrics")
    yield str(answer)
    yield answer.headers.get("content-type", "").partition(";")[0]
    yield "has families" if b"# TYPE " in answer.body else "has none"


@case("route/metrics/POST")
def post_metrics(site: Site) -> Iterator[Item]:
    yield site.request("POST", "/metrics")


@case("route/unknown-method")
def unknown_method(site: Site) -> Iterator[Item]:
    yield site.request("BREW", site.base() + "root.json")


@case("route/delete-missing-then-present")
def delete(site: Site) -> Iterator[Item]:
    """Deleting is no error without anything to delete, and works twice."""
    yield site.request("DELETE", site.base())
    site.published()
    yield site.request("DELETE", site.base())
    yield site.state()
    yield site.get("root.json")
    yield site.get("1.root.json")
    yield site.request("DELETE", site.base())


@case("route/delete-then-publish")
def delete_then_publish(site: Site) -> Iterator[Item]:
    forge = site.published()
    site.publish({"targets": forge.targets(2), "snapshot": _second_snapshot(forge)})
    site.request("DELETE", site.base())
    again = site.collection()
    yield site.upload(again.first())
    yield site.state(again)


@case("route/delete-leaves-longer-names")
def delete_leaves(site: Site) -> Iterator[Item]:
    """Deleting ``a`` leaves ``ab`` and ``a/b`` alone."""
    for gun in (site.gun, site.gun + "b", site.gun + "/b"):
        site.published(gun=gun)
    yield site.request("DELETE", site.base())
    yield site.state()
    yield site.state(gun=site.gun + "b")
    yield site.state(gun=site.gun + "/b")


def _second_snapshot(forge: Collection) -> bytes:
    return forge.snapshot(2, meta_of={"root": forge.root(), "targets": forge.targets(2)})
