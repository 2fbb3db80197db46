"""Who measures what next: work items whose size follows from measured times.

Plain arithmetic: no clock, no threads, no messages, so that the simulation of a thousand ranks
(``tests/benchmarks/simulation.py``) drives what a real run does.

* Points keep their order, coarse to fine. An item is some whole points; where little is left, it is some batches of one
  point, so that ranks share even a single point.
* An item should take a third of what would be left if all ranks worked evenly (guided self-scheduling [1]_; a third
  rather than all of it, since times vary), at most `target` and at least `least` seconds of the rank that gets it, by
  its own measured speed.
* A rank asks for its next item before the last is done, and gets it as long as there is plenty. Near the end it has to
  finish first: what one rank holds in advance, a faster one cannot take.

References
----------
.. [1] Polychronopoulos, Kuck, "Guided self-scheduling", IEEE Trans. Computers C-36, 1987.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

Span = tuple[str, int, int]  # data set, first sample, behind the last

# Seconds an item may take. Longer items would save nothing: with the next one asked for in advance, handing out costs
# a rank no time. Shorter ones lose less when a run is cut short, and let a picture fill evenly.
TARGET = 0.25
# No item is cut to less, in seconds: a message takes about a millisecond, asleep between two looks for messages.
LEAST = 0.02
# Messages a second that rank 0 is asked to serve, but for moments. Its thread was measured to serve 6,000 to 9,500
# beside forward passes on a busy machine (tests/benchmarks/messages.py).
RATE = 2000.0
# Share of the time left that an item takes.
GUIDED = 1 / 3
# What a rank's earlier items count beside its last one: a rank that others slow down is noticed within a few items.
MEMORY = 0.7


@dataclass(frozen=True)
class Task:
    """A point, and what is missing there."""

    point: int
    spans: tuple[Span, ...]
    quantity: str = ""  # which of several quantities is measured; the scheduler only keeps them apart
    weight: float = 1.0  # what one of its samples costs, in samples of the quantity that costs least
    divisible: bool = True  # whether its samples may be measured apart, and by several ranks

    @property
    def work(self) -> float:
        """What it costs, in samples of weight 1."""
        return self.weight * count_samples(self.spans)


@dataclass(frozen=True)
class WorkItem:
    """Some points whose missing samples are measured, all of them, or for a single point a run of them."""

    number: int
    points: tuple[int, ...]
    spans: tuple[Span, ...]  # what each of the points misses
    part: tuple[Span, ...]  # what is measured now; the same as ``spans`` but for a part of one point
    quantity: str = ""
    weight: float = 1.0

    def first(self, number: int) -> WorkItem:
        """Return the same work for the first so many points only."""
        return replace(self, points=self.points[:number])

    @property
    def samples(self) -> int:
        """Samples measured, over all points."""
        return len(self.points) * count_samples(self.part)

    @property
    def work(self) -> float:
        """What it costs, in samples of weight 1."""
        return self.weight * self.samples


def count_samples(spans: Iterable[Span]) -> int:
    """Return how many samples there are in spans."""
    return sum(stop - start for _, start, stop in spans)


class Scheduler:
    """Hands out tasks in order, as work items that fit the rank that asks.

    Parameters
    ----------
    tasks : iterable of Task
        In the order in which they are to be done.
    ranks : int
    seconds_per_sample : float
        A first guess, until a rank has finished its first item.
    batch_size : int
        Samples are only ever divided between two batches, so that a point's batches do not depend on the ranks.
    least_samples : int
        A part of a point has at least so many; 0 for a single batch. Above any number: points are never divided.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        ranks: int = 1,
        *,
        seconds_per_sample: float = 1e-3,
        batch_size: int = 1,
        least_samples: int = 0,
    ) -> None:
        self._queue = deque(tasks)
        self._batch_size = batch_size
        self._least_samples = least_samples
        self._guess = max(seconds_per_sample, 1e-12)
        self._pace = [self._guess] * ranks  # seconds a sample of weight 1
        # What each rank has done, in seconds and samples, older items counting less and less.
        self._spent = [0.0] * ranks
        self._done = [0.0] * ranks
        self._speed = ranks / self._guess  # samples a second of all ranks together
        self._held: list[set[int]] = [set() for _ in range(ranks)]
        self._outstanding = 0
        self._left = sum(task.work for task in self._queue)
        self._cut = 0  # batches of the first task that were handed out already
        self._number = 0
        self.least = max(LEAST, ranks / RATE)
        self.target = max(TARGET, 4 * self.least)

    @property
    def finished(self) -> bool:
        """Whether nothing is left, neither here nor with any rank."""
        return not self._queue and not self._outstanding

    @property
    def scarce(self) -> bool:
        """Whether so little is left that no rank gets an item while it holds one."""
        return self._left / self._speed < self.target / GUIDED

    def add(self, tasks: Iterable[Task]) -> None:
        """Put tasks that follow from results behind the others."""
        for task in tasks:
            self._queue.append(task)
            self._left += task.work

    def take(self, rank: int) -> WorkItem | None:
        """Return the next item for a rank; None if it should ask again when something has been finished.

        A rank that holds an item asks for the one after it.
        """
        if not self._queue:
            return None
        task = self._queue[0]
        left = self._left / self._speed  # seconds, were it shared evenly from now on
        pace = self._pace[rank]
        point_seconds = pace * task.work
        if self._held[rank] and left < max(self.target, point_seconds) / GUIDED:
            return None
        share = max(left * GUIDED, self.least)
        if self._cut or (share < point_seconds and self._divisible(task)):
            return self._take_part(rank, task, share / pace / task.weight)
        samples = min(share, self.target) / pace
        if self._done[rank]:
            # One point may be far cheaper than the next: no item is much more than what the rank is known by.
            samples = min(samples, 2 * self._done[rank])
        else:
            samples /= 4  # the guess may be far off
        return self._take_points(rank, task, samples / task.work)

    def finish(self, rank: int, item: WorkItem, seconds: float) -> None:
        """Note that a rank has finished an item, and how long it took."""
        self._held[rank].discard(item.number)
        self._outstanding -= 1
        self._spent[rank] = MEMORY * self._spent[rank] + max(seconds, 1e-9)
        self._done[rank] = MEMORY * self._done[rank] + item.work
        pace = self._spent[rank] / self._done[rank]
        self._speed += 1 / pace - 1 / self._pace[rank]
        self._pace[rank] = pace

    def _take_points(self, rank: int, first: Task, wanted: float) -> WorkItem:
        number = max(int(wanted), 1)
        points: list[int] = []
        same = (first.spans, first.quantity)
        while self._queue and len(points) < number and (self._queue[0].spans, self._queue[0].quantity) == same:
            points.append(self._queue.popleft().point)
        return self._hand_out(rank, first, tuple(points), first.spans)

    def _divisible(self, task: Task) -> bool:
        return task.divisible and count_samples(task.spans) > max(self._least_samples, self._batch_size)

    def _take_part(self, rank: int, task: Task, samples: float) -> WorkItem:
        total = _batches(task.spans, self._batch_size)
        wanted = math.ceil(max(samples, self._least_samples) / self._batch_size)
        end = min(self._cut + wanted, total)
        if (total - end) * self._batch_size <= self._least_samples / 2:
            end = total  # a rest too small to be worth an item
        part = _between(task.spans, self._cut, end, self._batch_size)
        self._cut = end
        if end == total:
            self._queue.popleft()
            self._cut = 0
        return self._hand_out(rank, task, (task.point,), part)

    def _hand_out(self, rank: int, task: Task, points: tuple[int, ...], part: tuple[Span, ...]) -> WorkItem:
        item = WorkItem(self._number, points, task.spans, part, task.quantity, task.weight)
        self._number += 1
        self._held[rank].add(item.number)
        self._outstanding += 1
        self._left -= item.work
        return item


def _batches(spans: tuple[Span, ...], batch_size: int) -> int:
    return sum(math.ceil((stop - start) / batch_size) for _, start, stop in spans)


def _between(spans: tuple[Span, ...], first: int, end: int, batch_size: int) -> tuple[Span, ...]:
    """Return the samples of the batches from ``first`` up to ``end``, counted through all spans."""
    found = []
    before = 0
    for name, start, stop in spans:
        here = math.ceil((stop - start) / batch_size)
        low, high = max(first - before, 0), min(end - before, here)
        if low < high:
            found.append((name, start + low * batch_size, min(start + high * batch_size, stop)))
        before += here
    return tuple(found)
