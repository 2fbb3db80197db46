"""How many messages a second rank 0's thread serves, while its main thread runs forward passes.

    mpiexec -n 3 python tests/benchmarks/messages.py

The other ranks do nothing but ask: each of their pieces is a point that is measured in no time. What is printed bounds
`landscape.parallel.scheduler.RATE`, and is the service time of the simulation (many_ranks.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from landscape.parallel import mpi
from landscape.parallel.comm import current_comm
from landscape.parallel.dispatcher import Dispatcher
from landscape.parallel.scheduler import Scheduler, Task, WorkItem
from landscape.surface.statistics import Moments

POINTS = 20_000


class OneByOne(Scheduler):
    """Hands out single points, whatever they cost."""

    def take(self, rank: int) -> WorkItem | None:
        task = self._queue.popleft() if self._queue else None
        return None if task is None else self._hand_out(rank, (task.point,), task.spans, task.spans)


def main() -> None:
    """Serve, and print the rate."""
    comm = current_comm()
    mpi.AHEAD = 200  # two ranks ask as hundreds would: the thread never finds its mail empty
    torch.set_num_threads(1)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3)).eval()
    images = torch.randn(100, 3, 32, 32)
    result = {("train", metric): Moments(500, 1.0, 0.1, 0.1, 1.0) for metric in ("loss", "accuracy")}

    def work(piece: WorkItem) -> Iterator[dict[tuple[str, str], Moments]]:
        if comm.rank == 0:
            with torch.no_grad():
                network(images)
        for _ in piece.points:
            yield result

    tasks = [Task(point, (("train", 0, 500),)) for point in range(POINTS)]
    kept = 0

    def keep(piece: WorkItem, results: object) -> None:
        nonlocal kept
        kept += len(piece.points)

    comm.broadcast(None)
    began = time.perf_counter()
    comm.share_out(Dispatcher(OneByOne(tasks, comm.size), keep) if comm.rank == 0 else None, work)
    seconds = time.perf_counter() - began
    if comm.rank == 0:
        assert kept == POINTS
        print(f"{POINTS / seconds:,.0f} messages a second, {1e6 * seconds / POINTS:.0f} µs each")


if __name__ == "__main__":
    main()
