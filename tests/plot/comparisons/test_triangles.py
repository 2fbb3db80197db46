"""Three scores as a triangle: corners and intervals lie where the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.comparisons.groups import look_of
from landscape.plot.comparisons.triangles import Triangle, triangles

from landscape.errors import PlotError

NAMES = ("stability", "plasticity", "robustness")


def group(label="a", means=(0.5, 0.8, 0.2), reach=0.1):
    middle = np.array(means)
    return Triangle(label, middle, middle - reach, middle + reach)


def test_corners_are_the_means_and_intervals_lie_along_their_spokes():
    figure = triangles([group(), group("b", (0.9, 0.9, 0.9), np.nan)], NAMES, title="t", caption="c")
    (ax,) = figure.axes
    colours = [look_of(number)[0] for number in range(2)]
    drawn, marked = [[[line for line in ax.lines if line.get_color() == colour and len(line.get_xdata()) == points]
                      for colour in colours] for points in (4, 3)]  # fmt: skip
    corners = drawn[0][0].get_xydata()
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), [0.5, 0.8, 0.2, 0.5])
    np.testing.assert_allclose(corners[0], [0, 0.5], atol=1e-12)  # the first corner is at the top
    assert corners[1][0] > 0 > corners[2][0]  # clockwise
    bars = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) == 2 and line.get_color() in colours]
    assert len(bars) == 3  # of the second group no interval is known
    np.testing.assert_allclose([np.linalg.norm(b[1] - b[0]) for b in bars], 0.2)
    marks = [lines[0].get_xydata() for lines in marked]
    np.testing.assert_allclose([bar.mean(0) for bar in bars], marks[0])  # each mark stands on its interval
    aside = [np.linalg.norm(at - line[0].get_xydata()[:3], axis=1) for at, line in zip(marks, drawn, strict=True)]
    np.testing.assert_allclose(aside, 0.015)
    assert (np.linalg.norm(marks[1] - drawn[1][0].get_xydata()[:3] - marks[0] + corners[:3], axis=1) > 0.02).all()
    assert {text.get_text() for text in ax.texts} >= set(NAMES)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_a_legend_has_as_many_columns_as_the_picture_has_room_for():
    columns = []
    for letters in (6, 12, 18, 26):
        figure = triangles([group(f"{'m' * letters}{k}") for k in range(6)], NAMES, title="t")
        figure.draw_without_rendering()
        legend = figure.axes[0].get_legend()
        box, entry = legend.get_window_extent(), legend.get_texts()[0].get_window_extent()
        columns.append(len({round(text.get_window_extent().x0) for text in legend.get_texts()}))
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert box.width + entry.width > 0.6 * figure.bbox.width, "not narrower than need be"
    assert columns == sorted(columns, reverse=True)
    assert len(set(columns)) > 2


@pytest.mark.parametrize(
    ("groups", "names", "said"),
    [
        ([group()], NAMES[:2], "three corners, got 2"),
        ([group(means=(0.5, np.nan, 0.2))], NAMES, "no group has all three"),
        ([group(means=(0.5, 1.2, 0.2))], NAMES, "from 0 to 1, those of a do not"),
    ],
)
def test_what_is_no_triangle_is_refused(groups, names, said):
    with pytest.raises(PlotError, match=said):
        triangles(groups, names, title="t")
