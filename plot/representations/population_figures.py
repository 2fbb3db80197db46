"""Populations of networks: P_A against P_B as a density with the null beside it, classes as sorted intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from landscape.errors import UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.population_statistics import compare, halves, summary
from landscape.surface.reports.populations import Comparison, Excess, Populations

from ..style.framed import Frame, Page, page_style
from ..style.style import BLUE, HAIRLINE, INK, MISSING_GREY, VERMILLION, look, new_figure
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_WIDTH = 7.0
_LEFT, _GAP, _RIGHT, _BOTTOM, _TITLE, _IMAGE, _COLOURS = 0.5, 0.62, 0.1, 0.42, 0.42, 0.52, 0.5
# Classes that have room for their intervals.
_MOST_CLASSES = 25
_IMAGES = 10


def predictions(
    found: Populations,
    first: str | None = None,
    second: str | None = None,
    *,
    names: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw two groups against each other example by example, the null of one group's halves, and their classes.

    Parameters
    ----------
    found : Populations
    first, second : str, optional
        Groups; by default the first two.
    names : sequence of str, optional
        Of the classes.
    headline, caption, size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        There are no two such groups.
    """
    groups = found.group_names
    first = groups[0] if first is None else first
    if second is None:
        if len(groups) < 2:
            raise UsageError("a picture of populations is of two groups; there is one")
        second = next(group for group in groups if group != first)
    said = compare(found, first, second)
    with page_style(size, font) as page:
        return _draw(found, said, names, one_line(headline), caption, page)


def _draw(
    found: Populations,
    said: Comparison,
    names: Sequence[str] | None,
    headline: str,
    caption: bool,
    page: Page,
) -> Figure:
    factor = look().factor
    width = page[0] if page else _WIDTH
    left, gap, bottom, title = _LEFT * factor, _GAP * factor, _BOTTOM * factor, _TITLE * factor
    colours = _COLOURS * factor
    side = (width - left - 2 * gap - colours - 0.35 * factor - _RIGHT) / 3
    if side < 0.6:
        raise UsageError(f"three panels do not fit into {width:g} inches")
    images = min(_IMAGES, len(found.pictured)) if found.images is not None else 0
    strip = (_IMAGE + 0.55) * factor if images else 0.0
    frame = Frame.of(caption_of(found, said), width, headline, caption)
    head, foot = frame.head, frame.foot
    tall = side if not page or not page[1] else page[1] - head - title - bottom - strip - foot
    if tall < 0.4:
        raise UsageError(f"the panels do not fit into {page[1] if page else 0:g} inches of height")
    height = head + title + tall + bottom + strip + foot
    figure = new_figure(width, height, shown=True)
    y = (foot + strip + bottom) / height

    def panel(x: float, across: float = side) -> Axes:
        return figure.add_axes((x / width, y, across / width, tall / height))

    a, b = found.shares(said.first), found.shares(said.second)
    whole, null = _counts(a, b, found, said), None
    members = found.members(said.first)
    if len(members) >= 4:
        parts = [found.correct[members[part]].mean(0) for part in halves(len(members))]
        steps = len(members) // 2 + 1
        null = np.histogram2d(parts[1], parts[0], bins=[_edges(steps), _edges(steps)])[0]
    top = max(float(whole.max()), 1.0 if null is None else float(null.max()))
    norm = LogNorm(1, max(top, 2.0))
    ax = panel(left)
    mesh = _density(ax, whole, norm)
    ax.set_xlabel(f"P({one_line(said.first)})", parse_math=False)
    ax.set_ylabel(f"P({one_line(said.second)})", parse_math=False)
    _titles(figure, ax, f"{one_line(said.first)} against {one_line(said.second)}", _left_over(said.excess), height)
    x = left + side + gap
    ax = panel(x)
    ax.set_gid("null")
    if null is None:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no null: under\nfour networks", ha="center", va="center", fontsize=look().small)
    else:
        _density(ax, null, norm)
        ax.set_xlabel(f"P(half of {one_line(said.first)})", parse_math=False)
        ax.set_ylabel("P(the other half)")
        excess = summary(found, said.first).null
        _titles(figure, ax, "null: one group's halves", "" if excess is None else _left_over(excess), height)
    cax = figure.add_axes(((x + side + 0.05) / width, y, 0.09 * factor / width, tall / height))
    bar = figure.colorbar(mesh, cax=cax)
    bar.set_label("examples")
    bar.outline.set_linewidth(0.6)
    x += side + colours + 0.35 * factor + gap - 0.1
    _classes(panel(x, width - x - _RIGHT), said, names, figure, height, tall)
    if images:
        _examples(figure, found, said, names, images, (left, foot, width, height, factor))
    return frame.write(figure, "Populations", found.command)


def _edges(steps: int) -> Floats:
    """Return edges of bins around 0, 1/m, ..., 1, which are the values that a share of m networks can have."""
    return (np.arange(steps + 1) - 0.5) / (steps - 1)


def _counts(a: Floats, b: Floats, found: Populations, said: Comparison) -> Floats:
    sizes = [min(len(found.members(group)), 20) + 1 for group in (said.second, said.first)]
    counts: Floats = np.histogram2d(b, a, bins=[_edges(max(size, 2)) for size in sizes])[0]
    return counts


def _density(ax: Axes, counts: Floats, norm: LogNorm) -> QuadMesh:
    edges = [_edges(size) for size in counts.shape]
    values = np.ma.masked_equal(counts, 0)
    ax.set_facecolor(MISSING_GREY)
    mesh = ax.pcolormesh(edges[1], edges[0], values, cmap="viridis", norm=norm)
    ax.plot([0, 1], [0, 1], color="white", lw=1.6)
    ax.plot([0, 1], [0, 1], color=INK, lw=0.6, ls=(0, (3, 2)))
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    return mesh


def _left_over(excess: Excess) -> str:
    if not np.isfinite(excess.value):
        return f"variance {excess.observed:.2g}"
    value, low, high = (
        f"{each:.2g}".replace("-", "\N{MINUS SIGN}") for each in (excess.value, excess.low, excess.high)
    )
    return f"beyond noise {value} ({low} to {high})"


def _titles(figure: Figure, ax: Axes, title: str, below: str, height: float) -> None:
    place, small = ax.get_position(), look().small
    figure.text(
        place.x0,
        place.y1 + (0.05 + small * 1.3 / 72) / height,
        title,
        fontsize=look().label,
        fontweight="bold",
        parse_math=False,
    )
    figure.text(place.x0, place.y1 + 0.05 / height, below, fontsize=small, parse_math=False)


def _classes(
    ax: Axes, said: Comparison, names: Sequence[str] | None, figure: Figure, height: float, tall: float
) -> None:
    rows = list(said.classes)
    if len(rows) > _MOST_CLASSES:  # both ends: in between are those that hardly differ
        rows = [*rows[: _MOST_CLASSES // 2], *rows[-_MOST_CLASSES // 2 :]]
    sure = sum(bool(one.p_value < 0.05) for one in said.classes)
    for place, one in enumerate(rows):
        colour = VERMILLION if one.p_value < 0.05 else BLUE
        ax.plot([one.low, one.high], [place, place], color=colour, lw=1.2, solid_capstyle="butt", gid="interval")
        ax.plot(one.difference, place, "o", ms=2.6, color=colour)
    ax.axvline(0, color=HAIRLINE, lw=0.6, ls=(0, (3, 2)))
    size = min(look().tick, tall * 72 / max(len(rows), 1) * 0.9)
    labels = [one_line(names[one.label]) if names and one.label < len(names) else str(one.label) for one in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize=size)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=4)
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.set_xlabel(f"accuracy of {one_line(said.second)} \N{MINUS SIGN} {one_line(said.first)}", parse_math=False)
    ax.set_gid("classes")
    _titles(figure, ax, "classes", f"{sure} of {len(said.classes)} differ, corrected", height)


def _examples(
    figure: Figure,
    found: Populations,
    said: Comparison,
    names: Sequence[str] | None,
    number: int,
    room: tuple[float, float, float, float, float],
) -> None:
    """Show the examples where the groups differ most, with what each group makes of them."""
    left, foot, width, height, factor = room
    assert found.images is not None
    a, b = found.shares(said.first), found.shares(said.second)
    low, high = (float(each) for each in np.nanquantile(found.images, [0.005, 0.995]))
    cell = (width - left - _RIGHT) / number
    side = min(_IMAGE * factor, cell * 0.85)
    for column in range(number):
        place = found.pictured[column]
        x, y = left + column * cell, foot + 0.32 * factor
        ax = figure.add_axes((x / width, y / height, side / width, side / height), gid="example")
        image = np.clip((found.images[column] - low) / max(high - low, 1e-9), 0, 1)
        ax.imshow(image[0] if len(image) == 1 else image.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
        label = int(found.labels[place])
        word = one_line(names[label]) if names and label < len(names) else str(label)
        texts = f"{word}\n{a[place]:.2g} | {b[place]:.2g}"
        figure.text(x / width, (y - 0.03) / height, texts, fontsize=look().small * 0.9, va="top", parse_math=False)


def caption_of(found: Populations, said: Comparison) -> str:
    """Return what a picture has to say."""
    sizes = [len(found.members(group)) for group in (said.first, said.second)]
    excess = said.excess
    share = f"{100 * excess.noise / excess.observed:.0f} %" if excess.observed and np.isfinite(excess.noise) else ""
    verdict = "more than" if excess.is_found else "no more than"
    words = [
        f"Share of networks that are right, for each of {len(found.labels):,} examples of "
        f"{one_line(str(found.problem.get('data', 'the data')))}: {sizes[0]} networks of {one_line(said.first)}, "
        f"{sizes[1]} of {one_line(said.second)}. ",
        f"Variance of the difference {excess.observed:.3g}, {share} of it binomial noise; left over "
        f"{excess.value:.3g}, 95 % interval {excess.low:.3g} to {excess.high:.3g}: {verdict} the draw of networks "
        "explains. "
        if share
        else "",
        "Beside it the same of two random halves of one group. ",
        "Classes: difference of accuracy with its interval of 95 % over networks; red where Welch's test, corrected "
        "for all classes (Holm), is below 0.05. ",
        "Below: where the groups differ most; class, and the share of each group that is right. "
        if found.images is not None
        else "",
    ]
    return "".join(words).strip()
