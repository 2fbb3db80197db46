"""What rank 0 keeps of a run under way: results, parts of points still incomplete, and the file.

The file is written by a thread of its own, at the first result and then every so many seconds, so that neither the
forward pass nor the handing out of work waits for a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from landscape.errors import StoreError
from landscape.evaluation.anchors.book import AnchorBook
from landscape.evaluation.output import Directions, OutputFile
from landscape.evaluation.planner import Planner
from landscape.evaluation.quantities import PointResult
from landscape.evaluation.results import ResultTable
from landscape.files.atomic import printable
from landscape.parallel.scheduler import Span, Task, WorkItem, count_samples
from landscape.parallel.shutdown import at_shutdown
from landscape.surface.statistics import Moments, merge
from landscape.surface.surface import COMPUTED, Surface

PrefixMeans = Callable[[Mapping[str, int]], Mapping[tuple[str, str], float]]


class ResultWriter:
    """Record results and write them; a context whose end writes what is not in the file yet.

    Parameters
    ----------
    table : ResultTable
        What is known already.
    planner : Planner
        What follows from a result.
    output : OutputFile
    directions : sequence of mapping, optional
        To be written with the surface.
    prefix_means : callable
        From counts of samples to the means at theta* over them.
    progress : callable, optional
        Called with points finished and points in all.
    anchors : AnchorBook, optional
        Takes the losses of points, where they are estimated from anchors.
    """

    def __init__(
        self,
        table: ResultTable,
        planner: Planner,
        output: OutputFile,
        *,
        directions: Directions,
        prefix_means: PrefixMeans,
        progress: Callable[[int, int], None] | None = None,
        anchors: AnchorBook | None = None,
    ) -> None:
        self._book = anchors
        self._table, self._planner, self._output, self._directions = table, planner, output, directions
        self._prefix_means = prefix_means
        self._total = table.state.size
        self._in_file = planner.finished  # points finished, as of the last write
        self._progress = progress or (lambda done, total: None)
        self._parts: dict[tuple[int, str], list[tuple[tuple[Span, ...], PointResult]]] = {}
        self._unwritten = False
        self._results = threading.Lock()  # the table and the parts
        self._file = threading.Lock()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self.on_error: Callable[[BaseException], None] = lambda error: None
        self._thread = threading.Thread(target=self._write_regularly, name="writing the file", daemon=True)
        self._callback = at_shutdown(self.leave)

    def __enter__(self) -> ResultWriter:
        self._progress(self._planner.finished, self._total)
        self._callback.__enter__()
        if self._output.path is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._changed.set()
        if self._output.path is not None:
            self._thread.join()
        try:
            # When writing is what failed, a second try would only hide the first one's reason.
            if error is None or (self._unwritten and not isinstance(error, StoreError)):
                with self._file:
                    self._write()
            if error is not None and self._output.path is not None and not isinstance(error, StoreError):
                error.add_note(self._kept())
        finally:
            self._callback.__exit__(kind, error, trace)

    def record(self, piece: WorkItem, results: Sequence[PointResult]) -> list[Task]:
        """Keep what was measured, and return what follows; a point counts when its last part is in."""
        more: list[Task] = []
        with self._results:
            self._unwritten = True  # whatever interrupts what follows
            for point, result in zip(piece.points, results, strict=True):
                whole = result if piece.part == piece.spans else self._join(point, piece, result)
                if whole is not None and self._book is not None and piece.quantity == self._book.name:
                    self._book.add(point, whole)
                    more += self._planner.after(point)
                elif whole is not None:
                    counts = self._table.counts(point, piece.quantity)
                    self._table.add(point, piece.quantity, whole, self._prefix_means(counts))
                    more += self._planner.after(point)
        self._changed.set()
        self._progress(self._planner.finished, self._total)
        return more

    def _join(self, point: int, piece: WorkItem, result: PointResult) -> PointResult | None:
        """Return all of a point whose parts were measured apart, None while some are missing."""
        parts = self._parts.setdefault((point, piece.quantity), [])
        parts.append((piece.part, result))
        if sum(count_samples(part) for part, _ in parts) < count_samples(piece.spans):
            return None
        del self._parts[point, piece.quantity]
        # In the order of the samples, not of arrival: sums in another order differ in their last digits.
        order = {name: number for number, (name, _, _) in enumerate(piece.spans)}
        parts.sort(key=lambda each: (order[each[0][0][0]], each[0][0][1]))
        whole: dict[tuple[str, str], Moments] = {}
        for _, moments in parts:
            for key, more in moments.items():
                whole[key] = merge(whole[key], more) if key in whole else more
        return whole

    def surface(self) -> Surface:
        """Return what is known now."""
        with self._results:
            return self._table.surface()

    def _write(self) -> None:
        with self._results:
            self._unwritten = False
            done = self._planner.finished
            # Not by how many are finished: that counts points before it is known whether a first step was enough.
            finished = self._planner.done()
            lacking = int(((self._table.state.reshape(-1) == COMPUTED) & ~finished).sum())
            self._table.note("unfinished", lacking or None)
            if self._book is not None:
                self._book.keep(finished)
            surface = self._table.whole_points()
        try:
            self._output.write(surface, self._directions)
        except BaseException:
            self._unwritten = True
            raise
        self._in_file = done

    def _write_regularly(self) -> None:
        while not self._closing.is_set():
            self._changed.wait()
            if self._closing.is_set():
                return
            self._changed.clear()
            try:
                with self._file:
                    self._write()
            except BaseException as error:
                self.on_error(error)
                return
            self._closing.wait(self._output.write_every)

    def leave(self) -> str | None:
        """Write for the last time, give the file's lock back, and say what there is: the process is about to end."""
        if self._output.path is None:
            return None
        # Never released: nothing may be written after this, and whoever waits for it is gone in a moment.
        self._file.acquire()
        if self._unwritten:
            self._write()
        self._output.close()
        return self._kept()

    def _kept(self) -> str:
        if not self._in_file:
            return "(no point was finished)"
        path = printable(str(self._output.path))
        return f"({path} holds {self._in_file} of {self._total} points, the same command goes on from there)"
