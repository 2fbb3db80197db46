"""The robustness file: whether each sample is right after each attack. This text is its specification.

Version 1, of the layout in `landscape.files.reports.report_layout`, kind "landscape robustness", with the fields of
`landscape.surface.reports.robustness.Robustness`:

* JSON: attacks (a list of text) and all other fields that are no arrays;
* arrays: epsilons (k,) and course (k, steps + 1) float64; numbers (n,) int64; clean, flat, far (n,), right
  (attacks, k, n), restarts (restarts, k, n) and more_steps (k, n) uint8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.reports.report_layout import Array, Layout, about_fields, required
from landscape.surface.reports.robustness import GRADIENT_ATTACKS, Robustness

_TEXTS = ("data", "norm", "software", "created", "command")


def _parsed(plain: dict[str, Any], arrays: dict[str, Array], path: str) -> Robustness:
    attacks = plain["attacks"]
    if not isinstance(attacks, list) or not attacks or not all(isinstance(each, str) for each in attacks):
        raise FormatError("its attacks have no names")
    if not set(attacks) & set(GRADIENT_ATTACKS):
        raise FormatError("none of its attacks follows gradients")
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
        **about_fields(plain, _TEXTS),
        path=path,
    )


ROBUSTNESS = Layout("landscape robustness", 1, _parsed)
is_robustness, write_robustness, read_robustness = ROBUSTNESS.recognises, ROBUSTNESS.write, ROBUSTNESS.read
