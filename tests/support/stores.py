"""What tests ask stores for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from notary.storage.interfaces import FileNotStoredError, IMetadataStore, NewFile, StoredFile
from notary.tuf.names import TIMESTAMP


async def newest_versions(store: IMetadataStore, gun: str, roles: Iterable[str]) -> dict[str, int]:
    """Return the highest version of each role; roles without a file are left out."""
    versions = {}
    for role in roles:
        try:
            versions[role] = (await store.newest(gun, role)).version
        except FileNotStoredError:
            continue
    return versions


async def base_of(store: IMetadataStore, gun: str, version: int) -> StoredFile | None:
    """Return the timestamp of a version, None for version 0; one that is not there is made up."""
    try:
        return await store.by_version(gun, TIMESTAMP, version)
    except FileNotStoredError:
        made_up = NewFile(TIMESTAMP, version, b"never published")
        return made_up.stored_at(datetime.now(timezone.utc)) if version else None


async def publish_upon(
    store: IMetadataStore, gun: str, files: Sequence[NewFile], version: int
) -> Sequence[StoredFile]:
    """Publish upon the timestamp of a version, as `base_of` has it."""
    return await store.publish(gun, files, await base_of(store, gun, version))
