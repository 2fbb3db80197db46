"""SIGTERM and Ctrl-C taken at once, in whatever the main thread is busy with.

Python runs its signal handlers in the main thread between two instructions: after the forward pass, which may take
minutes, while a queue that pre-empts gives a job seconds. So a thread waits at the pipe that the interpreter writes
each signal's number to the moment it comes (`signal.set_wakeup_fd`), and ends the process from there. Masking the
signals and `sigwait` would do as well, were the mask not inherited by every child process.

The first signal lets the file be written; the second one leaves at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from landscape.leaving import leave

# Exit codes as a shell gives them: 128 and the signal's number.
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

_END = 0  # no signal has this number

Leave = Callable[[str, int], Any]  # the last line on stderr, the exit code


@contextlib.contextmanager
def leaving_on_signals(leave: Leave = leave) -> Iterator[None]:
    """End the process on SIGTERM or SIGINT while inside, with what `landscape.leaving` holds done before.

    Does nothing outside the main thread, where Python does not let handlers be set.

    Parameters
    ----------
    leave : callable, optional
        Ends the process, or all processes of a job.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, _noted) for number in CODES}
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _watch_forks()
    waiting = threading.Thread(target=_take, args=(reading, leave), name="signals", daemon=True)
    waiting.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(writing, bytes([_END]))  # closing it would not do: a forked child may hold it open
        waiting.join(timeout=1.0)
        os.close(writing)
        os.close(reading)


def _noted(number: int, frame: FrameType | None) -> None:
    """Do nothing: a handler has to be there for the number to be written to the pipe."""


def _take(reading: int, leave: Leave) -> None:
    leaving: threading.Thread | None = None
    while True:
        for number in os.read(reading, 64):
            if number == _END:
                return
            if number not in CODES:
                continue
            code = CODES[signal.Signals(number)]
            if leaving is not None:
                os._exit(code)
            # In a thread of its own, so that this one hears the second signal while a file system hangs.
            line = f"landscape: {WORDS[signal.Signals(number)]}"
            leaving = threading.Thread(target=leave, args=(line, code), name="leaving", daemon=True)
            leaving.start()


_watched = False


def _watch_forks() -> None:
    """Let forked children (a loader's workers) take signals as usual: the pipe is their parent's as well."""
    global _watched
    if not _watched:
        os.register_at_fork(after_in_child=_forget)
        _watched = True


def _forget() -> None:
    if signal.getsignal(signal.SIGTERM) is _noted:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
