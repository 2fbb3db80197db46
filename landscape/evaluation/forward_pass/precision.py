"""Choices made by measuring, once before a run: precision and batch size.

Both are functions of a function that measures, so that whoever evaluates a surface decides what measuring means.
Times are what `clock` says; medians over points, of which the first of a precision is not counted: it warms up.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from landscape.engine.memory import is_out_of_memory

logger = logging.getLogger(__name__)

Point = TypeVar("Point")
Clock = Callable[[], float]

REFERENCE = "float32"
CANDIDATES = ("bfloat16", "float16")
# How much faster low precision has to be to be worth its error, and how near two of them are when the more precise
# one is taken: twice what timings scatter by on a busy machine.
WORTH_IT = 1.1
# What takes so many times as long at its second probe is not measured at the others: float16 without the instructions.
FAR_TOO_SLOW = 4.0
# A batch within this share of the best rate is as good; the smallest such is taken, for its memory.
AS_GOOD = 0.03


@dataclass(frozen=True)
class PrecisionChoice:
    """Which precision to use, and what was measured."""

    precision: str
    errors: Mapping[str, float]  # largest relative error at the probes; inf where it fails, NaN where none is known
    errors_at: Mapping[str, tuple[float, ...]]  # the same for each probe, as far as it was measured
    seconds: Mapping[str, float]  # median time of a probe
    notes: Mapping[str, str]  # why a precision was not taken
    compared: Mapping[str, tuple[int, int]]  # at how many probes an error is known, of how many it was looked for

    def error_words(self, precision: str) -> str:
        """Return what is known of a precision's error: ``error at most 0.3 % at 2 of 5 probes, at the others ...``."""
        known, asked = self.compared.get(precision, (0, 0))
        if not known:
            return (
                f"error not known: at none of {asked} probes a loss is finite, in {REFERENCE} and in {precision} alike"
            )
        words = f"error at most {100 * self.errors[precision]:.2g} %"
        if known < asked:
            words += f" at {known} of {asked} probes; at the others losses are finite neither in {REFERENCE} nor in it"
        return words

    def as_json(self) -> dict[str, Any]:
        """Return the errors in words and numbers that JSON has."""
        return {
            "errors": {name: _number(error) for name, error in self.errors.items()},
            "errors_at": {name: [_number(each) for each in errors] for name, errors in self.errors_at.items()},
        }

    def __str__(self) -> str:
        """Return one line for a person: ``bfloat16 (3.4 times as fast as float32, error at most 0.3 %)``."""
        if self.precision == REFERENCE:
            reasons = "; ".join(f"{name}: {note}" for name, note in self.notes.items())
            return REFERENCE + (f" ({reasons})" if reasons else "")
        faster = self.seconds[REFERENCE] / self.seconds[self.precision]
        return f"{self.precision} ({faster:.1f} times as fast as {REFERENCE}, {self.error_words(self.precision)})"


def choose_precision(
    measure_at: Callable[[Point, str], Mapping[str, float]],
    points: Sequence[Point],
    *,
    tolerance: float = 0.01,
    floor: float = 0.0,
    candidates: Sequence[str] = CANDIDATES,
    clock: Clock = time.perf_counter,
) -> PrecisionChoice:
    """Choose the fastest precision whose losses at the probes are within the tolerance of float32's.

    Parameters
    ----------
    measure_at : callable
        ``measure_at(point, precision)`` returns named losses there: ``{"train/loss": 0.3, ...}``. It is called for
        all points in ``"float32"`` first, then in each other precision, as far as that is within the tolerance and not
        far too slow, and may prepare at its first call.
    points : sequence
        The probes: the origin and the corners, say. At least one.
    tolerance : float
        Largest relative error at any probe.
    floor : float
        Added to a loss in the denominator: what is small against it need not be right to a percentage of itself.
    candidates : sequence of str
        Precisions to try beside float32.
    clock : callable
        Seconds.

    Returns
    -------
    PrecisionChoice
        float32 where no other is both faster (by a tenth) and within the tolerance. Of precisions about as fast as
        each other it is the one with the smaller error.

    Notes
    -----
    The error at a probe is that of the worst of its losses. A loss that is not finite in float32 has to be so, in
    the same way, in the other; that says nothing of an error, so a precision needs a finite loss at a probe at least.
    """
    reference: list[Mapping[str, float]] = []
    seconds: dict[str, float] = {}
    errors: dict[str, float] = {}
    errors_at: dict[str, tuple[float, ...]] = {}
    notes: dict[str, str] = {}
    compared: dict[str, tuple[int, int]] = {}
    for name in (REFERENCE, *candidates):
        found: list[float] = []
        times: list[float] = []
        try:
            for number, point in enumerate(points):
                began = clock()
                losses = measure_at(point, name)
                times.append(clock() - began)
                if name == REFERENCE:
                    reference.append(losses)
                    continue
                found.append(_error(losses, reference[number], floor))
                if found[-1] > tolerance:
                    notes[name] = f"off by {100 * found[-1]:.2g} % at a probe, {100 * tolerance:g} % are allowed"
                    break
                # One that was asked for by its name is compared at all probes, however slow.
                if number == 1 and times[1] > FAR_TOO_SLOW * seconds[REFERENCE] and len(candidates) > 1:
                    break
        except (RuntimeError, NotImplementedError) as error:
            if name == REFERENCE:
                raise
            notes[name] = f"does not work here ({error})"
            found.append(math.inf)
        if times:
            seconds[name] = statistics.median(times[1:] or times)
        if name == REFERENCE:
            continue
        known = [each for each in found if not math.isnan(each)]
        errors[name], errors_at[name] = max(known, default=math.nan), tuple(found)
        compared[name] = len(known), len(found)
        if not known:
            notes[name] = f"not compared: no loss at {len(found)} probes is finite"
        if name not in notes and seconds[name] * WORTH_IT > seconds[REFERENCE]:
            notes[name] = f"no faster: {seconds[REFERENCE] / seconds[name]:.2g} times {REFERENCE}"
    good = [name for name in candidates if name not in notes]
    choice = REFERENCE
    if good:
        best = min(seconds[name] for name in good)
        choice = min((name for name in good if seconds[name] <= best * WORTH_IT), key=lambda name: errors[name])
    return PrecisionChoice(choice, errors, errors_at, seconds, notes, compared)


def _error(losses: Mapping[str, float], exact: Mapping[str, float], floor: float) -> float:
    """Return the largest relative error; infinite where one is finite and the other is not, NaN where neither is."""
    worst = math.nan
    for name, wanted in exact.items():
        got = losses[name]
        if math.isfinite(wanted) and math.isfinite(got):
            size = abs(wanted) + floor
            off = abs(got - wanted)
            error = off / size if size else math.inf if off else 0.0
            worst = error if math.isnan(worst) else max(worst, error)
        elif not (got == wanted or (math.isnan(got) and math.isnan(wanted))):
            return math.inf
    return worst


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def choose_batch_size(
    run: Callable[[int], None],
    candidates: Sequence[int],
    *,
    repeats: int = 3,
    seconds: float = 2.0,
    clock: Clock = time.perf_counter,
) -> int:
    """Choose the smallest batch size that is about as fast as the fastest.

    Parameters
    ----------
    run : callable
        ``run(n)`` runs one batch of n samples and returns when it is done.
    candidates : sequence of int
        Tried from the smallest; the first that runs out of memory ends the trial.
    repeats : int
        Timed runs of each, in turns, after one that is not timed. The fastest counts: what disturbs a run makes it
        longer.
    seconds : float
        About how long all of it may take: larger candidates are not tried where they would exceed it.
    clock : callable
        Seconds.

    Raises
    ------
    MemoryError, torch.OutOfMemoryError
        Not even the smallest fits.
    """
    fitting: list[int] = []
    begun = clock()
    for size in sorted(candidates):
        try:
            began = clock()
            run(size)
        except (MemoryError, RuntimeError) as error:
            if not fitting or not is_out_of_memory(error):
                raise
            logger.debug("a batch of %d does not fit into memory", size)
            break
        fitting.append(size)
        # The next one takes about twice as long, and each is run again.
        if clock() - begun + (repeats + 2) * (clock() - began) > seconds:
            break
    best = dict.fromkeys(fitting, math.inf)
    for _ in range(repeats):
        for size in fitting:
            began = clock()
            run(size)
            best[size] = min(best[size], clock() - began)
    rates = {size: size / max(taken, 1e-9) for size, taken in best.items()}
    fastest = max(rates.values())
    return min(size for size, rate in rates.items() if rate >= (1 - AS_GOOD) * fastest)
