"""Trust in a root: its certificates, its own signatures and those of the root before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from notary.tuf.certificates import leaf_problem
from notary.tuf.errors import InvalidKeyError, InvalidMetadataError, SignatureError
from notary.tuf.files import Root
from notary.tuf.keys import PublicKey
from notary.tuf.names import ROOT


def verify_root(root: Root, previous: Root | None, gun: str, now: datetime) -> None:
    """Check that a root vouches for itself, and that the one before it vouches for it.

    Certificates of the previous root may have expired meanwhile: whoever holds their keys can
    still pass the trust on.

    Args:
        root: the root to check.
        previous: the root that clients trust so far, or None for a collection's first.
        gun: the collection that the certificates must be for.
        now: the time to judge the new root's certificates by.

    Raises:
        InvalidMetadataError: no root key has a certificate that may vouch for this collection.
        SignatureError: too few of the root keys, own or previous, have signed.
    """
    keys = _vouching_keys(root, gun, now)
    if previous is not None:
        try:
            root.metadata.check_signatures(
                ROOT, _vouching_keys(previous, gun, None), previous.roles[ROOT].threshold
            )
        except (InvalidMetadataError, SignatureError) as error:
            raise SignatureError(
                f"could not rotate trust to a new trusted root: by the previous root, {error}"
            ) from error
    root.metadata.check_signatures(ROOT, keys, root.roles[ROOT].threshold)


def _vouching_keys(root: Root, gun: str, now: datetime | None) -> Mapping[str, PublicKey]:
    vouching = {}
    problems = []
    for key_id, key in root.roles[ROOT].keys.items():
        try:
            problem = leaf_problem(key.certificate_chain, gun, now)
        except InvalidKeyError as error:
            problem = str(error)
        if problem:
            problems.append(f"{key_id[:64]}: {problem}")
        else:
            vouching[key_id] = key
    if not vouching:
        reasons = "; ".join(problems[:5]) or "there are none"
        raise InvalidMetadataError(f"no valid certificate among the root keys ({reasons})")
    return vouching
