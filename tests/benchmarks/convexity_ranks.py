"""The convexity map on two ranks of one thread each against one: how much sooner, and whether the values are the same.

    python -m tests.benchmarks.convexity_ranks --model cifar_resnet.py:resnet20 --checkpoint epoch10.pt \
        --data npz:cifar10_train10k.npz --normalize 0.4914,0.4822,0.4465/0.2470,0.2435,0.2616 --samples 64

Runs come in pairs, one after the other; what counts is the median of the pairs' ratios. By the clock, imports and start
left out, and by the processors: one rank's time over that of the busier one of two, which other programs change little.
Two ranks have fewer neighbours each to start from, so products are counted, too. Eigenvalues of both agree within their
residuals, or it says so.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.hessian_products import opened, problem_parser

NAMES = ("eigenvalue_max", "eigenvalue_min")


def start(ranks: int) -> dict[str, Any]:
    """Run one job; return what rank 0 says."""
    words = [
        Path(sys.executable).parent / "mpiexec",
        "-n",
        ranks,
        sys.executable,
        "-m",
        "tests.benchmarks.convexity_ranks",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, words), *sys.argv[1:], "--child"], env=environment, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(options: Any) -> None:
    """Be one rank of a job."""
    import landscape
    from landscape.parallel.comm import current_comm

    comm = current_comm()
    model, x, y = opened(options)
    settings = {"products": options.products, "tolerance": 0.02}
    plane = landscape.random_plane(model, dimensions=2)
    grid = f"-0.5:0.5:{options.points}"
    comm.broadcast(None)
    began, processor = time.perf_counter(), time.process_time()
    found = landscape.evaluate(
        model, (x, y), plane, x=grid, y=grid, quantities={"curvature": settings}, anchors=None, progress=False
    )
    seconds = time.perf_counter() - began
    own = np.zeros(comm.size)
    own[comm.rank] = time.process_time() - processor
    processors = comm.add(own)
    if comm.rank == 0:
        values = {name: found[f"train/{name}"].ravel().tolist() for name in NAMES}
        residuals = {name: found[f"train/{name}_residual"].ravel().tolist() for name in NAMES}
        products = float(np.nansum(found["train/products"]))
        said = {"seconds": seconds, "processors": processors.tolist(), "products": products}
        print(json.dumps({**said, "values": values, "residuals": residuals}))


def apart(one: dict[str, Any], two: dict[str, Any]) -> tuple[int, float]:
    """Return how many eigenvalues differ by more than their residuals, and the largest relative difference."""
    beyond, largest = 0, 0.0
    for name in NAMES:
        first, second = (np.array(each["values"][name]) for each in (one, two))
        within = sum(np.array(each["residuals"][name]) for each in (one, two))
        beyond += int((np.abs(first - second) > within).sum())
        largest = max(largest, float(np.max(np.abs(first / second - 1))))
    return beyond, largest


def main() -> None:
    """Time the pairs, and print each and the medians."""
    parser = problem_parser(__doc__, "convexity_ranks", 64)
    parser.add_argument("--points", type=int, default=5, help="along each of two axes")
    parser.add_argument("--products", type=int, default=40, help="at a point, at most")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    if options.child:
        return measure(options)
    clock, processor = [], []
    for pair in range(options.pairs):
        load = os.getloadavg()[0]
        one, two = (start(1), start(2)) if pair % 2 == 0 else (start(2), start(1))[::-1]
        clock.append(one["seconds"] / two["seconds"])
        processor.append(sum(one["processors"]) / max(two["processors"]))
        beyond, largest = apart(one, two)
        busy = ", ".join(f"{each:.1f}" for each in two["processors"])
        print(
            f"pair {pair + 1}, load before it {load:.1f}: {one['seconds']:.1f} s and {two['seconds']:.1f} s, "
            f"{clock[-1]:.2f} times sooner; by processors {sum(one['processors']):.1f} s and {busy} s, "
            f"{processor[-1]:.2f}; products {one['products']:.0f} and {two['products']:.0f}; eigenvalues at most "
            f"{largest:.1e} apart, {beyond} by more than their residuals",
            flush=True,
        )
    print(f"median: {statistics.median(clock):.2f} by the clock, {statistics.median(processor):.2f} by processors")


if __name__ == "__main__":
    main()
