"""Going on with a file: what has to be the same, and what may differ.

More samples, another number of ranks or another interval of writing are no difference. Everything else that
changes a value is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from landscape.errors import SurfaceMismatch
from landscape.surface import Surface

# Settings of `Surface.problem` that change values, and the word a user knows them by.
_SETTINGS = {
    "loss": "loss",
    "metrics": "metrics",
    "move": "move",
    "include": "include",
    "exclude": "exclude",
    "sample_seed": "sample seed",
    "batch_norm": "batch norm",
    "batch_norm_data": "batch norm data",
    "mode": "mode",
    "weight_decay": "weight decay",
    "normalize": "normalisation of the data",
}

# Relative difference of values at theta* measured again, on another number of threads or another processor: sums in
# another order. By the precision they were computed in; half precision has the last, widest one.
SAME_VALUE = {"float64": 1e-9, "float32": 1e-4}
SAME_LOW = 2e-2


def require_same(stored: Surface, asked: Surface, path: str) -> None:
    """Raise SurfaceMismatch with every difference between the surface in a file and the one asked for."""
    found = list(differences(stored, asked))
    if found:
        raise SurfaceMismatch(
            f"{path} holds another surface than the one asked for: {'; '.join(found)}. "
            "Write to another file, or pass --overwrite (overwrite=True) to start this one again"
        )


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
            yield f"its {letter} is {_range(mine.values)}, {_range(other.values)} was asked for"
        elif _identity(mine) != _identity(other):
            yield from _direction_differences(letter, mine, other, same_weights)
    if stored.origin.get("sha256") != asked.origin.get("sha256"):
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
    was, wanted = stored.quality.get("precision"), asked.quality.get("precision")
    if was is not None and wanted is not None and was != wanted:
        yield f"its precision is {was}, {wanted} was asked for"
    if asked.problem.get("batch_norm") == "recompute" or asked.problem.get("mode") == "train":
        # Statistics are averages over batches, and noise is drawn for each: there the division changes values.
        was, wanted = stored.quality.get("batch_size"), asked.quality.get("batch_size")
        if was is not None and wanted is not None and was != wanted:
            yield f"its batch size is {was}, {wanted} was asked for"


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
    keys = [key for key in {**mine.recipe, **other.recipe} if key not in ("repeats", "cosines")]
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
    return "none" if value is None else str(value)


def _range(values: Any) -> str:
    return f"{values[0]:g}:{values[-1]:g}:{len(values)}"


def _short(digest: Any) -> str:
    return str(digest)[:12] if digest else "none"


def _plain(value: Any) -> Any:
    """Let tuples and lists, which JSON does not tell apart, compare equal."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value
