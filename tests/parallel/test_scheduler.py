"""What the scheduler hands out: everything once, in order, in pieces that leave nobody waiting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.parallel.scheduler import LEAST, RATE, TARGET, Scheduler, Task, WorkItem, count_samples
from tests.benchmarks.simulation import simulate


def tasks_of(number: int, *sizes: int) -> list[Task]:
    spans = tuple((f"set{position}", 0, size) for position, size in enumerate(sizes))
    return [Task(point, spans) for point in range(number)]


def drain(scheduler: Scheduler) -> list[WorkItem]:
    pieces = []
    while (piece := scheduler.take(0)) is not None:
        pieces.append(piece)
        scheduler.finish(0, piece, piece.samples * 1e-3)
    assert scheduler.finished
    return pieces


@settings(max_examples=60)
@given(
    points=st.integers(1, 40),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    speeds=st.lists(st.floats(0.2, 2.0), min_size=1, max_size=9),
    cost=st.sampled_from([1e-4, 0.05, 3.0]),
    batch=st.integers(1, 50),
    least=st.sampled_from([0, 30]),
)
def test_every_sample_of_every_point_is_measured_once(points, sizes, speeds, cost, batch, least):
    tasks = tasks_of(points, *sizes)
    outcome = simulate(
        tasks, speeds, lambda point: cost, batch_size=batch, least_samples=least, seconds_per_sample=1e-3
    )
    assert outcome.measured == {point: sum(sizes) for point in range(points)}


@given(st.integers(1, 9), st.lists(st.integers(1, 70), min_size=1, max_size=3), st.integers(1, 50))
def test_the_parts_of_a_point_are_runs_of_whole_batches_that_join_to_all_of_it(ranks, sizes, batch):
    (task,) = tasks_of(1, *sizes)
    # A second a sample: one point is far more than a piece should take.
    scheduler = Scheduler([task], ranks, batch_size=batch, seconds_per_sample=1.0)
    pieces = []
    while not scheduler.finished:
        for rank in range(ranks):
            piece = scheduler.take(rank)
            if piece is not None:
                pieces.append(piece)
                scheduler.finish(rank, piece, piece.samples)
    samples = [(name, i) for piece in pieces for name, start, stop in piece.part for i in range(start, stop)]
    assert samples == [(name, i) for name, start, stop in task.spans for i in range(start, stop)]
    for piece in pieces:
        assert piece.points == (0,)
        assert all(start % batch == 0 for _, start, _ in piece.part)


def test_one_rank_gets_the_points_in_their_order():
    tasks = tasks_of(50, 10)
    given_out = [point for piece in drain(Scheduler(tasks[::-1])) for point in piece.points]
    assert given_out == list(range(49, -1, -1))


def test_points_that_lack_different_samples_or_quantities_are_not_put_together():
    whole, rest = (("train", 0, 5),), (("train", 3, 5),)
    tasks = [Task(0, whole), Task(1, whole), Task(2, rest)]
    tasks += [Task(3, rest, "curvature", 30.0, False), Task(4, rest, "curvature", 30.0, False), Task(5, rest)]
    pieces = drain(Scheduler(tasks, seconds_per_sample=1e-9))
    assert [point for piece in pieces for point in piece.points] == list(range(6))
    for piece in pieces:
        for task in (tasks[point] for point in piece.points):
            said = (piece.spans, piece.part, piece.quantity, piece.weight)
            assert said == (task.spans, task.spans, task.quantity, task.weight)


def test_an_extension_of_a_point_is_divided_between_its_own_batches():
    scheduler = Scheduler([Task(0, (("train", 10, 40),))], 4, batch_size=8, seconds_per_sample=1.0)
    parts = [piece.part for rank in range(4) for piece in [scheduler.take(rank)] if piece is not None]
    assert parts == [(("train", start, stop),) for start, stop in ((10, 18), (18, 26), (26, 34), (34, 40))]


def test_tasks_that_follow_from_results_are_done_before_it_is_finished():
    scheduler = Scheduler(tasks_of(3, 10), seconds_per_sample=1e-3, least_samples=1000)
    given_out = []
    while not scheduler.finished:
        piece = scheduler.take(0)
        given_out += piece.points
        if piece.points[-1] == 2:
            scheduler.add([Task(7, (("train", 0, 5),))])
        scheduler.finish(0, piece, 1.0)
    assert given_out == [0, 1, 2, 7]


def test_fewer_points_than_ranks_keep_all_ranks_busy():
    outcome = simulate(tasks_of(2, 500), [1.0] * 8, lambda point: 8.0, batch_size=10, seconds_per_sample=0.016)
    assert all(outcome.finished)
    assert outcome.efficiency([1.0] * 8) > 0.9


@pytest.mark.parametrize("points", [60, 441])
@pytest.mark.parametrize("cost", [0.02, 0.3, 3.0])
@pytest.mark.parametrize("speeds", [(1.0, 1.0), (1.0, 0.25), (0.25, 1.0), (1.0, 1.0, 1.0, 0.25)])
def test_a_slower_rank_costs_little_over_the_ideal_split(points, cost, speeds):
    outcome = simulate(tasks_of(points, 500), speeds, lambda point: cost, batch_size=25, seconds_per_sample=cost / 500)
    # The least piece is 20 ms, which a job of a fraction of a second shows.
    assert outcome.efficiency(speeds) > 0.95 - 0.05 / outcome.makespan


def test_a_thousand_ranks_stay_busy_and_rank_0_is_not_flooded():
    costs = 0.35 * np.random.default_rng(0).lognormal(0, 0.1, 20_000)
    speeds = [1.0] * 1000
    outcome = simulate(
        tasks_of(20_000, 500), speeds, lambda point: costs[point], batch_size=25, seconds_per_sample=0.35 / 500
    )
    assert outcome.efficiency(speeds) > 0.9
    arrivals = np.asarray(outcome.arrivals)
    busiest = max(int(((arrivals >= t) & (arrivals < t + 1)).sum()) for t in np.arange(0, outcome.makespan, 0.25))
    assert busiest < 2 * RATE


def test_a_rank_waits_for_its_next_piece_only_near_the_end():
    scheduler = Scheduler(tasks_of(1000, 10), 2, seconds_per_sample=0.01)
    assert scheduler.take(0) is not None
    assert scheduler.take(0) is not None  # in hand before the first is done
    near = Scheduler(tasks_of(3, 10), 2, seconds_per_sample=0.01)
    assert near.take(0) is not None
    assert near.take(0) is None
    assert near.take(1) is not None


def test_pieces_follow_the_measured_speed_of_a_rank():
    scheduler = Scheduler(tasks_of(10_000, 10), 2, seconds_per_sample=1e-3)
    for rank, pace in 8 * ((0, 1e-4), (1, 4e-4)):
        piece = scheduler.take(rank)
        assert piece is not None
        scheduler.finish(rank, piece, pace * piece.samples)
    fast, slow = scheduler.take(0), scheduler.take(1)
    assert fast is not None
    assert slow is not None
    assert len(fast.points) == pytest.approx(4 * len(slow.points), rel=0.05)


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_a_piece_is_a_third_of_what_would_be_left_if_all_worked_evenly(weight):
    paces, size = (1e-3, 4e-3), 10  # seconds for a sample of weight 1, by rank
    tasks = [Task(point, (("train", 0, size),), weight=weight, divisible=False) for point in range(400)]
    scheduler = Scheduler(tasks, 2, seconds_per_sample=7e-3)
    left, done, seen = 400 * size * weight, [0.0, 0.0], 0
    while not scheduler.finished:
        for rank, pace in enumerate(paces):
            if (piece := scheduler.take(rank)) is None:
                continue
            seconds = max(left / (1 / paces[0] + 1 / paces[1]) / 3, LEAST)
            wanted = min(seconds, TARGET) / pace
            assert piece.work == len(piece.points) * size * weight
            if min(done) and wanted < 2 * done[rank] and len(piece.points) < left / size / weight:
                assert len(piece.points) == pytest.approx(max(wanted / size / weight, 1), abs=1)
                seen += 1
            left -= piece.work
            scheduler.finish(rank, piece, pace * piece.work)
            done[rank] = 0.7 * done[rank] + piece.work
    assert left == 0
    assert seen > 10


def test_a_part_of_a_point_takes_as_long_as_a_piece_of_points_whatever_a_sample_costs():
    # 10,000 samples of weight 4 at a millisecond: 20 seconds for each of two ranks, a third of that 1,667 samples.
    for weight, samples in ((1.0, 1700), (4.0, 1700)):
        task = Task(0, (("train", 0, 10_000),), weight=weight)
        scheduler = Scheduler([task], 2, seconds_per_sample=1e-3, batch_size=100)
        piece = scheduler.take(0)
        assert piece is not None
        assert piece.part == (("train", 0, samples),)
        # What is left, 8,300, is divided on: it takes no less by its rank's pace for having a weight.
        after = scheduler.take(1)
        assert after is not None
        assert after.part == (("train", samples, samples + 1400),)


def test_a_part_has_the_least_number_of_samples_and_so_has_what_it_leaves():
    (task,) = tasks_of(1, 1000)
    scheduler = Scheduler([task], 4, seconds_per_sample=1.0, batch_size=100, least_samples=400)
    parts = [scheduler.take(rank) for rank in range(3)]
    # A twelfth would be 83. Behind the second 200 would be left, half of the least: they go along.
    assert [None if part is None else part.part for part in parts] == [
        (("set0", 0, 400),),
        (("set0", 400, 1000),),
        None,
    ]
    (task,) = tasks_of(1, 1100)
    scheduler = Scheduler([task], 4, seconds_per_sample=1.0, batch_size=100, least_samples=400)
    parts = [scheduler.take(rank) for rank in range(3)]
    assert [part.part[0][1:] for part in parts if part is not None] == [(0, 400), (400, 800), (800, 1100)]


def test_one_cheap_point_does_not_bring_a_rank_a_piece_it_would_be_late_with():
    scheduler = Scheduler(tasks_of(20_000, 10), 1000, seconds_per_sample=0.03)
    piece = scheduler.take(5)
    assert piece is not None
    scheduler.finish(5, piece, 1e-6)  # a thousandth of what the next points take
    after = scheduler.take(5)
    assert after is not None
    assert len(after.points) <= 2 * len(piece.points)


def test_samples_are_counted_over_all_spans():
    assert count_samples((("train", 0, 5), ("test", 3, 4))) == 6
    assert WorkItem(0, (1, 2), (("train", 0, 5),), (("train", 0, 5),)).samples == 10
