"""Every kind of picture at several sizes: no text lies on another, on a mark or on a curve, or outside."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.style.placement import Box, Room, to_points
from landscape.plot.style.style import our_style
from matplotlib.figure import Figure

import landscape
from landscape.errors import UsageError
from tests.helpers.attacks import filtered, robust
from tests.helpers.drawn import held_by
from tests.helpers.kept import assert_kept
from tests.helpers.pictures import assert_readable, distances
from tests.helpers.plot_fixtures import (
    corners_of,
    damaged_valley,
    interpolation,
    line_surface,
    network,
    repeated,
    valley,
)
from tests.helpers.runs_on_planes import winding, with_steps, zoomed
from tests.helpers.walks import walks

SIZES = [None, "single", (2.5, 2.0)]
# Of these, one for each kind of picture in turn.
LARGER = ["neurips", (7.0, 3.2), (12.0, 9.0)]
# What a picture of a solid is drawn at: each takes a while.
SOLID = [None, (2.5, 2.0), (7.0, 3.2)]
# The smallest that the gallery's README names for pictures of several panels.
NAMED = {"steps": (3.25, 5.1), **dict.fromkeys(("robust", "two r", "freq", "walks"), (3.25, 3.4))}
NAMED |= dict.fromkeys(("two l", "contours"), (3.25, 2.5))
# Where several panels would show nothing.
SMALL = {(2.5, 2.0): ("two", "contours", "seeds", "independent", "steps", "robust", "freq", "walks", "surfaces")}
SMALL[(7.0, 3.2)] = ("steps",)


def curved():
    """Return a plane with eigenvalues, some of them open."""
    base = valley(9, 7)
    found = {"eigenvalue_max": np.full((7, 9), 2.0), "eigenvalue_min": -np.linspace(0, 1.2, 63).reshape(7, 9)}
    found |= {f"{name}_residual": np.where(np.arange(9) > 6, 0.5, 0.01) * np.ones((7, 9)) for name in found}
    return dataclasses.replace(base, values={**base.values, **{f"train/{name}": each for name, each in found.items()}})


def decided():
    """Return a plane around one example with four classes, the last of them beyond what clipping leaves alone."""
    base = valley(15, 11)
    x, y = np.meshgrid(base.axes[0].values, base.axes[1].values)
    shown = {"predicted_class": (x > 0.2) + 2.0 * (y > 0.3), "margin": 0.2 - x, "clipped_share": np.maximum(x - 0.5, 0)}
    return dataclasses.replace(base, values={**base.values, **{f"train/{name}": each for name, each in shown.items()}})


KINDS = {
    "line": lambda: draw_of(line_surface(17)),
    "between": lambda: draw_of(interpolation()),
    "two lines": lambda: draw_of([line_surface(17), dataclasses.replace(interpolation(), title="between")]),
    "contour": lambda: draw_of(valley(15, 11)),
    "contour, holes": lambda: draw_of(damaged_valley(), cap=100.0),
    "contour, zoomed": lambda: draw_of(zoomed()),
    "contour, run": lambda: draw_of(winding()),
    "contours": lambda: draw_of([network(0.3, 3, 1, 15, "skip"), network(0.9, 5, 2, 15, "plain")], headline="Two"),
    "accuracy": lambda: draw_of(valley(15, 11), name="train/accuracy"),
    "heatmap": lambda: draw_of(damaged_valley(), kind="heatmap", cap=100.0),
    "seeds": lambda: draw_of(repeated(valley(9, 7), 3), kind="heatmap"),
    "independent": lambda: draw_of([valley(9, 7), dataclasses.replace(zoomed(), title="zoomed")], independent=True),
    "steps": lambda: draw_of(with_steps(), kind="steps"),
    "steps of two": lambda: draw_of(with_steps("adam, with a long name"), kind="steps"),
    "convexity": lambda: draw_of(curved(), kind="convexity"),
    "regions": lambda: draw_of(decided(), kind="regions"),
    "robustness": lambda: lambda size: landscape.plot.robustness(robust(), size=size, caption=size is None),
    "two robustnesses": lambda: (
        lambda size: landscape.plot.robustness([robust()] * 2, labels=["one", "two"], size=size)
    ),
    "frequencies": lambda: lambda size: landscape.plot.frequencies(filtered(), size=size, caption=size is None),
    "walks": lambda: lambda size: landscape.plot.walk([walks(), walks(3)], labels=["one", "two"], size=size),
    "surface": lambda: draw_of(valley(15, 11), kind="surface"),
    "surface, holes": lambda: draw_of(damaged_valley(), kind="surface", cap=100.0),
    "surface, run": lambda: draw_of(winding(), kind="surface"),
    "surface, zoomed": lambda: draw_of(zoomed(), kind="surface"),
    "surface, ratio": lambda: draw_of(curved(), kind="surface", color="convexity"),
    "surface, side": lambda: draw_of(valley(15, 11), kind="surface", camera="side"),
    "surface, level": lambda: draw_of(zoomed(), kind="surface", camera=(-130, 0)),
    "surface, low": lambda: draw_of(winding(), kind="surface", camera=(38, 8)),
    "surface, top": lambda: draw_of(winding(), kind="surface", camera="top"),
    "surfaces": lambda: draw_of(
        [network(0.3, 3, 1, 15, "skip"), network(0.9, 5, 2, 15, "plain")], kind="surface", headline="Two"
    ),
}


def draw_of(surfaces, **options):
    return lambda size: draw(surfaces, size=size, caption=size is None, **options)


def test_every_kind_of_picture_is_tried():
    drawn = {kind.rstrip("s").partition(",")[0].partition(" ")[0] for kind in KINDS}
    assert {kind.rstrip("s") for kind in landscape.plot.KINDS} <= drawn


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_lies_on_another_or_on_a_mark_at_any_size(kind, pytestconfig):
    drawn = KINDS[kind]()
    sizes = SOLID if kind.startswith("surface") else [*SIZES, LARGER[list(KINDS).index(kind) % len(LARGER)]]
    sizes = [*sizes, *(["single"] if kind in ("surface", "surfaces") else [])]
    # Letters and lines are smaller there.
    small = "single" if "single" in sizes else (2.5, 2.0)
    for size in [*sizes, *(named for start, named in NAMED.items() if kind.startswith(start))]:
        if kind.startswith(SMALL.get(size, ("none",))):
            with pytest.raises(UsageError, match=r"no room for|do not fit into") as refused:
                drawn(size)
            if (size, kind.partition(" ")[0]) != ((7.0, 3.2), "steps"):
                continue
            # What the refusal says suffices.
            height = re.search(r"with this width it takes a height of ([\d.]+)", str(refused.value))
            assert height is not None
            size = (size[0], float(height[1]))
            with pytest.raises(UsageError, match="no room for"):  # and is no more than it takes
                drawn((size[0], size[1] - 0.11))
        figure = drawn(size)
        # Letters are measured as a figure of ours draws them, whatever the style around it.
        with our_style():
            assert_readable(figure)
            if kind == "surface, level":
                assert_off_floor(figure)
            if kind.startswith("steps"):
                assert_off_curves(figure)
            if size in (None, small):
                kept = f"drawn/{kind.replace(', ', '-').replace(' ', '-')}{'' if size is None else '-small'}"
                assert_kept(kept, held_by(figure), write=pytestconfig.getoption("keep"))
        if isinstance(size, tuple):
            assert tuple(figure.get_size_inches()) == pytest.approx(size)


def assert_off_floor(figure):
    """No text of a figure that is laid out lies on the floor, which is a line when seen from its edge."""
    ax = figure.axes[0]
    (floor,) = (line for line in ax.lines if line.get_gid() == "floor")
    ends = ax.transData.transform(floor.get_xydata())
    dense = np.concatenate([a + (b - a) * np.linspace(0, 1, 200)[:, None] for a, b in pairwise(ends)])
    for box, text in zip(corners_of(ax, ax.texts, drawn=True), ax.texts, strict=True):
        assert distances(dense, box).min() > 0, f"{text.get_text()!r} lies on the floor"


def assert_off_curves(figure):
    """No legend and no remark within axes of a figure that is laid out lies on one of their curves."""
    for ax in figure.axes:
        inside = [*ax.texts, *(ax.get_legend().get_texts() if ax.get_legend() else [])]
        boxes = corners_of(ax, inside, drawn=True)
        for line in ax.lines if inside else []:
            if line.get_transform() == ax.transData and np.isfinite(line.get_xydata()).all():
                ends = line.get_transform().transform(line.get_xydata())
                dense = np.concatenate([a + (b - a) * np.linspace(0, 1, 50)[:, None] for a, b in pairwise(ends)])
                for box, text in zip(boxes, inside, strict=True):
                    assert distances(dense, box).min() > 0, f"{text.get_text()!r} lies on {line.get_label()!r}"


@pytest.mark.parametrize(
    ("kind", "notes"), [("contour, holes", ["105 above 100\n13 not finite"]), ("contour, run", [])]
)
def test_small_axes_leave_out_notes_and_say_so(kind, notes, caplog):
    ax = KINDS[kind]()((2.5, 2.0)).axes[0]
    assert "have no room for" in caplog.text
    assert "smoothed" in caplog.text
    written = [text for text in ax.texts if text.get_gid() == "notes"]
    assert [text.get_text() for text in written] == notes
    for box in corners_of(ax, written) if written else []:
        size = np.ptp(box, axis=0) / ax.get_window_extent().size
        assert size[0] < 0.9
        assert size.prod() < 0.25


@pytest.mark.parametrize("size", [*SIZES, *LARGER])
@pytest.mark.parametrize("shift", [0.35, 0.8])
def test_the_barriers_figure_lies_on_no_curve(size, shift):
    surface = interpolation()
    x = surface.axes[0].values
    bump = 1.5 * np.exp(-(((x - shift) / 0.15) ** 2))
    values = {name: array + bump if name.endswith("loss") else array for name, array in surface.values.items()}
    figure = draw(dataclasses.replace(surface, values=values), size=size, caption=False)
    left, right = figure.axes
    (text,) = [each for each in left.texts if each.get_gid() == "barrier"]
    (box,) = corners_of(left, [text])
    for ax in (left, right):
        for line in ax.lines:
            if line.get_label() != "checkpoint":
                ends = line.get_transform().transform(line.get_xydata())
                dense = np.concatenate([a + (b - a) * np.linspace(0, 1, 50)[:, None] for a, b in pairwise(ends)])
                assert distances(dense, box).min() > 0, line.get_label()


def test_a_text_takes_the_first_place_that_is_free():
    ax = Figure(figsize=(4, 4)).add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 4), ylim=(0, 4))
    ax.plot([0, 4], [2, 2], lw=2)
    ax.plot(3, 3, "*", ms=20)
    room = Room.of(ax)
    spots = to_points(ax).transform([(2, 2.05), (3.15, 3), (3.95, 1), (2, 1)])
    boxes = [Box.of_text("word", 10, spot) for spot in spots]
    assert [room.depth(box) > 0 for box in boxes] == [True, True, True, False]
    assert room.choose(boxes) == 3
    # It is taken from then on; where nothing is free it is what lies least deep.
    assert room.depth(boxes[3]) > 0
    assert room.choose([boxes[3], Box.of_text("word", 10, to_points(ax).transform((2, 1.2)))]) == 1
    # Turned, it passes between what it would lie on lying flat.
    room = Room()
    room.take_spots([[10, 0], [-10, 0]], 1.0)
    assert room.depths([0, 0], (20, 4), 0.0) > 0 > room.depths([0, 0], (20, 4), np.pi / 2)
    room.take(Box(np.array([0.0, 30.0]), (4, 12), 0.0))
    assert room.depths([0, 0], (20, 4), np.pi / 2) == pytest.approx(2)
    room.take(Box(np.array([300.0, 300.0]), (4, 12), 0.0))  # what lies elsewhere makes it no freer
    assert room.depths([0, 0], (20, 4), np.pi / 2) == pytest.approx(2)
