"""Which points become anchors: those whose full passes lower the stated error over the grid most.

Known are the samples' losses at some points spread over the grid. A point that became an anchor would take out of every
other point's residuals what goes along with its own, so what each would do for all is known before any of it is
measured in full. They are taken one after the other, the best first (a pivoted Cholesky factorisation of the points'
covariances), and no more than are worth their images: as many images, spread over all points as further samples, lower
the error by a share that is known as well. Where a standard error is asked for, each has to save more samples at the
points than it takes.

Two rounds are made of it where the grid is fine: from 9 x 9 points of a plane, and, with those anchors measured, from
17 x 17.
What it gains depends: of a perceptron and convolutions on digits, 33 x 33 points, six draws of 200 samples,
the second half of 24 anchors chosen so lowered the error within a third of the way from theta* by a fifth and by two
fifths, over the plane by 3 and 7 %; of four or eight anchors it gained next to nothing, and near theta* cost up to a
tenth.
Places around theta* that are no nodes of the grid were tried as well, on coarse grids of five kinds and three networks:
a node, which is exact itself then, was always the better choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import UsageError
from landscape.evaluation.anchors.regression import SAMPLES_A_SLOPE
from landscape.surface.grid import Floats
from landscape.surface.surface import COMPUTED

if TYPE_CHECKING:
    from landscape.evaluation.forward_pass.baseline import Baseline
    from landscape.evaluation.forward_pass.objective import Objective
    from landscape.evaluation.setup import Setup

# Share of the images that the points take which full passes may take beside, unless their number is asked for, and how
# many of them have to fit in there: with fewer, more samples are as good.
SHARE, LEAST = 0.5, 5
# Of fewer samples than this all are measured where an error is asked for: the first look is at a quarter of them.
WORTH_SAMPLING = 1024

Wanted = Callable[[Floats], Floats]


def anchored_data(setup: Setup, objective: Objective, baseline: Baseline) -> dict[str, int]:
    """Return of which data sets points are estimated from anchors, and how many samples all of each are.

    Raises
    ------
    UsageError
        Anchors are asked for where there can be none.
    """
    asked, stored = setup.settings.anchors, setup.stored
    if asked == "none":
        return {}
    why = _impossible(objective, baseline)
    if asked != "auto":
        if why:
            raise UsageError(f"--anchors {asked} (anchors=) {why}; leave it out")
        return _left_out(objective) or (_all_of(objective) if setup.settings.standard_error is not None else {})
    if stored is not None and (stored.anchored or (stored.state == COMPUTED).any()):
        # A file goes on as it was begun, unless all data are measured at every point.
        looking = setup.settings.standard_error is not None
        sizes = {name: objective.data[name].size for name in stored.anchored if name in objective.data}
        return {name: size for name, size in sizes.items() if looking or size > objective.sizes[name]}
    if why or objective.noise is not None:
        return {}
    if setup.settings.error is not None:
        return {name: size for name, size in _all_of(objective).items() if size >= WORTH_SAMPLING}
    found = _left_out(objective)
    points = math.prod(len(axis) for axis in setup.axes)
    passes = sum(size - objective.sizes[name] for name, size in found.items())
    if any(objective.sizes[name] < LEAST * SAMPLES_A_SLOPE for name in found):
        return {}
    return found if LEAST * passes <= SHARE * points * sum(objective.sizes.values()) else {}


def most_anchors(points: int, numbers: Mapping[str, int], sizes: Mapping[str, int], asked: int | str) -> int:
    """Return how many anchors there may be, theta* among them.

    Parameters
    ----------
    points : int
        Of the grid.
    numbers, sizes : mapping
        Data set -> how many samples a point has at most, and how many all are.
    asked : int or "auto"
    """
    most = min(numbers.values(), default=0) // SAMPLES_A_SLOPE
    passes = sum(sizes.values()) - sum(numbers.values())
    if isinstance(asked, int):
        most = min(most, asked)
    elif passes:  # else a point takes as few as do, and anchors have to save samples
        most = min(most, int(SHARE * points * sum(numbers.values()) / passes))
    return max(most, 1)


def _left_out(objective: Objective) -> dict[str, int]:
    sizes = {name: each.size for name, each in objective.data.items() if not each.streamed}
    return {name: size for name, size in sizes.items() if size > objective.sizes[name]}


def _all_of(objective: Objective) -> dict[str, int]:
    return {name: each.size for name, each in objective.data.items() if not each.streamed}


def _impossible(objective: Objective, baseline: Baseline) -> str:
    """Return why there can be no anchors, empty where there can."""
    if not all(known for (_, metric), known in baseline.samples.per_sample.items() if metric == "loss"):
        return "needs a loss that gives one value a sample, no mean"
    if baseline.by_batch:
        return "needs losses that do not go by a sample's place in a batch or which others share it"
    if objective.loss.weighs:
        return "does not go with a loss that weighs samples by their class"
    streams = [name for name, each in objective.data.items() if each.streamed]
    if streams:
        return f"needs samples drawn at random, and of the stream {streams[0]!r} they are the first"
    return ""


def choose_anchors(
    residuals: Sequence[Floats],
    *,
    most: int,
    worth: float = 0.0,
    wanted: Sequence[Wanted] = (),
    price: float = 0.0,
) -> list[int]:
    """Return which of some points to measure in full, the best first.

    Parameters
    ----------
    residuals : sequence of ndarray, shape (points, n)
        A data set each: what the anchors there are leave of the samples' losses, divided by what errors are relative
        to. Rows that are not finite are never chosen.
    most : int
        No more than so many.
    worth : float
        What share of the mean square error as many images would take away if spent on more samples a point.
    wanted : sequence of callable, optional
        A data set each: from variances of residuals, of any shape, to how many samples a point needs with them. Then
        it is their sum that each anchor has to lower by more than ``price``.
    price : float
        A full pass, in samples at each of the points.

    Examples
    --------
    >>> alike = np.array([[1.0, -1.0, 0.0], [2.0, -2.0, 0.0], [0.1, 0.1, -0.2]])
    >>> choose_anchors([alike], most=2)  # the first two tell the same
    [0, 2]
    """
    usable = np.all([np.isfinite(each).all(axis=1) for each in residuals], axis=0)
    grams = []
    for each in residuals:
        clean = np.where(usable[:, None], each, 0.0)
        clean = clean - clean.mean(axis=1, keepdims=True)
        gram = clean @ clean.T
        # Without a target none of several data sets outweighs the others.
        grams.append(gram / max(each.shape[1] - 1, 1) if wanted else gram / max(np.trace(gram), 1e-300))
    start = sum(np.diag(gram) for gram in grams)
    chosen: list[int] = []
    while len(chosen) < most:
        new = usable & (sum(np.diag(gram) for gram in grams) > 1e-9 * np.max(start, initial=0.0))
        new[chosen] = False
        if not new.any():
            break
        now = _cost(np.stack([np.diag(gram)[None] for gram in grams]), wanted)
        left = _cost(np.stack([_left_by_each(gram) for gram in grams]), wanted)
        gains = np.where(new, now - left, -np.inf)
        best = int(gains.argmax())
        if gains[best] <= (price if wanted else worth * now[0]):
            break
        grams = [
            gram - np.outer(gram[best], gram[best]) / gram[best, best] if gram[best, best] > 0 else gram
            for gram in grams
        ]
        chosen.append(best)
    return chosen


def _left_by_each(gram: Floats) -> Floats:
    """Return the variances that are left at all points, the columns, if each of them, the rows, is an anchor."""
    own = np.diag(gram)
    return np.maximum(own[None] - np.where(own > 0, gram**2 / np.where(own > 0, own, 1.0), 0.0).T, 0.0)


def _cost(variances: Floats, wanted: Sequence[Wanted]) -> Floats:
    """Return what points with such variances cost in all: shape (data sets, cases, points) becomes (cases,)."""
    each = [rule(part) for rule, part in zip(wanted, variances, strict=True)] if wanted else list(variances)
    return np.asarray(np.sum(each, axis=0).sum(axis=1))
