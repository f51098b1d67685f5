"""Work that outlives the request that began it, and work that several requests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError, Deferred

from notary import request_id
from notary.sharing import Shared, shield
from tests.server.harness import log_lines, result_of

LOGGED = "failed after its client had gone away"


class TestShield:
    def test_fires_as_the_work_does(self) -> None:
        work: Deferred[int] = Deferred()
        outer = shield(work)
        assert not outer.called
        work.callback(3)
        assert result_of(outer) == 3

    def test_fails_as_the_work_does(self) -> None:
        work: Deferred[int] = Deferred()
        outer = shield(work)
        with log_lines() as lines:
            work.errback(ValueError("why"))
        with pytest.raises(ValueError, match="why"):
            result_of(outer)
        assert lines == []

    def test_leaves_the_work_alone_when_cancelled(self) -> None:
        cancelled: list[object] = []
        work: Deferred[int] = Deferred(cancelled.append)
        outer = shield(work)
        outer.cancel()
        with pytest.raises(CancelledError):
            result_of(outer)
        assert cancelled == []
        with log_lines() as lines:
            work.callback(3)
        assert lines == []

    def test_logs_a_failure_that_nobody_waits_for(self) -> None:
        work: Deferred[int] = Deferred()
        shield(work).addErrback(lambda _: None).cancel()
        with log_lines() as lines:
            work.errback(ValueError("why"))
        assert lines == [f"{LOGGED} why"]


class TestShared:
    def setup_method(self) -> None:
        self.shared: Shared[int] = Shared()
        self.jobs: list[Deferred[int]] = []

    async def work(self) -> int:
        job: Deferred[int] = Deferred()
        self.jobs.append(job)
        return await job

    def test_runs_one_piece_of_work_for_all_who_ask(self) -> None:
        waiting = [self.shared.run("key", self.work) for _ in range(3)]
        assert len(self.jobs) == 1
        self.jobs[0].callback(3)
        assert [result_of(each) for each in waiting] == [3, 3, 3]

    def test_runs_other_work_at_the_same_time(self) -> None:
        one, other = (self.shared.run(key, self.work) for key in ("one", "other"))
        assert len(self.jobs) == 2
        self.jobs[1].callback(2)
        assert result_of(other) == 2
        assert not one.called

    @pytest.mark.parametrize("fails", [False, True])
    def test_runs_anew_once_it_is_done(self, fails: bool) -> None:
        first = self.shared.run("key", self.work)
        if fails:
            self.jobs[0].errback(ValueError("why"))
            with pytest.raises(ValueError, match="why"):
                result_of(first)
        else:
            self.jobs[0].callback(1)
        second = self.shared.run("key", self.work)
        self.jobs[1].callback(2)
        assert result_of(second) == 2

    def test_who_asks_because_of_a_result_gets_new_work(self) -> None:
        first = self.shared.run("key", self.work)
        first.addCallback(lambda _: self.shared.run("key", self.work))
        self.jobs[0].callback(1)
        self.jobs[1].callback(2)
        assert result_of(first) == 2

    def test_work_that_is_done_at_once(self) -> None:
        async def work() -> int:
            return 3

        assert result_of(self.shared.run("key", work)) == 3
        assert result_of(self.shared.run("key", work)) == 3

    def test_all_who_wait_get_the_failure(self) -> None:
        waiting = [self.shared.run("key", self.work) for _ in range(2)]
        with log_lines() as lines:
            self.jobs[0].errback(ValueError("why"))
        for each in waiting:
            with pytest.raises(ValueError, match="why"):
                result_of(each)
        assert lines == []

    def test_who_goes_away_does_not_stop_the_others(self) -> None:
        first, second = (self.shared.run("key", self.work) for _ in range(2))
        first.addErrback(lambda _: None).cancel()
        with log_lines() as lines:
            self.jobs[0].callback(3)
        assert result_of(second) == 3
        assert lines == []

    def test_logs_a_failure_that_nobody_waits_for(self) -> None:
        for _ in range(2):
            self.shared.run("key", self.work).addErrback(lambda _: None).cancel()
        assert len(self.jobs) == 1
        with log_lines() as lines:
            self.jobs[0].errback(ValueError("why"))
        assert lines == [f"{LOGGED} why"]


class TestContexts:
    """Who waits goes on for its own request, whoever's work it is that it waits for."""

    def waiting(self, begin: Callable[[], Deferred[int]]) -> list[str]:
        """The IDs in which two waiters go on, when another request's reactor turn ends it."""
        seen: list[str] = []
        for name in ("first", "second"):
            with request_id.serving(name):
                begin().addCallback(lambda _: seen.append(request_id.current()))
        return seen

    def test_of_shared_work(self) -> None:
        shared: Shared[int] = Shared()
        job: Deferred[int] = Deferred()
        worked: list[str] = []

        async def work() -> int:
            result = await job
            worked.append(request_id.current())
            return result

        seen = self.waiting(lambda: shared.run("key", work))
        with request_id.serving("third"):
            job.callback(1)
        assert seen == ["first", "second"]
        assert worked == ["first"]

    def test_of_shielded_work(self) -> None:
        jobs = [Deferred[int](), Deferred[int]()]
        left = iter(jobs)
        seen = self.waiting(lambda: shield(next(left)))
        with request_id.serving("third"):
            for job in jobs:
                job.callback(1)
        assert seen == ["first", "second"]
