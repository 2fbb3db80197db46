"""Pickled messages between the processes of a job, sent and received without ever blocking inside MPI.

Every call into MPI here returns at once and is made under one lock, so an MPI that wants its calls one at a time
(MPI_THREAD_SERIALIZED) will do. Who waits looks, sleeps and looks again, at most a millisecond apart: MPI's own waiting
calls spin, and would take a core from a rank that computes.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

from mpi4py import MPI

# Seconds between two looks, at first and at most. A millisecond is what one message then takes at worst; since the next
# item is asked for before the last is done, nobody waits for it.
FIRST_NAP, LONGEST_NAP = 5e-5, 1e-3
# Bytes that every MPI sends without asking the other side first: the least limit in use is 4 KiB, with its header.
EAGER = 2048


class Messenger:
    """Messages over one communicator.

    Parameters
    ----------
    comm : MPI.Intracomm
        Used for nothing else.
    """

    def __init__(self, comm: MPI.Intracomm) -> None:
        self._comm = comm
        self._lock = threading.Lock()
        # Buffers have to stay where they are until MPI has sent them.
        self._outgoing: list[tuple[MPI.Request, bytes]] = []
        self._incoming: list[tuple[int, MPI.Request]] = []

    def send(self, to: int, message: Any) -> None:
        """Send a message on its way; it stays in memory until `sent` has seen it off."""
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._outgoing.append((self._comm.Isend([data, MPI.BYTE], to), data))

    def sent(self, *, above: int = -1) -> bool:
        """Return whether everything (of more than ``above`` bytes) is on its way.

        A small message is sent at once, though MPI may say so only when the other side has looked. A large one goes
        only while its sender is inside MPI, after the other side has agreed to take it.
        """
        with self._lock:
            self._outgoing = [(request, data) for request, data in self._outgoing if not request.Test()]
            return all(len(data) <= above for _, data in self._outgoing)

    def received(self) -> list[tuple[int, Any]]:
        """Return the messages that have come, with who sent them; those of one sender in their order."""
        whole: list[tuple[int, Any]] = []
        with self._lock:
            status = MPI.Status()
            while (message := self._comm.improbe(MPI.ANY_SOURCE, MPI.ANY_TAG, status)) is not None:
                self._incoming.append((status.Get_source(), message.irecv()))
            waiting: list[tuple[int, MPI.Request]] = []
            for source, request in self._incoming:
                in_order = all(source != other for other, _ in waiting)
                done, value = request.test() if in_order else (False, None)
                if done:
                    whole.append((source, value))
                else:
                    waiting.append((source, request))
            self._incoming = waiting
        return whole

    def wait(self, request: MPI.Request, while_waiting: Callable[[], None]) -> None:
        """Sleep until a request is done, calling a function (which may raise) between two looks."""

        def done() -> bool:
            if self.locked(request.Test):
                return True
            while_waiting()
            return False

        sleep_until(done)

    def locked(self, call: Callable[[], Any]) -> Any:
        """Make another non-blocking call into MPI while no other thread is inside."""
        with self._lock:
            return call()


def sleep_until(done: Callable[[], bool], seconds: float | None = None) -> bool:
    """Look until something is done, asleep in between; False when the time is up."""
    deadline = None if seconds is None else time.monotonic() + seconds
    nap = FIRST_NAP
    while not done():
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(nap)
        nap = min(2 * nap, LONGEST_NAP)
    return True
