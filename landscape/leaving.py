"""What has to be done before the process ends in the middle of its work: write the file, give the terminal back.

A signal, or another rank's failure, ends a command from a thread that is not the one at work. That thread calls what
was registered here, newest first, and the process is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

Farewell = Callable[[], str | None]  # may return a sentence for the last message

_farewells: list[Farewell] = []
_lock = threading.Lock()


@contextlib.contextmanager
def before_leaving(farewell: Farewell) -> Iterator[None]:
    """Have a function called if the process has to leave inside this context. It may be called from any thread."""
    with _lock:
        _farewells.append(farewell)
    try:
        yield
    finally:
        with _lock:
            _farewells.remove(farewell)


def prepare_to_leave() -> list[str]:
    """Call what was registered, newest first; return what there is to say. A failing one does not stop the others."""
    with _lock:
        farewells = list(reversed(_farewells))
    notes = []
    for farewell in farewells:
        try:
            note = farewell()
        except Exception as error:
            note = " ".join(str(error).split()) or type(error).__name__
        if note:
            notes.append(note)
    return notes


def say_goodbye(line: str) -> None:
    """Do what was registered, and print the line and what there is to say after it, as one line on stderr."""
    notes = prepare_to_leave()
    with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone, as when a terminal is closed
        print(" ".join([line, *notes]), file=sys.stderr, flush=True)


def leave(line: str, code: int) -> NoReturn:
    """End this process with one last line on stderr, from any thread and whatever the others are busy with."""
    try:
        say_goodbye(line)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    finally:  # the file's lock is never given back: the main thread would wait for it for ever
        os._exit(code)
