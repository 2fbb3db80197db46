"""Heat maps of CKA between layers: the input at the lower left, one scale for all maps, the block outlined."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats
from landscape.surface.reports.dominant_samples import overlaps
from landscape.surface.reports.similarity import NO_VALUE, OTHERS, Similarity, nearest_layers

from ..style.framed import Frame, Page, page_style
from ..style.layout import TITLE_SPACING, fitting_titles, title_lines
from ..style.style import BLUE, HAIRLINE, INK, MISSING_GREY, look, new_figure, text_width
from ..style.wording import one_line
from .dominant_images import draw_dominant, strip_height
from .layer_axes import longest_name, name_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

# Inches, of a figure whose text has our sizes.
_PANEL, _LEFT, _GAP, _TITLE, _BAR, _COLOURS = 1.75, 0.78, 0.22, 0.34, 0.26, 0.62
# What stands below titles gets no smaller than this share of its size.
_SMALLEST = 0.75
# More networks than this are drawn as each layer against itself in the last one.
MOST_MAPS = 4
# What stands beside the colours, where there is little room; what it is of is the headline.
_SHORT = {"stderr": "standard error", "pc_cosine": "|cosine|", "overlap": "in common"}
_SHORT |= {name: "standard error" for name in OTHERS if name.endswith("_stderr")}
# What dominant samples have to do with.
_WITH_IMAGES = ("cka", "pc_cosine", "overlap", "without_dominant")
WIDTH = 5.5
WORDS = {
    "cka": "CKA",
    "stderr": "standard error of CKA",
    "pc_cosine": "|cosine| of first components",
    "overlap": "share of dominant samples in common",
    **OTHERS,
}


def similarity(
    found: Similarity,
    *,
    values: str = "cka",
    networks: Sequence[str] | None = None,
    against: str | None = None,
    colormap: str = "magma",
    headline: str = "",
    caption: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
) -> Figure:
    """Draw the similarity of all layers: each network's with itself, and of pairs of networks.

    Parameters
    ----------
    found : Similarity
    values : str
        "cka", "stderr", "pc_cosine", "overlap" (of dominant samples) or a name of ``found.others``.
    networks : sequence of str, optional
        Which ones, each with itself and with each other; by default all.
    against : str, optional
        Draw instead how alike each layer of each network is to the same layer of this one: along a training run, say,
        of its last record. It is the default, against the last one, for more than four networks none of which is named.
    colormap : str
        One of matplotlib's.
    headline, caption, size, font
        As of `landscape.plot.draw`.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    UsageError
        There is no such network, or no such values.
    PlotError
        There is nothing that is finite.
    """
    matrix = _values(found, values)
    chosen = _chosen(found, networks)
    with page_style(size, font) as page:
        if against is not None or (networks is None and len(chosen) > MOST_MAPS):
            sheet: _Maps | _Settling = _Settling(
                found, matrix, values, chosen, _chosen(found, [against])[0] if against else chosen[-1]
            )
        else:
            sheet = _Maps(found, matrix, values, chosen)
        told = one_line(headline) or ("" if values == "cka" else WORDS.get(values, values))
        return _draw(sheet, found, colormap, told, caption, page)


def _values(found: Similarity, name: str) -> Floats:
    known = {"cka": found.cka, "stderr": found.stderr, "pc_cosine": found.pc_cosine, **found.others}
    if found.dominant.size:
        known["overlap"] = overlaps(found.dominant)
    if name not in known or not known[name].size:
        there = ", ".join(each for each, matrix in known.items() if matrix.size)
        raise UsageError(f"there are no values {name!r} in {found.path or 'the result'}; there are {there}")
    if not np.isfinite(known[name]).any():
        raise PlotError(f"no value of {WORDS.get(name, name)} is finite: there is nothing to draw")
    return known[name]


def _chosen(found: Similarity, names: Sequence[str | None] | None) -> list[int]:
    known = [each.name for each in found.networks]
    if names is None:
        return list(range(len(known)))
    for name in names:
        if name not in known:
            raise UsageError(f"there is no network {name!r}; there are {', '.join(known)}")
    return [known.index(str(name)) for name in names]


class _Maps:
    """A map of each network, and of each pair."""

    def __init__(self, found: Similarity, matrix: Floats, values: str, chosen: Sequence[int]) -> None:
        self._found, self._matrix, self.values = found, matrix, values
        self.shown = list(chosen)
        pairs = [(k, k) for k in chosen] + list(combinations(chosen, 2))
        self.pairs = pairs
        number = len(chosen)
        self.columns = min(len(pairs), 3) if number < 3 else number
        self.bars = bool(len(found.pc_share)) and values == "cka"
        self.aspect = 1.0

    @property
    def strip(self) -> list[int]:
        """Return the networks whose dominant samples are shown below the maps."""
        return list(dict.fromkeys(first for first, _ in self.pairs)) if self.values in _WITH_IMAGES else []

    def __len__(self) -> int:
        return len(self.pairs)

    def panel(self, number: int) -> Floats:
        return self._found.between(*self.pairs[number], self._matrix)

    def title(self, number: int) -> list[str]:
        first, second = self.pairs[number]
        if first == second:
            block = self._found.blocks[first] if self._found.blocks and self.values == "cka" else None
            said = "" if self.values != "cka" or not self._found.blocks else "no block"
            if block is not None:
                said = f"block of {block.extent} layers, contrast {block.contrast:.2f}"
            return [one_line(self._found.networks[first].name), said]
        said = ""
        share, layers = nearest_layers(self._found, first, second)
        if self.values == "cka" and layers:
            said = f"nearest is the same layer: {100 * share:.0f} %"
        return [" × ".join(one_line(self._found.networks[k].name) for k in (first, second)), said]

    def finish(self, ax: Axes, number: int, width: float, height: float, first_column: bool) -> None:
        first, second = self.pairs[number]
        name_layers(ax, self._found.networks[second], axis="x", length=width)
        alike = self._found.networks[first].layers == self._found.networks[self.pairs[number - 1][0]].layers
        name_layers(ax, self._found.networks[first], axis="y", length=height, labelled=first_column or not alike)
        for label in ax.get_xticklabels():
            label.set_rotation(90)
        if first == second and self.values == "cka" and self._found.blocks:
            block = self._found.blocks[first]
            if block is not None:
                corner, side = block.first - 0.5, block.extent
                frame = Rectangle((corner, corner), side, side, fill=False, ec="#00D0D0", lw=1.2, gid="block")
                ax.add_patch(frame)
        elif first != second and self.values == "cka":
            matrix = self.panel(number)
            rows = np.flatnonzero(np.isfinite(matrix).any(1))
            nearest = [int(np.nanargmax(matrix[row])) for row in rows]
            ax.plot(nearest, rows, "o", ms=1.6, mfc="white", mec=INK, mew=0.25, gid="nearest")

    def names_below(self) -> float:
        return max(longest_name(self._found.networks[second]) for _, second in self.pairs)

    def bar_values(self, number: int) -> tuple[Floats, Floats]:
        rows = self._found.rows(self.pairs[number][1])
        return self._found.pc_share[rows], self._found.pc_share_stderr[rows]

    @property
    def words(self) -> str:
        return (
            "A dot marks the most similar layer of the other network. "
            if len(self.pairs) > 1 and self.values == "cka"
            else ""
        )


class _Settling:
    """How alike each layer of each network is to the same layer of one of them."""

    columns, bars, aspect = 1, False, 1.0
    strip: tuple[int, ...] = ()

    def __init__(self, found: Similarity, matrix: Floats, values: str, chosen: Sequence[int], last: int) -> None:
        self._found, self.values, self._chosen, self._last = found, values, chosen, last
        self.shown = sorted({*chosen, last})
        reference = found.networks[last]
        self._matrix = np.full((len(chosen), len(reference.layers)), np.nan)
        for row, k in enumerate(chosen):
            theirs = {label: place for place, label in enumerate(found.networks[k].labels)}
            block = found.between(k, last, matrix)
            for column, label in enumerate(reference.labels):
                if label in theirs:
                    self._matrix[row, column] = block[theirs[label], column]

    def __len__(self) -> int:
        return 1

    def panel(self, number: int) -> Floats:
        return self._matrix.T

    def title(self, number: int) -> list[str]:
        return [f"each layer against itself in {one_line(self._found.networks[self._last].name)}", ""]

    def finish(self, ax: Axes, number: int, width: float, height: float, first_column: bool) -> None:
        name_layers(ax, self._found.networks[self._last], axis="y", length=height)
        names = [one_line(self._found.networks[k].name) for k in self._chosen]
        size = look().tick * 1.3 / 72
        step = max(1, -(-len(names) // max(int(width / size), 1)))
        ax.set_xticks(range(0, len(names), step), names[::step], rotation=90)
        ax.tick_params(axis="x", length=0)

    def names_below(self) -> float:
        return max(text_width(one_line(network.name), look().tick) for network in self._found.networks)

    def bar_values(self, number: int) -> tuple[Floats, Floats]:
        raise AssertionError("there are no bars")

    @property
    def words(self) -> str:
        return f"Each column is a network, compared layer by layer with {self._found.networks[self._last].name}. "


def _draw(
    sheet: _Maps | _Settling,
    found: Similarity,
    colormap: str,
    headline: str,
    caption: bool,
    page: Page,
) -> Figure:
    factor = look().factor
    left = _LEFT * factor
    bottom = sheet.names_below() + 0.16
    gap, bar, colours = _GAP * factor, _BAR * factor * sheet.bars, _COLOURS * factor
    columns = sheet.columns
    rows = -(-len(sheet) // columns)
    same = all(each.layers == found.networks[0].layers for each in found.networks)
    inner = gap if same else left
    fixed = left + (columns - 1) * inner + colours + 0.1
    width = page[0] if page else fixed + columns * (_PANEL if columns < 4 else 1.3) * (1.6 if columns == 1 else 1.0)
    side = (width - fixed) / columns
    if side < 0.4:
        raise UsageError(f"{columns} maps side by side do not fit into {width:g} inches; choose fewer networks")
    titles = [sheet.title(number) for number in range(len(sheet))]
    room = side + (inner if columns > 1 else colours) - 0.1
    large, lines = fitting_titles([each[0] for each in titles], room, most=3, size=look().label)
    sizes = large, _that_fits([each[1] for each in titles], room, look().small)
    title = _TITLE * factor + (lines - 1) * TITLE_SPACING * large / 72
    maps = isinstance(sheet, _Maps)
    text = caption_of(found, sheet.values, sheet.words, shown=sheet.shown, bars=sheet.bars, outlined=maps)
    frame = Frame.of(text, width, headline, caption, bare=0.06)
    strip = strip_height(found, factor) if sheet.strip else 0.0
    head, foot = frame.head, frame.foot + strip
    tall = side
    if page and page[1]:
        tall = (page[1] - head - foot) / rows - title - bar - bottom
        if tall < 0.4:
            raise UsageError(f"{rows} rows of maps do not fit into {page[1]:g} inches of height")
    cell = title + bar + tall + bottom
    height = head + rows * cell + foot
    figure = new_figure(width, height, shown=True)
    low, high = _range(sheet)
    cmap, norm = _colours(colormap), Normalize(low, high)
    for number in range(len(sheet)):
        row, column = divmod(number, columns)
        x, y = left + column * (side + inner), height - head - row * cell - title - bar - tall
        place = (x / width, y / height, side / width, tall / height)
        ax = figure.add_axes(place, gid="map")
        values = np.ma.masked_invalid(sheet.panel(number))
        ax.set_facecolor(MISSING_GREY)
        ax.imshow(values, cmap=cmap, norm=norm, origin="lower", aspect="auto", interpolation="nearest")
        sheet.finish(ax, number, side, tall, column == 0)
        _write_titles(figure, titles[number], x / width, (y + tall + bar + 0.05) / height, sizes, room)
        if sheet.bars:
            above = figure.add_axes(
                (x / width, (y + tall + 0.03) / height, side / width, (bar - 0.05) / height), gid="bars"
            )
            _draw_bars(above, *sheet.bar_values(number), first=column == 0)
    x, y = width - colours, height - head - title - bar - tall
    cax = figure.add_axes(((x + 0.02) / width, y / height, 0.11 * factor / width, tall / height), gid="colours")
    colourbar = figure.colorbar(ScalarMappable(norm, cmap), cax=cax)
    colourbar.set_label(_SHORT.get(sheet.values, "distance" if "procrustes" in sheet.values else "CKA"))
    colourbar.outline.set_linewidth(0.6)
    if strip:
        draw_dominant(figure, found, sheet.strip, left=0.1, bottom=foot - strip, width=width - 0.2)
    return frame.write(figure, "Similarity of layers", found.command)


def _range(sheet: _Maps | _Settling) -> tuple[float, float]:
    """Return the ends of the scale: 0 and 1, further where values are; of errors what they are."""
    found = np.concatenate([sheet.panel(number).ravel() for number in range(len(sheet))])
    finite = found[np.isfinite(found)]
    if not finite.size:
        raise PlotError("none of these values is finite: there is nothing to draw")
    low, high = float(finite.min()), float(finite.max())
    if "stderr" in sheet.values or sheet.values == "procrustes":
        return 0.0, high or 1.0
    return min(low, 0.0), max(high, 1.0)


def _colours(name: str) -> Colormap:
    import matplotlib

    if name not in matplotlib.colormaps:
        raise UsageError(f"there is no colour map {name!r}; viridis, magma, cividis are some of matplotlib's")
    return matplotlib.colormaps[name].with_extremes(bad=MISSING_GREY)


def _that_fits(texts: Sequence[str], room: float, size: float) -> float:
    """Return the size at which every text has room, one for all of them, and no smaller than can be read."""
    longest = max((text_width(text, size) for text in texts), default=0.0)
    return size * min(1.0, max(_SMALLEST, room / longest)) if longest else size


def _write_titles(
    figure: Figure, texts: Sequence[str], x: float, y: float, sizes: Sequence[float], room: float
) -> None:
    """Write title and what is known of a map above it; of the second, which the file has as well, no part of a word."""
    line = look().small * 1.3 / 72 / figure.get_size_inches()[1]
    title = "\n".join(title_lines(texts[0], room, sizes[0], 3))
    style: dict[str, Any] = {"fontsize": sizes[0], "fontweight": "bold", "linespacing": TITLE_SPACING}
    figure.text(x, y + line, title, va="baseline", parse_math=False, **style)
    for said in (texts[1], texts[1].partition(",")[0]):
        if text_width(said, sizes[1]) <= room:
            figure.text(x, y, said, fontsize=sizes[1], parse_math=False)
            break
    else:
        log.warning("there is no room below a title for %r: say it in the text", texts[1])


def _draw_bars(ax: Axes, shares: Floats, errors: Floats, *, first: bool) -> None:
    """Draw the share of the first component of each layer above its column."""
    places = np.arange(len(shares))
    ax.bar(places, np.nan_to_num(shares), width=1.0, color=BLUE, alpha=0.8, lw=0)
    low, high = np.clip(shares - errors, 0, 1), np.clip(shares + errors, 0, 1)
    ax.vlines(places, np.nan_to_num(low), np.nan_to_num(high), color=INK, lw=0.3)
    ax.set_xlim(-0.5, len(shares) - 0.5)
    ax.set_ylim(0, 1)
    ax.set_xticks([])
    ax.set_yticks([0, 1], ["0", "1"] if first else ["", ""])
    ax.tick_params(axis="y", labelsize=look().small * 0.85, length=1.5, pad=1)
    zero, one = ax.get_yticklabels()  # beside the bars: the map's last layer is named right below
    zero.set_verticalalignment("bottom")
    one.set_verticalalignment("top")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.spines["left"].set_color(HAIRLINE)
    if first:
        ax.set_ylabel("PC 1", rotation=0, ha="right", va="center", fontsize=look().small, labelpad=6)


def caption_of(
    found: Similarity,
    values: str = "cka",
    extra: str = "",
    *,
    shown: Sequence[int] | None = None,
    bars: bool = True,
    outlined: bool = True,
) -> str:
    """Return what a picture has to say: what was compared, on what, how, with which error, and what is missing.

    Of the networks ``shown`` alone, by number; all by default.
    """
    drawn = list(range(len(found.networks))) if shown is None else list(shown)
    layers = np.concatenate([np.arange(found.starts[-1])[found.rows(k)] for k in drawn])
    rows = len(layers)
    holes = int((~np.isfinite(np.diagonal(found.cka)[layers])).sum())
    error = found.stderr[np.ix_(layers, layers)] if found.stderr.size else found.stderr
    error = error[np.isfinite(error) & ~np.eye(rows, dtype=bool)]
    passes = f"{found.passes} pass{'es' if found.passes != 1 else ''}"
    batches = f"{found.batches} batch{'es' if found.batches != 1 else ''}"
    data = one_line(str(found.problem.get("data", "the data")))
    several, fewer = len(found.networks) > 1, len(drawn) < len(found.networks)
    of = f" of {len(drawn)}{f' of the {len(found.networks)}' if fewer else ''} networks" if several else ""
    words = [
        f"{WORDS.get(values, values)} of {rows} layers{of} on {found.samples:,} samples of {data}, eval mode: unbiased "
        f"minibatch estimate, {found.kernel} kernel, {batches}, {passes}, not clamped. "
    ]
    if error.size:
        words.append(f"Standard error from samples: at most {error.max():.2g}. ")
    else:
        words.append(
            "The error is not known: there was one batch. " if found.complete else "The error is not known yet. "
        )
    words.append(extra)
    if bars and len(found.pc_share) and values == "cka":
        words.append("Bars: share of the first principal component of the layer below. ")
    if outlined and values == "cka" and any(found.blocks[k] is not None for k in drawn if found.blocks):
        words.append("Outlined: the block. ")
    if holes:
        words.append(f"Grey: {holes} layer{'s' if holes > 1 else ''} {NO_VALUE}. ")
    if not found.complete:
        wanted = one_line(str(found.settings.get("passes", "?")))
        so_far = f"{passes} of {wanted}" if found.passes else "a part of the first pass"
        words.append(f"Not finished: shown is {so_far}. ")
    return "".join(words).strip()
