"""Accuracy against the strength of attacks, with intervals, and the loss along the steps of PGD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.robustness import GRADIENT_ATTACKS, Robustness

from ..style.style import HAIRLINE, INK, SOFT_INK, VERMILLION, look
from ..style.wording import one_line
from .curve_panels import COLOURS, curve_labels, draw_panels, draw_shares, finish_shares, of_each

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DISTANCES = {"linf": "L∞", "l2": "L2"}
_NAMES = {
    "fgsm": ("FGSM, one step", (0, (1, 1.3))),
    "pgd": ("PGD", (0, (4, 1.8))),
    "margin": ("PGD on the margin", (0, (6, 1.5, 1, 1.5))),
    "random": ("random changes", (0, (1, 2.5))),
    "transfer": ("another network's", (0, (8, 2))),
}


def robustness(
    found: Robustness | Sequence[Robustness],
    *,
    labels: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw accuracy under attack: of one network, attack by attack, and the loss along steps; of several, a curve each.

    Parameters
    ----------
    found : Robustness or sequence of them
    labels : sequence of str, optional
        Of several networks, a name each; by default their files'.
    headline, caption, size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        Several results are of different norms, or there are not as many labels.
    """
    several = [found] if isinstance(found, Robustness) else list(found)
    names = curve_labels(several, labels)
    if len({each.norm for each in several}) != 1:
        raise UsageError("distances in different norms do not share an axis: draw them in pictures of their own")

    def accuracies(ax: Axes) -> None:
        if len(several) == 1:
            _attacks(ax, several[0])
        else:
            for each, name, colour in zip(several, names, COLOURS, strict=False):
                _together(ax, each, colour, name)
        distance = _DISTANCES.get(several[0].norm, one_line(several[0].norm))
        end = 1.02 * max(float(each.epsilons[-1]) for each in several)
        finish_shares(ax, "accuracy under attack", f"greatest change of an input, {distance} distance", end)

    panels: list[Callable[[Axes], None]] = [accuracies]
    if len(several) == 1:
        panels.append(lambda ax: _course(ax, several[0]))
    how = "A sample counts as right if every change tried leaves it so. Bands: 95 % intervals for the draw (Wilson)."
    measured = of_each([_measured(each) for each in several], names)
    return draw_panels(
        panels,
        text=f"{measured} {how} {of_each([each.verdict for each in several], names)}",
        title="Accuracy under attack",
        command=several[0].command,
        headline=one_line(headline),
        caption=caption,
        size=size,
        font=font,
    )


def _attacks(ax: Axes, found: Robustness) -> None:
    """Draw the attacks together with their interval, and each one alone."""
    _together(ax, found, COLOURS[0], "all that follow gradients")
    for attack in found.attacks:
        name, dashes = _NAMES.get(attack, (attack, (0, (2, 2))))
        colour = VERMILLION if attack in GRADIENT_ATTACKS else SOFT_INK
        accuracy = 100 * np.append(found.clean.mean(), found.accuracy(attack))
        x = np.append(0.0, found.epsilons)
        ax.plot(x, accuracy, color=colour, lw=0.9 * look().factor, ls=dashes, label=one_line(name))


def _together(ax: Axes, found: Robustness, colour: str, name: str) -> None:
    ends = np.vstack([found.clean_interval, found.interval()])
    shares = np.append(found.clean.mean(), found.accuracy())
    draw_shares(ax, np.append(0.0, found.epsilons), shares, ends, colour, name)


def _course(ax: Axes, found: Robustness) -> None:
    """Draw the mean loss along PGD's steps, a curve a strength, the stronger the darker."""
    steps = np.arange(found.course.shape[1])
    for number, losses in enumerate(found.course):
        alpha = 0.35 + 0.65 * (number + 1) / len(found.epsilons)
        ax.plot(steps, losses, color=INK, alpha=alpha, lw=1.1 * look().factor)
    ax.set_xlabel("step of PGD, first start")
    ax.set_ylabel("mean loss")
    ax.set_xlim(0, steps[-1] * 1.12)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(found.course))))
    ax.axvline(steps[-1], color=HAIRLINE, lw=0.8)
    _name_ends(ax, steps[-1], found.course[:, -1], [f"{epsilon:g}" for epsilon in found.epsilons])
    ax.set_title("loss along the attack, by strength", loc="left", fontsize=look().title, fontweight="bold")


def _name_ends(ax: Axes, x: float, ends: Floats, words: Sequence[str]) -> None:
    """Write names beside the ends of curves, apart from each other however close the ends are."""
    points = 72 / ax.figure.dpi
    heights = points * ax.transData.transform(np.column_stack([np.full(len(ends), x), ends]))[:, 1]
    least, last = 1.2 * look().small, -np.inf
    for k in np.argsort(heights, kind="stable"):
        last = max(heights[k], last + least)
        ax.annotate(
            words[k],
            (x, ends[k]),
            (2, last - heights[k]),
            textcoords="offset points",
            va="center",
            fontsize=look().small,
        )


def _measured(found: Robustness) -> str:
    settings = found.settings
    clip = settings.get("clip")
    within = f", inputs within {clip[0]:g} to {clip[1]:g}" if isinstance(clip, list) and len(clip) == 2 else ""
    steps, starts = settings.get("steps"), settings.get("restarts")
    attack = "PGD" if steps is None else f"PGD with {steps} step{'' if steps == 1 else 's'}"
    attack += "" if starts is None else f" from {starts} start{'' if starts == 1 else 's'}"
    return f"{found.samples:,} samples of {one_line(found.data)}{within}; {attack}."
