"""The public keys that the server signs timestamps and snapshots with."""

from __future__ import annotations

from notary.server.reading import read_current, read_stored
from notary.signing.interfaces import ISigner, KeyNotHeldError
from notary.storage.interfaces import FileNotStoredError, IMetadataStore
from notary.tuf.errors import InvalidKeyError
from notary.tuf.files import Root
from notary.tuf.keys import PublicKey
from notary.tuf.names import ROOT


class ServerKeys:
    """Hands out the public keys of the roles that the server may sign for."""

    def __init__(self, store: IMetadataStore, signer: ISigner) -> None:
        self._store = store
        self._signer = signer

    async def current(self, gun: str, role: str) -> PublicKey:
        """Return the key that the collection's root names, if the signer holds it, else a new one.

        Asking again gives the same one.

        Raises:
            DamagedFileError: the root cannot be read.
            StoreUnavailableError, SignerUnavailableError: they cannot answer now.
        """
        try:
            file = await read_current(self._store, gun, ROOT)
        except FileNotStoredError:
            return await self.rotate(gun, role)
        for key in read_stored(gun, file, Root.read).roles[role].keys.values():
            try:
                return await self._signer.public_key(key.canonical_id)
            except (KeyNotHeldError, InvalidKeyError):  # what nobody can read, nobody holds
                continue
        return await self.rotate(gun, role)

    async def rotate(self, gun: str, role: str) -> PublicKey:
        """Return a key that has not signed anything yet, for the next root to name.

        Raises:
            SignerUnavailableError: the signer cannot answer now.
        """
        return await self._signer.create_key(gun, role)
