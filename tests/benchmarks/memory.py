"""Peak memory of a run against the formula: ``python -m tests.benchmarks.memory``.

Each case is a process of its own that runs ``landscape evaluate`` on a random network. What it had in memory at most
(VmHWM of /proc/self/status), less what the same command takes for a network of the same layers with next to no
weights, is compared with

    network + theta* + two directions + the weights of fused layers        as it is
    network + theta*                                                       with --low-memory

in bytes, by what the file says of fused layers. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

NETWORKS = Path(__file__).with_name("large_networks.py")
ROOT = Path(__file__).parents[2]
# Networks of about 100 million parameters, and the same layers with nearly none.
KINDS: dict[str, tuple[str, dict[str, int], dict[str, int]]] = {
    "linear": ("vectors", {"width": 2048, "depth": 24}, {"width": 16, "depth": 24}),
    "transformer": ("words", {"width": 768, "depth": 12}, {"width": 8, "depth": 12}),
    "convolutional": ("images", {"width": 512, "depth": 42}, {"width": 8, "depth": 42}),
}


@dataclass(frozen=True)
class Measured:
    """One case, in bytes."""

    parameters: int  # bytes of the network's parameters and buffers
    fused: int  # bytes of fused layers' weights, by the file
    formula: int
    peak: int  # beyond the network of next to no weights

    @property
    def ratio(self) -> float:
        """Measured over formula."""
        return self.peak / self.formula


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--options", nargs="*", default=[], help="more words for landscape evaluate, after --")
    options = parser.parse_args()
    print(f"{'network':15}{'weights':10}{'mode':12}{'parameters':>12}{'fused':>9}{'formula':>9}{'peak':>9}  ratio")
    for kind in options.kinds:
        for dtype in options.dtypes:
            for mode, words in (("normal", []), ("low memory", ["--low-memory"])):
                found = measure(kind, dtype, [*words, *options.options])
                sizes = (found.parameters, found.fused, found.formula, found.peak)
                mebibytes = "".join(f"{size / 2**20:>{w}.0f}" for size, w in zip(sizes, (12, 9, 9, 9), strict=True))
                print(f"{kind:15}{dtype:10}{mode:12}{mebibytes}  {found.ratio:.3f}", flush=True)


def in_new_process(words: Sequence[str | Path]) -> tuple[int, str, str]:
    """Run ``python WORDS``; return its exit code and what it wrote to stdout and stderr."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


def measure(
    kind: str,
    dtype: str = "float32",
    words: list[str] | None = None,
    large: dict[str, int] | None = None,
    python: Callable[[Sequence[str | Path]], tuple[int, str, str]] = in_new_process,
) -> Measured:
    """Return what a network takes, and what it should; ``large`` are other sizes for it, ``python`` runs a script."""
    words = words or []
    _, usual, small = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        big = _start(kind, large or usual, dtype, words, folder, python)
        least = _start(kind, small, dtype, words, folder, python)
    times = 2 if "--low-memory" in words else 4
    formula = times * (big["parameters"] - least["parameters"]) + big["fused"] - least["fused"]
    return Measured(big["parameters"], big["fused"], formula, big["peak"] - least["peak"])


def _start(
    kind: str,
    sizes: dict[str, int],
    dtype: str,
    words: list[str],
    folder: str,
    python: Callable[[Sequence[str | Path]], tuple[int, str, str]],
) -> dict[str, int]:
    save(kind, sizes, dtype, folder)
    asked = json.dumps({"kind": kind, "sizes": sizes, "words": words, "folder": folder})
    # Apart: what saving takes is not to be measured.
    code, out, err = python([__file__, asked])
    if code:
        raise RuntimeError(err)
    found: dict[str, int] = json.loads(out.splitlines()[-1])
    return found


def save(kind: str, sizes: dict[str, int], dtype: str, folder: str) -> None:
    """Make the checkpoint."""
    import torch

    from tests.benchmarks import large_networks

    torch.manual_seed(0)
    network = getattr(large_networks, kind)(**sizes).to(getattr(torch, dtype))
    torch.save(network.state_dict(), Path(folder) / "net.pt")


def run(kind: str, sizes: dict[str, int], words: list[str], folder: str) -> None:
    """Be the process that is measured."""
    from landscape import read_surface
    from landscape.cli import main as command

    name = KINDS[kind][0]
    path, samples = Path(folder) / "net.h5", Path(folder) / "data.py"
    made = f"{name}({sizes['width']})" if name == "vectors" else f"{name}()"
    samples.write_text(f"""
import sys
sys.path.insert(0, {str(NETWORKS.parent)!r})
from large_networks import {name}
samples = {made}
""")
    arguments = ["evaluate", str(Path(folder) / "net.pt"), "--model", f"{NETWORKS}:{kind}"]
    arguments += [
        "--model-args",
        json.dumps({**sizes, "device": "meta"}),
        "--data",
        f"train={samples}:samples",
        "--overwrite",
    ]
    arguments += ["--x=-1:1:3", "--y=-1:1:3", "--batch-size", "8", "-o", str(path), *words]
    if command(arguments):
        raise SystemExit(1)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    quality = read_surface(path).quality
    size = (Path(folder) / "net.pt").stat().st_size
    print(json.dumps({"parameters": size, "fused": int(quality.get("extra_bytes", 0)), "peak": peak}))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("{"):
        run(**json.loads(sys.argv[1]))
    else:
        main()
