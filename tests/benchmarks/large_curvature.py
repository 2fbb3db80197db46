"""Memory and time that curvature of a large network takes: both ends of the spectrum and the trace, in one process.

    python -m tests.benchmarks.large_curvature                       97 million parameters
    python -m tests.benchmarks.large_curvature --width 384 --depth 6

A transformer with random weights on eight samples of sixteen words (`tests.benchmarks.large_networks`). Peak memory is
the process's own, from the system.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

import landscape
from tests.benchmarks.large_networks import transformer, words


def main() -> None:
    """Measure once, print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.large_curvature"
    )
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--eigenvalues", type=int, default=5, help="of each end")
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--probes", type=int, default=2)
    parser.add_argument("--memory", type=float, help="in GiB, as of landscape curvature")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = transformer(options.width, options.depth)
    size = sum(each.numel() for each in model.parameters())
    before, started = _peak(), time.perf_counter()
    report = landscape.curvature(
        model,
        words(),
        batch_size=2,
        eigenvalues=options.eigenvalues,
        most=options.products,
        probes=options.probes,
        steps=1,
        gauss_newton=False,
        memory=options.memory and options.memory * 2**30,
        progress=lambda done, most: print(f"{done} of {most}, {_peak() / 1e9:.1f} GB", flush=True),
    )
    seconds = time.perf_counter() - started
    print(f"{size / 1e6:.0f} million parameters: {report.products} products in {seconds:.0f} s")
    print(
        f"peak memory {_peak() / 1e9:.1f} GB, {before / 1e9:.1f} before; {_peak() / (4 * size):.1f} times the weights"
    )
    for name in ("raw", "normalised"):
        found = getattr(report, name)
        print(f"{name}: {found.eigenvalues}, converged {found.converged.tolist()}")
        print(f"trace {found.trace:.4g} ± {found.trace_stderr:.2g}")


def _peak() -> float:
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
