"""Many processes under MPI. Imported only where a launcher has started several (`landscape.parallel.comm`).

Rank 0 computes like the others. A thread of it hands out work items and takes results and failures; it sleeps a
millisecond between two looks at its messages. That makes progress on every MPI, because nothing is expected from MPI
while nobody is inside it: the thread's looks drive rank 0's side whatever its main thread does, and a rank goes back to
computing only when its message is sent. One-sided counters, the other way to serve, need help from the target's
processor on many networks, and rank 0 would be inside a forward pass.

    rank -> 0    ("want", n): n work items; ("done", item, results, seconds): and the next one, please;
                 ("kept", item, results): what was done when it failed; ("failed", line, code)
    0 -> rank    ("work", item); ("end",): every result is in; ("stop", text): another rank failed
"""

from __future__ import annotations

import atexit
import contextlib
import pickle
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from landscape.errors import ClusterError
from landscape.parallel.dispatcher import Dispatcher, Result, Work
from landscape.parallel.messages import EAGER, LONGEST_NAP, Messenger, sleep_until
from landscape.parallel.scheduler import WorkItem
from landscape.parallel.serial import INSTALL, Comm, Value, work_at
from landscape.parallel.shutdown import real_exit, run_callbacks_and_print

# Work items a rank holds: one in work and one in hand.
AHEAD = 2
# Seconds between two looks for messages while no work is handed out.
IDLE_NAP = 0.01
# Seconds that rank 0, told of a failure before the work began, gives itself to fail of the same cause: a file that is
# missing everywhere is one plain message then, not the first rank's.
SAME_FAILURE = 5.0
# Seconds that rank 0 of a script gives the others to print what they have to say, before it ends them.
LAST_WORDS = 1.0
# Seconds a rank that failed waits for rank 0 to write the file and end the job, before it ends the job itself.
PATIENCE = 30.0


class MPIComm(Comm):
    """The processes of an MPI job. All of them make this at the same time."""

    def __init__(self) -> None:
        super().__init__()
        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            raise ClusterError(
                f"this MPI ({self.library}) lets only one thread call it; one with MPI_THREAD_SERIALIZED or more is "
                f"needed, as every MPICH and Open MPI of the last years is unless built otherwise; {INSTALL}"
            )
        world = MPI.COMM_WORLD
        self.rank, self.size = world.rank, world.size
        self._failure = ""  # what ended the work for all ranks
        self._dispatcher: Dispatcher[Any] | None = None
        self._told: set[int] = set()  # ranks that know of the end
        self._ended = threading.Event()
        self._closing = threading.Event()
        self._aborting = threading.Lock()
        self._commands = False
        self._comm, request = world.Idup()
        sleep_until(request.Test)
        self._messenger = Messenger(self._comm)
        self._collectives, request = world.Idup()
        sleep_until(request.Test)
        # Everybody is here now, so what blocks below blocks for a moment.
        self._local = world.Split_type(MPI.COMM_TYPE_SHARED, world.rank)
        self.local_rank, self.local_size = self._local.rank, self._local.size
        self._thread = threading.Thread(target=self._serve, name="work for other ranks", daemon=True)
        if self.rank == 0:
            self._thread.start()
        atexit.register(self._close)

    @property
    def library(self) -> str:
        """Name and version of the MPI library, in short."""
        return " ".join(MPI.Get_library_version().split())[:40]

    def described(self, text: str) -> str:
        """Say which rank and host an error comes from."""
        return f"rank {self.rank} on {self.host}: {text}"

    # -- collective calls --------------------------------------------------------------------------------------

    def broadcast(self, value: Value) -> Value:
        """Return what rank 0 passed, on all ranks."""
        data = bytearray(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL) if self.rank == 0 else b"")
        length = array("q", [len(data)])
        self._wait(lambda: self._collectives.Ibcast([length, MPI.INT64_T]))
        buffer = data if self.rank == 0 else bytearray(length[0])
        self._wait(lambda: self._collectives.Ibcast([buffer, MPI.BYTE]))
        received: Value = value if self.rank == 0 else pickle.loads(buffer)
        return received

    def add(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of all ranks' arrays of one shape, on rank 0; elsewhere what was passed."""
        total = np.empty_like(values) if self.rank == 0 else values
        values = np.ascontiguousarray(values)
        into = [total, MPI.DOUBLE] if self.rank == 0 else None
        self._wait(lambda: self._collectives.Ireduce([values, MPI.DOUBLE], into))
        return total

    def gather_local(self, value: Value) -> list[Value]:
        """Return what each process on this host passed, on all of them."""
        self._wait(self._local.Ibarrier)
        gathered: list[Value] = self._messenger.locked(lambda: self._local.allgather(value))
        return gathered

    def _wait(self, begin: Callable[[], MPI.Request]) -> None:
        self._require_whole()
        request = self._messenger.locked(begin)
        self._messenger.wait(request, self._look_for_failures)

    def _look_for_failures(self) -> None:
        if self.rank:
            for _, message in self._messenger.received():
                self._handle(message)
        self._require_whole()

    def _require_whole(self) -> None:
        if self._failure:
            raise ClusterError(self._failure)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Report an error in here to all ranks, which raise it from their next call."""
        try:
            yield
        except BaseException as error:
            if not self._failure:
                self.report_failure(f"landscape: error: {self.described(_one_line(error))}", 1)
            raise

    # -- the work ----------------------------------------------------------------------------------------------

    def share_out(self, dispatcher: Dispatcher[Result] | None, work: Work[Result]) -> None:
        """Take items from rank 0 and measure them until none is left anywhere; `ClusterError` if another rank fails."""
        self._require_whole()
        if dispatcher is None:
            self._work(work)
        else:
            self._lead(dispatcher, work)

    def _lead(self, dispatcher: Dispatcher[Result], work: Work[Result]) -> None:
        self._ended.clear()
        self._told.clear()
        self._dispatcher = dispatcher
        try:
            work_at(dispatcher, self.rank, work)
            while not self._ended.wait(1.0):
                self._require_whole()
        finally:
            self._dispatcher = None

    def _work(self, work: Work[Result]) -> None:
        self._messenger.send(0, ("want", AHEAD))
        items: deque[Any] = deque()
        ended = False
        while not ended:
            messages: list[tuple[int, Any]] = []

            def look(into: list[tuple[int, Any]] = messages) -> bool:
                into += self._messenger.received()
                self._messenger.sent()
                return bool(into)

            if items:
                look()
            else:
                sleep_until(look)
            for _, message in messages:
                if message[0] == "work":
                    items.append(message[1])
                else:
                    ended |= self._handle(message)
            if items and not ended:
                self._measure(items.popleft(), work)

    def _measure(self, item: WorkItem, work: Work[Result]) -> None:
        results: list[Result] = []
        began = time.perf_counter()
        try:
            for result in work(item):
                results.append(result)  # one by one: what came before an error is kept
        except BaseException:
            self._messenger.send(0, ("kept", item.first(len(results)), results))
            raise
        self._messenger.send(0, ("done", item, results, time.perf_counter() - began))
        # From here on this process may be away computing for as long as it likes.
        sleep_until(lambda: self._messenger.sent(above=EAGER))

    def _handle(self, message: tuple[Any, ...]) -> bool:
        """Return whether a message from rank 0 is the end of the work; raise where it is a failure."""
        if message[0] == "stop":
            self._failure = str(message[1])
        self._require_whole()
        return bool(message[0] == "end")

    # -- rank 0's thread ---------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            waiting: deque[int] = deque()
            while not self._closing.is_set():
                if not self._serve_once(waiting):
                    time.sleep(LONGEST_NAP if self._dispatcher is not None else IDLE_NAP)
        except BaseException as error:  # whatever it was: nobody else would ever hear of it
            self._stop(f"handing out work failed: {_one_line(error)}", 1)

    def _serve_once(self, waiting: deque[int]) -> bool:
        messages = self._messenger.received()
        self._messenger.sent()
        dispatcher = self._dispatcher
        asked = False
        for source, message in messages:
            if message[0] == "failed":
                self._stop(message[1], message[2])
            elif message[0] == "want":
                waiting.extend([source] * message[1])
                asked = True
            elif dispatcher is not None:
                dispatcher.keep(message[1], message[2])
                if message[0] == "done":
                    dispatcher.finish(source, message[1], message[3])
                    waiting.append(source)
        if dispatcher is None:
            return bool(messages)
        # Nothing has changed for those who wait unless something was finished, here or there.
        if waiting and (dispatcher.news() or asked):
            for _ in range(len(waiting)):
                rank = waiting.popleft()
                item = dispatcher.take(rank)
                if item is None:
                    waiting.append(rank)
                else:
                    self._messenger.send(rank, ("work", item))
        if dispatcher.finished:
            # Only to ranks that ask: one still on its way here would take it for the end of something else.
            for rank in set(waiting):
                self._messenger.send(rank, ("end",))
                self._told.add(rank)
            waiting.clear()
            if len(self._told) == self.size - 1:
                self._dispatcher = None
                self._ended.set()
        return bool(messages)

    # -- failures ----------------------------------------------------------------------------------------------

    def report_failure(self, line: str, code: int) -> None:
        """Let the other ranks know that this one failed."""
        if self.rank == 0:
            self._stop(line, code)
        elif not self._failure:
            self._failure = line
            self._messenger.send(0, ("failed", line, code))
            sleep_until(self._messenger.sent, PATIENCE)

    def _stop(self, line: str, code: int) -> None:
        """On rank 0: end the work of all ranks, or, in a command, the job."""
        on_thread = threading.current_thread() is self._thread
        if self._commands and on_thread:
            if self._dispatcher is None:
                time.sleep(SAME_FAILURE)
            self.abort(line, code)
        if self._failure:
            return
        self._failure = line.removeprefix("landscape: error: ")
        if self._dispatcher is not None:
            self._dispatcher.fail(ClusterError(self._failure))
        if not self._commands:
            for rank in range(1, self.size):
                self._messenger.send(rank, ("stop", self._failure))

    def command(self) -> None:
        """Abort the job on any failure from now on: a rank deep in a forward pass cannot be asked to stop."""
        self._commands = True

    def abort(self, line: str, code: int) -> NoReturn:
        """End the whole job, with one last line on stderr, after rank 0 has written the file."""
        if self.rank:
            self.report_failure(line, code)
            time.sleep(PATIENCE)
        elif not self._aborting.acquire(blocking=False):
            time.sleep(PATIENCE)  # another thread is at it
            real_exit(code)
        run_callbacks_and_print(line)
        time.sleep(0.1)  # the launcher reads the line through a pipe, and may close that when it hears of the end
        MPI.COMM_WORLD.Abort(code)
        real_exit(code)

    def _close(self) -> None:
        """At exit: finalize MPI in order, or, after a failure, end what other ranks may still wait for."""
        if self.rank == 0:
            self._closing.set()
            self._thread.join(timeout=1.0)
        sleep_until(self._messenger.sent, 1.0)
        if self._failure:
            # MPI_Finalize waits for everybody. Rank 0 may be in a forward pass, with a file to write after it.
            time.sleep(PATIENCE if self.rank else LAST_WORDS)
            MPI.COMM_WORLD.Abort(1)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
