"""The command in processes of its own, with a launcher or without, always with a time limit."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import landscape
from landscape.surface.surface import Surface

ROOT = Path(__file__).parents[2]
PROBLEM = Path(__file__).parent / "tiny_problem.py"
LAUNCHERS = ("mpich", "openmpi")
# How variables begin that are read once: by Python or the loader as they start, by libraries as they are loaded.
AT_START = ("PYTHON", "LD_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "MALLOC_", "TORCH_", "CUDA_", "HDF5_")
# A job takes a few seconds; several may run at a time on two cores. Behind other work it may wait much longer.
LIMIT = float(os.environ.get("LANDSCAPE_LIMIT", "120"))


def launcher(name: str, ranks: int) -> list[str]:
    """Return the words that start a Python under mpiexec; fail in CI, and skip elsewhere, where there is none.

    MPICH's is in the environment of the tests, Open MPI's in one beside it (`make mpi-env`): both are called mpiexec.
    """
    prefix = Path(sys.prefix if name == "mpich" else sys.prefix + "-openmpi")
    mpiexec, python = prefix / "bin" / "mpiexec", prefix / "bin" / "python"
    if not (mpiexec.exists() and python.exists()):
        text = f"there is no {mpiexec}; `make mpi-env` installs it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    options = [] if name == "mpich" else ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
    return [str(mpiexec), *options, "-n", str(ranks), str(python)]


def environment(**more: str) -> dict[str, str]:
    """Return a job's environment: of the tests' own nothing that a launcher may have set, should they run under one."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "OMPI_", "SLURM_", "FLUX_", "PRTE"))}
    return {**clean, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


@functools.cache
def _warm(python: str) -> str:
    """Return the address of a process of a Python that has loaded torch and forks."""
    name = f"landscape-{uuid.uuid4()}"
    server = subprocess.Popen(
        [python, Path(__file__).with_name("warm_server.py"), name],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    if not select.select([server.stdout], [], [], LIMIT)[0]:
        server.kill()
        server.communicate()
        pytest.fail(f"{python} did not load torch within {LIMIT:g} s")
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.communicate)
    return name


def start(
    words: Sequence[str | Path],
    *,
    mpi: str | None = None,
    ranks: int = 1,
    folder: Path | None = None,
    forked: bool = False,
    **env: str,
) -> subprocess.Popen[str]:
    """Start ``python WORDS``, in a process group of its own so that all of it can be ended.

    ``forked`` from processes that have loaded torch, where it is not about how processes start and end: they share one
    seed of hashes, and a launcher only kills what stands for them. What Python or a library reads of its environment as
    it starts would do nothing there, and is refused. Of several ranks the first alone may write files of ours, but
    where EVERY_RANK_WRITES is set.
    """
    python = [sys.executable] if mpi is None else launcher(mpi, ranks)
    if forked:
        late = [name for name in env if name.startswith(AT_START)]
        if late:
            raise ValueError(f"{late[0]} has no effect on a process that was started before: pass forked=False")
        python += ["-I", "-S", str(Path(__file__).with_name("warm_client.py")), _warm(python[-1])]
    return subprocess.Popen(
        [*python, *map(str, words)],
        env=environment(**env),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(job: subprocess.Popen[str], limit: float = LIMIT) -> tuple[int, str, str]:
    """Wait for a job; return its exit code and what it wrote to stdout and stderr."""
    try:
        out, err = job.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end(job)
        out, err = job.communicate()
        pytest.fail(f"the job did not end within {limit:g} s; it wrote {out!r} and {err!r}")
    return job.returncode, out, err


def end(job: subprocess.Popen[str]) -> None:
    """Kill a job and all that belongs to it."""
    for pid in [*ranks_of(job), job.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)


def run(words: Sequence[str | Path], *, limit: float = LIMIT, **options: object) -> tuple[int, str, str]:
    """Start a job, by default of forked processes, and wait for it."""
    return finish(start(words, **{"forked": True, **options}), limit)  # type: ignore[arg-type]


def evaluate(checkpoint: Path, output: Path, *more: str | Path) -> list[str | Path]:
    """Return the words of an `evaluate` of the tiny problem: 81 points, 6 batches of 40 samples each."""
    grid = () if any(str(word).startswith("--x") for word in more) else ("--x=-1:1:9", "--y=-1:1:9")
    data = () if "--data" in more else ("--data", f"train={PROBLEM}:data")
    problem = ("--model", f"{PROBLEM}:net", *data, "--batch-size", "40")
    return ["-m", "landscape", "evaluate", checkpoint, *problem, *grid, "-o", output, *more]


def ranks_of(job: subprocess.Popen[str]) -> list[int]:
    """Return the processes of a job that run Python under its launcher, in the order of their ranks."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if f"LANDSCAPE_JOB={id(job)}".encode() in variables or _descends(int(folder.name), job.pid):
                numbers = [v for v in variables if v.startswith((b"PMI_RANK=", b"OMPI_COMM_WORLD_RANK="))]
                if numbers:
                    found.append((int(numbers[0].partition(b"=")[2]), int(folder.name)))
    return [pid for _, pid in sorted(found)]


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = int(fields[1])
        if pid == ancestor:
            return True
    return False


def wait_for_points(path: Path, number: int, job: subprocess.Popen[str]) -> int:
    """Wait until a file holds so many points; return how many it holds."""
    deadline, seen = time.monotonic() + LIMIT, 0
    while time.monotonic() < deadline:
        # Read only where it was written anew: to look takes the processor from the job.
        if path.exists() and (now := path.stat().st_mtime_ns) != seen:
            seen = now
            done = int((landscape.read_surface(path).state == 1).sum())
            if done >= number:
                return done
        if job.poll() is not None:
            pytest.fail(f"the job ended before {path} held {number} points: {job.communicate()}")
        time.sleep(0.05)
    end(job)
    pytest.fail(f"{path} did not hold {number} points in time")


def wait_for_file(path: Path, job: subprocess.Popen[str]) -> None:
    """Wait until a job has made a file."""
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        if job.poll() is not None:
            pytest.fail(f"the job ended before there was {path}: {job.communicate()}")
        if time.monotonic() > deadline:
            end(job)
            pytest.fail(f"the job did not make {path} in time")
        time.sleep(0.02)


def assert_same_values(one: Surface, other: Surface, relative: float = 1e-9) -> None:
    """Compare everything measured. The network is in float64: only sums in another order may differ."""
    import numpy as np

    np.testing.assert_array_equal(one.state, other.state)
    for group in ("values", "stderr", "paired_stderr", "counts"):
        mine, theirs = getattr(one, group), getattr(other, group)
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            np.testing.assert_allclose(values, theirs[name], rtol=relative, atol=1e-12, err_msg=f"{group} {name}")


@contextlib.contextmanager
def ended(job: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill what is left of a job when a test is over, whatever became of it."""
    try:
        yield job
    finally:
        if job.poll() is None:
            end(job)
        job.communicate()
