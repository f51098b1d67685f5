#!/bin/sh
# Installs what the tests need besides Python packages: the Go programs they compare with and
# talk to, MariaDB's server, OpenSSL, Prometheus. Does nothing where all of it is there. Without
# root it only says what is missing; the tests that need it are then skipped.
set -eu

# Where Debian keeps mariadbd, and PostgreSQL's server.
PATH="$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin)"
packages=""

need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null || packages="$packages $2"
}

need notary notary
need notary-server notary
need mariadbd mariadb-server-core
need postgres postgresql
need wsrep_sst_rsync mariadb-server # for a Galera cluster, as are the next four
need rsync rsync
need ss iproute2
need haproxy haproxy
[ -e /usr/lib/galera/libgalera_smm.so ] || packages="$packages galera-4"
need my_print_defaults mariadb-client-core # for mariadb-install-db
need openssl openssl
need curl curl
need systemd-socket-activate systemd
need docker docker-cli
need promtool prometheus
need nginx nginx
need varnishd varnish
[ -e /bin/kill ] || packages="$packages procps" # for the units of systemd
need wrk wrk # for the benchmarks
docker compose version >/dev/null 2>&1 || packages="$packages docker-compose"

if [ -z "$packages" ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Some tests will be skipped. They need these Debian packages:$packages" >&2
    exit 0
fi

apt-get update
case "$packages" in
*docker-cli*)
    if ! apt-cache show docker-cli >/dev/null 2>&1; then # Debian 12 has the command in docker.io
        packages="$(echo "$packages" | sed "s/docker-cli/docker.io/")"
    fi
    ;;
esac
case "$packages" in
*docker-compose*)
    case "$(apt-cache policy docker-compose)" in
    *"Candidate: 1."*)
        packages="$(echo "$packages" | sed "s/docker-compose//")"
        "$(dirname "$0")/compose-plugin.sh"
        ;;
    esac
    ;;
esac
# shellcheck disable=SC2086 # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
