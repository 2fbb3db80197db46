"""Accuracy against the strength of attacks, with intervals, and the loss along the steps of PGD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.robustness import GRADIENT_ATTACKS, Robustness

from ..style.fields import remember
from ..style.paper import page_size
from ..style.style import HAIRLINE, INK, SOFT_INK, VERMILLION, Look, look, new_figure, our_style, wrapped
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches, for letters of our own size.
_WIDTH, _HEIGHT, _LEFT, _GAP, _BOTTOM, _TITLE, _RIGHT = 7.0, 2.3, 0.62, 0.72, 0.46, 0.32, 0.12
# Okabe and Ito's colours that hold on white, and beside each other for all eyes.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9")
# A panel narrower than this stands below the other one.
_NARROW = 1.7
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
    headline : str
        Above all panels.
    caption : bool
        Say below what was measured; it is in the file's metadata in any case.
    size, font
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
    names = _labels(several, labels)
    if len({each.norm for each in several}) != 1:
        raise UsageError("distances in different norms do not share an axis: draw them in pictures of their own")
    if len(several) > len(_COLOURS):
        raise UsageError(f"there are {len(several)} networks; more than {len(_COLOURS)} curves are not told apart")
    page = page_size(size)
    with our_style(Look.of_settings(font, page[0] if page else None)):
        return _draw(several, names, one_line(headline), caption, page)


def _labels(several: Sequence[Robustness], labels: Sequence[str] | None) -> list[str]:
    if labels is not None and len(labels) != len(several):
        raise UsageError(f"there are {len(several)} files and {len(labels)} titles: one for each")
    names = labels if labels is not None else [each.path or f"network {k + 1}" for k, each in enumerate(several)]
    return [one_line(str(name)) for name in names]


def _draw(
    several: list[Robustness],
    names: list[str],
    headline: str,
    caption: bool,
    page: tuple[float, float | None] | None,
) -> Figure:
    factor = look().factor
    width = page[0] if page else _WIDTH
    text = _caption(several, names)
    lines = wrapped(text, width - 0.2, look().caption) if caption else []
    line = look().caption * 1.32 / 72
    foot = len(lines) * line + (0.16 if lines else 0.02)
    head = 0.3 * factor if headline else 0.04
    left, bottom, title = _LEFT * factor, _BOTTOM * factor, _TITLE * factor
    panels = 2 if len(several) == 1 else 1
    across = (width - panels * left - (panels - 1) * (_GAP - _LEFT) * factor - _RIGHT) / panels
    beside = panels == 1 or across >= _NARROW * factor
    rows = 1 if beside else panels
    side = across if beside else width - left - _RIGHT
    free = page[1] - head - foot if page and page[1] else rows * (title + _HEIGHT * factor + bottom)
    tall = free / rows - title - bottom
    if min(side, tall) < 0.6:
        given = " x ".join(f"{each:g}" for each in page or () if each)
        raise UsageError(f"the panels do not fit into a figure of {given} inches")
    height = head + free + foot
    figure = new_figure(width, height, shown=True)

    def panel(number: int) -> Axes:
        x = left + (number * (side + _GAP * factor) if beside else 0.0)
        y = foot + (0.0 if beside else (rows - 1 - number) * free / rows) + bottom
        return figure.add_axes((x / width, y / height, side / width, tall / height))

    ax = panel(0)
    if panels == 2:
        _attacks(ax, several[0])
        _course(panel(1), several[0])
    else:
        for number, (each, name) in enumerate(zip(several, names, strict=True)):
            _curve(ax, each, None, _COLOURS[number], name, "-")
    _finish(ax, several)
    if headline:
        figure.text(0.1 / width, 1 - 0.06 / height, headline, va="top", fontsize=look().title, fontweight="bold")
    for number, words in enumerate(lines):
        place = (0.08 + line * (len(lines) - 1 - number)) / height
        figure.text(0.1 / width, place, words, fontsize=look().caption, va="bottom", parse_math=False)
    described = {"Title": headline or "Accuracy under attack", "Description": text, "Command": several[0].command}
    remember(figure, described)
    return figure


def _attacks(ax: Axes, found: Robustness) -> None:
    """Draw the attacks together with their interval, and each one alone."""
    _curve(ax, found, None, _COLOURS[0], "all that follow gradients", "-")
    for attack in found.attacks:
        name, dashes = _NAMES.get(attack, (attack, (0, (2, 2))))
        colour = VERMILLION if attack in GRADIENT_ATTACKS else SOFT_INK
        x, y = _points(found, attack)
        ax.plot(x, y, color=colour, lw=0.9 * look().factor, ls=dashes, label=one_line(name))


def _curve(ax: Axes, found: Robustness, attack: str | None, colour: str, name: str, dashes: str) -> None:
    x, y = _points(found, attack)
    ends = np.vstack([found.clean_interval, found.interval(attack)])
    ax.fill_between(x, 100 * ends[:, 0], 100 * ends[:, 1], color=colour, alpha=0.16, lw=0)
    ax.plot(x, y, color=colour, lw=1.6 * look().factor, ls=dashes, marker="o", ms=3 * look().factor, label=name)


def _points(found: Robustness, attack: str | None) -> tuple[Floats, Floats]:
    """Return strengths from 0 and accuracies in percent."""
    return np.append(0.0, found.epsilons), 100 * np.append(found.clean.mean(), found.accuracy(attack))


def _finish(ax: Axes, several: Sequence[Robustness]) -> None:
    ax.set_xlabel(f"greatest change of an input, {_DISTANCES.get(several[0].norm, one_line(several[0].norm))} distance")
    ax.set_ylabel("accuracy (%)")
    ax.set_ylim(-2, 102)
    ax.set_xlim(0, 1.02 * max(float(each.epsilons[-1]) for each in several))
    ax.set_title("accuracy under attack", loc="left", fontsize=look().title, fontweight="bold")
    legend = ax.legend(loc="best", fontsize=look().small, frameon=True, borderpad=0.3, handlelength=2.2)
    legend.get_frame().set(lw=0, alpha=0.85)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _course(ax: Axes, found: Robustness) -> None:
    """Draw the mean loss along PGD's steps, a curve a strength, the stronger the darker."""
    steps = np.arange(found.course.shape[1])
    for number, (epsilon, losses) in enumerate(zip(found.epsilons, found.course, strict=True)):
        alpha = 0.35 + 0.65 * (number + 1) / len(found.epsilons)
        ax.plot(steps, losses, color=INK, alpha=alpha, lw=1.1 * look().factor)
        words = f"{epsilon:g}"
        ax.annotate(
            words, (steps[-1], losses[-1]), (2, 0), textcoords="offset points", va="center", fontsize=look().small
        )
    ax.set_xlabel("step of PGD, first start")
    ax.set_ylabel("mean loss")
    ax.set_xlim(0, steps[-1] * 1.12)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(found.course))))
    ax.axvline(steps[-1], color=HAIRLINE, lw=0.8)
    ax.set_title("loss along the attack, by strength", loc="left", fontsize=look().title, fontweight="bold")


def _caption(several: Sequence[Robustness], names: Sequence[str]) -> str:
    """Return what a picture of attacks has to say; once, where it is the same of all networks."""
    said = [_measured(each) for each in several]
    verdicts = [each.verdict for each in several]
    how = "A sample counts as right if every change tried leaves it so. Bands: 95 % intervals for the draw (Wilson)."
    return f"{_of_each(said, names)}. {how} {_of_each(verdicts, names)}"


def _of_each(texts: Sequence[str], names: Sequence[str]) -> str:
    if len(set(texts)) == 1:
        return texts[0]
    return " ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def _measured(found: Robustness) -> str:
    settings = found.settings
    clip = settings.get("clip")
    within = f", inputs within {clip[0]:g} to {clip[1]:g}" if isinstance(clip, list) and len(clip) == 2 else ""
    attack = f"PGD with {settings.get('steps')} steps from {settings.get('restarts')} starts"
    return f"{found.samples:,} samples of {one_line(found.data)}{within}; {attack}"
