"""Numbers over seeds: dots, means, intervals and bands stand where the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.comparisons.groups import look_of
from landscape.plot.comparisons.seed_bands import Band, seed_bands
from landscape.plot.comparisons.seed_values import Cloud, SeedValues, scatter, seed_values
from landscape.plot.style.style import our_style
from matplotlib.colors import same_color

from landscape.errors import PlotError
from tests.helpers.pictures import assert_readable


def test_seeds_are_dots_beside_their_mean_and_interval_from_the_top():
    rows = [
        SeedValues("first", np.array([1.0, 2.0, 4.0]), 2.3, 1.1, 30.0, np.array([7.0])),
        SeedValues("second", np.array([3.0, 5.0]), 4.0, np.nan, np.nan),
    ]
    (ax,) = seed_values(rows, x="width", title="t").axes
    dots, hollow, others = (each.get_offsets() for each in ax.collections)
    np.testing.assert_allclose(dots, [(1, 0.16), (2, 0.16), (4, 0.16)])
    np.testing.assert_allclose(hollow, [(7, 0.16)])
    np.testing.assert_allclose(others, [(3, 1.16), (5, 1.16)])
    faces = [each.get_facecolor() for each in ax.collections]
    assert (len(faces[0]), len(faces[1]), len(faces[2])) == (1, 0, 1)  # hollow ones have no face
    assert same_color(ax.collections[1].get_edgecolor()[0], look_of(0)[0])
    means = {float(line.get_ydata()[0]): float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "|"}
    assert means == {-0.14: 2.3, 0.86: 4.0}
    (interval,) = (line for line in ax.lines if line.get_marker() != "|")
    np.testing.assert_allclose(interval.get_xydata(), [(1.1, -0.14), (30.0, -0.14)])
    assert ax.get_ylim() == (1.5, -0.5)  # the first row is at the top
    np.testing.assert_allclose(ax.get_xlim(), (1 - 0.35 * 6, 7 + 0.35 * 6))  # by the seeds, however wide an interval is
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert ax.get_xlabel() == "width"


def test_of_one_number_the_whole_interval_is_seen():
    (ax,) = seed_values([SeedValues("all", np.array([2.0]), 2.0, -1.0, 6.0)], x="x", title="t").axes
    low, high = ax.get_xlim()
    assert low < -1 < 6 < high
    with pytest.raises(PlotError, match="no group has a finite value"):
        seed_values([SeedValues("a", np.array([np.nan]), np.nan, np.nan, np.nan)], x="x", title="t")


def test_networks_stand_at_both_of_their_numbers():
    clouds = [Cloud("a", np.array([1.0, 2.0]), np.array([30.0, 10.0])), Cloud("b", np.array([3.0]), np.array([20.0]))]
    (ax,) = scatter(clouds, x="sharpness", y="accuracy", title="t").axes
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [(1, 30), (2, 10)])
    np.testing.assert_allclose(ax.collections[1].get_offsets(), [(3, 20)])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("sharpness", "accuracy")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    with pytest.raises(PlotError, match="no network has both"):
        scatter([Cloud("a", np.array([1.0]), np.array([np.nan]))], x="x", y="y", title="t")


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_band_reaches_from_its_lower_to_its_upper_end_with_runs_behind(logarithmic):
    x, runs = np.array([0.0, 1.0, 2.0]), np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 9.0]])
    low, high = np.array([0.5, 1.5, np.nan]), np.array([3.5, 5.0, np.nan])
    (ax,) = seed_bands(
        [Band("a", x, runs.mean(0), low, high, runs)], x="step", y="loss", title="t", logarithmic=logarithmic
    ).axes
    *behind, middle = ax.lines
    np.testing.assert_allclose([line.get_ydata() for line in behind], runs)
    np.testing.assert_allclose(middle.get_xydata().T, [x, [2, 3, 6]])
    (band,) = ax.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    ends = {at: corners[corners[:, 0] == at, 1] for at in (0.0, 1.0, 2.0)}
    assert [(ends[at].min(), ends[at].max()) for at in (0.0, 1.0)] == [(0.5, 3.5), (1.5, 5.0)]
    assert not len(ends[2.0])  # where no interval is known there is no band
    assert ax.get_yscale() == ("log" if logarithmic else "linear")
    np.testing.assert_allclose(ax.get_ylim(), (1 / 1.3, 9 * 1.3) if logarithmic else (1 - 0.48, 9 + 0.48))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")


@pytest.mark.parametrize("width", [3.25, 5.5])
def test_long_titles_and_captions_lie_on_nothing(width):
    words = "What is measured of networks that were trained from other seeds. " * 5
    names = ("wide", "a narrow network")
    rows = [SeedValues(name, np.array([1.0, 2.0]), 1.5, 1.2, 1.8) for name in names]
    figure = seed_values(rows, x="loss", title=words, caption=words * 2, width=width)
    with our_style():
        assert_readable(figure)
    clouds = [Cloud(name * 2, np.array([1.0, 2.0]), np.array([30.0, 10.0])) for name in names * 2]
    figure = scatter(clouds, x="sharpness", y="accuracy", title="t", width=width)
    with our_style():
        assert_readable(figure)
