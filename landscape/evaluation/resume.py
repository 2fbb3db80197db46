"""Going on with a file: what has to be the same, and what may differ.

More samples, another number of ranks or another interval of writing are no difference. Everything else that
changes a value is.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from landscape.errors import SurfaceMismatch
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.losses_and_metrics import LossesAndMetrics
from landscape.evaluation.provenance import fingerprints
from landscape.evaluation.setup import Setup
from landscape.surface.surface import Surface

logger = logging.getLogger(__name__)

# Settings of `Surface.problem` that change values, and the word a user knows them by.
_SETTINGS = {
    "loss": "loss",
    "metrics": "metrics",
    "move": "move",
    "include": "include",
    "exclude": "exclude",
    "sample_seed": "sample seed",
    "anchors": "anchors",
    "batch_norm": "batch norm",
    "batch_norm_data": "batch norm data",
    "mode": "mode",
    "noise": "noise",
    "weight_decay": "weight decay",
    "normalize": "normalisation of the data",
}

# Relative difference of values at theta* measured again, on another number of threads or another processor: sums in
# another order. By the precision they were computed in; half precision has the last, widest one.
SAME_VALUE = {"float64": 1e-9, "float32": 1e-4}
SAME_LOW = 2e-2

_WHAT_TO_DO = "Write to another file, or pass --overwrite (overwrite=True) to start this one again"


def surface_to_go_on_with(setup: Setup, losses: LossesAndMetrics, asked: Surface) -> Surface:
    """Return the surface in the file, if there is one and it is the one asked for; else the one asked for.

    Raises
    ------
    SurfaceMismatch
        The file holds another, with every difference.
    """
    stored, path, sizes = setup.stored, setup.output.path, losses.objective.sizes
    if stored is None:
        return asked
    stored = _weighed_anew(stored, losses.objective)
    counted = stored.origin.get("fingerprint_samples", {})
    comparable = replace(asked, origin={**asked.origin, "fingerprints": fingerprints(losses.objective, counted)})
    # Of estimates the samples are not kept, so that none can join them: with more of them all is measured again.
    again = bool(stored.anchored) and any(
        stored.problem["data"].get(name, {}).get("samples", 0) < number for name, number in sizes.items()
    )
    if again:
        problem = {**asked.problem, "anchors": stored.problem.get("anchors")}
        comparable = replace(comparable, problem=problem)
    found = list(differences(stored, comparable))
    if found:
        raise SurfaceMismatch(f"{path} holds another surface than the one asked for: {'; '.join(found)}. {_WHAT_TO_DO}")
    measured = losses.baseline.means(stored.problem.get("data", {}))
    precision = str(stored.quality.get("precision", ""))
    there = stored.origin.get("sample_values") or stored.origin.get("values", {})
    changed = list(value_differences(there, measured, min(sizes.values()), precision))
    if (cut := _cut_batches(stored, losses)) and (changed or asked.problem.get("loss_by_batch")):
        raise SurfaceMismatch(f"{path} cannot go on with more samples: {cut}. {_WHAT_TO_DO}")
    if changed:
        raise SurfaceMismatch(f"{path} was made by other code or other data: {'; '.join(changed)}. {_WHAT_TO_DO}")
    if again:
        wanted = asked.problem.get("quantities", {})
        if lost := [name for name in stored.problem.get("quantities", {}) if name not in wanted]:
            raise SurfaceMismatch(
                f"{path} has to be measured again, as with anchors its values are no means that more samples could "
                f"join, and would lose its {', '.join(lost)}: ask for that, too, with the same settings (as "
                f"--curvature). {_WHAT_TO_DO}"
            )
        logger.warning("%s is measured again: with anchors, its values are no means that more samples could join", path)
        # The file's precision is kept, and not measured again: nor is its error.
        kept = {name: value for name, value in stored.quality.items() if name.startswith("precision")}
        trajectories = {**stored.trajectories, **asked.trajectories}
        return replace(asked, quality={**kept, **asked.quality}, trajectories=trajectories)
    stored = replace(stored, trajectories={**stored.trajectories, **asked.trajectories})
    quantities = {**stored.problem.get("quantities", {}), **asked.problem.get("quantities", {})}
    also = {"quantities": quantities} if quantities else {}
    if all(stored.problem["data"][name]["samples"] >= number for name, number in sizes.items()):
        return replace(stored, problem={**stored.problem, **also})
    return replace(stored, problem={**asked.problem, **also}, origin=asked.origin)


def _weighed_anew(stored: Surface, objective: Objective) -> Surface:
    """Return a stored surface with its losses divided by what all samples asked for weigh on average.

    The mean of a criterion with class weights is one of values over the mean weight of all samples: with more of them,
    what was measured stays true in that measure.
    """
    factors = {}
    for name, number in objective.sizes.items() if objective.loss.weighs else ():
        before = int(stored.problem.get("data", {}).get(name, {}).get("samples", number))
        if 0 < before < number:
            factors[f"{name}/loss"] = objective.mean_weight(name, before) / objective.mean_weight(name)
    if not factors:
        return stored

    def scaled(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value * factors.get(key, 1) for key, value in values.items()}

    return replace(
        stored,
        values=scaled(stored.values),
        stderr=scaled(stored.stderr),
        paired_stderr=scaled(stored.paired_stderr),
        origin={**stored.origin, "values": scaled(stored.origin.get("values", {}))},
    )


def _cut_batches(stored: Surface, losses: LossesAndMetrics) -> str:
    """Return which last batch more samples would join whose values go by the whole of it, empty where none would."""
    objective = losses.objective
    if not losses.baseline.by_batch and objective.noise is None:
        return ""
    for name, number in objective.sizes.items():
        there = stored.problem.get("data", {}).get(name, {}).get("samples", 0)
        if there < number and there % objective.batch_size:
            return (
                f"its last batch of {name} had {there % objective.batch_size} of {objective.batch_size} samples, and "
                "what is measured goes by whole batches"
            )
    return ""


def differences(stored: Surface, asked: Surface) -> Iterator[str]:
    """Yield what differs between a stored surface and one asked for, a phrase each."""
    same_weights = stored.origin.get("sha256") == asked.origin.get("sha256")
    if len(stored.axes) != len(asked.axes):
        yield f"it has {len(stored.axes)} axes, {len(asked.axes)} were asked for"
        return
    for letter, mine, other in zip("xyzw", stored.axes, asked.axes, strict=False):
        if mine.kind != other.kind:
            yield f"its axis {letter} is a {mine.kind}, a {other.kind} was asked for"
        elif len(mine) != len(other) or not np.array_equal(mine.values, other.values):
            was, wanted = (f"{each.values[0]:g}:{each.values[-1]:g}:{len(each)}" for each in (mine, other))
            yield f"its {letter} is {was}, {wanted} was asked for"
        elif _identity(mine) != _identity(other):
            yield from _direction_differences(letter, mine, other, same_weights)
    if not same_weights:
        yield (
            f"it is of the checkpoint with SHA-256 {_short(stored.origin.get('sha256'))}, "
            f"this one's is {_short(asked.origin.get('sha256'))}"
        )
    yield from _data_differences(stored.problem.get("data", {}), asked.problem.get("data", {}))
    for name, prints in stored.origin.get("fingerprints", {}).items():
        # Of a prefix both have: the number of samples is part of it.
        here = asked.origin.get("fingerprints", {}).get(name)
        if here is not None and prints != here:
            yield f"the samples of its data set {name!r} are not these"
    for key, word in _SETTINGS.items():
        was, wanted = _plain(stored.problem.get(key)), _plain(asked.problem.get(key))
        if was != wanted:
            yield f"its {word} is {_words(was)}, {_words(wanted)} was asked for"
    for name, settings in asked.problem.get("quantities", {}).items():
        there = stored.problem.get("quantities", {}).get(name, settings)
        for key in {**there, **settings}:
            was, wanted = _plain(there.get(key)), _plain(settings.get(key))
            if was != wanted:
                yield f"its {name} has {key} {_words(was)}, {_words(wanted)} was asked for"
    yield from _quality_difference("precision", stored, asked)
    problem = asked.problem
    by_batch = problem.get("batch_norm") == "recompute" or problem.get("loss_by_batch")
    if by_batch or problem.get("mode") == "train" or problem.get("noise"):
        # Statistics are of batches, and noise is drawn for each: there the division changes values.
        yield from _quality_difference("batch_size", stored, asked)


def _quality_difference(key: str, stored: Surface, asked: Surface) -> Iterator[str]:
    was, wanted = stored.quality.get(key), asked.quality.get(key)
    if was is not None and wanted is not None and was != wanted:
        yield f"its {key.replace('_', ' ')} is {was}, {wanted} was asked for"


def value_differences(
    stored: Mapping[str, float], measured: Mapping[str, float], samples: int, precision: str
) -> Iterator[str]:
    """Yield which values at theta* are not what the file says: the code or the data behind it have changed."""
    relative = SAME_VALUE.get(precision, SAME_LOW)
    for name, was in stored.items():
        now = measured.get(name)
        if now is None or _same(was, now, name, samples, relative):
            continue
        yield f"{name} at theta* was {was:.6g} and is {now:.6g} now"


def _same(was: float, now: float, name: str, samples: int, relative: float) -> bool:
    if math.isnan(was) or math.isnan(now):
        return math.isnan(was) and math.isnan(now)
    if math.isinf(was) or math.isinf(now):
        return was == now
    # Samples on the edge between two classes may fall to the other side.
    slack = max(2 / max(samples, 1), relative) if name.endswith("accuracy") else 1e-3 * relative
    return abs(was - now) <= relative * abs(was) + slack


def _data_differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    if sorted(stored) != sorted(asked):
        yield f"its data sets are {', '.join(sorted(stored))}, {', '.join(sorted(asked))} were asked for"
        return
    for name, mine in stored.items():
        if mine.get("size") != asked[name].get("size"):
            yield f"its data set {name!r} has {mine.get('size')} samples, this one {asked[name].get('size')}"


def _identity(axis: Any) -> Any:
    if axis.kind == "repeat":
        return [[entry["sha256"] for entry in repeat] for repeat in axis.recipe.get("repeats", [])]
    return axis.sha256


def _direction_differences(letter: str, mine: Any, other: Any, same_weights: bool) -> Iterator[str]:
    """Yield in which settings two directions differ; the same ones on other weights are no difference of their own."""
    if mine.kind == "repeat":
        was, wanted = mine.recipe.get("seeds"), other.recipe.get("seeds")
        if was != wanted:
            yield f"its seeds are {_words(was)}, {_words(wanted)} were asked for"
            return
    keys = [key for key in {**mine.recipe, **other.recipe} if key not in ("repeats", "cosines", "filters", "measured")]
    found = [key for key in keys if _plain(mine.recipe.get(key)) != _plain(other.recipe.get(key))]
    for key in found:
        was, wanted = mine.recipe.get(key), other.recipe.get(key)
        yield f"its direction {letter} has {key} {_words(was)}, {_words(wanted)} was asked for"
    if not found and same_weights:
        yield (
            f"its direction {letter} comes out otherwise here (SHA-256 {_short(mine.sha256)}, now "
            f"{_short(other.sha256)}): another release of NumPy, or a file that has changed"
        )


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return "none" if value is None else str(value) or "empty"


def _short(digest: Any) -> str:
    return str(digest)[:12] if digest else "none"


def _plain(value: Any) -> Any:
    """Let tuples and lists, which JSON does not tell apart, compare equal."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value
