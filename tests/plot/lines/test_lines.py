"""Lines: what is solid and dashed, left and right, shaded and dotted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.lines.line_figures import line
from landscape.plot.lines.lines import line_scale, standard_error
from landscape.plot.style.fields import recall
from landscape.plot.style.style import BLUE, VERMILLION
from matplotlib.figure import Figure

from landscape.errors import PlotError
from landscape.surface.derived.loss_barrier import barrier
from landscape.surface.surface import COMPUTED, NOT_COMPUTED, Trajectory
from tests.helpers.plot_fixtures import (
    interpolation,
    line_surface,
    pixel_at,
    random_axis,
    repeated,
    surface_of,
    valley,
    valley_loss,
)


def axes_of(surface, names=None, **options):
    """Return the left and the right axes."""
    figure = Figure(figsize=(5, 4))
    left = line(surface, names, figure.add_subplot(), **options)
    right = [each for each in figure.axes if each is not left]
    return left, (right[0] if right else None)


def named(ax, name):
    (found,) = [each for each in ax.lines if each.get_label() == name]
    return found


def test_loss_is_on_the_left_and_accuracy_on_the_right_in_percent():
    surface = line_surface()
    left, right = axes_of(surface)
    x = surface.axes[0].values
    np.testing.assert_allclose(named(left, "train/loss").get_xydata(), np.c_[x, surface["train/loss"]])
    np.testing.assert_allclose(named(right, "test/accuracy").get_xydata(), np.c_[x, 100 * surface["test/accuracy"]])
    assert right.get_ylim() == (0, 100)
    assert (left.get_ylabel(), right.get_ylabel()) == ("loss", "accuracy (%)")
    assert left.get_xlabel() == "α  (random direction 1)"
    assert left.get_xlim() == (x[0], x[-1])


def test_train_is_solid_test_is_dashed_and_colour_tells_the_axes_apart():
    left, right = axes_of(line_surface())
    for ax, metric, color in [(left, "loss", BLUE), (right, "accuracy", VERMILLION)]:
        assert named(ax, f"train/{metric}").get_linestyle() == "-"
        assert named(ax, f"test/{metric}").get_linestyle() == "--"
        assert {named(ax, f"{data}/{metric}").get_color() for data in ("train", "test")} == {color}
        assert ax.yaxis.label.get_color() == color
    legend = right.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["train", "test"]
    # Neutral: colour belongs to the axes.
    assert not {handle.get_color() for handle in legend.legend_handles} & {BLUE, VERMILLION}


def test_one_data_set_needs_no_legend():
    left, right = axes_of(line_surface(), ["train/loss", "train/accuracy"])
    assert left.get_legend() is None
    assert right.get_legend() is None


def test_a_legend_lies_inside_on_no_line_and_in_the_upper_left_corner_if_it_is_free():
    x = np.linspace(-1, 1, 21)
    rising = surface_of({"train/loss": 2.0 + x, "test/loss": 2.5 + x}, random_axis(x, 0))
    for surface, corner in ((line_surface(), None), (rising, (0.0, 1.0))):
        axes = [ax for ax in axes_of(surface) if ax is not None]
        (legend,) = filter(None, (ax.get_legend() for ax in axes))
        assert [text.get_text() for text in legend.get_texts()] == ["train", "test"]
        assert [handle.get_linestyle() for handle in legend.get_lines()] == ["-", "--"]
        box = legend.get_window_extent().transformed(axes[0].transAxes.inverted())
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1
        assert corner is None or np.allclose((box.x0, box.y1), corner, atol=0.02)
        for ax in axes:
            for drawn in (each for each in ax.lines if each.get_transform() == ax.transData):
                at = np.linspace(x[0], x[-1], 1000)
                spots = np.stack([at, np.interp(at, *drawn.get_data())], axis=1)
                assert not legend.get_window_extent().count_contains(ax.transData.transform(spots))


def test_without_an_accuracy_there_is_no_right_axis():
    assert axes_of(line_surface(), "test/loss")[1] is None


def test_losses_within_a_factor_of_100_stand_on_a_linear_axis_from_0():
    left, _ = axes_of(line_surface())
    assert left.get_yscale() == "linear"
    assert left.get_ylim()[0] == 0


def test_losses_over_more_decades_stand_on_the_scales_own_heights():
    x = np.linspace(-1, 1, 41)
    surface = surface_of({"train/loss": np.exp(8 * (x - 0.1) ** 2 - 3)}, random_axis(x, 0))
    scale = line_scale([surface], ["train/loss"])
    assert scale.kind == "log"
    left, _ = axes_of(surface)
    at = left.transData.transform([(0.0, scale.low), (0.0, 1.0), (0.0, scale.high)])[:, 1]
    share = (at[1] - at[0]) / (at[2] - at[0])
    assert share == pytest.approx(float(scale.normalized(1.0)), abs=1e-6)
    assert left.get_ylabel() == f"training loss, {scale.formula()}"
    assert {"1", "10"} <= {text.get_text() for text in left.get_yticklabels()}
    assert left.get_ylim()[0] >= 0, "no loss is below 0 here"
    for values, kind in ((np.sinh(6 * x), "asinh"), (x - 0.2, "linear")):
        left, _ = axes_of(surface_of({"train/loss": values}, random_axis(x, 0)))
        assert left.get_ylabel().startswith(f"training loss, z = {kind}" if kind == "asinh" else "training loss")
        ends = left.transAxes.inverted().transform(left.transData.transform([(0, values.min()), (0, values.max())]))
        assert 0.02 < ends[0, 1] < 0.1, "the lowest loss is in the picture, and a margin below it"
        assert 0.9 < ends[1, 1] < 0.98


def test_a_dotted_line_marks_the_checkpoint_and_the_other_end():
    def marks(surface):
        return [each.get_xdata()[0] for each in axes_of(surface)[0].lines if each.get_label() == "checkpoint"]

    assert marks(line_surface()) == [0.0]
    assert marks(interpolation()) == [0.0, 1.0]
    # Both networks are marked where the line ends exactly at them, and no network where it does not reach it.
    for ends, expected in (((0.0, 1.0), [0.0, 1.0]), ((0.0, 0.9), [0.0]), ((0.1, 1.0), [1.0])):
        axis = dataclasses.replace(interpolation().axes[0], values=np.linspace(*ends, 29))
        assert marks(dataclasses.replace(interpolation(), axes=(axis,))) == expected
    # Where a part of the weights alone moves there is no network at 1.
    recipe = {**interpolation().axes[0].recipe, "differs": ["fc.weight"]}
    axis = dataclasses.replace(interpolation().axes[0], recipe=recipe)
    assert marks(dataclasses.replace(interpolation(), axes=(axis,))) == [0.0]


def test_bands_are_one_standard_error_of_a_sample_without_repetition():
    surface = line_surface()
    expected = surface.stderr["test/loss"] * np.sqrt(1 - 500 / 10000)
    np.testing.assert_allclose(standard_error(surface, "test/loss"), expected)
    accuracy = {"test/accuracy": np.linspace(0.01, 0.03, 41)}
    surface = dataclasses.replace(surface, stderr={**surface.stderr, **accuracy})
    for ax, name, factor in zip(axes_of(surface), ("test/loss", "test/accuracy"), (1, 100), strict=True):
        (band,) = [each for each in ax.collections if each.get_label() == f"{name} error"]
        corners = band.get_paths()[0].vertices
        error = surface.stderr[name] * np.sqrt(1 - 500 / 10000)
        for side in (-1, 1):
            edge = factor * (surface[name] + side * error)
            # Each point of the band's edge is a corner of it.
            away = np.abs(corners[:, None] - np.stack([surface.axes[0].values, edge], axis=-1)).max(axis=2).min(axis=0)
            assert away.max() < 1e-9 * factor


def test_a_whole_data_set_leaves_no_error_and_no_band():
    surface = dataclasses.replace(line_surface(), counts={"train": np.full(41, 50000), "test": np.full(41, 500)})
    assert standard_error(surface, "train/loss") is None
    left, _ = axes_of(surface)
    assert [each.get_label() for each in left.collections] == ["test/loss error"]


def test_a_barrier_is_the_height_above_the_straight_line_between_both_ends():
    surface = interpolation()
    x, loss = surface.axes[0].values, surface["train/loss"]
    first, last = loss[np.isclose(x, 0)][0], loss[np.isclose(x, 1)][0]
    above = np.where((x >= 0) & (x <= 1), loss - (first + (last - first) * x), -1)
    height, place = barrier(surface, "train/loss")
    assert height == pytest.approx(above.max())
    assert place == pytest.approx(x[above.argmax()])
    left, _ = axes_of(surface)
    (shade,) = left.collections
    assert shade.get_label() == "barrier"
    # Shaded is what lies between the line and the loss above it, and nothing else.
    corners = np.concatenate([path.vertices for path in shade.get_paths()])
    chord = first + (last - first) * corners[:, 0]
    on_curve = np.interp(corners[:, 0], x, loss)
    assert (np.isclose(corners[:, 1], chord) | np.isclose(corners[:, 1], on_curve)).all()
    assert (corners[:, 1] >= chord - 1e-9).all()
    assert (corners[:, 1] - chord).max() == pytest.approx(height)
    np.testing.assert_allclose(named(left, "chord").get_ydata()[[0, -1]], [first, last])
    (arrow,) = [each for each in left.texts if getattr(each, "arrow_patch", None)]
    foot = first + (last - first) * place
    np.testing.assert_allclose([arrow.xy, arrow.xyann], [(place, foot), (place, foot + height)])
    (text,) = [text.get_text() for text in left.texts if text.get_gid() == "barrier"]
    assert text.split() == ["barrier", f"{height:.3g}", "(train)"]


def test_there_is_no_barrier_along_a_random_direction_or_between_convex_ends():
    assert barrier(line_surface(), "train/loss") is None
    surface = interpolation()
    x = surface.axes[0].values
    assert barrier(dataclasses.replace(surface, values={"train/loss": 1 + x**2}), "train/loss") == (0.0, 0.0)
    # Without a point at 1 its value is not known, and nothing is guessed.
    shifted = dataclasses.replace(surface, axes=(dataclasses.replace(surface.axes[0], values=x + 0.01),))
    assert barrier(shifted, "train/loss") is None


def test_a_line_between_two_networks_says_whose_values_and_which_barrier_it_gives():
    surface = interpolation()
    figure = draw(surface)
    (subtitle,) = [text.get_text() for text in figure.axes[0].texts if text.get_gid() == "subtitle"]
    assert subtitle == "net.pt (0): train loss 0.41, train accuracy 85.0 %"
    heights = [barrier(surface, f"{data}/loss")[0] for data in ("train", "test")]
    said = f"both ends, {heights[0]:.3g} (train), {heights[1]:.3g} (test); shaded for train."
    assert said in recall(figure)["Description"]
    # Of the first no barrier is drawn where there is none, and none is said to be.
    flat = dataclasses.replace(surface, values={**surface.values, "train/loss": 1 + surface.axes[0].values ** 2})
    assert f"both ends, 0 (train), {heights[1]:.3g} (test)." in recall(draw(flat))["Description"]
    (subtitle,) = [text.get_text() for text in draw(line_surface(9)).axes[0].texts if text.get_gid() == "subtitle"]
    assert subtitle == "train loss 0.41, train accuracy 85.0 %"


def test_seeds_are_drawn_as_median_middle_half_and_thin_lines():
    surface = repeated(line_surface(), 5)
    left, _ = axes_of(surface, "train/loss")
    x, values = surface.axes[0].values, surface["train/loss"]
    np.testing.assert_allclose(named(left, "train/loss").get_xydata(), np.c_[x, np.median(values, axis=0)])
    (band,) = left.collections
    low, high = np.quantile(values, [0.25, 0.75], axis=0)
    edge = band.get_paths()[0].vertices
    assert edge[:, 1].min() == pytest.approx(low.min())
    assert edge[:, 1].max() == pytest.approx(high.max())
    assert len([each for each in left.lines if each.get_linewidth() < 0.6]) == 5


def test_a_seed_that_diverged_leaves_a_gap_and_not_a_calm_median():
    surface = repeated(line_surface(), 5)
    values = surface["train/loss"].copy()
    values[1, 20] = np.inf
    left, _ = axes_of(dataclasses.replace(surface, values={"train/loss": values}))
    middle = named(left, "train/loss").get_ydata()
    assert np.isnan(middle[20])
    assert np.isfinite(np.delete(middle, 20)).all()
    assert next(text.get_text() for text in left.texts) == "1 not finite"


def test_what_is_not_finite_is_a_gap_and_counted():
    surface = line_surface()
    loss = surface["train/loss"].copy()
    loss[[5, 30]] = np.nan, np.inf
    loss[[9, 11]] = np.nan
    left, right = axes_of(dataclasses.replace(surface, values={**surface.values, "train/loss": loss}))
    drawn = named(left, "train/loss").get_ydata()
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [5, 9, 11, 30]
    # The point between two gaps is no line: it gets a dot.
    assert [each.get_xydata().tolist() for each in left.lines if each.get_marker() == "."] == [
        [[surface.axes[0].values[10], loss[10]]]
    ]
    assert right.texts[0].get_text() == "4 not finite in train/loss"


def test_a_cap_is_of_losses_and_counts_no_accuracy_that_is_larger():
    surface = line_surface()
    figure = draw(surface, cap=0.55)
    above = {data: int((surface[f"{data}/loss"] > 0.55).sum()) for data in ("train", "test")}
    assert surface["train/accuracy"].max() > 0.55
    (corner,) = [text.get_text() for ax in figure.axes for text in ax.texts if " above " in text.get_text()]
    assert corner == "\n".join(f"{number} above 0.55 in {data}/loss" for data, number in above.items())
    fields = recall(figure)
    assert fields["Above cap"] == str(sum(above.values()))
    assert f"{fields['Above cap']} above the cap of 0.55 (not drawn)" in fields["Description"]
    (right,) = [ax for ax in figure.axes if ax.get_ylabel() == "accuracy (%)"]
    assert np.isfinite(named(right, "train/accuracy").get_ydata()).all()


def test_a_line_half_done_is_its_finest_complete_grid_and_says_so():
    surface = line_surface(9)
    state = np.array([1, 0, 1, 0, 1, 0, 1, 1, 1], np.uint8)
    values = {name: np.where(state == COMPUTED, array, np.nan) for name, array in surface.values.items()}
    left, right = axes_of(dataclasses.replace(surface, state=state, values=values))
    assert len(named(left, "train/loss").get_xdata()) == 5
    assert right.texts[0].get_text() == "unfinished: 5 of 9 points"
    nothing = dataclasses.replace(surface, state=np.full(9, NOT_COMPUTED, np.uint8))
    with pytest.raises(PlotError, match="none of the 0 computed values"):
        axes_of(nothing)


def test_panels_of_several_lines_share_their_axes():
    other = dataclasses.replace(interpolation(), title="other")
    figure = draw([line_surface(), other])
    left = [ax for ax in figure.axes if ax.get_label() in ("resnet20", "other")]
    assert len(left) == 2
    assert left[0].get_ylim() == left[1].get_ylim()
    assert left[0].get_ylim()[1] >= max(line_surface()["test/loss"].max(), other["test/loss"].max())
    assert left[0].get_ylabel() == "loss"
    assert left[1].get_ylabel() == ""


def test_an_accuracy_alone_does_not_share_the_axis_of_losses_beside_it():
    values = {name: each for name, each in line_surface().values.items() if name.endswith("accuracy")}
    bare = dataclasses.replace(line_surface(), values=values, stderr={}, path="bare.h5", title="bare")
    for given in ([line_surface(), bare], [bare, line_surface()]):
        with pytest.raises(
            PlotError, match=r"bare\.h5 has no loss, and others .*: draw what all .*, as --name train/accuracy, or"
        ):
            draw(given)
    left = [ax for ax in draw([line_surface(), bare], independent=True).axes if ax.get_label()]
    assert [ax.get_ylabel() for ax in left] == ["loss", "accuracy (%)"]
    assert draw([bare, line_surface()], name="train/accuracy").axes[0].get_ylim() == (0, 100)
    other = dataclasses.replace(bare, values={"val/accuracy": bare["train/accuracy"]})
    with pytest.raises(PlotError, match="others beside it have: draw each on a scale of its own, --independent"):
        draw([line_surface(), other])
    both = dataclasses.replace(bare, values={**other.values, "test/accuracy": bare["test/accuracy"]})
    with pytest.raises(PlotError, match="as --name test/accuracy, or each"):
        draw([both, line_surface()])


def test_a_plane_is_no_line():
    with pytest.raises(PlotError, match=r"of lines, net\.h5 is a plane: --kind contour"):
        draw(valley(), kind="line")
    with pytest.raises(PlotError, match=r"of a line, net\.h5 is a plane"):
        axes_of(valley())


def test_values_that_are_not_there_are_refused():
    with pytest.raises(PlotError, match="no values called 'val/loss'; there are train/loss"):
        axes_of(line_surface(), "val/loss")


def test_a_lone_point_at_the_end_is_whole():
    surface = line_surface()
    values = {"train/loss": surface["train/loss"].copy()}
    values["train/loss"][1] = np.nan
    ax = line(dataclasses.replace(surface, values=values, stderr={}), ax=Figure().add_subplot())
    (dot,) = [each for each in ax.lines if each.get_marker() == "."]
    assert dot.get_xdata()[0] == surface.axes[0].values[0] == ax.get_xlim()[0]
    frame, window = ax.get_window_extent(), dot.get_clip_box().extents
    assert window[0] < frame.x0 - dot.get_markersize() / 2
    # What lies far outside is still not drawn.
    assert window[0] > frame.x0 - 0.05 * frame.width


def strip(x, y, **fields):
    loss = 1 + valley_loss(*np.meshgrid(x, y))
    axes = random_axis(np.asarray(x), 0), random_axis(np.asarray(y), 1)
    return surface_of({"train/loss": loss}, *axes, **fields)


@pytest.mark.parametrize(
    ("long", "label"), [(0, "α  (random direction 1, at β = 0)"), (1, "β  (random direction 2, at α = 0)")]
)
def test_a_plane_one_point_wide_is_drawn_as_a_line_along_its_long_axis(long, label):
    points = np.linspace(-1, 1, 9)
    surface = strip(points, [0.0]) if long == 0 else strip([0.0], points)
    for kind in (None, "line"):
        figure = draw(surface, kind=kind)
        ax = figure.axes[0]
        assert ax.get_xlabel() == label
        np.testing.assert_array_equal(named(ax, "train/loss").get_ydata(), surface["train/loss"].ravel())
        np.testing.assert_array_equal(named(ax, "train/loss").get_xdata(), points)
        assert [each.get_xdata()[0] for each in ax.lines if each.get_label() == "checkpoint"] == [0.0]
    text = recall(figure)["Description"]
    assert f"A plane one point wide, {'βα'[long]} = 0, is drawn as a line." in text
    with pytest.raises(PlotError, match="is a plane one point wide: --kind line"):
        draw(surface, kind="contour")


def test_a_single_point_is_a_line_along_its_first_axis():
    figure = draw(strip([0.0], [0.5]))
    assert figure.axes[0].get_xlabel() == "α  (random direction 1, at β = 0.5)"
    said = "A plane one point wide, β = 0.5, is drawn as a line; it does not pass through the checkpoint"
    assert said in recall(figure)["Description"]


def test_a_strip_beside_the_checkpoint_does_not_claim_to_pass_through_it():
    figure = draw(strip([0.5], np.linspace(-1, 1, 9)))
    ax = figure.axes[0]
    assert ax.get_xlabel() == "β  (random direction 2, at α = 0.5)"
    assert not [each for each in ax.lines if each.get_label() == "checkpoint"]
    assert not [each for each in ax.texts if each.get_gid() == "subtitle"]
    assert "α = 0.5, is drawn as a line; it does not pass through the checkpoint" in recall(figure)["Description"]


def test_runs_on_a_strip_are_said_to_be_left_out_and_their_steps_still_drawn():
    run = Trajectory(np.array([[0.2, 0.1], [0.0, 0.0]]), np.array([0.3, 0.0]), np.array([2.0, 1.0]), np.arange(2))
    surface = strip([0.0], np.linspace(-1, 1, 9), trajectories={"run": run})
    assert "is drawn as a line, without its runs." in recall(draw(surface))["Description"]
    assert draw(surface, kind="steps").axes


def test_seeds_of_a_strip_are_seeds_of_a_line():
    points = np.linspace(-1, 1, 9)
    many = draw(repeated(strip([0.0], points), 3)).axes[0]
    assert "at α = 0" in many.get_xlabel()
    assert len(named(many, "train/loss").get_xdata()) == 9
    single = draw(strip([0.0], [0.0])).axes[0]
    assert [each.get_marker() for each in single.lines].count(".") == 1


def test_a_line_at_100_percent_shows_its_whole_width():
    x = np.linspace(-1, 1, 11)
    surface = surface_of({"train/loss": 1 + x**2, "train/accuracy": np.ones(11)}, random_axis(x, 0))
    _, right = axes_of(surface)
    column, row = right.transData.transform((0.3, 100.0))
    red, green, blue = pixel_at(right, *right.transData.inverted().transform((column, row + 0.6)))
    assert red > green > blue


def test_a_title_keeps_its_words_where_the_legend_takes_its_line():
    for words, width in (("resnet20", 2.5), ("a network of twenty layers", 4.0), ("residual connections " * 4, 5.0)):
        figure = draw(line_surface(17), titles=[words], size=(width, 2.5), caption=False)
        (title,) = (text for text in figure.axes[0].texts if text.get_gid() == "title")
        assert title.get_text().split() == words.split()
        legend = next(ax.get_legend() for ax in figure.axes if ax.get_legend())
        figure.canvas.draw()
        for text in (title, *(each for each in figure.axes[0].texts if each.get_gid() == "subtitle")):
            assert not text.get_window_extent().overlaps(legend.get_window_extent())
    # Of two panels the legend stands above the second, where only that one has two data sets.
    values = {name: each for name, each in line_surface(17).values.items() if name.startswith("train/")}
    alone = dataclasses.replace(line_surface(17), values=values, stderr={})
    for words in ("without residual connections", "residual connections " * 3):
        figure = draw([alone, line_surface(17)], titles=["short", words], size=(5.5, 2.6), caption=False)
        second = figure.axes[[ax.get_label() for ax in figure.axes].index(words.strip())]
        legend = next(ax.get_legend() for ax in figure.axes if ax.get_legend())
        figure.canvas.draw()
        (title,) = (text for text in second.texts if text.get_gid() == "title")
        assert title.get_text().split() == words.split()
        assert not title.get_window_extent().overlaps(legend.get_window_extent())


@pytest.mark.mpl_image_compare(style="default", tolerance=2, savefig_kwargs={"dpi": 100})
def test_line_image():
    return draw(line_surface())
