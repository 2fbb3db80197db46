"""Two ranks of one thread against one, and two of which one is four times slower, on ResNet-20 and 500 images.

    python tests/benchmarks/scaling.py --checkpoint resnet20/epoch10.pt --model cifar_resnet.py:resnet20 \
        --data npz:cifar10_test.npz

With `--sleep 0.03` it is the handing out alone that is timed. Runs come in pairs, one after the other, since a machine
is rarely the same for long; what counts is the median of the pairs' ratios. Timed is the loop over the points, and, in
brackets, all of `evaluate` with its measurement at theta*.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SLOWER = 4.0
SHARED = Path(__file__).parents[3] / "shared"


def main() -> None:
    """Time the pairs, and print each and the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", default=SHARED / "checkpoints" / "resnet20" / "epoch10.pt")
    parser.add_argument("--model", default=f"{SHARED / 'checkpoints' / 'cifar_resnet.py'}:resnet20")
    parser.add_argument("--data", default=f"npz:{SHARED / 'data' / 'cifar10_test.npz'}")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--points", type=int, default=9, help="along each of two axes")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument(
        "--sleep",
        type=float,
        metavar="SECONDS",
        help="sleep so long a batch instead of a forward pass: what the handing out costs, also on a busy machine",
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return measure(options)
    for name, slower, ideal in (("two ranks", 1.0, 2.0), (f"one {SLOWER:g} times slower", SLOWER, 1 + 1 / SLOWER)):
        ratios, whole = [], []
        for pair in range(options.pairs):
            one, two = start(1, 1.0), start(2, slower)
            ratios.append(one["loop"] / two["loop"])
            whole.append(one["all"] / two["all"])
            print(
                f"{name}, pair {pair + 1}: {one['loop']:.2f} s and {two['loop']:.2f} s, {ratios[-1]:.3f} times faster"
            )
        middle = statistics.median(ratios)
        print(
            f"{name}: {middle:.3f} times faster of {ideal:g} possible, {100 * (ideal / middle - 1):.1f} % over the "
            f"ideal split ({statistics.median(whole):.3f} with the measurement at theta*)",
            flush=True,
        )


def start(ranks: int, slower: float) -> dict[str, float]:
    """Run one job; return its times in seconds."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    words = [mpiexec, "-n", str(ranks), sys.executable, *sys.argv, "--child"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SLOWER": str(slower)}
    done = subprocess.run(list(map(str, words)), env=environment, stdout=subprocess.PIPE, check=True, timeout=1200)
    times: dict[str, float] = json.loads(done.stdout)
    return times


def measure(options: argparse.Namespace) -> None:
    """Be one rank of a job."""
    import torch

    import landscape
    from landscape.parallel.comm import current_comm
    from landscape.problem.data.sources import resolve_data
    from landscape.problem.losses.losses import resolve_loss
    from landscape.problem.model import load_model

    comm = current_comm()
    model, _ = load_model(options.model, {}, str(options.checkpoint))
    cross_entropy = resolve_loss("cross_entropy", ())
    slower = float(os.environ["SLOWER"]) if comm.rank == 1 else 1.0

    def loss(network: torch.nn.Module, batch: Any) -> Any:
        if options.sleep is not None:
            time.sleep(slower * options.sleep)
            return {"loss": batch[1].double()}
        began = time.perf_counter()
        values = cross_entropy(network, batch)
        time.sleep((slower - 1) * (time.perf_counter() - began))
        return values

    marks: list[float] = []
    grid = f"-1:1:{options.points}"
    began = time.perf_counter()
    landscape.evaluate(
        model,
        resolve_data([options.data]),
        landscape.random_plane(model, dimensions=2),
        x=grid,
        y=grid,
        loss=loss,
        samples=options.samples,
        batch_size=50,
        progress=lambda done, total: marks.append(time.perf_counter()),
    )
    if comm.rank == 0:
        print(json.dumps({"loop": marks[-1] - marks[0], "all": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
