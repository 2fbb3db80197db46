"""SIGTERM, SIGHUP and Ctrl-C taken at once, in whatever the main thread is busy with.

Python runs its signal handlers in the main thread between two instructions: after the forward pass, which may take
minutes, while a queue that pre-empts gives a job seconds. So a thread waits at the pipe that the interpreter writes
each signal's number to the moment it comes (`signal.set_wakeup_fd`), and ends the process from there. Masking the
signals and `sigwait` would do as well, were the mask not inherited by every child process.

The first signal lets the file be written; a second one, once the first can have been noticed, ends it at once. What
closes a terminal or a job often sends two within milliseconds: they are one. A signal that was ignored when the
process started (``nohup``, a script's background) stays ignored.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from landscape.parallel.shutdown import exit_now, real_exit

# Exit codes as a shell gives them: 128 and the signal's number.
CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
WORDS = {signal.SIGHUP: "terminal closed", signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# Seconds in which a second signal is still part of the first event: nobody decides and presses keys in less.
ONE_EVENT = 0.5

_END = 0  # no signal has this number

Exit = Callable[[str, int], Any]  # the last line on stderr, the exit code


@contextlib.contextmanager
def shutdown_on_signals(end: Exit = exit_now) -> Iterator[None]:
    """End the process on a signal of `CODES` while inside, with what `landscape.parallel.shutdown` holds done before.

    Does nothing outside the main thread, where Python does not let handlers be set.

    Parameters
    ----------
    end : callable, optional
        Ends the process, or all processes of a job.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    taken = [number for number in CODES if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _noted) for number in taken}
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    waiting = threading.Thread(target=_take, args=(reading, end), name="signals", daemon=True)
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


def _take(reading: int, end: Exit) -> None:
    ending: threading.Thread | None = None
    first = 0.0
    while True:
        for number in os.read(reading, 64):
            if number == _END:
                return
            if number not in CODES:
                continue
            code = CODES[signal.Signals(number)]
            if ending is not None:
                if time.monotonic() - first > ONE_EVENT:
                    real_exit(code)
                continue
            first = time.monotonic()
            # In a thread of its own, so that this one hears the second signal while a file system hangs.
            line = f"landscape: {WORDS[signal.Signals(number)]}"
            ending = threading.Thread(target=end, args=(line, code), name="shutdown", daemon=True)
            ending.start()


def _forget() -> None:
    """Let a forked child (a loader's worker) take signals as usual: the pipe is its parent's as well."""
    for number in CODES:
        if signal.getsignal(number) is _noted:
            signal.set_wakeup_fd(-1)
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


os.register_at_fork(after_in_child=_forget)
