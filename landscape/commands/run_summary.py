"""Where runs lie in their plane, in a few words: how much of them it shows, and how far its loss is from theirs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from landscape.paths import barrier, distances, plane_runs, random_walk_shares, shares_off_plane
from landscape.surface import Surface, Trajectory


def describe_paths(surface: Surface) -> str:
    """Return a few lines for each run on a surface."""
    lines = []
    own, others = plane_runs(surface)
    if own:
        shares, number = surface.trajectories[own[0]].attributes["explained_variance"], len(surface.directions)
        flat, outside = "plane" if number > 1 else "line", 100 * (1 - sum(shares[:number]))
        whose = f" of {', '.join(own)}" if others else ""
        lines.append(f"the {flat} holds {_sum(shares[:number])} of the variance{whose}, {outside:.1f} % lie outside")
        if len(own) == 1:
            walk = random_walk_shares(len(shares) + 1)[:number]
            lines[-1] += f"; a random walk of as many steps: {_sum(walk)}"
    for name, run in surface.trajectories.items():
        lines += [f"{name}: {line}" for line in _path_lines(surface, run)]
    return "\n".join(lines)


def describe_barriers(surface: Surface) -> str:
    """Return a line for each loss on a line between two networks: how high the barrier is, and where."""
    lines = []
    for name in surface.values:
        found = barrier(surface, name) if name.endswith("/loss") else None
        if found is not None and found[0] > 0:
            lines.append(f"{name}: barrier {found[0]:.4g} above the line between both networks, at {found[1]:.4g}")
        elif found is not None:
            lines.append(f"{name}: no barrier between both networks, nothing rises above the line between them")
    return "\n".join(lines)


def _sum(shares: Iterable[float]) -> str:
    return " + ".join(f"{100 * share:.1f} %" for share in shares)


def _path_lines(surface: Surface, run: Trajectory) -> list[str]:
    unit = run.attributes.get("unit", "step")
    off, share = run.residual, shares_off_plane(surface, run)
    far = int(off.argmax())
    flat = "plane" if len(surface.directions) > 1 else "line"
    away = distances(surface, run).max()
    lines = [
        f"{len(run.step)} records, {unit} {run.step[0]} to {run.step[-1]}, up to {away:.4g} from theta*",
        f"off the {flat} by up to {off[far]:.4g} ({unit} {run.step[far]}, {100 * share[far]:.0f} % of its way from "
        f"theta*), median {np.median(off):.4g}",
    ]
    if "explained_variance" not in run.attributes:
        squares = float((distances(surface, run) ** 2).sum())
        inside = 1 - float((off**2).sum()) / squares if squares else 0.0
        lines.append(f"the {flat} holds {100 * inside:.3g} % of its squared distances from theta*")
    name = run.attributes.get("loss_name")
    below = run.attributes.get("plane_values", {}).get(name)
    if below is not None:
        gap = np.abs(run.loss - np.asarray(below, dtype=float))
        if np.isfinite(gap).any():
            most = int(np.nanargmax(gap))
            lines.append(
                f"{name} of its steps is, in the median, {np.nanmedian(gap):.3g} from the {flat}'s below them; at most "
                f"{gap[most]:.3g} ({unit} {run.step[most]}: {run.loss[most]:.4g}, the {flat} {below[most]:.4g})"
            )
    return lines
