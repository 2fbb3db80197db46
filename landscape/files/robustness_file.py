"""The robustness file: whether each sample is right after each attack. This text is its specification.

Version 1, of the layout in `landscape.files.report_layout`, kind "landscape robustness", with the fields of
`landscape.surface.robustness.Robustness`:

* JSON: attacks (a list of text) and all other fields that are no arrays;
* arrays: epsilons (k,) and course (k, steps + 1) float64; numbers (n,) int64; clean, flat, far (n,), right
  (attacks, k, n), restarts (restarts, k, n) and more_steps (k, n) uint8.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.report_layout import Array, Layout, required
from landscape.surface.robustness import Robustness

ROBUSTNESS = Layout("landscape robustness", 1, "robustness")

_TEXTS = ("data", "norm", "software", "created", "command")
_MAPPINGS = ("problem", "settings", "origin")


def is_robustness(path: str | Path) -> bool:
    """Return whether a file calls itself one of robustness; FormatError where it cannot be read."""
    return ROBUSTNESS.recognises(path)


def write_robustness(path: str | Path, found: Robustness) -> None:
    """Write what attacks found.

    Raises
    ------
    StoreError
        It cannot be written; the last good file is kept.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value.astype(np.uint8) if value.dtype == np.bool_ else value
        elif field.name != "path":
            plain[field.name] = value
    ROBUSTNESS.write(path, plain, arrays)


def read_robustness(path: str | Path) -> Robustness:
    """Read what attacks found.

    Raises
    ------
    FormatError
        There is no such file, it holds no robustness, is damaged, or is of a newer version.
    """
    plain, arrays = ROBUSTNESS.read(path)
    try:
        return _parsed(plain, arrays, str(path))
    except (FormatError, KeyError, TypeError, ValueError, AttributeError) as error:
        words = " ".join(f"{'' if isinstance(error, FormatError) else type(error).__name__} {error}".split())[:200]
        raise FormatError(f"{path} does not hold robustness as its format wants it: {words}") from error


def _parsed(plain: dict[str, Any], arrays: dict[str, Array], path: str) -> Robustness:
    attacks = plain["attacks"]
    if not isinstance(attacks, list) or not attacks or not all(isinstance(each, str) for each in attacks):
        raise FormatError("its attacks have no names")
    epsilons = required(arrays, "epsilons", np.float64, (-1,))
    if not len(epsilons) or not (np.diff(epsilons, prepend=0.0) > 0).all() or not np.isfinite(epsilons).all():
        raise FormatError("its strengths are no ascending positive numbers")
    numbers = required(arrays, "numbers", np.int64, (-1,))
    strengths, samples = len(epsilons), len(numbers)
    if not samples:
        raise FormatError("it holds no samples")
    far = plain["far_epsilon"]
    if not isinstance(far, float) or not far > 0:
        raise FormatError("its unbounded attack has no strength")
    if not all(isinstance(plain.get(name, ""), str) for name in _TEXTS):
        raise FormatError("what it says of data, norm, software and command is no text")
    if not all(isinstance(plain.get(name, {}), dict) for name in _MAPPINGS):
        raise FormatError("what it says of problem, settings or origin is no mapping")

    def truth(name: str, *shape: int) -> Any:
        return required(arrays, name, np.uint8, shape).astype(bool)

    return Robustness(
        attacks=tuple(attacks),
        epsilons=epsilons,
        numbers=numbers,
        clean=truth("clean", samples),
        flat=truth("flat", samples),
        far=truth("far", samples),
        right=truth("right", len(attacks), strengths, samples),
        restarts=truth("restarts", -1, strengths, samples),
        more_steps=truth("more_steps", strengths, samples),
        course=required(arrays, "course", np.float64, (strengths, -1)),
        far_epsilon=far,
        **{name: plain.get(name, "") for name in _TEXTS},
        **{name: plain.get(name, {}) for name in _MAPPINGS},
        path=path,
    )
