"""Three scores as a triangle: corners and intervals lie where the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.comparisons.triangles import Triangle, triangles

from landscape.errors import PlotError

NAMES = ("stability", "plasticity", "robustness")


def group(label="a", means=(0.5, 0.8, 0.2), reach=0.1):
    middle = np.array(means)
    return Triangle(label, middle, middle - reach, middle + reach)


def test_corners_are_the_means_and_intervals_lie_along_their_spokes():
    figure = triangles([group(), group("b", (0.9, 0.9, 0.9), np.nan)], NAMES, title="t", caption="c")
    (ax,) = figure.axes
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(np.linalg.norm(drawn["0"], axis=1), [0.5, 0.8, 0.2, 0.5])
    np.testing.assert_allclose(drawn["0"][0], [0, 0.5], atol=1e-12)  # the first corner is at the top
    assert drawn["0"][1][0] > 0 > drawn["0"][2][0]  # clockwise
    bars = [line.get_xydata() for line in ax.lines if line.get_alpha() == 0.6]
    assert len(bars) == 3  # of the second group no interval is known
    np.testing.assert_allclose([np.linalg.norm(b[1] - b[0]) for b in bars], 0.2)
    assert {text.get_text() for text in ax.texts} >= set(NAMES)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


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
