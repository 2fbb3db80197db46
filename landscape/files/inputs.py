"""What a command was given to read, which nothing that it writes may replace.

Files are told apart by what they are, not by how they are spelled: links of both kinds, relative paths and names in
the other case on a file system that ignores case all lead to one file. The code that runs is an input as well.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from landscape.errors import UsageError

_inputs: dict[tuple[int, int], str] = {}  # device and inode -> path
_code: dict[tuple[int, int], str] = {}  # the same of what was imported
_asked: dict[str, int] = {}  # which modules were asked for their files: names, and what was there by them
_guarding = False


@contextlib.contextmanager
def protected(paths: Iterable[str | Path]) -> Iterator[None]:
    """Let nothing be written over some files, nor over the code that was imported, while inside."""
    global _guarding
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            found = os.stat(path)
            _inputs[found.st_dev, found.st_ino] = os.fspath(path)
    _guarding = True
    try:
        yield
    finally:
        _guarding = False
        _inputs.clear()


def require_no_input(path: str | Path) -> None:
    """Find out whether writing a file would replace an input; what is not there yet replaces nothing.

    Raises
    ------
    UsageError
        It would; the message names both.
    """
    if not _guarding:
        return
    real = os.path.realpath(path)  # the way the file is written: A/../B though there is no A
    try:
        target = os.stat(real)
    except (OSError, ValueError):
        return
    _look_at_code()
    numbers = target.st_dev, target.st_ino
    saved_anew = real if real in _code.values() else None  # by an editor, which gives it another number
    for given in (_inputs.get(numbers), _code.get(numbers), saved_anew):
        # Looked at once more: a number is given to another file when the first one is gone.
        with contextlib.suppress(OSError):
            if given and os.path.samestat(os.stat(given), target):
                also = "" if os.fspath(path) == given else f" (given as {given})"
                raise UsageError(f"{path} is a file that this command reads{also}; write to another one")


def _look_at_code() -> None:
    """Note where modules are that were imported since: there are thousands, and a run asks each time it writes."""
    for name, module in list(sys.modules.items()):
        if _asked.get(name) == id(module):
            continue
        _asked[name] = id(module)
        with contextlib.suppress(OSError, ValueError):
            file = str(getattr(module, "__file__", None) or "")
            if file:
                found = os.stat(file)
                _code[found.st_dev, found.st_ino] = file
