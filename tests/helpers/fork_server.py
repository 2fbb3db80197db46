"""Reads many files the way `landscape.files.sandbox` does, without starting Python for each: a process that forks.

``ForkServer().run`` stands in for ``landscape.files.sandbox._run``. The child runs the same code under the same limits.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from landscape.files import sandbox

SERVER = """
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("sandbox_child", sys.argv[1])
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
import h5py, numpy
os.environ["HDF5_PLUGIN_PRELOAD"] = "::"
for line in sys.stdin.buffer:
    task = json.loads(line)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(task["path"], os.O_RDONLY), 0)
        os.dup2(writer, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        child.limit(task["memory"], task["seconds"])
        child.reply(h5py, task)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.stdout.buffer.write(b"%d %d\\n" % (code, len(answer)) + answer)
    sys.stdout.buffer.flush()
"""


class ForkServer:
    """One server process; ``crashes`` counts the children that were ended by a signal."""

    def __init__(self) -> None:
        child = Path(sandbox.__file__).with_name("sandbox_child.py")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(child)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.crashes = 0

    def run(self, task: dict[str, Any], file: Any, most: int, seconds: float) -> tuple[bytes, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**task, "path": file.name}).encode() + b"\n")
        self.process.stdin.flush()
        code, length = map(int, self.process.stdout.readline().split())
        answer = self.process.stdout.read(length)
        assert len(answer) <= most
        self.crashes += code < 0
        return answer, code

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait(10)
