"""What a run of similarity needs to go on after it was cut short: sums over batches, and components of networks.

It is kept in the file of the result (`landscape.files.reports.similarity_file`), as plain values and arrays. Sums are
added up in the order in which batches come, so that a run of one process that was killed and went on gives the same
numbers to the last digit as one that nobody disturbed; several processes agree but for the rounding of sums.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from landscape.parallel.shutdown import at_shutdown
from landscape.similarity.components import Components
from landscape.similarity.moments import Moments, PassMoments
from landscape.surface.grid import Floats

log = logging.getLogger(__name__)

# Plain values, and arrays by name.
State: TypeAlias = tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]

# Writing takes this part of the time at most: large matrices on a slow disk are written less often.
_SHARE = 0.1


class PeriodicWriter:
    """Calls ``write`` now and then while results come in, and once more where the process has to end.

    Parameters
    ----------
    write : callable, optional
        Writes what there is; may be called from another thread, but never while results change.
    every : float
        Seconds between two calls at least; 0 for one after each result.
    said : callable
        What is kept, for the last message of a process that ends.
    """

    def __init__(self, write: Callable[[], None] | None, every: float, said: Callable[[], str]) -> None:
        self._write, self._every, self._said = write, every, said
        self._lock = threading.Lock()
        self._last, self._took = time.monotonic(), 0.0

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Write what there is when the process has to end in here, or an error does."""
        if self._write is None:
            yield
            return
        with at_shutdown(self._leave):
            try:
                yield
            except Exception as error:
                with self._lock:
                    self._now()
                error.add_note(self._said())
                raise

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Change results in here; they are written afterwards where that is due."""
        with self._lock:
            yield
            wait = max(self._every, self._took / _SHARE) if self._every else 0.0
            if self._write is not None and time.monotonic() - self._last >= wait:
                self._now()

    def _now(self) -> None:
        assert self._write is not None
        began = time.monotonic()
        self._write()
        self._last = time.monotonic()
        self._took = self._last - began

    def _leave(self) -> str:
        self._lock.acquire()  # never released: nothing may change any more
        self._now()
        return self._said()


class PairSums:
    """CKA of all pairs of layers over several passes: what is done, and what is still to do.

    Parameters
    ----------
    rows : int
        Layers of all networks.
    shares : ndarray, shape (batches,)
        Of the samples, which each batch has.
    passes : int
    """

    def __init__(self, rows: int, shares: Floats, passes: int) -> None:
        self._rows, self._shares, self.wanted = rows, shares, passes
        self._moments, self._running = Moments(rows), PassMoments(rows, shares)

    @property
    def finished(self) -> int:
        """Passes that are done."""
        return self._moments.passes

    @property
    def batches(self) -> int:
        """Batches that are done, of all passes that are wanted."""
        running = 0 if self.finished >= self.wanted else int(self._running.done.sum())
        return self.finished * len(self._shares) + running

    def todo(self) -> list[int]:
        """Return the batches of the pass that runs that are not done; none where all passes are."""
        return [] if self.finished >= self.wanted else np.flatnonzero(~self._running.done).tolist()

    def add(self, batch: int, hsic: Floats) -> None:
        """Add a batch of the pass that runs; the last one ends it."""
        self._running.add(batch, hsic)
        if self._running.done.all():
            self._moments.add(self._running)
            self._running = PassMoments(self._rows, self._shares)

    def cka(self) -> tuple[Floats, Floats]:
        """Return CKA and its error, of the passes that are done; of a first one that is not, of what is there."""
        if self.finished:
            return self._moments.cka()
        if not self._running.done.any():
            return np.full((self._rows, self._rows), np.nan), np.full((self._rows, self._rows), np.nan)
        first = Moments(self._rows)
        first.add(self._running)
        return first.cka()

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Return all that was added up, as arrays whose names begin with ``name``."""
        moments, running = self._moments, self._running
        found: dict[str, NDArray[Any]] = {f"{name}.passes": np.array([self.finished])}
        if self.finished:
            parts = (moments.sums, moments.values, moments.value_squares, moments.variances)
            found[f"{name}.moments"] = np.stack(parts)
        if running.done.any():
            found[f"{name}.done"] = running.done.astype(np.uint8)
            found[f"{name}.running"] = np.stack([running.sums, running.squares, running.crosses, running.products])
        return found

    def restore(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what `state` gave; ValueError where it is of other layers or batches."""
        if f"{name}.passes" not in arrays:
            return
        self._moments.passes = int(arrays[f"{name}.passes"][0])
        shape = (4, self._rows, self._rows)
        if self.finished:
            kept = _of_shape(arrays, f"{name}.moments", shape)
            self._moments.sums, self._moments.values, self._moments.value_squares, self._moments.variances = kept
        if f"{name}.done" in arrays:
            self._running.done = _of_shape(arrays, f"{name}.done", self._shares.shape).astype(bool)
            kept = _of_shape(arrays, f"{name}.running", shape)
            self._running.sums, self._running.squares, self._running.crosses, self._running.products = kept


def _of_shape(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if name not in arrays or arrays[name].shape != shape:
        raise ValueError(f"what was kept of {name} is not of shape {shape}")
    return arrays[name].copy()


_OF_LAYERS = ("share", "stderr", "residual")


def components_state(found: Mapping[int, Components]) -> dict[str, NDArray[Any]]:
    """Return components of networks that are done, by number, as arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, each in found.items():
        arrays[f"components.{number}"] = np.stack([getattr(each, name) for name in _OF_LAYERS])
        arrays[f"scores.{number}"] = each.scores
    return arrays


def restore_components(
    arrays: Mapping[str, NDArray[Any]], layers: list[int], samples: int, wanted: int
) -> dict[int, Components]:
    """Return what `components_state` gave; ValueError where it is of other layers or samples.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    layers : list of int
        How many each network has.
    samples, wanted : int
        Samples, and components of each layer.
    """
    found = {}
    for number, rows in enumerate(layers):
        if f"components.{number}" in arrays:
            share, stderr, residual = _of_shape(arrays, f"components.{number}", (len(_OF_LAYERS), rows))
            scores = _of_shape(arrays, f"scores.{number}", (rows, samples, wanted)).astype(np.float32)
            found[number] = Components(share, stderr, residual, scores)
    return found
