"""Looking at the files that a configuration names."""

from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path

from cryptography import x509

from notary.check.certificates import Purpose, check_authorities, check_chain
from notary.check.findings import Finding, error, ok, warning
from notary.pem import PEMError, read_certificates, read_private_key
from notary.tls import KeyPair, ServerContext, TLSError


def check_shown(
    certificate_key: str, key_key: str, pair: KeyPair, purpose: Purpose, now: datetime
) -> list[Finding]:
    """Judge a certificate that is shown to others, and its key.

    Args:
        certificate_key: the key path of the certificate.
        key_key: the key path of its private key.
        pair: the two files.
        purpose: what they are for.
        now: with a time zone.
    """
    findings: list[Finding] = []
    chain: list[x509.Certificate] = []
    try:
        chain = read_certificates(pair.certificate_file)
        findings += check_chain(certificate_key, str(pair.certificate_file), chain, purpose, now)
    except PEMError as problem:
        findings.append(error(certificate_key, str(problem)))
    try:
        read_private_key(pair.key_file)
    except PEMError as problem:
        return [*findings, error(key_key, str(problem))]
    findings += check_secret(key_key, pair.key_file)
    if chain:
        findings.append(_check_together(key_key, pair))
    return findings


def _check_together(subject: str, pair: KeyPair) -> Finding:
    try:
        ServerContext(pair, None)
    except TLSError as problem:
        return error(subject, str(problem))
    return ok(subject, f"{pair.key_file} is the key of the certificate")


def check_trusted(subject: str, file: Path | None, now: datetime) -> list[Finding]:
    """Judge a file of authorities, if there is one."""
    if file is None:
        return []
    try:
        certificates = read_certificates(file)
    except PEMError as problem:
        return [error(subject, str(problem))]
    return check_authorities(subject, str(file), certificates, now)


def check_secret(subject: str, file: Path) -> list[Finding]:
    """Warn of a secret that every user of the machine can read."""
    try:
        mode = file.stat().st_mode
    except OSError as problem:
        return [error(subject, f"{file} cannot be looked at: {problem.strerror}")]
    if mode & stat.S_IROTH:
        return [
            warning(
                subject,
                f"{file} can be read by every user of this machine: chmod o-r {file}, and "
                "replace what is in it if any of them is not trusted",
            )
        ]
    return []
