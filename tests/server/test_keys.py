"""The keys that the server hands out for roots to name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.harness import GUN, Service, base
from tests.support.forge import Collection, Key, public_keys
from tests.support.forge import role as role_of

ROLES = ("timestamp", "snapshot")
UNREADABLE = {"keytype": "ecdsa-x509", "keyval": {"private": None, "public": "eA=="}}


def get_key(service: Service, role: str, method: str = "GET", gun: str = GUN) -> dict[str, Any]:
    answer = service.ask(method, f"{base(gun)}{role}.key")
    assert (answer.status, answer.headers["Content-Type"]) == (
        200,
        "application/json; charset=utf-8",
    )
    assert "Cache-Control" not in answer.headers
    key: dict[str, Any] = answer.json
    return key


@pytest.mark.parametrize("role", ROLES)
def test_a_key_is_as_metadata_writes_it(service: Service, role: str) -> None:
    key = get_key(service, role)
    assert (key["keytype"], key["keyval"]["private"]) == ("ed25519", None)
    assert set(key) == {"keytype", "keyval"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_asking_twice_gives_one_key(service: Service, method: str) -> None:
    assert get_key(service, "timestamp", method) == get_key(service, "timestamp", method)


def test_keys_differ_by_collection_and_role(service: Service) -> None:
    keys = [get_key(service, role, gun=gun) for gun in (GUN, "other") for role in ROLES]
    assert len({key["keyval"]["public"] for key in keys}) == 4


@pytest.mark.parametrize("role", ROLES)
def test_the_key_of_the_root_stays_current(service: Service, role: str) -> None:
    collection = service.published()
    named = {"timestamp": collection.timestamp_key, "snapshot": collection.snapshot_key}
    assert get_key(service, role) == named[role]


def test_a_rotated_key_is_new_until_it_has_signed(service: Service) -> None:
    collection = service.published()
    rotated = get_key(service, "timestamp", "POST")
    assert rotated != collection.timestamp_key
    assert get_key(service, "timestamp", "POST") == rotated
    assert get_key(service, "timestamp") == collection.timestamp_key
    after = Collection(
        GUN, rotated, collection.snapshot_key, collection.root_key, collection.targets_key
    )
    assert service.publish({"root": after.root(2)}).status == 200
    assert get_key(service, "timestamp") == rotated
    assert get_key(service, "timestamp", "POST") != rotated


def test_a_key_that_the_client_holds_is_replaced_by_a_new_one(service: Service) -> None:
    collection = service.published(server_snapshot=False)
    offered = get_key(service, "snapshot")
    assert isinstance(collection.snapshot_key, Key)
    assert offered != collection.snapshot_key.public_json()
    assert get_key(service, "snapshot") == offered


def test_a_key_that_cannot_be_read_is_not_held(service: Service) -> None:
    timestamp_key = service.collection().timestamp_key
    mine = Key.generate()
    collection = Collection(GUN, timestamp_key, mine)
    keys = [
        collection.root_key,
        collection.targets_key,
        timestamp_key,
        UNREADABLE,
        mine,
    ]
    files = {
        "root": collection.root(
            keys=public_keys(keys), roles={"snapshot": role_of([UNREADABLE, mine])}
        ),
        "targets": collection.targets(),
    }
    files["snapshot"] = collection.snapshot(meta_of=files)
    assert service.publish(files).status == 200
    assert get_key(service, "snapshot")["keytype"] == "ed25519"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_signer_there_is_no_key(service: Service, method: str) -> None:
    service.signer.away = True
    answer = service.ask(method, f"{base()}timestamp.key")
    assert (answer.status, answer.error["code"]) == (503, "SIGNER_UNAVAILABLE")


def test_without_the_signer_there_is_no_current_key(service: Service) -> None:
    service.published()
    service.signer.away = True
    assert service.get(f"{base()}timestamp.key").error["code"] == "SIGNER_UNAVAILABLE"


def test_without_the_store_there_is_no_current_key(service: Service) -> None:
    service.store.go_away()
    assert service.get(f"{base()}timestamp.key").error["code"] == "STORE_UNAVAILABLE"
    assert service.ask("POST", f"{base()}timestamp.key").status == 200


def test_a_damaged_root_is_no_reason_for_a_new_key(service: Service) -> None:
    service.published()
    service.store.replaced["root"] = b"{}"
    assert service.get(f"{base()}timestamp.key").error["code"] == "UNKNOWN"
    assert ("create_key", "timestamp") not in service.signer.asked


@pytest.mark.parametrize("role", ["root", "targets", "targets/a"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_roles_have_no_key_here(service: Service, role: str, method: str) -> None:
    answer = service.ask(method, f"{base()}{role}.key", b"" if method == "POST" else None)
    assert (answer.status, answer.error["code"]) == (404, "METADATA_NOT_FOUND")
