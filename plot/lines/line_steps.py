"""Recorded steps on a line: where each lies along it, at its own loss and not at the line's.

On a line hardly any step lies; dots at their own losses say so better than a path on the curve would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landscape.surface.derived.projected_runs import shares_off_plane
from landscape.surface.surface import Surface

from ..paths.path_words import losses_of, records_of
from ..paths.trajectories import COLORS, ramp
from ..scale.levels import number_text
from ..style.style import VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Without the colour that stands for accuracy there; and what a caption calls them.
_COLORS = tuple(color for color in COLORS if color != VERMILLION)
_CALLED = ("black", "pink", "yellow", "blue", "brown")


def draw_line_steps(ax: Axes, surface: Surface, name: str) -> None:
    """Draw the runs of a line as dots, joined in their order, from circle to star; ``name`` is what the axis shows."""
    for number, (run_name, run) in enumerate(surface.trajectories.items()):
        found = losses_of(surface, run, name)
        if found is None or not len(run.step):
            continue
        x, own = run.coordinates[:, 0], found[0]
        color = _COLORS[number % len(_COLORS)]
        shades = [color] * len(x) if run.unordered else ramp(color, len(x))
        dots = ax.scatter(x, own, s=9.0, c=shades, edgecolors="white", linewidths=0.4, zorder=3.5)
        dots.set_label(f"{'samples' if run.unordered else 'steps'} of {run_name}")
        if run.unordered:
            continue
        ax.plot(x, own, color=color, lw=0.6, alpha=0.6, zorder=3.4)
        ax.plot(x[0], own[0], "o", ms=4.6, mfc="white", mec=color, mew=1.3, zorder=3.6, label=f"start of {run_name}")
        ax.plot(x[-1], own[-1], "*", ms=8.0, mfc=color, mec="white", mew=0.6, zorder=3.7, label=f"end of {run_name}")


def line_step_lines(ax: Axes, surface: Surface, name: str) -> list[str]:
    """Return what the corner has to say: how far the runs are off the line, and what lies outside the picture."""
    lines, outside, total, records = [], 0, 0, records_of(surface.trajectories.values())
    (left, right), (low, high) = ax.get_xlim(), sorted(ax.get_ylim())
    for run in surface.trajectories.values():
        found = losses_of(surface, run, name)
        if found is None or not len(run.step):
            continue
        x, own = run.coordinates[:, 0], found[0]
        inside = (x >= left) & (x <= right) & (own >= low) & (own <= high)
        outside, total = outside + int((~inside).sum()), total + len(x)
    far = [shares_off_plane(surface, run).max() for run in surface.trajectories.values() if len(run.step)]
    if far:
        whose = {"steps": "run" if len(far) == 1 else "runs", "samples": "samples"}.get(records, "runs and samples")
        lines.append(f"{whose} up to {100 * max(far):.0f} % off the line")
    return [*lines, f"{outside} of {total} {records} outside the picture"] if outside else lines


def line_step_notes(surface: Surface, name: str) -> list[str]:
    """Return a sentence for the caption, where there are steps to be seen."""
    shown = {
        run_name: (run, _CALLED[number % len(_CALLED)])
        for number, (run_name, run) in enumerate(surface.trajectories.items())
        if losses_of(surface, run, name) is not None
    }
    if not shown:
        return []
    far = max(float(np.max(run.residual, initial=0.0)) for run, _ in shown.values())
    parts = []
    for unordered in (False, True):
        names = [
            f"{run_name} ({color})" if len(shown) > 1 else run_name
            for run_name, (run, color) in shown.items()
            if run.unordered is unordered
        ]
        if names:
            what = "samples of {}" if unordered else "recorded steps of {}, from circle to star"
            parts.append(what.format(", ".join(names)))
    dots = ", and ".join(parts)
    return [f"Dots: {dots}, at their own loss, not the line's; they are up to {number_text(far, 3)} off the line"]
