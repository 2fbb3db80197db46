"""What a figure holds, in words and a few numbers: lines, marks, cells and texts, their colours, and where they are.

Of a lit surface the colours of blocks of it; its pixels are held by baselines of image tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from landscape.plot.surfaces.scenes import SurfaceImage
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text


def held_by(figure: Figure) -> dict[str, Any]:
    """Return what a figure holds that is laid out, by axes and artists; what is not shown is left out."""
    found: dict[str, Any] = {"size": _rounded(figure.get_size_inches())}
    for number, text in enumerate(each for each in figure.texts if each.get_text()):
        found[f"text {number}"] = _text(text)
    for number, ax in enumerate(figure.axes):
        name = f"axes {number}"
        x, y = ax.xaxis, ax.yaxis
        found[name] = {
            "label": ax.get_label(),
            "place": _rounded(ax.get_position().bounds),
            "x": [ax.get_xlabel(), ax.get_xscale(), _rounded(ax.get_xlim())],
            "y": [ax.get_ylabel(), ax.get_yscale(), _rounded(ax.get_ylim())],
            "titles": [ax.get_title(loc=place) for place in ("left", "center", "right")],
            "ticks": [[tick.get_text() for tick in axis.get_ticklabels() if tick.get_visible()] for axis in (x, y)],
            "at": [_rounded(axis.get_majorticklocs()) for axis in (x, y)],
            "sizes": [[axis.label.get_size(), *{each.get_size() for each in axis.get_ticklabels()}] for axis in (x, y)],
            "spines": {
                name: spine.get_linewidth() for name, spine in ax.spines.items() if ax.axison and spine.get_visible()
            },
        }
        shown = [
            each for each in ax.get_children() if each.get_visible() and each not in (ax.patch, *ax.spines.values())
        ]
        for place, each in enumerate(shown):
            if (told := _artist(each)) is not None:
                found[f"{name}, {place} {type(each).__name__}"] = told
        if (legend := ax.get_legend()) is not None:
            box = legend.get_window_extent().get_points() * 72 / figure.dpi
            found[f"{name}, legend"] = [[each.get_text() for each in legend.get_texts()], {"points": _rounded(box)}]
    return found


def _artist(each: Any) -> Any:
    common = {"gid": each.get_gid(), "z": each.get_zorder()} if hasattr(each, "get_zorder") else {}
    common |= {"effects": effects} if (effects := _effects(each)) else {}
    if isinstance(each, Text):
        return _text(each) if each.get_text() else None
    if isinstance(each, Line2D):
        look = [to_hex(each.get_color()), each.get_linewidth(), each.get_linestyle(), str(each.get_marker())]
        look += [
            each.get_markersize(),
            str(each.get_markerfacecolor()),
            str(each.get_markeredgecolor()),
            each.get_alpha(),
        ]
        return common | {"label": each.get_label(), "look": look, "data": [sums(a) for a in each.get_data()]}
    if isinstance(each, Collection):
        paths = [path.vertices for path in each.get_paths()]
        points = np.concatenate(paths) if paths else np.zeros((0, 2))
        array = each.get_array()
        return common | {
            "label": each.get_label(),
            "colours": [_colours(each.get_facecolor()), _colours(each.get_edgecolor())],
            "widths": sums(each.get_linewidth()),
            "hatch": each.get_hatch(),
            "paths": [len(paths), *(sums(a) for a in points.T)],
            "offsets": [sums(a) for a in np.ma.getdata(each.get_offsets()).T],
            "values": None if array is None else sums(array),
        }
    if isinstance(each, Patch):
        path = each.get_path().vertices
        look = [to_hex(each.get_facecolor(), keep_alpha=True), to_hex(each.get_edgecolor()), each.get_hatch()]
        return common | {"look": look, "path": [sums(a) for a in path.T]}
    if isinstance(each, SurfaceImage):
        return common | {"points": _blocks(each.picture(0.8, 0.0, 0.0)[0])}
    if isinstance(each, AxesImage):
        values, limits = sums(each.get_array()), _rounded(each.get_extent())
        colours = _colours(each.to_rgba(each.get_array()).reshape(-1, 4))
        return common | {"values": values, "limits": limits, "colours": colours}
    return common or None


def _blocks(picture: Any, number: int = 8) -> list[Any]:
    """Return a picture's size and the mean colours of blocks of it."""
    rows = [part for band in np.array_split(picture, number) for part in np.array_split(band, number, axis=1)]
    return [
        *picture.shape[:2],
        [np.rint(part.reshape(-1, part.shape[-1]).mean(0)).astype(int).tolist() for part in rows],
    ]


def _text(text: Text) -> list[Any]:
    look = [to_hex(text.get_color()), text.get_alpha(), text.get_fontweight(), *_rounded([text.get_fontsize()])]
    box = text.get_window_extent().get_points() * 72 / text.get_figure(root=True).dpi
    look += _effects(text)
    return [text.get_text(), *look, {"points": _rounded(box.mean(axis=0))}, {"turn": _rounded(text.get_rotation())}]


def _effects(each: Any) -> list[Any]:
    """Return what is drawn around an artist: how wide, in which colour."""
    settings = [getattr(effect, "_gc", None) for effect in each.get_path_effects() or ()]
    return [[one.get("linewidth"), one.get("foreground"), one.get("alpha")] for one in settings if one]


def _colours(colours: Any) -> list[Any]:
    array = np.atleast_2d(np.asarray(colours, dtype=float))
    return [len(array), *_rounded(array.mean(axis=0))] if array.size else []


def _rounded(values: Any) -> list[float]:
    return [float(f"{each:.5g}") for each in np.ravel(np.asarray(values, dtype=float))]


def sums(values: Any) -> list[float]:
    """Return how many numbers there are, least, greatest, mean, and a sum in which their order counts."""
    array = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel()
    finite = array[np.isfinite(array)]
    if not finite.size:
        return [len(array), 0]
    waves = np.sin(1.0 + np.arange(len(array))) * np.where(np.isfinite(array), array, 0.0)
    return [len(array), finite.size, *_rounded([finite.min(), finite.max(), finite.mean(), waves.mean()])]
