#!/bin/sh
# Installs version 2 of Docker Compose where Debian has only version 1: Debian 13's package, taken
# apart, since it needs nothing that Debian 12 has not. For root.
set -eu

plugins=/usr/local/lib/docker/cli-plugins
mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep '/debian/$' | head -n 1)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
chmod 755 "$place" # apt downloads as a user of its own
mkdir -p "$place/lists/partial" "$place/cache/archives/partial"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror trixie main" >"$place/sources.list"

apt() {
    apt-get -o "Dir::Etc::sourcelist=$place/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$place/lists" -o "Dir::Cache=$place/cache" "$@"
}

apt update
(cd "$place" && apt download docker-compose)
dpkg-deb --extract "$place"/docker-compose_*.deb "$place/package"
install -D --target-directory="$plugins" "$place/package/usr/libexec/docker/cli-plugins/docker-compose"
