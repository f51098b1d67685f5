"""What can be said of certificates without connecting to anybody. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from notary.check.findings import Finding, error, ok, warning
from notary.pem import names_of

SOON = timedelta(days=30)
"""A certificate that expires within this time is warned of."""

_LEAST_RSA_BITS = 2048
_LEAST_CURVE_BITS = 256
_WEAK_HASHES = ("md5", "sha1")
_MOST_NAMED = 3


@attrs.frozen
class Purpose:
    """What a certificate is shown for.

    Attributes:
        usage: what its extended key usage has to hold, if there is one (RFC 5280, 4.2.1.12).
        name: that, for messages.
        by_host: whether the other end looks for the name of a host in it.
    """

    usage: ObjectIdentifier
    name: str
    by_host: bool


SERVER = Purpose(ExtendedKeyUsageOID.SERVER_AUTH, "serverAuth", by_host=True)
CLIENT = Purpose(ExtendedKeyUsageOID.CLIENT_AUTH, "clientAuth", by_host=False)


def check_chain(
    subject: str, where: str, chain: Sequence[x509.Certificate], purpose: Purpose, now: datetime
) -> list[Finding]:
    """Judge a certificate that is shown to others, and those behind it.

    Args:
        subject: the key path that names the file.
        where: the file, for messages.
        chain: the certificate, then its issuers, each behind the one that it signed.
        purpose: what it is shown for.
        now: with a time zone.
    """
    leaf = chain[0]
    bad = [
        *(finding for each in chain for finding in _expiry(subject, where, each, now)),
        *(finding for each in chain for finding in _strength(subject, where, each)),
        *_order(subject, where, chain),
        *_usage(subject, where, leaf, purpose),
    ]
    names = f" for {', '.join(names_of(leaf))}" if purpose.by_host and names_of(leaf) else ""
    last = chain[-1]
    trusted = (
        "it is self-signed: the other end has to trust it itself"
        if leaf.subject == leaf.issuer
        else f"the other end has to trust {_name(last.issuer)}"
    )
    summary = f"{_name(leaf.subject)}{names} in {where}, {_valid_until(leaf)}; {trusted}"
    return [ok(subject, summary), *bad]


def check_authorities(
    subject: str, where: str, certificates: Sequence[x509.Certificate], now: datetime
) -> list[Finding]:
    """Judge the certificates that others are checked against.

    One that has expired is an error if there is no other, else a warning.
    """
    found = [finding for each in certificates for finding in _expiry(subject, where, each, now)]
    if any(_is_valid(each, now) for each in certificates):
        found = [warning(subject, finding.message) for finding in found]
    named = [f"{_name(each.subject)} {_valid_until(each)}" for each in certificates[:_MOST_NAMED]]
    more = len(certificates) - len(named)
    if more:
        named.append(f"{more} more")
    return [ok(subject, f"trusts {', '.join(named)} (in {where})"), *found]


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _expiry(
    subject: str, where: str, certificate: x509.Certificate, now: datetime
) -> Iterator[Finding]:
    what = f"the certificate of {_name(certificate.subject)} in {where}"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        yield error(subject, f"{what} has expired on {end:%Y-%m-%d}: have it renewed")
    elif now < begin:
        yield error(
            subject,
            f"{what} is not valid before {begin:%Y-%m-%d %H:%M} UTC: check this machine's clock, "
            "or wait until then",
        )
    elif end - now < SOON:
        days = (end - now).days
        yield warning(subject, f"{what} expires on {end:%Y-%m-%d}, in {days} days: have it renewed")


def _strength(subject: str, where: str, certificate: x509.Certificate) -> Iterator[Finding]:
    what = f"the certificate of {_name(certificate.subject)} in {where}"
    try:
        key = certificate.public_key()
        algorithm = certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        yield error(subject, f"{what} is of a kind that is unknown here: use ECDSA, Ed25519 or RSA")
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        yield error(
            subject,
            f"{what} has an RSA key of {key.key_size} bits: make one of {_LEAST_RSA_BITS} or more",
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _LEAST_CURVE_BITS:
        yield error(subject, f"{what} has a key on the curve {key.curve.name}: use P-256")
    if isinstance(key, dsa.DSAPublicKey):
        yield error(subject, f"{what} has a DSA key, which TLS no longer uses: use P-256")
    is_root = certificate.subject == certificate.issuer
    if algorithm is not None and algorithm.name in _WEAK_HASHES and not is_root:
        yield error(
            subject, f"{what} is signed with {algorithm.name.upper()}: have it issued with SHA-256"
        )


def _order(subject: str, where: str, chain: Sequence[x509.Certificate]) -> Iterator[Finding]:
    for below, above in pairwise(chain):
        if below.subject == below.issuer:
            yield error(
                subject,
                f"{_name(below.subject)} in {where} is self-signed, so that nothing belongs behind "
                f"it, yet {_name(above.subject)} follows: put them in order, or remove that one",
            )
            continue
        names = f"{_name(above.subject)}, which follows {_name(below.subject)} in {where},"
        try:
            below.verify_directly_issued_by(above)
        except (InvalidSignature, TypeError, ValueError):
            yield error(
                subject,
                f"{names} did not sign it: put the daemon's own certificate first, and behind each "
                f"the one that signed it, which is {_name(below.issuer)}",
            )
        else:
            if not _is_authority(above):
                yield error(
                    subject,
                    f"{names} signed it, but is no certificate authority (basicConstraints): "
                    "have an authority sign it",
                )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _usage(subject: str, where: str, leaf: x509.Certificate, purpose: Purpose) -> Iterator[Finding]:
    what = f"the certificate of {_name(leaf.subject)} in {where}"
    if purpose.by_host and not names_of(leaf):
        yield error(
            subject,
            f"{what} names no host or IP address (subjectAltName), so that clients refuse it: have "
            "one issued with the names under which the daemon is reached",
        )
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if purpose.usage not in usages and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in usages:
        yield error(
            subject,
            f"{what} may not be used for this (extended key usage): have one issued with "
            f"{purpose.name}, or without that extension",
        )


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "an empty name"


def _valid_until(certificate: x509.Certificate) -> str:
    return f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}"
