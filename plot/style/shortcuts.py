"""What was saved, in words that every picture shares: points that are interpolated, samples that are still to come."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from landscape.surface.derived.stated_error import StatedError, interpolation_bound, stated_error, stated_words
from landscape.surface.derived.unseen import alike_text, all_alike, reach, unlike_share_of
from landscape.surface.surface import COMPUTED, Surface

from ..scale.scale import values_label


def interpolation_words(surface: Surface, names: Sequence[str] = ()) -> str:
    """Return in brackets how right interpolated points are; nothing where it was not measured.

    Of the values named; without names, of the losses.
    """
    made = _mapping(surface.quality.get("interpolation"))
    errors = {name: _mapping(each) for name, each in _mapping(made.get("errors")).items()}
    losses = [name for name in names if name.endswith("/loss")]
    bounds = {name: interpolation_bound(errors.get(name, {})) for name in names}
    of_losses = [each for each in map(bounds.get, losses) if _is_number(each)]
    texts = []
    if losses or not names:
        # Files that do not say it of each loss say it of the worst.
        all_known = of_losses and len(of_losses) == len(losses)
        error = max(of_losses) if all_known else surface.quality.get("interpolation_error")
        if _is_number(error):
            texts.append(f"{_amount('/loss', error)} of loss + eps")
    for name, error in bounds.items():
        if name not in losses and _is_number(error):
            texts.append(f"{_amount(name, error)} of the {values_label(name)}")
    if not texts:
        return ""
    # Of more points held out one may be further off than what bounds 95 % of all.
    further = {name: _further(errors.get(name, {})) for name in names}
    of_losses = [further[name] for name in losses if further[name]]
    worst = [_amount("/loss", max(of_losses))] if of_losses else []
    worst += [_amount(name, each) for name, each in further.items() if each and name not in losses]
    number = made.get("held_out")
    by = f", by {number} held out" if isinstance(number, int) else ""
    but = f", the worst off by {_listed(worst)}" if by and worst else ""
    of = "all points" if made.get("bounds") == "95 % of all points" else "them"
    return f" (95 % of {of} to {_listed(texts)}{by}{but})"


def _further(errors: Mapping[str, Any]) -> float:
    """Return the largest error of the points held out where the bound is not that, else 0."""
    bound, largest = interpolation_bound(errors), errors.get("largest")
    return largest if _is_number(bound) and _is_number(largest) and largest > bound else 0.0


def _amount(name: str, error: float) -> str:
    """Return an error of a value in the units that it has, which follow from its name."""
    if name.endswith("/loss"):
        return f"{100 * error:.2g} %"
    return f"{100 * error:.2g} percentage points" if name.endswith("accuracy") else f"{error:.2g}"


def _listed(texts: Sequence[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def anchor_words(surface: Surface, names: Sequence[str]) -> str:
    """Return from how many anchors values are estimates for all data; empty where they are means of the samples used.

    Of the data sets whose values are named.
    """
    sets = [data for data in dict.fromkeys(name.partition("/")[0] for name in names) if data in surface.anchored]
    texts = []
    for data in sets:
        measured = surface.state == COMPUTED
        size = surface.anchors[data].size if data in surface.anchors else math.inf
        there = surface.anchored[data][measured & (surface.counts.get(data, np.zeros(surface.shape)) < size)]
        if not there.size or not there.max():
            continue
        low, high = int(there.min()), int(there.max())
        number = f"{high}" if low == high else f"{low} to {high}"
        plural = "anchor" if high == 1 else "anchors"
        texts.append(f"{number} {plural}" + (f" of {data}" if len(sets) > 1 else ""))
    return f"estimated for all samples from {' and '.join(texts)}" if texts else ""


def error_words(surface: Surface, names: Sequence[str]) -> str:
    """Return how far off a loss is stated to be in all; empty unless values are estimates or one error was asked for.

    Of the worst of the losses named.
    """
    if surface.quality.get("error") is None and not surface.anchors:
        return ""
    found = [stated_error(surface, name) for name in names if name.endswith("/loss") and name in surface.values]
    known = [each for each in found if each is not None]
    return f"off by at most {stated_words(max(known, key=_total))}" if known else ""


def alike_words(surface: Surface, name: str) -> str:
    """Return at how many points the samples of a value do not scatter, and what that leaves open; empty if at none.

    A standard error of 0 is not one then: what none of the samples shows may be in the others.
    """
    if name not in surface.stderr or name not in surface.values:
        return ""
    there = all_alike(surface, name) & (surface.state == COMPUTED)
    if not there.any():
        return ""
    share, number = float(unlike_share_of(surface, name)[there].max()), int(there.sum())
    most = float(reach(surface, name)[there].max())
    return alike_text(number, f"samples of the {values_label(name)} are", share, most)


def _total(found: StatedError) -> float:
    return found.total if math.isfinite(found.total) else math.inf


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def lacking_samples(surface: Surface) -> int:
    """Return how many computed points of a run under way, or cut short, have fewer samples than they should."""
    number = surface.quality.get("unfinished")
    return number if isinstance(number, int) and number > 0 else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
