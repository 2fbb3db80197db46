"""What ``landscape demo`` computes: two networks trained on the shipped digits, a line and a plane around each.

The two networks are trained and measured in two processes of one thread each where there are two cores: on small
networks that is faster than two threads, and it stays so on a busy machine.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError

# (network, stage, done, in all)
Report = Callable[[str, str, int, int], None]

NETWORKS = ("residual", "plain")
PATIENCE = 20  # seconds that a process which is done, or was interrupted, may take to end


@dataclass(frozen=True)
class DemoSettings:
    """How much the demo does: the defaults take about two minutes on two free cores."""

    epochs: int = 30
    line: str = "-1:1:51"
    plane: str = "-1:1:25"
    samples: int = 512  # of each data set, at each point
    seed: int = 0  # of weights, of the order of training, and of the directions
    blocks: int = 6  # in each of the three stages of a network

    @property
    def layers(self) -> int:
        """Of each network."""
        return 6 * self.blocks + 2

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
        arguments = f" --model-args '{json.dumps(self.model_arguments)}'" if self.model_arguments else ""
        grid = f"--x={self.line}" if stage == "line" else f"--x={self.plane} --y={self.plane}"
        return (
            f"landscape evaluate {network}.pt --model landscape.demo.networks:{network}{arguments} "
            f"--data train=digits:train --data test=digits:test {grid} --samples {self.samples} "
            f"--seed {self.seed} -o {network}-{stage}.h5"
        )

    @property
    def model_arguments(self) -> dict[str, int]:
        """What the networks' functions are called with where it is not the default."""
        return {} if self.blocks == DemoSettings.blocks else {"blocks": self.blocks}


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

    from landscape.demo import networks as demo_networks
    from landscape.demo.training import train
    from landscape.directions.construct import random_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.problem.data.sources import resolve_data
    from landscape.problem.model import describe_model

    data = resolve_data(["train=digits:train", "test=digits:test"])
    x, y = data["train"].fetch(range(data["train"].size))
    model = getattr(demo_networks, network)(blocks=settings.blocks, seed=settings.seed)
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
            description=describe_model(model, f"landscape.demo.networks:{network}", settings.model_arguments),
            **settings.evaluate_options(folder, network, stage),
        )
    return _scores(model, data)


def _scores(model: Any, data: Mapping[str, Any]) -> dict[str, float]:
    from landscape.evaluation.forward_pass.baseline import measure_baseline
    from landscape.evaluation.forward_pass.objective import Objective
    from landscape.problem.losses.losses import resolve_loss

    return measure_baseline(Objective(model, data, resolve_loss("cross_entropy"))).means()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(folder: Path, settings: DemoSettings, report: Report) -> dict[str, dict[str, float]]:
    # spawn: a fork of a process that has used torch's threads may hang. Pipes: a queue has semaphores, which a
    # process that is ended in the middle leaves behind.
    context = multiprocessing.get_context("spawn")
    processes: dict[str, Any] = {}
    readers: dict[Any, str] = {}
    scores: dict[str, dict[str, float]] = {}
    try:
        for network in NETWORKS:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_worker, args=(network, folder, settings, writer), daemon=True)
            process.start()
            writer.close()  # the process has its own, and its end shows here
            processes[network], readers[reader] = process, network
        while readers:
            heard: Any
            for heard in wait(list(readers)):
                network = readers[heard]
                try:
                    message = heard.recv()
                except EOFError:
                    processes[network].join()
                    code = processes[network].exitcode
                    raise LandscapeError(f"the process of the demo's {network} network ended with {code}") from None
                if isinstance(message, str):
                    raise LandscapeError(f"the demo's {network} network failed: {message}")
                if isinstance(message, dict):
                    scores[network] = message
                    del readers[heard]
                else:
                    report(network, *message)
    except Exception:  # what the other one does is of no use any more
        for process in processes.values():
            process.terminate()
        raise
    finally:
        # Stopped while it ends by itself, a process leaves semaphores behind (tqdm's, within torch), with a warning.
        for process in processes.values():
            process.join(PATIENCE)
            process.kill()
    return {network: scores[network] for network in NETWORKS}


def _worker(network: str, folder: Path, settings: DemoSettings, messages: Any) -> None:
    """Send (stage, done, in all) as it goes; at the end the scores, or in one line what went wrong."""
    import torch

    torch.set_num_threads(1)
    try:
        messages.send(work_on(network, folder, settings, lambda _, *progress: messages.send(progress)))
    except KeyboardInterrupt:  # the parent was interrupted as well, and says so
        pass
    except Exception as error:
        messages.send("".join(traceback.format_exception_only(error)).strip())
