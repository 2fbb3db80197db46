"""Careless changes of the code, each of which some test must notice: read, applied in a copy of the tree, tried.

A list is a TOML file named after its room. Each ``[[mutant]]`` says ``why`` the change would hurt, the ``file``, the
``old`` text (once in that file) and the ``new`` one, and which ``tests`` notice: files or node ids.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PAGE = "plot/page/web"
# Far more than any list of tests takes alone; a mutant that loops for ever is noticed by this.
LIMIT = 300.0
# Seconds after which a job that a test started counts as one that never ends: most take a few, beside one other test.
JOB_LIMIT = "25"

# What most tests import and no mutant changes: imported once, in the process that the tests of a copy are forked from.
# It takes several times as long as most lists of tests.
PRELOADED = """h5py hypothesis matplotlib.backends.backend_agg matplotlib.figure safetensors.torch scipy.ndimage torch
    _hypothesis_pytestplugin pytest_mpl.plugin xdist.looponfail xdist.plugin"""
_SERVER = """
import gc, importlib, json, os, sys
import pytest
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.collect()
gc.freeze()
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        os._exit(pytest.main(json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

Result = Literal["noticed", "hangs", "SURVIVED"]


class StaleMutant(Exception):
    """A list does not fit the tree: a text that is not there once, a file or test that is gone, no Python."""


@dataclass(frozen=True)
class Mutant:
    """One change, as it stands in a list."""

    room: str
    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def changed(self, root: Path) -> str:
        """Return the file's text after the change.

        Raises
        ------
        StaleMutant
            The change does not fit the tree under ``root``.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (found := text.count(self.old)) != 1 or self.old == self.new:
            raise StaleMutant(f"{self.room}: {self.why}: {self.file} holds 'old' {found} times, or 'new' is the same")
        for test in self.tests:
            place, *names = test.partition("[")[0].split("::")
            # One that is not found ends pytest with an error, which would pass for noticing.
            if not (root / place).exists() or any(
                re.search(rf"\b(?:def|class) {name}\b", (root / place).read_text("utf-8")) is None for name in names
            ):
                raise StaleMutant(f"{self.room}: {self.why}: there is no {test}")
        after = text.replace(self.old, self.new)
        if self.file.endswith(".py"):
            try:
                ast.parse(after)
            except SyntaxError as error:
                raise StaleMutant(f"{self.room}: {self.why}: no Python after the change: {error}") from error
        return after


def read(folder: Path, rooms: list[str]) -> list[Mutant]:
    """Return the mutants of the named rooms, of all where none is named, in the order of names and lists."""
    files = [folder / f"{room}.toml" for room in rooms] or sorted(folder.glob("*.toml"))
    if missing := [file.stem for file in files if not file.exists()]:
        raise StaleMutant(f"no list for {', '.join(missing)}; there are {[f.stem for f in folder.glob('*.toml')]}")
    entries = [(file.stem, entry) for file in files for entry in tomllib.loads(file.read_text("utf-8"))["mutant"]]
    return [Mutant(room, **{**entry, "tests": tuple(entry["tests"])}) for room, entry in entries]


def stale(mutants: list[Mutant], root: Path) -> list[str]:
    """Say which mutants do not fit the tree."""
    found = []
    for mutant in mutants:
        try:
            mutant.changed(root)
        except StaleMutant as error:
            found.append(str(error))
    return found


def chosen(mutants: list[Mutant], share: float, seed: int) -> list[Mutant]:
    """Return a share of the mutants, drawn with a seed, in their order."""
    number = min(len(mutants), max(1, round(share * len(mutants))))
    return [mutants[i] for i in sorted(random.Random(seed).sample(range(len(mutants)), number))]


class Copy:
    """A copy of the tree in which tests run; everything a test imports or starts comes from it."""

    # Python takes a .pyc for up to date when the source's time (in seconds) and size agree: no two writes share a time.
    _seconds = itertools.count(1_000_000_000)

    def __init__(self, root: Path, place: Path) -> None:
        words = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (root / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, place / name)
        if (root / "node_modules").exists():
            (place / "node_modules").symlink_to((root / "node_modules").resolve())
        self.place = place
        self._mark = f"LANDSCAPE_MUTANT={place}"  # by which what tests leave running is found
        self._server: subprocess.Popen[str] | None = None

    def write(self, name: str, text: str) -> None:
        """Replace a file."""
        path, now = self.place / name, next(self._seconds)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (now, now))

    def passes(self, tests: tuple[str, ...], limit: float = LIMIT) -> bool | None:
        """Run tests; return whether they pass, None where they do not end in time."""
        if self._server is None:
            name, _, value = self._mark.partition("=")
            env = {**os.environ, "PYTHONPATH": str(self.place), "OMP_NUM_THREADS": "1", name: value}
            env.setdefault("LANDSCAPE_LIMIT", JOB_LIMIT)
            # What no mutant changes is compiled once, also where everything else is to leave no bytecode.
            env.pop("PYTHONDONTWRITEBYTECODE", None)
            words = [sys.executable, "-c", _SERVER, *PRELOADED.split()]
            self._server = subprocess.Popen(
                words, cwd=self.place, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        server = self._server
        assert server.stdin is not None
        assert server.stdout is not None
        # The warning: what is imported already cannot have its assertions rewritten.
        quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        # In a folder of their own: pytest would clear away what the suite has left, and one tree after another.
        words = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={self.place.parent / 'files'}", *quiet, *tests]
        server.stdin.write(json.dumps(words) + "\n")
        server.stdin.flush()
        ended = bool(select.select([server.stdout], [], [], limit)[0])
        answer = server.stdout.readline() if ended else None
        self._end_all(but=server.pid if ended else 0)
        if not answer:
            self.close()
        return None if answer is None else answer.strip() == "0"

    def close(self) -> None:
        """End the process that tests are forked from."""
        if self._server is not None:
            self._end_all()
            self._server.communicate()
            self._server = None

    def _end_all(self, but: int = 0) -> None:
        """Kill what the tests have left running, in whatever session: its environment has the mark."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                marked = self._mark.encode() in (folder / "environ").read_bytes().split(b"\0")
                if marked and int(folder.name) != but:
                    os.kill(int(folder.name), signal.SIGKILL)

    def tries(self, mutant: Mutant, limit: float = LIMIT) -> Result:
        """Apply a mutant, run its tests, put everything back."""
        before = (self.place / mutant.file).read_text(encoding="utf-8")
        bundle = self.place / PAGE / "bundle.js"
        whole = bundle.read_bytes() if mutant.file.startswith(PAGE) and mutant.file.endswith(".js") else None
        self.write(mutant.file, mutant.changed(self.place))
        try:
            if whole is not None:  # what a page runs is made from its modules
                build = ["node", str(bundle.with_name("build.mjs"))]
                subprocess.run(build, cwd=self.place, check=True, capture_output=True)
            passed = self.passes(mutant.tests, limit)
        finally:
            self.write(mutant.file, before)
            if whole is not None:
                bundle.write_bytes(whole)
        return "hangs" if passed is None else "SURVIVED" if passed else "noticed"
