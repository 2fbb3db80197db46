"""Jobs that are forked from a process which has loaded everything, for tests that start and kill very many.

Most of what a command takes to start is loading torch: seconds, against a tenth of one for a fork. What runs is the
command itself in a process and a session of its own, with its own locks and threads; it can be killed as any.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.jobs import LIMIT, ROOT

# What forks: it has used no thread yet, so that a fork of it is sound.
_SERVER = """
import json, os, pathlib, signal, sys, traceback
import landscape.cli, landscape.studies.measures.measures, landscape.studies.study_runs, landscape.evaluation.evaluate
import landscape.studies.report.report, torch, {module}

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is gone at once
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    os.environ.update(asked["env"])
    sys.argv = ["landscape", *asked["words"]]
    code = 70
    try:
        code = landscape.cli.main(asked["words"])
    except SystemExit as said:
        code = said.code or 0 if isinstance(said.code, int | None) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        pathlib.Path(asked["code"]).write_text(str(code))  # nobody waits for a status
        os._exit(code)
"""


@dataclass
class ForkedJob:
    """One command that runs, as far as a test asks of `subprocess.Popen`."""

    pid: int
    log: Path
    code: Path

    def poll(self) -> int | None:
        """Return None while it runs, else its exit code, and -9 of one that was killed."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return int(self.code.read_text()) if self.code.exists() else -signal.SIGKILL
        return None

    def communicate(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text() if self.log.exists() else ""

    def kill(self) -> None:
        """Kill it and what it started; it is gone when this returns."""
        for end in (lambda: os.killpg(self.pid, signal.SIGKILL), lambda: os.kill(self.pid, signal.SIGKILL)):
            with contextlib.suppress(ProcessLookupError):
                end()
        deadline = time.monotonic() + LIMIT
        while self.poll() is None:
            assert time.monotonic() < deadline, f"process {self.pid} does not end"
            time.sleep(0.001)


class ForkServer:
    """Forks a process for each command it is told."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self._server, self._folder, self._number = server, folder, 0

    def start(self, words: Sequence[str | Path], **env: str) -> ForkedJob:
        """Start ``landscape WORDS``."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._number += 1
        log, code = (self._folder / f"job{self._number}.{each}" for each in ("log", "code"))
        asked = {"words": [str(each) for each in words], "env": env, "log": str(log), "code": str(code)}
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return ForkedJob(int(self._server.stdout.readline()), log, code)


@contextlib.contextmanager
def fork_server(folder: Path, module: str = "json") -> Iterator[ForkServer]:
    """Give what forks jobs, whose words go into ``folder``; ``module`` is loaded beforehand, too."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER.format(module=module)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield ForkServer(server, folder)
    finally:
        server.kill()
        server.communicate()
