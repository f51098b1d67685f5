"""The stand-in for a store, on which the other tests rest."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from notary.storage.interfaces import IMetadataStore, StoreUnavailableError
from tests.server.harness import GUN, Service, result_of
from tests.support.fakes import SwitchedStore


def test_provides_the_interface(service: Service) -> None:
    verifyObject(IMetadataStore, service.store)


def test_is_away_as_a_whole(service: Service) -> None:
    store: SwitchedStore = service.store
    store.go_away()
    everything: list[Deferred[Any]] = [
        store.newest(GUN, "root"),
        store.newest_timestamps([GUN]),
        store.newest_with_versions(GUN, "root", ["targets"]),
        store.by_version(GUN, "root", 1),
        store.by_checksum(GUN, "root", ""),
        store.many_by_checksum([(GUN, "root", "")]),
        store.by_checksums(GUN, {"root": ""}),
        store.publish(GUN, [], None),
        store.delete(GUN),
        store.changes(None, None, 1),
        store.check(),
    ]
    assert store.remembered(GUN, "root", "") is None
    for asked in everything:
        with pytest.raises(StoreUnavailableError):
            result_of(asked)
    assert set(store.asked) == set(IMetadataStore.names())
