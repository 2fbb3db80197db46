"""What ``landscape demo`` computes: two networks trained on the shipped digits, a line and a plane around each.

The two networks are trained and measured in two processes of one thread each where there are two cores: on small
networks that is faster than two threads, and it stays so on a busy machine.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError

# (network, stage, done, in all)
Report = Callable[[str, str, int, int], None]

NETWORKS = ("residual", "plain")
STAGES = ("training", "line", "plane")


@dataclass(frozen=True)
class DemoSettings:
    """How much the demo does: the defaults take about 80 s on two cores."""

    epochs: int = 30
    line: str = "-1:1:51"
    plane: str = "-1:1:31"
    samples: int = 256  # of each data set, at each point
    seed: int = 0  # of weights, of the order of training, and of the directions

    def evaluate_options(self, folder: Path, network: str, stage: str) -> dict[str, Any]:
        """Return the arguments of `landscape.evaluate` for a line or a plane."""
        return {
            "x": self.line if stage == "line" else self.plane,
            "y": self.plane if stage == "plane" else None,
            "samples": self.samples,
            "path": folder / f"{network}-{stage}.h5",
            "checkpoint": f"{network}.pt",
            "command": self.command(network, stage),
        }

    def command(self, network: str, stage: str) -> str:
        """Return the command that measures the same again, from inside the demo's folder."""
        grid = f"--x={self.line}" if stage == "line" else f"--x={self.plane} --y={self.plane}"
        return (
            f"landscape evaluate {network}.pt --model landscape.demo_networks:{network} "
            f"--data train=digits:train --data test=digits:test {grid} --samples {self.samples} "
            f"--seed {self.seed} -o {network}-{stage}.h5"
        )


def run_demo(folder: Path, settings: DemoSettings, report: Report) -> dict[str, dict[str, float]]:
    """Train and measure both networks; return each one's loss and accuracy on all samples of both sets.

    Parameters
    ----------
    folder : Path
        Where checkpoints and surfaces go; it exists.
    settings : DemoSettings
    report : callable
        Called with (network, stage, done, in all) as it goes.

    Returns
    -------
    dict
        Network -> {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}.
    """
    if _cores() < 2:
        return {network: work_on(network, folder, settings, report) for network in NETWORKS}
    return _in_processes(folder, settings, report)


def work_on(network: str, folder: Path, settings: DemoSettings, report: Report) -> dict[str, float]:
    """Train one network, keep its checkpoint, measure its line and plane; return its scores on all samples."""
    import torch

    from landscape import demo_networks
    from landscape.demo_training import train
    from landscape.directions import random_plane
    from landscape.evaluation import evaluate
    from landscape.problem import describe_model
    from landscape.sources import resolve_data

    data = resolve_data(["train=digits:train", "test=digits:test"])
    x, y = data["train"].fetch(range(data["train"].size))
    model = getattr(demo_networks, network)(seed=settings.seed)
    train(
        model,
        x,
        y,
        epochs=settings.epochs,
        seed=settings.seed,
        progress=lambda epoch, epochs, loss: report(network, "training", epoch, epochs),
    )
    torch.save({"state_dict": model.state_dict(), "epochs": settings.epochs}, folder / f"{network}.pt")
    plane = random_plane(model, seed=settings.seed)
    for stage in ("line", "plane"):
        evaluate(
            model,
            data,
            plane,
            progress=lambda done, total, stage=stage: report(network, stage, done, total),  # type: ignore[misc]
            description=describe_model(model, f"landscape.demo_networks:{network}"),
            **settings.evaluate_options(folder, network, stage),
        )
    return _scores(model, data)


def _scores(model: Any, data: Mapping[str, Any]) -> dict[str, float]:
    from landscape.baseline import measure_baseline
    from landscape.losses import resolve_loss
    from landscape.objective import Objective

    return measure_baseline(Objective(model, data, resolve_loss("cross_entropy"))).means()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(folder: Path, settings: DemoSettings, report: Report) -> dict[str, dict[str, float]]:
    # spawn: a fork of a process that has used torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    processes = {
        network: context.Process(target=_worker, args=(network, folder, settings, messages), daemon=True)
        for network in NETWORKS
    }
    scores: dict[str, dict[str, float]] = {}
    try:
        for process in processes.values():
            process.start()
        while len(scores) < len(processes):
            try:
                kind, network, *rest = messages.get(timeout=1.0)
            except queue.Empty:
                _require_alive(processes, scores)
                continue
            if kind == "failed":
                raise LandscapeError(f"the demo's {network} network failed: {rest[0]}")
            if kind == "done":
                scores[network] = rest[0]
            else:
                report(network, *rest)
    finally:
        for process in processes.values():
            process.terminate()
            process.join()
    return {network: scores[network] for network in NETWORKS}


def _require_alive(processes: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    for network, process in processes.items():
        if network not in scores and process.exitcode is not None:
            raise LandscapeError(f"the process of the demo's {network} network ended with {process.exitcode}")


def _worker(network: str, folder: Path, settings: DemoSettings, messages: Any) -> None:
    import torch

    torch.set_num_threads(1)

    def report(name: str, stage: str, done: int, total: int) -> None:
        messages.put(("progress", name, stage, done, total))

    try:
        messages.put(("done", network, work_on(network, folder, settings, report)))
    except KeyboardInterrupt:  # the parent was interrupted as well, and says so
        pass
    except Exception as error:
        messages.put(("failed", network, "".join(traceback.format_exception_only(error)).strip()))
