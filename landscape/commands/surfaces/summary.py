"""What a surface holds and where runs lie on it, in a few words: printed when a run ends."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from landscape.surface.derived.loss_barrier import barrier
from landscape.surface.derived.projected_runs import distances, shares_off_plane, span_name
from landscape.surface.derived.stated_error import stated_error, stated_words
from landscape.surface.derived.variance_shares import plane_runs, random_walk_shares
from landscape.surface.other_networks import networks_on
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface, Trajectory
from landscape.surface.unmeasured import not_measured_yet


def describe_result(surface: Surface) -> str:
    """Return a line for each thing measured, and where it was written."""
    lines = []
    for name, values in surface.values.items():
        measured = surface.state == COMPUTED
        finite = values[np.isfinite(values) & measured]
        here = surface.origin.get("values", {}).get(name)
        at_start = "" if here is None else f"{_number(name, here)} at theta*, "
        span = f"{_number(name, finite.min())} to {_number(name, finite.max())}" if finite.size else "nowhere finite"
        to_come = not_measured_yet(surface, name) & ~np.isfinite(values)
        lost = int((~np.isfinite(values) & (surface.state != NOT_COMPUTED) & ~to_come).sum())
        over = f"{values.size} points" if measured.all() else f"{measured.sum()} measured points"
        holes = (f", {lost} not finite" if lost else "") + (
            f", {to_come.sum()} not measured yet" if to_come.any() else ""
        )
        lines.append(f"{name}: {at_start}{span} over {over}{holes}")
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
        from landscape.plot.style.shortcuts import interpolation_words

        words = interpolation_words(surface, list(surface.values))
        lines.append(f"interpolated {filled:,} of {surface.state.size:,} points{words}")
    if surface.anchors:
        lines.append(describe_anchors(surface))
    for name in surface.values if surface.anchors or "error" in surface.quality else ():
        if name.endswith("/loss") and (found := stated_error(surface, name)) is not None:
            lines.append(f"{name} is off by at most {stated_words(found)}")
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


def describe_anchors(surface: Surface) -> str:
    """Return from what values are estimates for all data, a clause for each data set."""
    texts = []
    for name, anchors in surface.anchors.items():
        counts = surface.counts[name][(surface.state == COMPUTED) & (surface.counts[name] < anchors.size)]
        number = len(anchors.points)
        low, high = int(counts.min(initial=anchors.size)), int(counts.max(initial=0))
        used = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        where = "theta*" if number == 1 else f"theta* and {number - 1} other{'' if number == 2 else 's'}"
        texts.append(f"{name}: all {anchors.size:,} samples measured at {where}, {used} of them elsewhere")
    return "anchors, from which values are estimated for all data; " + "; ".join(texts)


def _lengths(surface: Surface) -> str:
    return "length of " + ", ".join(
        f"{letter} {a.length:.4g}" for letter, a in zip("xyz", surface.directions, strict=False)
    )


def _number(name: str, value: float) -> str:
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4g}"


def describe_paths(surface: Surface) -> str:
    """Return a few lines for each run on a surface."""
    lines = []
    own, others = plane_runs(surface)
    if own:
        shares, number = surface.trajectories[own[0]].attributes["explained_variance"], len(surface.directions)
        span, outside = span_name(surface), 100 * (1 - sum(shares[:number]))
        whose = f" of {', '.join(own)}" if others else ""
        lines.append(f"the {span} holds {_sum(shares[:number])} of the variance{whose}, {outside:.1f} % lie outside")
        if len(own) == 1 and not surface.trajectories[own[0]].unordered:
            walk = random_walk_shares(len(shares) + 1)[:number]
            lines[-1] += f"; a random walk of as many steps: {_sum(walk)}"
    for name, run in surface.trajectories.items():
        lines += [f"{name}: {line}" for line in _path_lines(surface, run)]
    return "\n".join(lines)


def describe_networks(surface: Surface) -> str:
    """Return where the networks lie that a plane leads through, and which of them are beyond its grid."""
    networks = networks_on(surface) if len(surface.directions) > 1 else []
    if surface.axes[0].source != "networks" or not networks:
        return ""
    places = ", ".join(f"{name} at ({', '.join(f'{value:.4g}' for value in at)})" for name, at in networks)
    outside = [
        name
        for name, at in networks
        if not all(axis.values[0] <= v <= axis.values[-1] for axis, v in zip(surface.directions, at, strict=True))
    ]
    beyond = f"; beyond the grid: {', '.join(outside)}" if outside else ""
    return f"networks, in distances from theta* at (0, 0): {places}{beyond}"


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
    span = span_name(surface)
    away = distances(surface, run).max()
    what = (
        f"{len(run.step)} samples"
        if run.unordered
        else f"{len(run.step)} records, {unit} {run.step[0]} to {run.step[-1]}"
    )
    lines = [
        f"{what}, up to {away:.4g} from theta*",
        f"off the {span} by up to {off[far]:.4g} ({unit} {run.step[far]}, {100 * share[far]:.0f} % of its way from "
        f"theta*), median {np.median(off):.4g}",
    ]
    if "explained_variance" not in run.attributes:
        squares = float((distances(surface, run) ** 2).sum())
        inside = 1 - float((off**2).sum()) / squares if squares else 0.0
        lines.append(f"the {span} holds {100 * inside:.3g} % of its squared distances from theta*")
    name = run.attributes.get("loss_name")
    below = run.attributes.get("plane_values", {}).get(name)
    if below is not None:
        gap = np.abs(run.loss - np.asarray(below, dtype=float))
        if np.isfinite(gap).any():
            most = int(np.nanargmax(gap))
            lines.append(
                f"{name} of its steps is, in the median, {np.nanmedian(gap):.3g} from the {span}'s below them; at most "
                f"{gap[most]:.3g} ({unit} {run.step[most]}: {run.loss[most]:.4g}, the {span} {below[most]:.4g})"
            )
    return lines
