"""What is to be reached, as ratios of ours to Go's."""

from __future__ import annotations

import attrs


@attrs.frozen
class Target:
    """What a workload is to reach.

    Attributes:
        rate: at least this ratio of the rates.
        server: at most this ratio of the server's CPU time for a request.
        signer: at most this ratio of the signer's, None if it has nothing to do.
    """

    rate: float
    server: float | None
    signer: float | None = None


_CURRENT = Target(4, 0.35)
_BY_CHECKSUM = Target(1.5, 0.5)
_PUBLISH = Target(2, 0.5, 0.6)
_OTHERS = Target(1.5, 0.6)

TARGETS = {
    "timestamp-c1": Target(2, 0.6),
    "timestamp-c16": _CURRENT,
    "timestamp-c64": _CURRENT,
    "timestamp-guns-c16": _CURRENT,
    "timestamp-guns-c64": _CURRENT,
    "checksum-c16": _BY_CHECKSUM,
    "checksum-c64": _BY_CHECKSUM,
    "checksum-guns-c16": _BY_CHECKSUM,
    "checksum-200k-c16": Target(1.1, 0.9),
    "root-c16": _CURRENT,
    "snapshot-c16": _CURRENT,
    "404-gun-c16": _OTHERS,
    "404-checksum-c16": _OTHERS,
    "404-route-c16": _OTHERS,
    "changefeed-c16": _OTHERS,
    "pull-k8": Target(1.3, 0.5),
    "handshake-rsa-k8": Target(1.5, 0.6),
    "handshake-p256-k8": Target(1.5, 0.6),
    "publish-k1": _PUBLISH,
    "publish-k4": _PUBLISH,
    "publish-k16": _PUBLISH,
    "publish-2000-k4": Target(2, 0.4),
    "timestamp-key-k4": Target(1.5, None, 0.6),
}
"""By workload. Others are measured without a target."""
