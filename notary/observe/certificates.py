"""When the certificates of a daemon expire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry

from notary.observe.tallies import Reading

_Stamp = tuple[int, int, int]


class CertificateExpiry:
    """Reads from files when the first of their certificates expires, again if they change.

    Args:
        registry: gets the metric ``PREFIX_certificate_expiry_timestamp_seconds``.
        prefix: begins its name.
        files: PEM files by the configuration key that names them; None where that is not set.
    """

    def __init__(
        self, registry: CollectorRegistry, prefix: str, files: Mapping[str, Path | None]
    ) -> None:
        self._files = {key: file for key, file in files.items() if file is not None}
        self._known: dict[str, tuple[_Stamp, float]] = {}
        Reading(
            registry,
            f"{prefix}_certificate_expiry_timestamp_seconds",
            "When the first certificate of a file expires, as Unix time; 0 if it cannot be read.",
            lambda: dict(self._read()),
            "key",
        )

    def _read(self) -> Iterator[tuple[str, float]]:
        for key, file in self._files.items():
            try:
                yield key, self._expiry(key, file)
            except (OSError, ValueError):
                yield key, 0.0

    def _expiry(self, key: str, file: Path) -> float:
        found = file.stat()
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._known.get(key)
        if known is None or known[0] != stamp:
            certificates = x509.load_pem_x509_certificates(file.read_bytes())
            expiry = min(each.not_valid_after_utc.timestamp() for each in certificates)
            known = self._known[key] = (stamp, expiry)
        return known[1]
