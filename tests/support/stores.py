"""What tests ask stores for."""

from __future__ import annotations

from collections.abc import Iterable

from notary.storage.interfaces import FileNotStoredError, IMetadataStore


async def newest_versions(store: IMetadataStore, gun: str, roles: Iterable[str]) -> dict[str, int]:
    """Return the highest version of each role; roles without a file are left out."""
    versions = {}
    for role in roles:
        try:
            versions[role] = (await store.newest(gun, role)).version
        except FileNotStoredError:
            continue
    return versions
