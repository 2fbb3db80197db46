"""Time and memory of a principal plane: 200 records of ten million parameters (8 GB) on disk, by default.

python tests/benchmarks/principal_plane.py [FOLDER] [STEPS] [MILLIONS]     a few minutes, 8 GB of disk, removed after
"""

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from landscape.principal import principal_components
from landscape.recorder import Recorder


def anonymous_memory() -> int:
    """Return this process's memory beyond the file cache, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise OSError("needs Linux")


class Peak:
    """The most anonymous memory at any time while it is open, beyond what there was before."""

    def __enter__(self) -> "Peak":
        self.before, self.most, self.over = anonymous_memory(), 0, False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.over:
            self.most = max(self.most, anonymous_memory() - self.before)
            time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()


def timed(what: str, call):
    start, busy = time.perf_counter(), time.process_time()
    with Peak() as peak:
        result = call()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"{what:34} {seconds:7.1f} s wall {busy:7.1f} s processor {peak.most / 2**20:7.0f} MiB beyond the file cache")
    return result


def main(root: str | None = None, steps: int = 200, millions: float = 10.0) -> None:
    folder = Path(tempfile.mkdtemp(prefix="principal-", dir=root))
    width = int((millions * 1e6 / 4) ** 0.5)
    torch.manual_seed(0)
    model = nn.Sequential(*[nn.Linear(width, width) for _ in range(4)])
    ways = [[torch.randn_like(p) for p in model.parameters()] for _ in range(3)]
    try:
        with Recorder(folder, model) as recorder, torch.no_grad():
            for step in range(steps):
                for number, way in enumerate(ways):
                    for parameter, part in zip(model.parameters(), way, strict=True):
                        parameter.add_(part, alpha=1e-3 * torch.randn(()).item() / (number + 1))
                recorder.record(step)
        files = sorted(folder.glob("*.safetensors"))
        print(f"{len(files)} records, {sum(file.stat().st_size for file in files) / 1e9:.1f} GB")

        def read() -> None:
            for _ in range(2):
                for file in files:
                    with open(file, "rb", buffering=0) as handle:
                        while handle.read(1 << 24):
                            pass

        timed("reading every record twice", read)
        points = [load_file(file) for file in files]
        found = timed("principal plane", lambda: principal_components(points, points[-1]))
        print("shares", found.ratio[:4].round(3))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*arguments[:1], *map(int, arguments[1:2]), *map(float, arguments[2:3]))
