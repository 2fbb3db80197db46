"""Who is given which work, and who hears of a failure: the ranks of a job, with messages that are only written down."""

from __future__ import annotations

import importlib
import sys
import threading
from collections import deque
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from landscape.errors import ClusterError
from landscape.parallel.scheduler import WorkItem


@pytest.fixture
def mpi(monkeypatch):
    """Return the module of the ranks, imported beside an MPI that is none."""
    names = ("landscape.parallel.mpi", "landscape.parallel.messages")
    library = ModuleType("mpi4py")
    library.MPI = SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mpi4py", library)
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(names[0])
    for name in names:
        sys.modules.pop(name, None)


class Post:
    """Keeps what is sent, and gives what has come."""

    def __init__(self, *inbox: tuple[int, Any]) -> None:
        self.out: list[tuple[int, Any]] = []
        self.inbox = list(inbox)

    def send(self, to: int, message: Any) -> None:
        self.out.append((to, message))

    def sent(self, *, above: int = -1) -> bool:
        return True

    def received(self) -> list[tuple[int, Any]]:
        came, self.inbox = self.inbox, []
        return came


class Work:
    """Hands out numbers, and writes down what comes of them."""

    def __init__(self, *items: str) -> None:
        self.items, self.said, self.fresh = deque(items), [], False

    finished = False

    def news(self) -> bool:
        fresh, self.fresh = self.fresh, False
        return fresh

    def take(self, rank: int) -> str | None:
        return self.items.popleft() if self.items else None

    def keep(self, *parts: Any) -> None:
        self.said.append(("keep", *parts))

    def finish(self, *parts: Any) -> None:
        self.fresh = True
        self.said.append(("finish", *parts))

    def fail(self, error: Exception) -> None:
        self.said.append(("fail", str(error)))


def rank(mpi: Any, number: int, *inbox: tuple[int, Any], work: Work | None = None) -> Any:
    """Return one rank of three."""
    comm = object.__new__(mpi.MPIComm)
    comm.rank, comm.size, comm.host, comm._failure, comm._commands = number, 3, "node", "", False
    comm._dispatcher, comm._told, comm._messenger = work, set(), Post(*inbox)
    comm._ended, comm._closing, comm._thread = threading.Event(), threading.Event(), threading.current_thread()
    return comm


def test_ranks_are_given_as_much_as_they_want_and_more_when_they_have_done_it(mpi):
    work, waiting = Work("a", "b", "c"), deque()
    leader = rank(mpi, 0, (1, ("want", 2)), work=work)
    assert leader._serve_once(waiting)
    assert leader._messenger.out == [(1, ("work", "a")), (1, ("work", "b"))]
    leader._messenger.inbox = [(2, ("want", 2)), (1, ("done", "a", [1.0], 0.25))]
    leader._serve_once(waiting)
    assert leader._messenger.out[2:] == [(2, ("work", "c"))]
    assert work.said == [("keep", "a", [1.0]), ("finish", 1, "a", 0.25)]
    assert sorted(waiting) == [1, 2]


def test_what_a_rank_kept_when_it_failed_is_not_finished_work(mpi):
    work, waiting = Work("b"), deque()
    leader = rank(mpi, 0, (2, ("kept", "a", [1.0])), work=work)
    leader._serve_once(waiting)
    assert work.said == [("keep", "a", [1.0])]
    assert not waiting
    assert not leader._messenger.out


def test_the_end_is_said_once_to_each_rank_that_asks_and_then_it_is_the_end(mpi):
    work, waiting = Work(), deque()
    leader = rank(mpi, 0, (1, ("want", 2)), work=work)
    work.finished = True
    leader._serve_once(waiting)
    assert leader._messenger.out == [(1, ("end",))]
    assert not leader._ended.is_set()  # rank 2 is still on its way here
    leader._messenger.inbox = [(2, ("want", 2))]
    leader._serve_once(waiting)
    assert leader._messenger.out == [(1, ("end",)), (2, ("end",))]
    assert leader._ended.is_set()
    assert leader._dispatcher is None


def test_each_round_of_work_begins_with_nobody_told_and_nothing_ended(mpi, monkeypatch):
    leader, seen = rank(mpi, 0), []
    leader._told, work = {1, 2}, Work("a")
    leader._ended.set()

    def measured(dispatcher: Any, number: int, _: Any) -> None:
        seen.append((dispatcher is work is leader._dispatcher, number, set(leader._told), leader._ended.is_set()))
        leader._ended.set()

    monkeypatch.setattr(mpi, "work_at", measured)
    leader.share_out(work, print)
    assert seen == [(True, 0, set(), False)]
    assert leader._dispatcher is None


def test_a_rank_reports_what_it_measured_with_its_time_and_before_an_error_what_it_has(mpi):
    item = WorkItem(3, (7, 8, 9), ((("train"), 0, 5),), ())
    worker = rank(mpi, 1)
    worker._measure(item, lambda _: iter([1.0, 2.0, 3.0]))
    ((to, (kind, what, results, seconds)),) = worker._messenger.out
    assert (to, kind, what, results) == (0, "done", item, [1.0, 2.0, 3.0])
    assert 0 <= seconds < 1

    def fails(_: Any) -> Any:
        yield 1.0
        yield 2.0
        raise RuntimeError("no")

    worker = rank(mpi, 1)
    with pytest.raises(RuntimeError):
        worker._measure(item, fails)
    assert worker._messenger.out == [(0, ("kept", item.first(2), [1.0, 2.0]))]


def test_a_failure_is_said_with_rank_and_host_and_once(mpi):
    for error, words in ((ValueError("of\nall  things"), "of all things"), (KeyboardInterrupt(), "KeyboardInterrupt")):
        worker = rank(mpi, 2)
        for _ in range(2):
            with pytest.raises(type(error)), worker.together():
                raise error
        assert worker._messenger.out == [(0, ("failed", f"landscape: error: rank 2 on node: {words}", 1))]
        with pytest.raises(ClusterError, match="rank 2 on node"):
            worker.share_out(None, print)


@pytest.mark.parametrize("commands", [False, True])
def test_a_failure_that_comes_to_rank_0_ends_the_work_of_all_or_in_a_command_the_job(mpi, monkeypatch, commands):
    work, ended = Work("a"), []
    leader = rank(mpi, 0, (2, ("failed", "landscape: error: it broke", 143)), work=work)
    monkeypatch.setattr(leader, "abort", lambda *parts: ended.append(parts))
    if commands:
        leader.command()
    leader._serve_once(deque())
    assert ended == ([("landscape: error: it broke", 143)] if commands else [])
    assert work.said == [("fail", "it broke")]
    assert leader._messenger.out == ([] if commands else [(1, ("stop", "it broke")), (2, ("stop", "it broke"))])
    with pytest.raises(ClusterError, match=r"^it broke$"):
        leader.share_out(work, print)


def test_a_rank_that_hears_of_a_failure_raises_it_and_one_that_hears_of_the_end_stops(mpi):
    worker = rank(mpi, 1, (0, ("work", "a")), (0, ("work", "b")), (0, ("end",)))
    worker.share_out(None, lambda _: iter([1.0]))
    assert worker._messenger.out[0] == (0, ("want", mpi.AHEAD))
    worker = rank(mpi, 1, (0, ("stop", "rank 2 broke")))
    with pytest.raises(ClusterError, match="rank 2 broke"):
        worker.share_out(None, lambda _: iter([1.0]))
