"""What a surface holds, in a few words: printed when a run ends."""

from __future__ import annotations

import numpy as np

from landscape.commands.run_summary import describe_barriers
from landscape.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface


def describe_result(surface: Surface) -> str:
    """Return a line for each thing measured, and where it was written."""
    lines = []
    for name, values in surface.values.items():
        measured = surface.state == COMPUTED
        finite = values[np.isfinite(values) & measured]
        here = surface.origin.get("values", {}).get(name)
        at_start = "" if here is None else f"{_number(name, here)} at theta*, "
        span = f"{_number(name, finite.min())} to {_number(name, finite.max())}" if finite.size else "nowhere finite"
        lost = int((~np.isfinite(values) & (surface.state != NOT_COMPUTED)).sum())
        over = f"{values.size} points" if measured.all() else f"{measured.sum()} measured points"
        lines.append(f"{name}: {at_start}{span} over {over}" + (f", {lost} not finite" if lost else ""))
    if barriers := describe_barriers(surface):
        lines.append(barriers)
    axes = surface.directions
    if surface.cosines is not None and len(axes) > 1:
        lines.append(f"cosine between the directions {surface.cosines[0, 1]:.3g}; " + _lengths(surface))
    elif surface.repeats == 1:
        lines.append(_lengths(surface))
    else:
        lines.append(f"{surface.repeats} repetitions with seeds {surface.axes[-1].recipe.get('seeds')}")
    if "precision_chosen" in surface.quality:
        lines.append(f"precision {surface.quality['precision_chosen']}")
    filled = int((surface.state == INTERPOLATED).sum())
    if filled:
        from landscape.plot.shortcuts import interpolation_words

        words = interpolation_words(surface, list(surface.values))
        lines.append(f"interpolated {filled:,} of {surface.state.size:,} points{words}")
    if "standard_error" in surface.quality:
        used = np.concatenate([counts[surface.state == COMPUTED] for counts in surface.counts.values()])
        target = surface.quality["standard_error"]["target"]
        lines.append(
            f"{used.min():,} to {used.max():,} samples a point, "
            f"for a standard error of {100 * target:.2g} % of loss + eps"
        )
    if surface.path:
        whole = surface.complete and "unfinished" not in surface.quality
        lines.append(f"wrote {surface.path}" + ("" if whole else " (not complete)"))
    return "\n".join(lines)


def _lengths(surface: Surface) -> str:
    return "length of " + ", ".join(
        f"{letter} {a.length:.4g}" for letter, a in zip("xyz", surface.directions, strict=False)
    )


def _number(name: str, value: float) -> str:
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4g}"
