"""The scale that all pictures share."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape.plot.scale.levels import MOST_LEVELS, linear_steps, log_levels, number_text
from landscape.plot.scale.scale import (
    CAPPED,
    MISSING,
    NOT_FINITE,
    NOT_FINITE_GREY,
    OK,
    Scale,
    default_name,
    values_label,
)

from landscape.errors import PlotError, UsageError
from landscape.surface.surface import COMPUTED, NOT_COMPUTED
from tests.helpers.plot_fixtures import damaged_valley, half_finished_valley, network, random_axis, surface_of, valley


def scale_of(values, name="train/loss", **options):
    array = np.asarray(values, dtype=float)
    return Scale.of(surface_of({name: array}, random_axis(np.arange(array.size) * 1.0, 0), counts={}), name, **options)


@given(
    st.lists(st.floats(1e-12, 1e12), min_size=2, max_size=30),
    st.sampled_from(["log", "linear", "asinh"]),
    st.booleans(),
)
def test_the_way_to_a_height_and_back_gives_the_loss(values, kind, signed):
    array = np.array(values) * (-1 if signed and kind != "log" else 1)
    scale = scale_of(array, kind=kind)
    # Far below eps, log(L + eps) cannot hold more digits of L than are left beside eps.
    atol = 1e-13 * scale.eps
    np.testing.assert_allclose(scale.inverse(scale.forward(array)), array, rtol=1e-11, atol=atol)


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30))
def test_heights_and_colours_rise_with_the_loss(values):
    array = np.sort(np.array(values))
    scale = scale_of(array)
    assert (np.diff(scale.forward(array)) >= 0).all()
    shares = scale.normalized(array)
    assert (np.diff(shares) >= 0).all()
    assert shares.min() >= 0
    assert shares.max() <= 1


ANY = st.one_of(st.floats(-1e300, 1e300), st.floats(0, 1e-300), st.floats(0.999, 1.001))


@settings(max_examples=40)
@given(st.lists(ANY, min_size=1, max_size=12), st.sampled_from(["auto", "linear", "asinh"]))
def test_any_finite_values_have_a_scale_with_levels_and_ticks(values, kind):
    scale = scale_of(values, kind=kind)
    assert scale.low < scale.high
    assert 1 <= len(scale.levels) <= MOST_LEVELS
    for places in (scale.levels, scale.ticks):
        assert np.isfinite(places).all()
        assert (np.diff(places) > 0).all()


def test_heights_are_the_log_of_the_loss_plus_the_papers_constant():
    scale = scale_of(np.geomspace(0.05, 5000, 41))
    assert scale.kind == "log"
    assert scale.eps == 0.1
    np.testing.assert_allclose(scale.forward([0.0, 1.0, 99.9]), np.log([0.1, 1.1, 100.0]), rtol=1e-14)
    assert scale.axis_label() == "training loss, z = log(L + 0.1)"


def test_eps_is_a_twentieth_of_the_median_where_losses_are_small():
    assert scale_of(np.geomspace(1e-5, 1e-1, 41)).eps == pytest.approx(0.05 * 1e-3, rel=1e-12)


def test_the_printed_eps_is_the_eps():
    scale = scale_of(np.geomspace(1.234e-5, 0.777, 37))
    assert scale.formula() == f"z = log(L + {number_text(scale.eps)})"
    assert f"{scale.eps:.1e}" == f"{scale.eps:e}".replace("00000e", "e")


def test_values_of_one_magnitude_are_linear():
    assert scale_of(np.linspace(1.0, 5.0, 50)).kind == "linear"
    assert scale_of(np.linspace(1.0, 50.0, 500)).kind == "log"
    assert scale_of(np.r_[np.linspace(1.0, 5.0, 50), np.zeros(3)]).kind == "linear"  # 0 is of no magnitude


def test_a_lone_spike_does_not_make_a_linear_picture_of_nothing_else():
    assert scale_of(np.r_[np.linspace(1.0, 2.0, 500), 1e9]).kind == "log"


def test_signed_losses_are_asinh_where_they_span_magnitudes_and_linear_where_not():
    wide = np.r_[-np.geomspace(0.01, 1e4, 40), np.geomspace(0.01, 1e5, 40)]
    scale = scale_of(wide)
    assert scale.kind == "asinh"
    assert scale.formula().startswith("z = asinh(L / ")
    assert 0.0 in scale.levels
    assert min(scale.levels) < 0 < max(scale.levels)
    assert scale_of(np.linspace(-3, 5, 40)).kind == "linear"
    assert scale_of(np.linspace(-5, 5, 40)).kind == "linear"
    # A loss of exactly 0 has no sign: log(L + eps) shows it.
    assert scale_of(np.r_[0.0, np.geomspace(0.01, 1e4, 40)]).kind == "log"


def test_a_log_of_signed_losses_is_refused():
    with pytest.raises(PlotError, match="lowest training loss is -3"):
        scale_of([-3.0, 1.0, 5.0], kind="log")
    # What counts is L + eps, which a loss a little below 0 leaves positive, and one of -eps does not.
    scale = scale_of([-0.25, 1.0, 5.0], kind="log", eps=0.5)
    assert (scale.kind, scale.low, scale.high) == ("log", -0.25, 5.0)
    np.testing.assert_allclose(scale.forward([-0.25, 5.0]), np.log([0.25, 5.5]))
    with pytest.raises(PlotError, match=r"lowest training loss is -0\.5, which log\(L \+ 0\.5\) cannot show"):
        scale_of([-0.5, 1.0, 5.0], kind="log", eps=0.5)


def test_an_unknown_kind_of_scale_is_refused():
    with pytest.raises(UsageError, match="auto, log, linear or asinh"):
        scale_of([1.0, 2.0], kind="logarithmic")
    with pytest.raises(UsageError, match="eps must be positive"):
        scale_of([1.0, 200.0], kind="log", eps=0.0)


@given(st.floats(1e-6, 1e3), st.floats(0.05, 25))
def test_levels_are_at_most_twelve_round_numbers_inside_the_range(low, efolds):
    scale = scale_of(np.geomspace(low, low * np.exp(efolds), 60), kind="log")
    levels = np.array(scale.levels)
    assert 1 <= len(levels) <= MOST_LEVELS
    assert (np.diff(levels) > 0).all()
    assert levels[0] >= max(low, scale.eps) * (1 - 1e-9)
    assert levels[-1] <= scale.high * (1 + 1e-9)


def test_levels_climb_a_ladder_of_1_2_5_from_the_larger_of_minimum_and_eps():
    assert scale_of(np.geomspace(0.003, 300, 61)).levels == (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)[-12:]
    assert log_levels(0.1, 1e4) == (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 1e4)
    assert log_levels(0.4, 30) == (0.5, 1, 2, 5, 10, 20)
    # A narrow range gets a finer ladder and not one lonely line.
    assert len(log_levels(1.1, 1.9)) >= 5


def test_linear_levels_are_round():
    assert linear_steps(0.0, 1.0, 6) == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert linear_steps(-0.31, 0.52, 12) == (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def test_ticks_are_in_loss_units_and_not_crowded():
    scale = scale_of(np.geomspace(1e-3, 1e6, 90))
    assert {0.1, 1.0, 100.0, 1e4, 1e6} <= set(scale.ticks)
    assert np.diff(scale.normalized(scale.ticks)).min() >= 0.05


def test_given_levels_are_kept_and_bad_ones_refused():
    assert scale_of([1.0, 5.0], levels=[2, 3]).levels == (2.0, 3.0)
    for bad in ([3, 2], [], [1.0, float("nan")]):
        with pytest.raises(UsageError, match="increasing finite numbers"):
            scale_of([1.0, 5.0], levels=bad)


def test_surfaces_drawn_together_share_the_widest_range():
    calm, wild = network(0.1, 3, 1), network(0.8, 6, 2)
    both, own = Scale.of([calm, wild], "train/loss"), Scale.of(calm, "train/loss")
    assert both.low == min(calm["train/loss"].min(), wild["train/loss"].min())
    assert both.high == max(calm["train/loss"].max(), wild["train/loss"].max())
    assert own.high < both.high


def test_the_range_is_that_of_finite_computed_values():
    surface = damaged_valley()
    assert Scale.of(surface, "train/loss").high == 1e12
    half = half_finished_valley()
    # As a reader may leave it: a number where nothing was computed.
    values = {"train/loss": np.where(half.state == NOT_COMPUTED, 1e30, half["train/loss"])}
    polluted = dataclasses.replace(half, values=values)
    assert Scale.of(polluted, "train/loss").high == Scale.of(half, "train/loss").high < 1e30


def test_nothing_finite_is_an_error_that_names_the_file():
    surface = valley()
    surface = dataclasses.replace(surface, values={"train/loss": surface["train/loss"] * np.nan})
    with pytest.raises(PlotError, match=r"none of the 713 computed values of train/loss is finite in net\.h5"):
        Scale.of(surface, "train/loss")


def test_values_that_are_not_there_are_an_error_that_lists_those_there_are():
    with pytest.raises(PlotError, match=r"net\.h5 has no values called 'test/loss'; there are train/loss, train/acc"):
        Scale.of(valley(), "test/loss")


def test_without_a_cap_nothing_is_capped():
    scale = scale_of(np.geomspace(1e-3, 1e9, 50))
    assert scale.cap is None
    assert scale.high == pytest.approx(1e9)
    assert not (scale.classify([1e300]) == CAPPED).any()


def test_a_cap_ends_the_range_and_marks_what_lies_above():
    scale = scale_of(np.geomspace(0.01, 1e4, 50), cap=100)
    assert scale.high == 100
    assert max(scale.levels) <= 100
    assert scale.classify([5.0, 100.0, 100.1]).tolist() == [OK, OK, CAPPED]
    # A cap that nothing reaches leaves the range to the values.
    assert scale_of([1.0, 20.0, 30.0], cap=100).high == 30


def test_an_automatic_cap_comes_only_past_twelve_efolds():
    assert scale_of(np.geomspace(1, np.exp(11), 400), kind="log", cap="auto").cap is None
    values = np.geomspace(1, np.exp(13), 400)
    assert scale_of(values, kind="log", cap="auto").cap == pytest.approx(np.quantile(values, 0.995))


def test_a_cap_that_hides_everything_is_refused():
    with pytest.raises(PlotError, match=r"hides everything: the lowest training loss is 2"):
        scale_of([2.0, 3.0], cap=1)
    with pytest.raises(PlotError, match="a cap of 2 hides everything"):
        scale_of([2.0, 3.0], cap=2)
    assert scale_of([2.0, 3.0], cap=2.25).high == 2.25
    with pytest.raises(UsageError, match="finite loss or 'auto'"):
        scale_of([2.0, 3.0], cap=float("nan"))


def test_what_is_missing_or_not_finite_has_a_code_of_its_own():
    scale = scale_of(np.geomspace(0.01, 1e4, 50), cap=100)
    values = np.array([1.0, 200.0, np.nan, np.inf, -np.inf, 3.0, np.nan])
    state = np.array([COMPUTED] * 5 + [NOT_COMPUTED] * 2, np.uint8)
    expected = [OK, CAPPED, NOT_FINITE, NOT_FINITE, NOT_FINITE, MISSING, MISSING]
    assert scale.classify(values, state).tolist() == expected


def test_colours_follow_the_height_and_what_is_not_finite_is_grey():
    import matplotlib

    scale = scale_of(np.geomspace(0.01, 1e4, 50))
    middle = float(scale.inverse(np.mean(scale.forward([scale.low, scale.high]))))
    colors = scale.colors([[scale.low, middle], [scale.high, np.nan]])
    assert colors.shape == (2, 2, 4)
    viridis = matplotlib.colormaps["viridis"]
    np.testing.assert_allclose(colors[0, 0], viridis(0.0))
    np.testing.assert_allclose(colors[0, 1], viridis(0.5), atol=0.01)
    np.testing.assert_allclose(colors[1, 0], viridis(1.0))
    np.testing.assert_allclose(colors[1, 1], NOT_FINITE_GREY)


@pytest.mark.parametrize("kind", ["log", "linear", "asinh"])
def test_matplotlibs_norm_is_the_same_scale(kind):
    values = np.geomspace(0.01, 1e4, 33)
    scale = scale_of(values, kind=kind)
    norm = scale.norm()
    np.testing.assert_allclose(np.asarray(norm(values)), scale.normalized(values), atol=1e-12)
    np.testing.assert_allclose(norm.inverse(np.asarray(norm(values))), values, rtol=1e-9)


def test_an_accuracy_is_linear_from_0_to_100_percent():
    scale = Scale.of(valley(), "train/accuracy")
    assert (scale.kind, scale.low, scale.high) == ("linear", 0.0, 1.0)
    assert scale.axis_label() == "training accuracy (%)"
    assert [scale.text(tick) for tick in scale.ticks] == ["0", "20", "40", "60", "80", "100"]


@pytest.mark.parametrize("name", ["jet", "turbo", "Spectral", "jet_r", "coolwarm", "RdBu"])
def test_maps_that_draw_what_is_not_there_are_refused_with_a_warning(name):
    with pytest.warns(UserWarning, match=f"{name}.*viridis is used instead"):
        assert scale_of([1.0, 2.0], colormap=name).colormap == "viridis"


def test_the_classic_look_and_good_maps_are_allowed():
    assert scale_of([1.0, 2.0], colormap="classic").colormap == "coolwarm"
    assert scale_of([1.0, 2.0], colormap="cividis").cmap().name == "cividis"


def test_an_unknown_map_is_a_usage_error():
    with pytest.raises(UsageError, match="no colour map 'viridi'"):
        scale_of([1.0, 2.0], colormap="viridi").cmap()


@pytest.mark.parametrize("value", [0.0, 0.7, 1e-9, 1e20, -3.0])
def test_a_constant_surface_has_a_colour(value):
    scale = scale_of([value] * 4)
    assert scale.low < scale.high
    assert np.isfinite(scale.forward([scale.low, scale.high])).all()
    assert 0 <= float(scale.normalized(value)) <= 1
    assert len(scale.ticks) >= 2


def test_numbers_are_written_for_readers():
    written = {0.0: "0", 0.1: "0.1", 500.0: "500", 9000.0: "9000", 20000.0: "2·10⁴", -0.25: "−0.25"}
    written |= {1e5: "10⁵", 2e6: "2·10⁶", 3e-5: "3·10⁻⁵", -1e7: "−10⁷"}
    assert {value: number_text(value) for value in written} == written
    # Digits before the point are all kept: 1234 is no shorter as 1.23·10³.
    fewer = {
        1234.4: "1234",
        -9876.5: "−9876",
        123.45: "123",
        0.012345: "0.0123",
        12345.0: "1.23·10⁴",
        0.00012345: "1.23·10⁻⁴",
    }
    assert {value: number_text(value, 3) for value in fewer} == fewer
    rounded = {(99.7, 2): "100", (-999.95, 3): "−1000", (9999.96, 4): "10⁴", (9999.96, 5): "10000"}
    assert {each: number_text(*each) for each in rounded} == rounded
    assert [number_text(value) for value in (np.nan, np.inf, -np.inf)] == ["nan", "inf", "-inf"]


def test_values_are_called_what_a_reader_calls_them():
    assert values_label("train/loss") == "training loss"
    assert values_label("task2/loss") == "task2 loss"
    assert values_label(["train/loss", "test/loss"]) == "loss"
    assert default_name(valley()) == "train/loss"


def test_importing_the_scale_loads_no_matplotlib():
    code = "import sys, landscape.plot.scale.scale, landscape.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"cap": 0.5}, "leave out cap 0.5, which"),
        ({"kind": "log", "eps": 0.1}, "leave out scale log and eps 0.1, which"),
        ({"kind": "asinh"}, "leave out scale asinh, which"),
    ],
)
def test_what_an_accuracys_scale_has_no_use_for_is_refused(asked, named):
    with pytest.raises(UsageError, match=named):
        Scale.of(valley(), "train/accuracy", **asked)
    assert Scale.of(valley(), "train/accuracy", kind="linear", cap="auto").percent


def test_only_accuracies_are_in_percent():
    assert Scale.of(valley(), ["train/accuracy"]).percent
    for names in (["train/loss"], ["train/loss", "train/accuracy"], ["train/accuracy", "train/loss"]):
        assert not Scale.of(valley(), names).percent
        assert Scale.of(valley(), names).high > 1


def test_colours_end_at_the_lowest_and_the_highest_value_of_all_surfaces():
    scale = scale_of([0.5, 3.0, 400.0])
    np.testing.assert_array_equal(scale.normalized([0.5, 400.0, 0.1, 1e9, np.nan]), [0, 1, 0, 1, np.nan])
    assert scale.low < scale.high


def test_an_eps_that_leaves_no_heights_is_refused():
    with pytest.raises(UsageError, match=r"no heights to draw between 0\.5 and 400"):
        scale_of([0.5, 3.0, 400.0], kind="log", eps=1e308)


def test_the_least_eps_leaves_heights_that_come_back():
    scale = scale_of([0.5, 3.0, 400.0], kind="asinh", eps=1e-320)
    np.testing.assert_allclose(scale.inverse(scale.forward([0.5, 3.0, 400.0])), [0.5, 3.0, 400.0], rtol=1e-9)
