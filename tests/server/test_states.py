"""Publishes that are judged by what is remembered: faster, and otherwise as if it were not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timezone
from functools import cache, partial
from typing import cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from notary.server import publishing as publishing_module
from notary.server import states
from notary.server.states import SURE_AFTER, State, States
from notary.signing.interfaces import ISigner, KeyNotHeldError, RawSignature, UnsignableError
from notary.signing.local import LocalSigner
from notary.storage.interfaces import UPDATE, NewFile, UnstorableError
from notary.tuf.keys import PublicKey
from notary.tuf.metadata import FileMeta
from tests.server.harness import GUN, Service, base, result_of
from tests.support.fakes import HeldSigner
from tests.support.forge import Collection, Files, Key, multipart

ROLES = ("root", "targets", "snapshot", "timestamp")


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have servers build upon what they remember from the beginning."""
    with monkeypatch.context() as patched:
        patched.setattr(states, "SURE_AFTER", 0)
        yield


def asked(service: Service, files: Files, status: int = 200) -> list[str]:
    """What the store is asked for by a publish."""
    service.store.asked.clear()
    answer = service.publish(files)
    assert answer.status == status, answer
    return service.store.asked


def assert_whole(service: Service) -> None:
    """All files of a collection are there, as another server sees them."""
    other = service.beside()
    meta = other.get(f"{base()}snapshot.json").json["signed"]["meta"]
    for name in ("timestamp", "snapshot", *meta):
        assert other.get(f"{base()}{name}.json").status == 200, name


@implementer(ISigner)
class RefusingSigner:
    """A signer that refuses when it is told to."""

    def __init__(self, inner: ISigner) -> None:
        self._inner = inner
        self.refusals: list[Exception] = []

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        return self._inner.create_key(gun, role)

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        return self._inner.public_key(key_id)

    def check(self) -> Deferred[None]:
        return self._inner.check()

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        if self.refusals:
            return fail(self.refusals.pop())
        return self._inner.sign(gun, role, key_id, payload)


@pytest.mark.usefixtures("trusting")
class TestPublishing:
    def test_asks_for_nothing_that_is_remembered(self, service: Service) -> None:
        collection = service.published()
        for version in (2, 3):
            assert asked(service, {"targets": collection.targets(version)}) == ["publish"]
            assert [service.version(role) for role in ROLES] == [1, version, version, version]
        assert_whole(service)

    def test_asks_for_a_file_above(self, service: Service) -> None:
        collection = service.collection()
        delegations = collection.delegations("targets/a")
        first = {**collection.first(delegations=delegations)}
        service.publish({**first, "targets/a": collection.delegation("targets/a")})
        new = {"targets/a": collection.delegation("targets/a", 2)}
        assert asked(service, new) == ["by_checksums", "publish"]

    def test_asks_for_versions_that_are_not_known(self, service: Service) -> None:
        collection = service.collection()
        delegations = collection.delegations("targets/a")
        service.publish(collection.first(delegations=delegations))
        new = {"targets/a": collection.delegation("targets/a")}
        assert asked(service, new)[0] == "newest_with_versions"

    def test_a_snapshot_of_the_client_is_remembered_too(self, service: Service) -> None:
        collection = service.published(server_snapshot=False)
        root = service.get(f"{base()}root.json").body
        for version in (2, 3):
            files = {"targets": collection.targets(version)}
            snapshot = collection.snapshot(version, meta_of={"root": root, **files})
            assert asked(service, {**files, "snapshot": snapshot}) == ["publish"]

    def test_over_what_another_server_published(self, service: Service) -> None:
        collection = service.collection()
        delegations = collection.delegations("targets/a")
        service.publish(collection.first(delegations=delegations))
        new = {"targets/a": collection.delegation("targets/a")}
        assert service.beside().publish(new).status == 200
        upload = {"targets": collection.targets(2, delegations=delegations)}
        assert asked(service, upload)[:2] == ["publish", "newest_with_versions"]
        assert service.version("timestamp") == 3
        assert service.version("targets/a") == 1
        assert_whole(service)

    def test_over_a_timestamp_that_another_server_made_anew(self, service: Service) -> None:
        collection = service.published()
        newest = result_of(service.store.inner.newest(GUN, "timestamp"))
        data = newest.data.replace(b'"version":1', b'"version":2')
        result_of(service.store.inner.publish(GUN, [NewFile("timestamp", 2, data)], newest))
        assert service.publish({"targets": collection.targets(2)}).status == 200
        assert service.version("timestamp") == 3

    def test_a_version_that_another_server_has_is_stale(self, service: Service) -> None:
        collection = service.published()
        service.beside().publish({"targets": collection.targets(2)})
        answer = service.publish({"targets": collection.targets(2, indent=1)})
        assert (answer.status, answer.error["code"]) == (400, "VERSION")

    def test_after_another_server_deleted_it(self, service: Service) -> None:
        collection = service.published()
        service.beside().ask("DELETE", base())
        answer = service.publish({"targets": collection.targets(2)})
        assert answer.error["detail"]["Error"]["Msg"] == (
            "no pre-existing root and no root provided in update."
        )
        assert service.publish(collection.first()).status == 200
        assert_whole(service)

    @pytest.mark.parametrize("versions", [1, 2])
    def test_after_another_server_made_it_again(self, service: Service, versions: int) -> None:
        """With other keys, and up to the same version or another one."""
        old = service.published()
        other = service.beside()
        other.ask("DELETE", base())
        new = other.published()
        for version in range(2, versions + 1):
            assert other.publish({"targets": new.targets(version)}).status == 200
        answer = service.publish({"targets": old.targets(3)})
        assert answer.error["detail"]["Name"] == "ErrBadTargets"
        assert service.publish({"targets": new.targets(3)}).status == 200
        assert service.version("timestamp") == versions + 1
        assert_whole(service)

    def test_what_is_refused_by_what_is_remembered_is_judged_again(self, service: Service) -> None:
        collection = service.published()
        key = Key.generate()
        rotated = Collection(
            GUN,
            collection.timestamp_key,
            collection.snapshot_key,
            root_key=collection.root_key,
            targets_key=key,
        )
        files = {"root": rotated.root(2), "targets": rotated.targets(2)}
        assert service.beside().publish(files).status == 200
        assert service.publish({"targets": rotated.targets(3)}).status == 200
        answer = service.publish({"targets": collection.targets(4)})
        assert answer.error["detail"]["Name"] == "ErrBadTargets"

    def test_a_file_that_is_missing_is_looked_for_again(self, service: Service) -> None:
        collection = service.collection()
        delegations = collection.delegations("targets/a")
        files = collection.first(delegations=delegations)
        service.publish({**files, "targets/a": collection.delegation("targets/a")})
        other = service.beside()
        other.ask("DELETE", base())
        targets = collection.targets(1, delegations=delegations, indent=1)
        other.publish({"root": files["root"], "targets": targets})
        new = {"targets/a": collection.delegation("targets/a", 2)}
        assert asked(service, new)[:2] == ["by_checksums", "newest_with_versions"]

    @pytest.mark.parametrize("refusal", [KeyNotHeldError("not held"), UnsignableError("large")])
    def test_what_the_signer_refuses_is_judged_again(self, refusal: Exception) -> None:
        signer: list[RefusingSigner] = []

        def wrap(inner: ISigner) -> ISigner:
            signer.append(RefusingSigner(inner))
            return signer[0]

        service = Service.make(wrap)
        collection = service.published()
        signer[0].refusals = [refusal]
        upload = {"targets": collection.targets(2)}
        assert asked(service, upload)[0] == "newest_with_versions"
        signer[0].refusals = [refusal] * 2
        assert service.publish({"targets": collection.targets(3)}).status == 400

    def test_what_the_store_refuses_is_judged_again(self, service: Service) -> None:
        def refuse() -> None:
            raise UnstorableError("the column")

        collection = service.published()
        service.store.before_publish = [refuse]
        assert service.publish({"targets": collection.targets(2)}).status == 200
        service.store.before_publish = [refuse] * 2
        assert service.publish({"targets": collection.targets(3)}).status == 400

    @pytest.mark.parametrize(("times", "status"), [(4, 200), (5, 400)])
    def test_has_as_many_attempts_besides(self, service: Service, times: int, status: int) -> None:
        collection = service.published()
        other = service.beside()
        versions = iter(range(2, 10))

        def overtake() -> None:
            other.publish({"root": collection.root(next(versions))})

        service.store.before_publish = [overtake] * times
        assert service.publish({"targets": collection.targets(2)}).status == status

    @pytest.mark.parametrize(("smaller", "threads"), [(0, 1), (1, 0)])
    def test_a_big_snapshot_is_worked_on_in_a_thread(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, smaller: int, threads: int
    ) -> None:
        collection = service.published()
        upload = {"targets": collection.targets(2)}
        size = len(multipart(upload)[1]) + len(service.get(f"{base()}snapshot.json").body)
        monkeypatch.setattr(publishing_module, "BIG_UPLOAD", size + smaller)
        assert asked(service, upload) == ["publish"]
        assert len(service.threads) == threads

    def test_forgets_what_is_deleted(self, service: Service) -> None:
        collection = service.published()
        assert service.ask("DELETE", base()).status == 200
        files = {"root": collection.root(2), "targets": collection.targets(2)}
        assert asked(service, files) == ["newest_with_versions", "publish"]

    def test_reads_anew_after_a_failure(self, service: Service) -> None:
        collection = service.published()
        service.signer.away = True
        assert service.publish({"targets": collection.targets(2)}).status == 503
        service.signer.away = False
        upload = {"targets": collection.targets(2)}
        assert asked(service, upload)[0] == "newest_with_versions"
        assert asked(service, {"targets": collection.targets(3)}) == ["publish"]

    def test_of_two_at_once_one_builds_upon_what_is_remembered(self) -> None:
        service = Service.make(HeldSigner)
        collection = service.collection()
        names = ("targets/a", "targets/b")
        files = collection.first(delegations=collection.delegations(*names))
        service.publish({**files, **{name: collection.delegation(name) for name in names}})
        held = cast(HeldSigner, service.outermost)
        held.holding = True
        service.store.asked.clear()
        racers = [service.start_publish({name: collection.delegation(name, 2)}) for name in names]
        assert service.store.asked.count("newest_with_versions") == 1
        held.let_go()
        held.holding = False
        assert [racer.answer.status for racer in racers] == [200, 200]
        assert service.version("timestamp") == 3
        assert_whole(service)


class TestTrust:
    """A server builds upon what it remembers after it was right often enough."""

    def publish(self, service: Service, collection: Collection, version: int) -> bool:
        """Publish; tell whether the database was asked."""
        return "newest_with_versions" in asked(service, {"targets": collection.targets(version)})

    def test_has_to_be_earned(self, service: Service) -> None:
        collection = service.published()
        has_asked = [
            self.publish(service, collection, version) for version in range(2, SURE_AFTER + 4)
        ]
        assert has_asked == [True] * SURE_AFTER + [False] * 2

    def test_is_lost_at_once(self, service: Service) -> None:
        collection = service.published()
        versions = iter(range(2, 100))
        while self.publish(service, collection, next(versions)):
            pass
        service.beside().publish({"targets": collection.targets(next(versions))})
        has_asked = [
            self.publish(service, collection, next(versions)) for _ in range(SURE_AFTER + 2)
        ]
        assert has_asked == [True] * (SURE_AFTER + 1) + [False]

    def test_is_not_earned_among_servers_that_take_turns(self, service: Service) -> None:
        collection = service.published()
        other = service.beside()
        other.publish({"targets": collection.targets(2)})
        for version in range(3, 3 + 4 * SURE_AFTER, 2):
            for server, number in ((service, version), (other, version + 1)):
                upload = {"targets": collection.targets(number)}
                assert asked(server, upload).count("publish") == 1


FILE = FileMeta.of(b"")


def state_of(files: int) -> State:
    return State(None, {f"targets/{number}": FILE for number in range(files)})


class TestStates:
    @pytest.fixture
    def remembered(self, service: Service) -> States:
        return States(service.store)

    def test_are_given_out_once(self, remembered: States) -> None:
        remembered.remember(GUN, state_of(1))
        assert remembered.take("other") is None
        assert remembered.take(GUN) == state_of(1)
        assert remembered.take(GUN) is None

    def test_are_bounded(self, remembered: States) -> None:
        for number in range(100):
            remembered.remember(str(number), state_of(200))
        kept = [number for number in range(100) if remembered.take(str(number)) is not None]
        assert kept == list(range(60, 100))

    def test_of_many_files_are_not_remembered(self, remembered: States) -> None:
        remembered.remember(GUN, state_of(512))
        assert remembered.take(GUN) is None

    def test_know_no_version_of_what_the_snapshot_does_not_name(self) -> None:
        before = State(None, {}, 0, {"targets/a": 7, "targets/b": 8})
        files = [NewFile(name, 9, b"12") for name in ("targets/a", "snapshot", "timestamp")]
        timestamp = files[2].stored_at(datetime.now(timezone.utc))
        after = before.after(files, timestamp, {"targets/a": FILE, "targets": FILE})
        assert after == State(
            timestamp,
            {"targets/a": FILE, "targets": FILE},
            2,
            {"targets/a": 9, "snapshot": 9, "timestamp": 9},
        )


SERVERS = 3
KEYS = LocalSigner()


def publishers() -> list[Collection]:
    """Four who publish to one collection: two pairs with a root key in common."""
    first, second = (Service.make(keys=KEYS).collection() for _ in range(2))
    return [
        attrs.evolve(one, targets_key=key)
        for one in (first, second)
        for key in (Key.generate(), Key.generate())
    ]


PUBLISHERS = publishers()


@cache
def upload(publisher: int, kind: str, version: int) -> Files:
    """What a step uploads; the same each time, so that servers can be compared."""
    collection = PUBLISHERS[publisher]
    root, delegations = collection.root(version), collection.delegations("targets/a")
    targets = collection.targets(version, delegations=delegations)
    files = {
        "root": {"root": root},
        "targets": {"targets": targets},
        "both": {"root": root, "targets": targets},
        "delegation": {"targets/a": collection.delegation("targets/a", version)},
    }
    return files[kind]


Step = Callable[[Service], object]


def publishing(publisher: int, kind: str, version: int) -> Step:
    def step(server: Service) -> object:
        answer = server.publish(upload(publisher, kind, version))
        return answer.status, answer.body

    return step


def deleting(server: Service) -> object:
    return server.ask("DELETE", base()).status


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        publishing,
        st.integers(0, 3),
        st.sampled_from(["both", "targets", "root", "delegation"]),
        st.integers(1, 4),
    ),
    st.just(deleting),
)


def forgetful(server: Service) -> Service:
    """A server that remembers nothing, on a copy of the database of another one."""
    copy = deepcopy(server.store.inner, {id(server.clock): server.clock})
    return Service.make(make_store=lambda _clock: copy, keys=KEYS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, SERVERS - 1), STEPS, st.none() | STEPS), min_size=1, max_size=12
    )
)
def test_servers_answer_as_if_they_remembered_nothing(
    steps: list[tuple[int, Step, Step | None]],
) -> None:
    """Of several servers each does a step, in the middle of which another one may overtake it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(states, "SURE_AFTER", 0)
        first = Service.make(keys=KEYS)
        servers = [first, *(first.beside() for _ in range(SERVERS - 1))]
        publishing(0, "both", 1)(first)
        for number, step, rival in steps:
            server, other = servers[number], servers[number - 1]
            reference = forgetful(first)
            if rival is not None:
                server.store.before_publish = [partial(rival, other)]
            answer = step(server)
            if rival is not None and not server.store.before_publish:
                rival(reference)
            server.store.before_publish.clear()
            assert answer == step(reference)
        [last] = result_of(first.store.changes(GUN, None, -1))
        if last.category == UPDATE:
            assert_whole(first)
