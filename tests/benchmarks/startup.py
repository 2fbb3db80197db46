"""What goes before the first point: a command in a process of its own, by what its time goes into.

    python -m tests.benchmarks.startup --model cifar_resnet.py:resnet20 --checkpoint epoch10.pt --data cifar10_test.npz

Functions of the library are timed as they are called, without what others of the list take that they call; the rest is
what is in none. Processor time of all threads is given beside the clock's: on a machine that does other things the
clock says little. The median of the runs; all of it ends when the first point is handed to the worker.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What is shown -> functions that are it, as MODULE:NAME or MODULE:CLASS.NAME.
PARTS = {
    "network, checkpoint, data opened": ["landscape.commands.surfaces.evaluate:load_problem"],
    "directions, their digests": [
        "landscape.commands.surfaces.evaluate:load_plane",
        "landscape.evaluation.setup:Planes",
        "landscape.evaluation.setup:Displacement",
    ],
    "digest of theta*": ["landscape.evaluation.setup:digest"],
    "recording, folding, fusing": ["landscape.engine.prepare:lower"],
    "engine compared with the network": ["landscape.engine.prepare:_agreement"],
    "batch sizes tried": ["landscape.evaluation.startup:time_batch_sizes"],
    "samples at theta*, a first time": [],
    "all samples at theta*": ["landscape.evaluation.startup:measure_baseline"],
    "fingerprint of the data": ["landscape.evaluation.provenance:fingerprint"],
    "the file": ["landscape.evaluation.result_writer:ResultWriter.__enter__"],
}


class FirstPoint(BaseException):
    """The first point is to be measured."""


class Clock:
    """Seconds by part, none counted twice."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self._open: list[list[float]] = []

    def now(self) -> list[float]:
        """Return the clock's time and the processor's."""
        return [time.perf_counter(), time.process_time()]

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is the same and is timed."""

        def called(*args: Any, **kwargs: Any) -> Any:
            began = self.now()
            self._open.append([0.0, 0.0])
            try:
                return function(*args, **kwargs)
            finally:
                taken = [after - before for before, after in zip(began, self.now(), strict=True)]
                inside = self._open.pop()
                if self._open:
                    self._open[-1] = [a + b for a, b in zip(self._open[-1], taken, strict=True)]
                self.add(part, [a - b for a, b in zip(taken, inside, strict=True)])

        return called

    def add(self, part: str, taken: list[float]) -> None:
        """Count something for a part."""
        before = self.parts.get(part, [0.0, 0.0])
        self.parts[part] = [a + b for a, b in zip(before, taken, strict=True)]


def child(arguments: list[str]) -> None:
    """Run the command up to its first point, and print what went before it."""
    clock = Clock()
    begun = clock.now()
    import torch  # noqa: F401 - what is timed

    clock.add("import torch", [a - b for a, b in zip(clock.now(), begun, strict=True)])
    before = clock.now()
    from landscape.cli import main

    for module in {name.split(":")[0] for names in PARTS.values() for name in names}:
        try:
            importlib.import_module(module)
        except ImportError:
            continue
    importlib.import_module("landscape.commands.surfaces.evaluate")
    importlib.import_module("landscape.evaluation.evaluate")
    clock.add("import everything else", [a - b for a, b in zip(clock.now(), before, strict=True)])
    for part, names in PARTS.items():
        for name in names:
            module, _, path = name.partition(":")
            *owner, attribute = path.split(".")
            try:
                holder: Any = importlib.import_module(module)
                for each in owner:
                    holder = getattr(holder, each)
                setattr(holder, attribute, clock.timed(part, getattr(holder, attribute)))
            except (ImportError, AttributeError):
                continue
    baseline = importlib.import_module("landscape.evaluation.forward_pass.baseline")
    original, passes = baseline._measure, []

    def measured(objective: Any, chunks: Any) -> Any:
        passes.append(1)
        part = "samples at theta*, a first time" if len(passes) == 1 else "all samples at theta*"
        return clock.timed(part, original)(objective, chunks)

    baseline._measure = measured

    ended: list[float] = []

    def first(*_: Any, **__: Any) -> None:
        ended.extend(clock.now())
        raise FirstPoint

    importlib.import_module("landscape.evaluation.worker").Worker.__call__ = first
    try:
        main(arguments)
    except BaseException as error:
        if not ended:
            raise SystemExit(f"it never came to a point: {error}") from error
    finally:
        whole = [a - b for a, b in zip(ended, begun, strict=True)]
        listed = [sum(each) for each in zip(*clock.parts.values(), strict=True)]
        clock.add("the rest", [a - b for a, b in zip(whole, listed, strict=True)])
        print("STARTUP " + json.dumps({**clock.parts, "all of it": whole}), flush=True)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.startup")
    parser.add_argument("--model", required=True, help="FILE.py:FACTORY or MODULE:FACTORY")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True, help=".npz with x and y")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("more", nargs="*", help="further options of landscape evaluate, after --")
    options = parser.parse_args()
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(options.runs):
            command = [
                *("evaluate", options.checkpoint, "--model", options.model, "--data", f"train=npz:{options.data}"),
                *("--samples", str(options.samples), "--x=-1:1:7", "--y=-1:1:7", "-o", str(Path(folder) / f"{run}.h5")),
                *options.more,
            ]
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.startup", "--child", *command],
                env={**os.environ, "OMP_NUM_THREADS": str(options.threads)},
                capture_output=True,
                text=True,
                check=False,
            )
            lines = [line for line in done.stdout.splitlines() if line.startswith("STARTUP ")]
            if not lines:
                raise SystemExit(done.stdout + done.stderr)
            for part, taken in json.loads(lines[0].removeprefix("STARTUP ")).items():
                found.setdefault(part, []).append(taken)
    print("| part | seconds | of the processors |\n|---|---|---|")
    for part, taken in found.items():
        clock, processor = (statistics.median(each) for each in zip(*taken, strict=True))
        print(f"| {part} | {clock:.2f} | {processor:.2f} |")


if __name__ == "__main__":
    main()
