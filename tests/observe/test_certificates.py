"""When certificates expire: by what is in the files at the moment."""

from __future__ import annotations

import shutil
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry

from notary.observe.certificates import CertificateExpiry
from tests.support.daemons import FIXTURES, ROOT_CA

NAME = "d_certificate_expiry_timestamp_seconds"


def expiry(path: Path) -> float:
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return min(each.not_valid_after_utc.timestamp() for each in certificates)


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    file = tmp_path / "x.crt"
    shutil.copy(FIXTURES / "notary-server.crt", file)
    CertificateExpiry(registry, "d", {"server.crt": file, "not.set": None})
    assert registry.get_sample_value(NAME, {"key": "server.crt"}) == expiry(file)
    assert registry.get_sample_value(NAME, {"key": "not.set"}) is None
    file.write_bytes(ROOT_CA.read_bytes())
    assert registry.get_sample_value(NAME, {"key": "server.crt"}) == expiry(ROOT_CA)


def test_the_first_to_expire_of_a_file_counts(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    file = tmp_path / "chain.crt"
    parts = [FIXTURES / "notary-server.crt", ROOT_CA]
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    CertificateExpiry(registry, "d", {"k": file})
    assert registry.get_sample_value(NAME, {"key": "k"}) == min(map(expiry, parts))


def test_a_file_that_cannot_be_read_counts_as_expired(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    bad = tmp_path / "bad"
    bad.write_text("no certificate")
    CertificateExpiry(registry, "d", {"a": tmp_path / "missing", "b": bad})
    assert registry.get_sample_value(NAME, {"key": "a"}) == 0
    assert registry.get_sample_value(NAME, {"key": "b"}) == 0
