"""Reads by name, version and checksum, keys, and cache headers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from hashlib import sha256, sha512

from tests.differential.harness import Item, Site, case
from tests.support.forge import Collection, Key, key_id

VERSIONS = (
    "0",
    "1",
    "2",
    "3",
    "01",
    "001",
    "1000000",
    "99999999999",
    "9" * 30,
    "-1",
    "+1",
    "1.0",
    "x",
    "",
    "%31",
    "10",
    "1%20",
)

for version in VERSIONS:

    @case(f"read/version/{version or 'none'}")
    def by_version(site: Site, version: str = version) -> Iterator[Item]:
        forge = site.published(server_snapshot=True)
        site.publish({"targets": forge.targets(2)})
        for role in ("targets", "timestamp", "root"):
            yield site.get(f"{version}.{role}.json")


@case("read/checksum")
def by_checksum(site: Site) -> Iterator[Item]:
    forge = site.published()
    data = forge.targets(2)
    known = {"root": forge.root(), "targets": data}
    site.publish({"targets": data, "snapshot": forge.snapshot(2, meta_of=known)})
    yield site.get(f"targets.{sha256(data).hexdigest()}.json")
    yield "as sent" if site.get("targets.json").body == data else "not as sent"


def _checksums(data: bytes) -> dict[str, str]:
    digest = sha256(data).hexdigest()
    return {
        "upper-case": digest.upper(),
        "mixed-case": digest[:32].upper() + digest[32:],
        "other": "0" * 64,
        "too-short": digest[:-1],
        "too-long": digest + "0",
        "not-hex": "g" * 64,
        "sha512": sha512(data).hexdigest(),
        "96-digits": "0" * 96,
        "128-digits": "0" * 128,
        "empty": "",
    }


for name in _checksums(b""):

    @case(f"read/checksum/{name}")
    def odd_checksum(site: Site, name: str = name) -> Iterator[Item]:
        forge = site.published(targets_key=Key.generate("ed25519"))
        files = _second(forge)
        site.publish(files)
        yield site.get(f"targets.{_checksums(files['targets'])[name]}.json")


def _second(forge: Collection) -> dict[str, bytes]:
    targets = forge.targets(2)
    known = {"root": forge.root(), "targets": targets}
    return {"targets": targets, "snapshot": forge.snapshot(2, meta_of=known)}


@case("read/checksum/of-another-role")
def another_role(site: Site) -> Iterator[Item]:
    forge = site.published(server_snapshot=True)
    targets = site.get("targets.json").body
    yield site.get(f"root.{sha256(targets).hexdigest()}.json")
    del forge


@case("read/checksum/of-another-gun")
def another_gun(site: Site) -> Iterator[Item]:
    site.published()
    site.published(gun=site.gun + "b")
    digest = sha256(site.get("root.json").body).hexdigest()
    yield site.get(f"root.{digest}.json", gun=site.gun + "b")


@case("read/checksum/old-files")
def old_files(site: Site) -> Iterator[Item]:
    forge = site.published()
    old = {role: site.get(f"{role}.json").body for role in ("targets", "snapshot", "timestamp")}
    site.publish(_second(forge))
    for role, data in old.items():
        yield site.get(f"{role}.{sha256(data).hexdigest()}.json")
        yield site.get(f"1.{role}.json")


for role in ("root", "targets", "snapshot", "timestamp", "targets/a"):

    @case(f"read/missing/{role}")
    def missing(site: Site, role: str = role) -> Iterator[Item]:
        for name in (f"{role}.json", f"1.{role}.json", f"{role}.{'0' * 64}.json"):
            yield site.get(name)

    @case(f"read/present/{role}")
    def present(site: Site, role: str = role) -> Iterator[Item]:
        site.published()
        for name in (f"{role}.json", f"1.{role}.json"):
            yield site.get(name)
            yield site.get(name, headers={"Accept": "text/html", "Range": "bytes=0-1"})
            yield site.get(f"{name}?a=b")


@case("read/server-made")
def server_made(site: Site) -> Iterator[Item]:
    """Types, versions and life times of what the server makes."""
    forge = site.published(server_snapshot=True)
    site.publish({"targets": forge.targets(2)})
    for name in ("timestamp", "snapshot"):
        signed = site.get(f"{name}.json").json["signed"]
        expires = datetime.fromisoformat(signed["expires"][:19] + "+00:00")
        days = round((expires - datetime.now(timezone.utc)).total_seconds() / 86400)
        meta = {role: sorted(each["hashes"]) for role, each in signed["meta"].items()}
        yield f"{signed['_type']} {signed['version']}, {days} days, {sorted(meta.items())}"


HEADERS = ("content-type", "etag", "last-modified", "vary", "x-content-type-options", "server")

for header in HEADERS:

    @case(f"header/{header}")
    def show(site: Site, header: str = header) -> Iterator[Item]:
        """What is in a header of a file, in the form of its value."""
        site.published()
        for name in ("root.json", "1.root.json", "timestamp.key"):
            answer = site.get(name)
            value = answer.headers.get(header, "none")
            digest = sha256(answer.body).hexdigest()
            zone = value.rpartition(" ")[2] if header == "last-modified" else value
            yield zone.replace(digest, "sha256")


@case("header/if-none-match")
def if_none_match(site: Site) -> Iterator[Item]:
    site.published()
    for name in ("root.json", "1.root.json"):
        digest = sha256(site.get(name).body).hexdigest()
        for tag in (f'"{digest}"', f'W/"{digest}"', "*", f'"x", "{digest}"', '"x"', digest):
            yield str(site.get(name, headers={"If-None-Match": tag}))


@case("header/if-modified-since")
def if_modified_since(site: Site) -> Iterator[Item]:
    site.published()
    for moment in ("Thu, 01 Jan 2046 00:00:00 GMT", "Thu, 01 Jan 1998 00:00:00 GMT"):
        yield str(site.get("root.json", headers={"If-Modified-Since": moment}))


@case("header/head")
def head(site: Site) -> Iterator[Item]:
    site.published()
    for name in ("root.json", "1.root.json", "timestamp.key", "2.root.json"):
        answer = site.request("HEAD", site.base() + name)
        yield f"{answer.status} {answer.headers.get('cache-control', 'none')}"


for setting in ("uncached", "cached"):

    @case(f"caching/{setting}", setting)
    def cache(site: Site) -> Iterator[Item]:
        site.published()
        for name in ("root.json", "1.root.json", "timestamp.json", "timestamp.key", "2.root.json"):
            yield site.get(name)


# Keys


@case("key/twice")
def key_twice(site: Site) -> Iterator[Item]:
    first, second = site.server_key("timestamp"), site.server_key("timestamp")
    yield "the same key" if first == second else "another key"


@case("key/twice-after-publish")
def key_after_publish(site: Site) -> Iterator[Item]:
    forge = site.published()
    same = site.server_key("timestamp") == forge.timestamp_key
    yield "the key in root" if same else "another key"


@case("key/snapshot-of-the-client")
def key_snapshot(site: Site) -> Iterator[Item]:
    """Root names a snapshot key of the client: the server makes one of its own."""
    forge = site.published()
    assert isinstance(forge.snapshot_key, Key)
    yield (
        "the client's" if site.server_key("snapshot") == forge.snapshot_key.public_json() else "new"
    )


@case("key/roles-differ")
def key_roles(site: Site) -> Iterator[Item]:
    same = site.server_key("timestamp") == site.server_key("snapshot")
    yield "one key" if same else "two keys"


@case("key/guns-differ")
def key_guns(site: Site) -> Iterator[Item]:
    same = site.server_key("timestamp") == site.server_key("timestamp", gun=site.gun + "b")
    yield "one key" if same else "two keys"


@case("key/rotated")
def key_rotated(site: Site) -> Iterator[Item]:
    """Rotating makes a new key; until root names it, GET answers the old one."""
    forge = site.published()
    answer = site.request("POST", site.base() + "timestamp.key")
    yield answer
    yield "the old key" if answer.json == forge.timestamp_key else "a new key"
    same = site.server_key("timestamp") == forge.timestamp_key
    yield "GET: the old key" if same else "GET: another key"


@case("key/rotated-before-publish")
def key_rotated_early(site: Site) -> Iterator[Item]:
    before = site.server_key("timestamp")
    rotated = site.request("POST", site.base() + "timestamp.key")
    yield rotated
    yield "the old key" if rotated.json == before else "a new key"


@case("key/body-is-ignored")
def key_body(site: Site) -> Iterator[Item]:
    yield site.request("POST", site.base() + "snapshot.key", b"anything at all")


@case("key/old-key-still-signs")
def key_old(site: Site) -> Iterator[Item]:
    """A key that was fetched long ago may be named by a root."""
    old = site.server_key("timestamp")
    site.request("POST", site.base() + "timestamp.key")
    forge = site.collection(timestamp_key=old)
    yield site.upload(forge.first())
    yield site.state(forge)


@case("key/of-another-gun")
def key_foreign(site: Site) -> Iterator[Item]:
    """Root names the key that the server made for another collection."""
    forge = site.collection(timestamp_key=site.server_key("timestamp", gun=site.gun + "b"))
    yield site.upload(forge.first())
    yield site.state(forge)


@case("key/of-another-role")
def key_swapped(site: Site) -> Iterator[Item]:
    """Root names the server's snapshot key for timestamps."""
    forge = site.collection(timestamp_key=site.server_key("snapshot"))
    yield site.upload(forge.first())
    yield site.state(forge)


@case("key/kept-after-delete")
def key_kept(site: Site) -> Iterator[Item]:
    forge = site.published()
    site.request("DELETE", site.base())
    again = site.collection(timestamp_key=forge.timestamp_key)
    yield site.upload(again.first())
    yield site.state(again)


@case("key/id")
def key_form(site: Site) -> Iterator[Item]:
    key = site.server_key("timestamp")
    yield f"{key['keytype']}, {sorted(key)}, {sorted(key['keyval'])}, {len(key_id(key))} digits"
