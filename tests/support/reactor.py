"""The reactor that tests run on: the server's, on which the signer's way to listen works too."""

from __future__ import annotations

from notary.fast.reactor import install

install()

from twisted.internet import reactor  # noqa: E402 - it is chosen by now

__all__ = ["reactor"]
