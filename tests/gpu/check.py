"""What is written for GPUs, tried on one: values, recorded work (CUDA graphs), two processes a device, memory, speed.

    make gpu-check                             # on a machine with CUDA, in under four minutes
    python -m tests.gpu.check --device cpu     # every check's code on a machine without; proves nothing of a GPU

Prints a table for docs/performance.md, and ends with 1 where a limit is not kept. Values are compared with the same run
on the CPU in float32. float32 of a GPU may be TF32, which is switched off here and named in every file.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import landscape
from landscape.demo.networks import residual
from landscape.engine.prepare import Engine, prepare
from landscape.evaluation.forward_pass import objective as objectives

GRID = {"x": "-0.5:0.5:3", "y": "-0.5:0.5:3"}
SIDE = 32  # pixels of an image's side where speed is measured: as CIFAR's
MIB = 2**20


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    limit: str
    kept: bool


def data(number: int, side: int) -> tuple[Tensor, Tensor]:
    """Return images, seeded, and labels."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(number, 1, side, side, generator=generator), torch.arange(number) % 10


def network() -> nn.Module:
    """Return a ResNet-56 of the demo, untrained, with running statistics that are not those it begins with."""
    torch.manual_seed(0)
    model = residual()
    model.train()
    with torch.no_grad():
        model(data(64, 8)[0])
    return model.eval()


def batch_of(device: torch.device) -> int:
    """Return how many images are timed at once: few on a CPU, where nothing is learned from it."""
    return 256 if device.type == "cuda" else 8


def synchronised(device: torch.device) -> None:
    """Wait for what the device was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """Return the median time of a call, of as many as fit into a second."""
    least = 1.0 if device.type == "cuda" else 0.0
    run()
    synchronised(device)
    times: list[float] = []
    while not times or sum(times) < least:
        began = time.perf_counter()
        run()
        synchronised(device)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def check_values(device: torch.device) -> list[Row]:
    """Compare a plane with the CPU's: in each precision, with data read in parts, and with directions drawn anew."""
    sets, rows = data(batch_of(device) + 44, 8), []
    exact = landscape.evaluate(network(), sets, device="cpu", **GRID)["train/loss"]

    def off(surface: landscape.Surface) -> float:
        return float((np.abs(surface["train/loss"] - exact) / (np.abs(exact) + 0.1)).max())

    for precision, limit in (("float32", 1e-4), ("bfloat16", 0.1), ("float16", 0.02)):
        got = landscape.evaluate(network(), sets, device=str(device), precision=precision, **GRID)
        rows.append(
            Row(
                f"values, {precision} ({got.quality['engine']})",
                f"off by {off(got):.1e}",
                f"{limit:g}",
                off(got) <= limit,
            )
        )
    whole = objectives.resident_budget
    objectives.resident_budget = lambda *_: 40 * 8 * 8 * 4
    try:
        parts = landscape.evaluate(network(), sets, device=str(device), **GRID)
    finally:
        objectives.resident_budget = whole
    rows.append(Row("values, data in parts", f"off by {off(parts):.1e}", "0.0001", off(parts) <= 1e-4))
    low = landscape.evaluate(network(), sets, device=str(device), low_memory=True, **GRID)
    rows.append(Row("values, --low-memory", f"off by {off(low):.1e}", "0.0001", off(low) <= 1e-4))
    return rows


def check_graphs(device: torch.device) -> list[Row]:
    """Record the work for two shapes of batch, and play it back at other points, against the same unrecorded."""
    model = network().to(device)
    size = batch_of(device)
    inputs = data(size, 8)[0].to(device)
    rows, took = [], {}
    # Another algorithm may be chosen while recording: sums in another order.
    for precision, limit in (("float32", 1e-5), ("bfloat16", 2e-2)):
        engines = {graphs: prepare(model, inputs[:8], precision=precision, graphs=graphs) for graphs in (False, True)}
        worst = 0.0
        for step in range(3):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(1 + 0.01 * step)
            for number in (size, size // 2):
                plain, recorded = (_refreshed(each)(each.batch(inputs[:number])) for each in engines.values())
                worst = max(worst, float((plain - recorded).abs().max() / plain.abs().max()))
        recorded_there = bool(engines[True].description.get("graphs"))
        rows.append(
            Row(
                f"graphs, {precision}: recorded against not",
                f"off by {worst:.1e}" + ("" if recorded_there else ", nothing recorded"),
                f"{limit:g}, recorded on CUDA",
                worst <= limit and (recorded_there or device.type != "cuda"),
            )
        )
        for graphs, engine in engines.items():
            batch = engine.batch(inputs)
            took[precision, graphs] = seconds_of(lambda engine=engine, batch=batch: engine(batch), device)
        ratio = took[precision, False] / took[precision, True]
        rows.append(Row(f"graphs, {precision}: times as fast, {size} digits", f"{ratio:.2f}", "", True))
    return rows


def _refreshed(engine: Engine) -> Engine:
    engine.refresh()
    return engine


def check_memory(device: torch.device) -> list[Row]:
    """Measure what a run takes at its peak and what it leaves behind."""
    model, sets = network(), data(8 * batch_of(device), 8)
    landscape.evaluate(model, sets, device=str(device), x="-1:1:3")  # what is loaded once
    synchronised(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    else:
        before = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    landscape.evaluate(model, sets, device=str(device), **GRID)
    cuda = device.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated(device) if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    left = torch.cuda.memory_allocated(device) - before if cuda else 0
    needed = sum(each.numel() * each.element_size() for each in (*sets, *(4 * list(model.parameters()))))
    return [
        Row("memory at the peak, MiB", f"{(peak - before) / MIB:.1f}", f"{needed / MIB:.1f} and a batch", True),
        Row("memory left behind, MiB", f"{left / MIB:.2f}", "1", left <= MIB),
    ]


def check_speed(device: torch.device) -> list[Row]:
    """Time the engine against the network itself, on images as large as CIFAR's."""
    model = network().to(device)
    size = batch_of(device)
    inputs = data(size, SIDE)[0].to(device)
    with torch.no_grad():
        plain = seconds_of(lambda: model(inputs), device)
    rows = [Row("speed, the network itself, float32", f"{size / plain:,.0f} images/s", "", True)]
    for precision in ("float32", "bfloat16", "float16"):
        for graphs in (False, True) if device.type == "cuda" else (False,):
            engine = prepare(model, inputs[:8], precision=precision, graphs=graphs)
            batch = engine.batch(inputs)
            took = seconds_of(lambda engine=engine, batch=batch: engine(batch), device)
            words = f"speed, {precision}{', recorded' if graphs else ''} ({engine.description['engine']})"
            rows.append(Row(words, f"{size / took:,.0f} images/s, {plain / took:.2f} times", "", True))
    return rows


def check_processes(device: torch.device) -> list[Row]:
    """Run one process and two on the same device by the command, and compare their files."""
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if launcher is None:
        return [Row("two processes on one device", "not run: no mpiexec", "", device.type != "cuda")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(network().state_dict(), folder / "net.pt")
        x, y = data(batch_of(device) + 44, 8)
        np.savez(folder / "data.npz", x=x.numpy(), y=y.numpy())
        losses, took = [], []
        for ranks in (1, 2):
            command = [
                *(launcher, "-n", str(ranks), sys.executable, "-m", "landscape", "evaluate", str(folder / "net.pt")),
                *("--model", "landscape.demo.networks:residual", "--data", f"train=npz:{folder / 'data.npz'}"),
                *(f"--x={GRID['x']}", f"--y={GRID['y']}", "--device", device.type, "-o", str(folder / f"{ranks}.h5")),
            ]
            visible = {**os.environ, "CUDA_VISIBLE_DEVICES": "0"} if device.type == "cuda" else dict(os.environ)
            began = time.perf_counter()
            done = subprocess.run(command, env=visible, capture_output=True, text=True, timeout=120, check=False)
            took.append(time.perf_counter() - began)
            if done.returncode:
                return [Row(f"{ranks} processes on one device", done.stderr.strip()[-200:], "ends well", False)]
            losses.append(landscape.read_surface(folder / f"{ranks}.h5")["train/loss"])
    off = float((np.abs(losses[1] - losses[0]) / (np.abs(losses[0]) + 0.1)).max())
    return [
        Row("two processes on one device: values", f"off by {off:.1e}", "1e-06", off <= 1e-6),
        Row("two processes on one device: whole command, s", f"{took[1]:.1f} (one: {took[0]:.1f})", "", True),
    ]


CHECKS = (check_values, check_graphs, check_memory, check_speed, check_processes)


def run(device: torch.device, checks: tuple[Callable[[torch.device], list[Row]], ...] = CHECKS) -> bool:
    """Print the table; return whether every limit was kept."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    began, good = time.perf_counter(), True
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU (which proves nothing of a GPU)"
    print(f"{where}, torch {torch.__version__}\n\n| what | found | limit | |\n|---|---|---|---|", flush=True)
    for check in checks:
        try:
            rows = check(device)
        except Exception as error:  # the others are worth a look all the same
            rows = [Row(check.__name__, f"{type(error).__name__}: {error}", "ends well", False)]
        for row in rows:
            good = good and row.kept
            print(f"| {row.what} | {row.found} | {row.limit} | {'kept' if row.kept else 'NOT KEPT'} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")
    return good


def main() -> int:
    """Read the command line and run all checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.gpu.check")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the checks themselves (default: cuda)")
    device = torch.device(parser.parse_args().device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA here: nothing was checked (--device cpu runs the same code on the CPU)", file=sys.stderr)
        return 1
    return 0 if run(device) else 1


if __name__ == "__main__":
    raise SystemExit(main())
