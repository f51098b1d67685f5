"""Who signs the access tokens of the cases, and what the servers are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.tokens import DAY, Signer, auth_section, write_bundle

AUTHORITY = Signer.make(name="authority", is_ca=True)
MIDDLE = Signer.make(issuer=AUTHORITY, name="middle", is_ca=True)
LEAF = Signer.make(issuer=AUTHORITY, name="leaf")
BELOW = Signer.make(issuer=MIDDLE, name="below")
OF_LEAF = Signer.make(issuer=LEAF, name="of a leaf")
KNOWN = Signer.make("RSA", name="known")
EXPIRED = Signer.make(name="expired", ends=-DAY)
EXPIRED_LEAF = Signer.make(issuer=AUTHORITY, name="expired leaf", ends=-DAY)
STRANGER = Signer.make(name="stranger", is_ca=True)
OF_STRANGER = Signer.make(issuer=STRANGER, name="of a stranger")

GUARDED = "guarded"
REDIRECTING = "redirecting"


def token_settings(directory: Path, setting: str) -> dict[str, Any]:
    """The configuration of servers that want tokens, nothing for another setting."""
    if setting not in {GUARDED, REDIRECTING}:
        return {}
    vouching = (AUTHORITY, KNOWN, EXPIRED)
    bundle = write_bundle(directory / "bundle.crt", *(each.certificate for each in vouching))
    return {
        "auth": auth_section(bundle, autoredirect=setting == REDIRECTING),
        "repositories": {"gun_prefixes": ["case/"]},
    }
