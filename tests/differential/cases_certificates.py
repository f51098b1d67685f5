"""The certificates of root keys: names, dates, algorithms, chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.differential.harness import Item, Site, case, uploads
from tests.support.forge import Collection, Files, Key

Build = Callable[[Collection], Files]


def _certified(**how: object) -> Build:
    """A first publish under another root certificate."""

    def build(forge: Collection) -> Files:
        forge.root_key = Key.certificate(forge.gun, **how)  # type: ignore[arg-type]
        return forge.first()

    return build


def _keyed(make: Callable[[Collection], Key]) -> Build:
    def build(forge: Collection) -> Files:
        forge.root_key = make(forge)
        return forge.first()

    return build


def _chain(forge: Collection) -> Key:
    authority = Key.certificate("authority", is_ca=True)
    return Key.certificate(forge.gun, issuer=authority, chain=[authority])


def _chain_upside_down(forge: Collection) -> Key:
    leaf = _chain(forge)
    authority = Key.certificate("authority", is_ca=True)
    return Key("ecdsa-x509", leaf.private, authority.public + leaf.public)


def _two_leaves(forge: Collection) -> Key:
    return Key.certificate(forge.gun, chain=[Key.certificate(forge.gun)])


uploads(
    "root/certificate",
    {
        "rsa": _certified(kind="rsa-x509"),
        "sha512": _certified(hash=hashes.SHA512()),
        "sha1": _keyed(lambda forge: Key.sha1_certificate(forge.gun)),
        "p384": _keyed(
            lambda forge: Key.certificate(forge.gun, key=Key.generate(curve=ec.SECP384R1()))
        ),
        "p521": _keyed(
            lambda forge: Key.certificate(forge.gun, key=Key.generate(curve=ec.SECP521R1()))
        ),
        "p224": _keyed(
            lambda forge: Key.certificate(forge.gun, key=Key.generate(curve=ec.SECP224R1()))
        ),
        "rsa-1024": _keyed(
            lambda forge: Key.certificate(forge.gun, "rsa-x509", key=Key.generate("rsa", bits=1024))
        ),
        "rsa-4096": _keyed(
            lambda forge: Key.certificate(forge.gun, "rsa-x509", key=Key.generate("rsa", bits=4096))
        ),
        "other-name": _certified(cn="another"),
        "name-in-upper-case": _keyed(
            lambda forge: Key.certificate(forge.gun, cn=forge.gun.upper())
        ),
        "wildcard": _certified(cn="case/*"),
        "wildcard-alone": _certified(cn="*"),
        "wildcard-twice": _certified(cn="case/**"),
        "wildcard-inside": _certified(cn="ca*/root"),
        "wildcard-other": _certified(cn="other/*"),
        "wildcard-exact": _keyed(lambda forge: Key.certificate(forge.gun, cn=forge.gun + "*")),
        "prefix-without-wildcard": _certified(cn="case/"),
        "empty-name": _certified(cn=""),
        "expired": _certified(
            not_before=datetime(2015, 1, 1, tzinfo=timezone.utc),
            not_after=datetime(2016, 1, 1, tzinfo=timezone.utc),
        ),
        "not-yet-valid": _certified(
            not_before=datetime(2045, 1, 1, tzinfo=timezone.utc),
            not_after=datetime(2046, 1, 1, tzinfo=timezone.utc),
        ),
        "authority": _certified(is_ca=True),
        "chain": _keyed(_chain),
        "chain-upside-down": _keyed(_chain_upside_down),
        "two-leaves": _keyed(_two_leaves),
        "none-but-bare-ecdsa": _keyed(lambda _: Key.generate()),
        "none-but-bare-rsa": _keyed(lambda _: Key.generate("rsa")),
        "none-but-ed25519": _keyed(lambda _: Key.generate("ed25519")),
        "unreadable": _keyed(lambda _: Key("ecdsa-x509", Key.generate().private, b"nonsense")),
        "type-rsa-for-ecdsa": _keyed(
            lambda forge: Key("rsa-x509", (key := Key.certificate(forge.gun)).private, key.public)
        ),
        "type-bare-for-certificate": _keyed(
            lambda forge: Key("ecdsa", (key := Key.certificate(forge.gun)).private, key.public)
        ),
        "type-unknown": _keyed(
            lambda forge: Key("dsa-x509", (key := Key.certificate(forge.gun)).private, key.public)
        ),
    },
)


@case("root/certificate/long-name")
def long_name(site: Site) -> Iterator[Item]:
    """X.520 ends at 64 characters, GUNs do not."""
    gun = site.gun + "/" + "x" * 150
    forge = site.published(gun=gun)
    yield site.state(forge, gun=gun)
