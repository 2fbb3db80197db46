"""A thousand ranks in simulated time: how busy they are, and how many messages rank 0 gets.

    python tests/benchmarks/many_ranks.py               about two minutes; writes docs/images/many-ranks.png
    python tests/benchmarks/many_ranks.py --measure     measures points again, ResNet-20 on 500 images, first

The pieces are handed out by `landscape.parallel.scheduler.Scheduler`, as in a real job. Costs of points are drawn from
measured ones, each rank's speed from a spread of 5 % with one in a hundred four times slower. A message takes 0.5 ms on
its way, and rank 0's thread as long as messages.py found.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from simulation import Outcome, simulate

from landscape.parallel.scheduler import Task

RANKS, POINTS, SAMPLES, BATCH = 1024, 63_001, 500, 50  # 251 x 251 points
SERVICE = 1 / 6000  # seconds a message, the slowest that messages.py found
HERE = Path(__file__).parent
COSTS = HERE / "point_seconds.json"
FIGURE = HERE.parents[1] / "docs" / "images" / "many-ranks.png"


def main() -> None:
    """Simulate three kinds of job, print what came of them, draw one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure the costs of points first")
    if parser.parse_args().measure:
        COSTS.write_text(json.dumps([round(each, 5) for each in measure()]) + "\n")
    measured = np.asarray(json.loads(COSTS.read_text()))
    print(f"{len(measured)} measured points: {np.median(measured):.3f} s, {measured.min():.3f} to {measured.max():.3f}")
    random = np.random.default_rng(0)
    even = np.ones(RANKS)
    uneven = random.lognormal(0.0, 0.05, RANKS)
    uneven[:: RANKS // 10] /= 4
    shown = None
    for name, speeds, factor in (
        ("all ranks alike", even, 1.0),
        ("uneven ranks, ten of them four times slower", uneven, 1.0),
        ("uneven ranks, points ten times cheaper", uneven, 0.1),
    ):
        costs = factor * random.choice(measured, POINTS)
        outcome = run(speeds, costs)
        print(
            f"{name}: {outcome.makespan:.1f} s, {100 * outcome.efficiency(speeds.tolist()):.1f} % of ideal; "
            f"{outcome.messages:,} messages, at most {busiest(outcome):,} in a second"
        )
        shown = shown or outcome
    assert shown is not None
    draw(shown)
    print(f"wrote {FIGURE}")


def run(speeds: np.ndarray, costs: np.ndarray) -> Outcome:
    """Simulate one job."""
    tasks = [Task(point, (("train", 0, SAMPLES),)) for point in range(POINTS)]
    guess = float(np.median(costs)) / SAMPLES
    return simulate(
        tasks,
        speeds.tolist(),
        lambda point: float(costs[point]),
        service=SERVICE,
        batch_size=BATCH,
        seconds_per_sample=guess,
    )


def busiest(outcome: Outcome) -> int:
    """Return the most messages that arrive within any one second."""
    arrivals = np.sort(outcome.arrivals)
    return int((np.searchsorted(arrivals, arrivals + 1.0) - np.arange(len(arrivals))).max())


def draw(outcome: Outcome) -> None:
    """Draw the ranks at work and the messages a second, over time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(6.0, 4.0), layout="constrained")
    finished = np.sort(outcome.finished)
    upper.step(
        np.concatenate([[0.0], finished]), np.concatenate([[RANKS], RANKS - np.arange(1, RANKS + 1)]), where="messenger"
    )
    upper.set(ylabel="ranks at work", ylim=(0, 1.08 * RANKS), yticks=[0, 256, 512, 768, 1024])
    ideal = outcome.work / RANKS
    upper.axvline(ideal, color="0.5", linestyle="--", linewidth=1)
    upper.annotate("an ideal\nsplit ends", (ideal, 0.3 * RANKS), (-6, 0), textcoords="offset points", ha="right")
    width = 0.25
    edges = np.arange(0.0, outcome.makespan + width, width)
    counts, _ = np.histogram(outcome.arrivals, edges)
    lower.stairs(counts / width, edges, fill=True, alpha=0.8)
    lower.axhline(1 / SERVICE, color="0.5", linestyle="--", linewidth=1)
    lower.annotate("what one thread serves", (0, 1 / SERVICE), (2, -11), textcoords="offset points")
    lower.set(
        xlabel="time in s", ylabel="messages a second", xlim=(0, 1.01 * outcome.makespan), ylim=(0, 1.1 / SERVICE)
    )
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=200, metadata={"Software": None})


def measure() -> list[float]:
    """Return what each of 81 points takes one thread, in seconds of processor time: others may be busy here too."""
    import torch
    from scaling import SHARED

    import landscape
    from landscape.problem.data.sources import resolve_data
    from landscape.problem.model import load_model

    torch.set_num_threads(1)
    folder = SHARED / "checkpoints"
    model, _ = load_model(f"{folder / 'cifar_resnet.py'}:resnet20", {}, str(folder / "resnet20" / "epoch10.pt"))
    marks: dict[int, float] = {}  # points done -> when; the last points are measured in parts
    landscape.evaluate(
        model,
        resolve_data([f"npz:{SHARED / 'data' / 'cifar10_test.npz'}"]),
        landscape.random_plane(model, dimensions=2),
        x="-1:1:9",
        y="-1:1:9",
        samples=SAMPLES,
        batch_size=BATCH,
        progress=lambda done, total: marks.setdefault(done, time.process_time()),
    )
    return np.diff(list(marks.values())).tolist()


if __name__ == "__main__":
    main()
