"""Having a draft signed."""

from __future__ import annotations

from itertools import islice

from notary.signing.interfaces import ISigner, KeyNotHeldError
from notary.tuf.drafts import Draft
from notary.tuf.errors import InvalidKeyError
from notary.tuf.metadata import MAX_SIGNATURES, Signature


async def sign_draft(signer: ISigner, gun: str, draft: Draft) -> bytes:
    """Return the finished file, signed by every key of the role that the signer holds.

    Of a role with more keys than a file may have signatures, only so many are asked for.

    Raises:
        KeyNotHeldError: the signer holds fewer keys than the role's threshold.
        SignerUnavailableError: the signer cannot answer now.
        SignatureError: the signer returned signatures that do not verify.
    """
    signatures = []
    for key_id, key in islice(draft.signers.keys.items(), MAX_SIGNATURES):
        try:
            raw = await signer.sign(gun, draft.role, key.canonical_id, draft.payload)
        except (KeyNotHeldError, InvalidKeyError):  # what nobody can read, nobody holds
            continue
        signatures.append(Signature(key_id, raw.method, raw.signature))
    if len(signatures) < draft.signers.threshold:
        raise KeyNotHeldError(
            f"the signer holds {len(signatures)} of the {draft.signers.threshold} keys that "
            f"{draft.role} needs"
        )
    return draft.assemble(signatures)
