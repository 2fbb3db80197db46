"""Panels side by side: which there are, that they share a scale, and that nothing overlaps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot import figures
from landscape.plot.figures import draw
from landscape.plot.lines.line_figures import line
from landscape.plot.planes.contours import contour
from landscape.plot.scale.levels import number_text
from landscape.plot.scale.repeats import SPREAD, middle_half, outcome, spread
from landscape.plot.scale.scale import Scale
from landscape.plot.style.fields import recall
from landscape.plot.style.layout import fitting_titles, grid_of, listed, shortened
from landscape.plot.style.style import measured_width, text_width, wrapped
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape.errors import PlotError, UsageError
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Trajectory
from tests.helpers.pictures import assert_readable
from tests.helpers.plot_fixtures import (
    line_surface,
    network,
    random_axis,
    repeated,
    surface_of,
    uneven,
    valley,
    valley_loss,
)


def panels_of(figure):
    return [ax for ax in figure.axes if ax.get_label() != "colorbar" and not ax.get_label().startswith("<colorbar")]


def bars_of(figure):
    return [ax for ax in figure.axes if ax.get_label() == "colorbar"]


def texts_of(figure, gid):
    found = [text for ax in figure.axes for text in ax.texts if text.get_gid() == gid]
    return [text.get_text() for text in found + figure.texts if text.get_gid() == gid]


def pair():
    return [network(0.15, 3.2, 1, title="skip"), network(0.9, 5.5, 2, title="plain")]


def colors_of_bands(ax):
    (fill,) = [each for each in ax.collections if isinstance(each, QuadContourSet) and each.filled]
    return fill.get_facecolor()


def test_panels_share_levels_colours_and_one_colour_bar():
    figure = draw(pair())
    first, second = panels_of(figure)
    np.testing.assert_array_equal(colors_of_bands(first), colors_of_bands(second))
    (bar,) = bars_of(figure)
    scale = Scale.of(pair(), "train/loss")
    assert bar.get_ylim() == pytest.approx((scale.low, scale.high))
    assert texts_of(figure, "title") == ["skip", "plain"]


def test_panels_of_heat_maps_share_their_norm():
    figure = draw(pair(), kind="heatmap")
    norms = [next(each for each in ax.collections if isinstance(each, QuadMesh)).norm for ax in panels_of(figure)]
    assert (norms[0].vmin, norms[0].vmax) == (norms[1].vmin, norms[1].vmax)


def test_independent_scales_have_bars_of_their_own_and_are_admitted_in_the_picture():
    figure = draw(pair(), independent=True)
    assert len(bars_of(figure)) == 2
    assert bars_of(figure)[0].get_ylim() != bars_of(figure)[1].get_ylim()
    for ax in panels_of(figure):
        assert any("independent scale" in text.get_text() for text in ax.texts)
    assert "independent scales" in " ".join(texts_of(figure, "caption"))
    # One panel has nobody to be independent of.
    assert "independent" not in " ".join(texts_of(draw(valley(), independent=True), "caption"))


def test_a_volume_is_drawn_as_slices_on_one_scale():
    x, y, z = uneven(-1, 1, 13), uneven(-0.8, 0.9, 11), np.linspace(-1, 1, 5)
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    loss = valley_loss(xx, yy) * np.exp(zz)
    axes = random_axis(x, 0), random_axis(y, 1), random_axis(z, 2)
    volume = surface_of({"train/loss": loss}, *axes, cosines=np.eye(3))
    figure = draw(volume)
    assert [title.rpartition(", ")[2] for title in texts_of(figure, "title")] == [
        "γ = −1",
        "γ = −0.5",
        "γ = 0",
        "γ = 0.5",
        "γ = 1",
    ]
    assert bars_of(figure)[0].get_ylim() == pytest.approx((loss.min(), loss.max()))
    # A run through it lies in none of its slices.
    run = Trajectory(np.array([[0.8, 0.5, 0.9], [0.0, 0.0, 0.0]]), np.zeros(2), np.zeros(2), np.arange(2))
    through = draw(dataclasses.replace(volume, trajectories={"sgd": run}), kind="heatmap")
    assert "Runs through a volume lie in none of its slices, and are left out." in recall(through)["Description"]
    assert "Path" not in recall(through)["Description"]
    with pytest.raises(UsageError, match="the paths of training runs, and runs through a volume lie in none of its"):
        draw(dataclasses.replace(volume, trajectories={"sgd": run}), kind="heatmap", marks=[1])
    # The checkpoint lies in one of the slices only.
    stars = [any(line.get_marker() == "*" for line in ax.lines) for ax in panels_of(figure)]
    assert stars == [False, False, True, False, False]


def test_many_slices_are_thinned_and_the_middle_one_stays():
    x, z = np.linspace(-1, 1, 5), np.linspace(-1, 1, 31)
    zz, yy, xx = np.meshgrid(z, x, x, indexing="ij")
    volume = surface_of(
        {"train/loss": 1 + xx**2 + yy + 2 * zz**2}, *(random_axis(v, k) for k, v in enumerate((x, x, z)))
    )
    figure = draw(volume)
    titles = texts_of(figure, "title")
    assert len(titles) == 9
    assert any("γ = 0" in title for title in titles)
    assert "Shown are 9 of 31 slices." in " ".join(texts_of(figure, "caption")).replace("\n", " ")


def test_seeds_of_a_plane_are_drawn_beside_their_spread():
    surface = repeated(valley(), 5)
    figure = draw(surface)
    titles = texts_of(figure, "title")
    assert titles[:5] == [f"resnet20, seed {seed}" for seed in range(10, 15)]
    assert titles[5] == "spread over 5 seeds"
    labels = {bar.get_ylabel() for bar in bars_of(figure)}
    assert labels == {"training loss, z = log(L + 0.1)", "largest / smallest L + 0.1"}


def test_the_spread_is_the_ratio_of_the_extremes_and_is_told_in_words():
    surface = repeated(valley(), 5)
    scale = Scale.of(surface, "train/loss")
    picture, own = spread(surface, "train/loss", scale)
    shifted = surface["train/loss"] + scale.eps
    np.testing.assert_allclose(picture[SPREAD], shifted.max(axis=0) / shifted.min(axis=0))
    assert own.low == 1.0
    factor = float(np.median(picture[SPREAD]))
    assert outcome(picture, scale).startswith(f"Between seeds the loss differs by a factor of {factor:.3g} (median")


def test_a_seed_that_diverged_leaves_a_hole_in_the_spread():
    surface = repeated(valley(), 3)
    loss = surface["train/loss"].copy()
    loss[1, 4, 5] = np.inf
    picture, _ = spread(
        dataclasses.replace(surface, values={"train/loss": loss}), "train/loss", Scale.of(surface, "train/loss")
    )
    assert np.isnan(picture[SPREAD][4, 5])
    assert np.isnan(picture[SPREAD]).sum() == 1
    state = surface.state.copy()
    state[2, 1, 3], state[0, 1, 3] = NOT_COMPUTED, INTERPOLATED  # and so does one that is not measured yet
    state[1, 2, 6] = INTERPOLATED
    picture, _ = spread(dataclasses.replace(surface, state=state), "train/loss", Scale.of(surface, "train/loss"))
    assert np.argwhere(np.isnan(picture[SPREAD])).tolist() == [[1, 3]]
    assert np.argwhere(picture.state == NOT_COMPUTED).tolist() == [[1, 3]]
    assert np.argwhere(picture.state == INTERPOLATED).tolist() == [[2, 6]], "of seeds that were measured alone"
    middle, low, high = middle_half(loss)
    assert np.isnan([middle[4, 5], low[4, 5], high[4, 5]]).all()


def test_the_spread_of_accuracies_is_in_points():
    surface = repeated(valley(), 3)
    scale = Scale.of(surface, "train/accuracy")
    picture, own = spread(surface, "train/accuracy", scale)
    np.testing.assert_allclose(picture[SPREAD], np.ptp(surface["train/accuracy"], axis=0))
    assert own.label == "largest − smallest (points)"
    points = 100 * picture[SPREAD]
    median, most = (number_text(float(each(points)), 3) for each in (np.median, np.max))
    assert outcome(picture, scale) == f"Between seeds the accuracy differs by {median} points (median), at most {most}"
    np.testing.assert_allclose(own.low, 0.0)
    np.testing.assert_allclose(own.high, points.max() / 100)
    linear = Scale.of(surface, "train/loss", kind="linear")  # differences of losses have no unit
    picture, own = spread(surface, "train/loss", linear)
    np.testing.assert_allclose(picture[SPREAD], np.ptp(surface["train/loss"], axis=0))
    median, most = (number_text(float(each(picture[SPREAD])), 3) for each in (np.median, np.max))
    assert own.label == "largest − smallest"
    assert outcome(picture, linear) == (
        f"Between seeds the values differ by {median} (median over points), at most {most}"
    )


@pytest.mark.parametrize("kind", ["contour", "heatmap", "surface", "line"])
def test_dollars_in_words_of_ones_own_are_no_formulas(kind):
    surface = line_surface() if kind == "line" else valley(9, 8)
    figure = draw([surface, surface], kind=kind, titles=["$one", "$two"], headline="$five and $six")
    own = {text.get_text(): text.get_parse_math() for text in figure.findobj(Text) if "$" in text.get_text()}
    assert any(words.startswith("$five") for words in own)
    assert {"$one", "$two"} <= {word for words in own for word in words.split()}
    assert not any(own.values()), own


def test_the_caption_stands_below_and_in_the_metadata():
    figure = draw(valley())
    (written,) = texts_of(figure, "caption")
    joined = written.replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    assert joined == recall(figure)["Description"]
    assert "Star: the checkpoint; ring: the lowest point, 0.114 at (0.23, −0.25)." in joined
    silent = draw(valley(), caption=False)
    assert texts_of(silent, "caption") == []
    assert recall(silent)["Description"] == joined
    assert recall(silent)["Interpolation"] == "smoothed x7 between the measured points"
    assert recall(draw(valley(), interpolate=False))["Interpolation"] == "none"


@pytest.mark.parametrize(
    ("surfaces", "words"),
    [
        ([repeated(valley(), 2)], "Stars: the checkpoint; rings: the lowest points."),
        (pair(), "Stars: the checkpoint; rings: the lowest points."),
        (
            [dataclasses.replace(each, origin={"checkpoint": each.title}) for each in pair()],
            "Stars: the checkpoints; rings: the lowest points.",
        ),
    ],
)
def test_the_caption_explains_the_marks(surfaces, words):
    assert words in recall(draw(surfaces))["Description"]


def test_titles_of_files_with_the_same_name_get_their_folder():
    a, b = (dataclasses.replace(valley(), title="net", path=f"{folder}/net.h5") for folder in ("plain", "skip"))
    assert texts_of(draw([a, b]), "title") == ["plain/net", "skip/net"]


def dirty(surface):
    """Return a surface whose texts hold all that does not belong into a line."""
    axes = (dataclasses.replace(surface.axes[0], label="α  (one\n$two\t\x07)"), *surface.axes[1:])
    origin = {**surface.origin, "checkpoint": "runs/ne\x00t\n.pt"}
    problem = {**surface.problem, "loss": "cross\x1b[31m\nentropy"}
    return dataclasses.replace(
        surface, axes=axes, origin=origin, problem=problem, title="line one\nline\ttwo \x07bell", path="a\nb.h5"
    )


@pytest.mark.parametrize("kind", ["line", "contour", "heatmap", "surface"])
def test_line_breaks_and_control_characters_are_not_drawn(kind):
    given = dirty(line_surface(9) if kind == "line" else valley(9, 7))
    figure = draw([given, given], kind=kind, titles=["x\ny", "\x1b[2Jz"], headline="head\n\x07line")
    # A glyph that the font has not got is a warning, and so an error here.
    assert_readable(figure)
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in figure.findobj(Text)]
    assert not [text for text in texts for part in text.splitlines() if not part.isprintable()]
    assert texts_of(figure, "title") == ["x y", "\\x1b[2Jz"]
    # A 3D picture as small as this has room for the letter only.
    assert kind == "surface" or any("(one $two \\x07)" in text for text in texts)
    assert all(value.isprintable() for value in recall(figure).values())
    assert "ne\\x00t\\n.pt" in recall(figure)["Description"]


def test_axes_of_ones_own_get_clean_words_too():
    ax = contour(dirty(valley()), ax=Figure().add_subplot())
    assert ax.get_xlabel() == "α  (one $two \\x07)"
    ax = line(dirty(line_surface()), ax=Figure().add_subplot())
    assert ax.get_xlabel() == "α  (one $two \\x07)"


def test_titles_are_one_for_each_surface():
    assert texts_of(draw(pair(), titles=["left", "right"]), "title") == ["left", "right"]
    with pytest.raises(PlotError, match="1 titles were given for 2 surfaces"):
        draw(pair(), titles=["only one"])


def test_a_title_shrinks_and_breaks_before_it_is_cut():
    assert fitting_titles(["short", "titles"], 2.75) == (9.0, 1)
    size, lines = fitting_titles(["without shortcuts: 77.8 % test accuracy", "with"], 2.75)
    assert 7.5 <= size < 9
    assert lines == 1
    words = "without any shortcuts between its layers: 77.8 % test accuracy"
    for many, most in ((1, 2), (3, 6)):
        # Titles of all panels count, wherever the longest is.
        titles = [words * many, "short"][:: 1 if many == 1 else -1]
        title = max(texts_of(draw(pair(), titles=titles), "title"), key=len)
        assert title.replace("\n", " ") == words * many
        assert title.count("\n") < most
    # Longer than a third of its panel is high, it ends in dots; so does a headline of more than three lines.
    figure = draw(pair(), titles=[words * 20, "short"], headline=words * 20)
    for text in texts_of(figure, "title")[:1] + texts_of(figure, "headline"):
        assert text.endswith("…")
    assert_readable(figure)


def test_values_under_a_title_are_whole_on_more_lines_or_left_out():
    values = {"train/loss": 0.412, "train/accuracy": 0.851, "test/loss": 0.523, "test/accuracy": 0.178}
    surfaces = [dataclasses.replace(valley(), origin={"values": values}) for _ in range(3)]
    (text,) = set(texts_of(draw(surfaces), "subtitle"))
    assert text.split("\n") == ["train loss 0.412, train accuracy 85.1 %,", "test loss 0.523, test accuracy 17.8 %"]
    assert listed("one, two, three", 0.5, 7, 1) == ["one, …"]
    assert listed("one long word", 0.3, 7, 2) == ["one…"]
    assert texts_of(draw(surfaces, subtitle=False), "subtitle") == []


def test_values_above_a_narrow_panel_take_lines_and_are_not_cut_where_the_height_is_free():
    values = {"train/loss": 1.31e-4, "train/accuracy": 1.0, "test/loss": 0.0153, "test/accuracy": 0.997}
    surfaces = [dataclasses.replace(valley(9, 7), title=title, origin={"values": values}) for title in "ab"]
    alone = [dataclasses.replace(surfaces[0], origin={}), surfaces[1]]
    for given in (surfaces, alone, alone[::-1]):
        texts = list(filter(None, texts_of(draw(given, size=5.5), "subtitle")))
        assert len(texts) == sum(bool(each.origin) for each in given)
        for text in texts:
            assert "…" not in text
            assert text.endswith("99.7 %")


def test_rows_and_columns():
    assert [grid_of(number, None) for number in (1, 2, 3, 4, 6, 9, 10)] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (2, 2),
        (3, 2),
        (3, 3),
        (4, 3),
    ]
    assert grid_of(3, 1) == (1, 3)
    assert grid_of(2, 7) == (2, 1)
    figure = draw(pair(), columns=1)
    first, second = (ax.get_position() for ax in panels_of(figure))
    assert first.x0 == second.x0
    assert first.y0 > second.y1


def test_what_does_not_go_together_is_refused():
    with pytest.raises(PlotError, match="no surface was given"):
        draw([])
    with pytest.raises(PlotError, match="lines and planes do not fit into one figure"):
        draw([line_surface(), valley()])
    with pytest.raises(UsageError, match="of the kind line, contour, heatmap"):
        draw(valley(), kind="pie")
    with pytest.raises(UsageError, match="one kind of values at a time"):
        draw(valley(), name=["train/loss", "train/accuracy"])
    with pytest.raises(PlotError, match=r"a heatmap picture is of planes, line\.h5 is a line: --kind line"):
        draw(dataclasses.replace(line_surface(), path="line.h5"), kind="heatmap")
    with pytest.raises(PlotError, match=r"a line picture is of lines, net\.h5 is a plane: --kind contour"):
        draw(valley(), kind="line")


@pytest.fixture
def asked(monkeypatch):
    """Return what renderers are given by `draw`, kind by kind."""
    given = {}
    for kind, lines in (("line", True), ("contour", False)):
        drawn = figures.Renderer(lambda *parts, kind=kind: given.update({kind: parts}) or Figure(), lines)
        monkeypatch.setitem(figures._RENDERERS, kind, drawn)
    return given


def test_all_that_is_asked_of_a_figure_reaches_what_draws_it(asked):
    chosen = {"cap": 5.0, "eps": 0.2, "colormap": "cividis", "levels": [1.0, 2.0]}
    frame = {"independent": True, "columns": 3, "caption": False, "shown": True, "subtitle": False, "size": (5.5, 3.0)}
    draw(
        dirty(valley(9, 7)),
        name="train/loss",
        scale="asinh",
        **chosen,
        **frame,
        titles=["a\nb"],
        headline="c\nd",
        labels=False,
    )
    (surface,), names, plan, options = asked["contour"]
    assert (names, options) == (["train/loss"], {"labels": False})
    assert plan.scale is None
    assert dict(plan.chosen) == {"kind": "asinh", **chosen}
    assert {name: getattr(plan, name) for name in frame} == frame
    assert (plan.titles, plan.headline) == (["a b"], "c d")
    assert surface.title == "line one line two \\x07bell"
    scale = Scale.of(valley(), "train/loss")
    draw(valley(), scale=scale)
    assert asked["contour"][2].scale is scale
    assert asked["contour"][1] is None


def test_seeds_are_no_axis_and_planes_and_volumes_go_together(asked):
    draw(repeated(line_surface(), 2))
    assert list(asked) == ["line"]
    draw([repeated(valley(9, 7), 2), valley(9, 7)])
    assert list(asked) == ["line", "contour"]


def test_a_figure_belongs_to_nobody_unless_somebody_looks_on():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    draw(valley())
    assert plt.get_fignums() == before
    ax = contour(valley())
    assert len(plt.get_fignums()) == len(before) + 1
    assert ax.get_title() == ""
    plt.close(ax.figure)


def test_drawing_leaves_the_users_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw(valley())
    assert dict(matplotlib.rcParams) == before


def test_text_is_wrapped_to_a_width():
    lines = wrapped("the quick brown fox jumps over the lazy dog " * 5, 2.0, 7)
    assert len(lines) > 5
    assert max(text_width(line, 7) for line in lines) <= 2.0
    assert max(text_width(line, 7) for line in wrapped("x" * 300, 2.0, 7)) <= 2.0
    assert shortened("a" * 100, 1.0, 9.0).endswith("…")
    assert shortened("short", 5.0, 9.0) == "short"


def test_a_line_ends_between_no_number_and_its_percent_sign():
    text = "of the variance 52 % lies in this plane, 48 % outside, 3.2 % of it. " * 3
    for width in np.linspace(0.5, 3.0, 60):
        lines = wrapped(text, float(width), 7)
        assert not any(line.startswith("%") for line in lines), lines
        assert " ".join(lines) == text.strip()


def test_images_are_compared_and_not_just_drawn(request):
    """Without --mpl the image tests draw, compare nothing, and pass."""
    assert request.config.getoption("--mpl")
    assert request.config.getoption("--mpl-generate-path") is None


@pytest.mark.parametrize("title", ["x", "ab c ", "W"])
def test_a_title_of_5000_letters_is_cut_in_no_time(title):
    before = measured_width.cache_info().misses
    long = title * (5000 // len(title))
    figure = draw(dataclasses.replace(valley(9, 7), title=long, path=f"{long}.h5"), headline=long)
    # Counted, not timed: each is one measurement of a piece of text that could stand in a line.
    assert measured_width.cache_info().misses - before < 1500
    texts = [text.get_text() for text in figure.findobj(Text) if text.get_gid() == "title"]
    assert len(texts[0]) < 900
    assert texts[0].endswith("…")
