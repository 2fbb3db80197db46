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
from typing import Any, NoReturn

real_exit = os._exit  # `no_early_exit` puts another in its place

ShutdownCallback = Callable[[], str | None]  # may return a sentence for the last message

_callbacks: list[ShutdownCallback] = []
_lock = threading.Lock()


@contextlib.contextmanager
def at_shutdown(callback: ShutdownCallback) -> Iterator[None]:
    """Have a function called if the process has to end inside this context. It may be called from any thread."""
    with _lock:
        _callbacks.append(callback)
    try:
        yield
    finally:
        with _lock:
            _callbacks.remove(callback)


def run_callbacks() -> list[str]:
    """Call what was registered, newest first; return what there is to say. A failing one does not stop the others."""
    with _lock:
        callbacks = list(reversed(_callbacks))
    notes = []
    for callback in callbacks:
        try:
            note = callback()
        except Exception as error:
            note = " ".join(str(error).split()) or type(error).__name__
        if note:
            notes.append(note)
    return notes


def on_one_line(what: str) -> str:
    """Return a text, which may hold the name of a file, as something that moves no cursor."""
    return what if what.isprintable() else repr(what)


def run_callbacks_and_print(line: str) -> None:
    """Do what was registered, and print the line and what there is to say after it, as one line on stderr."""
    notes = run_callbacks()
    with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone, as when a terminal is closed
        print(on_one_line(" ".join([line, *notes])), file=sys.stderr, flush=True)  # noqa: T201 - the last line there is


def exit_now(line: str, code: int) -> NoReturn:
    """End this process with one last line on stderr, from any thread and whatever the others are busy with."""
    try:
        run_callbacks_and_print(line)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
    finally:  # the file's lock is never given back: the main thread would wait for it for ever
        real_exit(code)


@contextlib.contextmanager
def no_early_exit(abort: Callable[[str, int], Any]) -> Iterator[None]:
    """Have ``os._exit`` in a user's code end the job as a failure: file written, exit code not 0.

    Otherwise a job of which one process ended like this would end as if it had finished: the launcher ends the others
    at once, and gives the code of the first.

    Parameters
    ----------
    abort : callable
        Ends the job, with one line on stderr and an exit code.
    """
    owner = os.getpid()

    def exit_as_failure(status: int) -> NoReturn:
        if os.getpid() != owner:  # a loader's worker, which may
            real_exit(status)
        abort(f"os._exit({status}) was called in the middle of the work", status or 1)
        real_exit(status or 1)

    os._exit = exit_as_failure
    try:
        yield
    finally:
        os._exit = real_exit
