"""A job of many ranks in simulated time, handed out by the scheduler that real jobs use.

Rank 0's thread serves one message after the other, asleep up to a millisecond when there is none; every rank asks for
its next piece before the last is done. What a point costs on a rank is given; nothing here decides who gets what.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from landscape.parallel.scheduler import Scheduler, Task, WorkItem, count_samples

NAP = 1e-3  # seconds between two looks at the mail
AHEAD = 2  # pieces a rank holds


@dataclass
class Outcome:
    """What happened, in seconds."""

    makespan: float
    busy: float  # of all ranks together: what the work itself took
    messages: int
    finished: list[float] = field(default_factory=list)  # when each rank did its last work
    arrivals: list[float] = field(default_factory=list)  # of messages at rank 0
    measured: dict[int, int] = field(default_factory=dict)  # samples measured at each point

    def efficiency(self, speeds: Sequence[float]) -> float:
        """Return the time an ideal split would take, as a share of the time it took."""
        return self.work / sum(speeds) / self.makespan

    work: float = 0.0  # what everything would take one rank of speed 1


def simulate(
    tasks: Sequence[Task],
    speeds: Sequence[float],
    seconds: Callable[[int], float],
    *,
    scheduler: Callable[..., Scheduler] = Scheduler,
    service: float = 2e-4,
    latency: float = 5e-4,
    **options: float,
) -> Outcome:
    """Run a job.

    Parameters
    ----------
    tasks : sequence of Task
    speeds : sequence of float
        One a rank; at speed 1 a point takes what ``seconds`` says.
    seconds : callable
        From a point's number to its cost.
    service : float
        Seconds rank 0's thread spends on a message and its answer.
    latency : float
        Seconds a message is on its way.
    options
        For the scheduler.
    """
    ranks = len(speeds)
    sizes = {task.point: count_samples(task.spans) for task in tasks}
    plan = scheduler(tasks, ranks, **options)
    outcome = Outcome(0.0, 0.0, 0, [0.0] * ranks)
    outcome.work = sum(seconds(task.point) for task in tasks)
    hands: list[deque[WorkItem]] = [deque() for _ in range(ranks)]
    working = [False] * ranks
    waiting: deque[int] = deque()
    mail: deque[tuple[int, WorkItem | None, float]] = deque()
    events: list[tuple[float, int, str, int, WorkItem | None, float]] = []
    count = 0
    serving = False

    def at(time: float, what: str, rank: int, piece: WorkItem | None = None, took: float = 0.0) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (time, count, what, rank, piece, took))

    def begin(rank: int, now: float) -> None:
        piece = hands[rank].popleft()
        share = count_samples(piece.part) / sizes[piece.points[0]]
        took = sum(seconds(point) for point in piece.points) * share / speeds[rank]
        working[rank] = True
        outcome.busy += took
        for point in piece.points:
            outcome.measured[point] = outcome.measured.get(point, 0) + count_samples(piece.part)
        at(now + took, "done", rank, piece, took)

    def hand_out(rank: int, now: float) -> bool:
        piece = plan.take(rank)
        if piece is not None:
            at(now + (latency if rank else 0.0), "piece", rank, piece)
        return piece is not None

    at(0.0, "ask", 0)
    for rank in range(1, ranks):
        at(latency, "mail", rank)
    while events:
        now, _, what, rank, piece, took = heapq.heappop(events)
        if what == "piece":
            assert piece is not None
            hands[rank].append(piece)
            if not working[rank]:
                begin(rank, now)
        elif what == "done":
            assert piece is not None
            working[rank] = False
            outcome.finished[rank] = outcome.makespan = now
            if hands[rank]:
                begin(rank, now)
            if rank:
                at(now + latency, "mail", rank, piece, took)
            else:
                plan.finish(0, piece, took)
                at(now, "ask", 0)
                at(now, "news", 0)
        elif what == "mail":
            outcome.messages += 1
            outcome.arrivals.append(now)
            mail.append((rank, piece, took))
            if not serving:
                serving = True
                at(now + NAP / 2, "serve", 0)  # half a nap on average until it looks
        elif what == "serve":
            source, finished, seconds_taken = mail.popleft()
            if finished is not None:
                plan.finish(source, finished, seconds_taken)
                at(now + service, "news", 0)
            # The first message of a rank asks for all it may hold, every later one for what it has finished.
            for _ in range(AHEAD if finished is None else 1):
                if not hand_out(source, now + service):
                    waiting.append(source)
            serving = bool(mail)
            if mail:
                at(now + service, "serve", 0)
        elif what == "news":
            # Who was refused an item holds one, or there were none: near the end nobody needs to be asked again.
            for _ in range(0 if plan.scarce else len(waiting)):
                other = waiting.popleft()
                if not hand_out(other, now):
                    waiting.append(other)
            if not working[0] and not hands[0]:
                at(now, "ask", 0)
        elif what == "ask" and not working[0]:
            hand_out(0, now)
    assert plan.finished
    return outcome
