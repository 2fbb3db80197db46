"""Work items handed to threads: each once, in order, with news, failures and the end told to all."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from landscape.parallel.dispatcher import Dispatcher
from landscape.parallel.scheduler import Scheduler, Task, WorkItem
from landscape.parallel.serial import work_at


def dispatcher(points: int, ranks: int, record=lambda item, results: []) -> Dispatcher[int]:
    tasks = [Task(point, (("", 0, 1),)) for point in range(points)]
    return Dispatcher(Scheduler(tasks, ranks, seconds_per_sample=1.0), record)


def test_threads_that_share_the_work_measure_each_point_once_and_end_together():
    kept: list[int] = []
    more = iter([[Task(20, (("", 0, 1),))]])

    def record(item: WorkItem, results: Sequence[int]) -> list[Task]:
        assert list(results) == [point * point for point in item.points]
        kept.extend(item.points)
        return next(more, []) if 5 in item.points else []  # one that follows from a result

    shared = dispatcher(20, 3, record)
    threads = [
        threading.Thread(target=work_at, args=(shared, rank, lambda item: (p * p for p in item.points)))
        for rank in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(kept) == list(range(21))
    assert shared.finished
    assert shared.wait_for(0) is None


def test_a_point_is_kept_before_the_next_is_measured_so_that_a_failure_takes_none_of_them_along():
    kept: list[int] = []

    def record(item: WorkItem, results: Sequence[int]) -> list[Task]:
        kept.extend(item.points)
        return []

    def work(item: WorkItem):
        for number, point in enumerate(item.points):
            assert kept[len(kept) - number :] == list(item.points[:number])
            if point == 7:
                raise ValueError("of the eighth point")
            yield point

    tasks = [Task(point, (("", 0, 1),)) for point in range(10)]
    shared = Dispatcher(Scheduler(tasks, 1, seconds_per_sample=1e-6), record)
    with pytest.raises(ValueError, match="eighth"):
        work_at(shared, 0, work)
    assert kept == list(range(7))


def test_who_waits_for_an_item_gets_it_when_a_result_brings_one():
    shared = dispatcher(1, 2, lambda item, results: [] if 9 in item.points else [Task(9, (("", 0, 1),))])
    item = shared.take(0)
    assert item is not None
    assert shared.take(1) is None
    found: list[WorkItem | None] = []
    waiting = threading.Thread(target=lambda: found.append(shared.wait_for(1)))
    waiting.start()
    time.sleep(0.1)
    assert not found  # not finished while another may bring work
    shared.keep(item, [0])
    shared.finish(0, item, 1.0)
    waiting.join(30)
    assert [each.points for each in found if each] == [(9,)]


def test_news_is_told_once_and_only_where_something_was_finished():
    shared = dispatcher(4, 2)
    assert shared.news()  # at first everybody may ask
    item = shared.take(0)
    assert item is not None
    assert not shared.news()
    shared.keep(item, [0] * len(item.points))
    assert not shared.news()
    shared.finish(0, item, 1.0)
    assert shared.news()
    assert not shared.news()


def test_the_first_failure_ends_the_work_of_all():
    shared = dispatcher(1, 2)
    assert shared.take(0) is not None
    raised: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(OSError) as error:
            shared.wait_for(1)
        raised.append(error.value)

    waiting = threading.Thread(target=wait)
    waiting.start()
    shared.fail(OSError("first"))
    shared.fail(ValueError("second"))
    waiting.join(30)
    assert [str(error) for error in raised] == ["first"]
    assert shared.take(0) is None


def test_after_a_failure_no_rank_gets_another_item():
    shared = dispatcher(20, 2)
    assert shared.take(1) is not None
    shared.fail(ValueError("first"))
    assert shared.take(1) is None
    shared.fail(ValueError("second"))
    with pytest.raises(ValueError, match="first"):
        shared.wait_for(0)
