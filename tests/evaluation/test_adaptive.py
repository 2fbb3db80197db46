"""Interpolated surfaces keep what they state: against functions that are known everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from landscape.evaluation import adaptive
from landscape.evaluation.adaptive import (
    Filled,
    Heights,
    Refinement,
    base_points,
    describe_interpolation,
    held_out_number,
    visiting_levels,
)
from landscape.evaluation.scattered import predict_each
from landscape.surface.grid import axis_levels
from landscape.surface.heights import suitable_eps
from tests.benchmarks.held_out import bowl, draw, measure

LOSS = "train/loss"


def grid(*numbers):
    return [np.linspace(-1.0, 1.0, each) for each in numbers]


def surface(function, coordinates):
    return function(*reversed(np.meshgrid(*reversed(coordinates), indexing="ij")))[None]


def run(coordinates, values, tolerance=0.02, known=None, seed=0):
    return measure(Refinement(coordinates, tolerance, seed=seed), values, known)


def errors(filled, values, name=LOSS):
    heights = filled.heights[name]
    return np.abs(heights.to(filled.values[name]) - heights.to(values[name]))


def test_heights_are_those_of_a_picture_of_all_repetitions():
    coordinates = grid(33)
    one = surface(bowl, coordinates)
    values = {LOSS: np.concatenate([0.01 * one, one])}
    filled, _ = run(coordinates, values, 0.05)
    base = np.broadcast_to(base_points(coordinates), values[LOSS].shape)
    assert filled.heights[LOSS] == Heights("log", suitable_eps(values[LOSS][base], "log"))


@pytest.mark.parametrize(
    ("shape", "tolerance", "share"),
    [((33, 33), 0.02, 0.25), ((51, 51), 0.02, 0.12), ((30, 19), 0.01, 0.6), ((101,), 0.02, 0.6), ((51,), 0.02, 0.85)],
)
def test_a_smooth_surface_needs_few_points_and_keeps_its_tolerance(shape, tolerance, share):
    coordinates = grid(*shape)
    values = {LOSS: surface(bowl, coordinates)}
    filled, known = run(coordinates, values, tolerance)
    assert known.mean() < share
    assert np.quantile(errors(filled, values)[~known], 0.95) <= tolerance
    np.testing.assert_array_equal(filled.interpolated, ~known)
    np.testing.assert_array_equal(filled.values[LOSS][known], values[LOSS][known])


def line_of_waves(number):
    x = np.linspace(-1, 1, number)
    return [x], {LOSS: ((0.3 + 8 * x**2) * (1 + 0.01 * np.sin(40 * x + 9 * x**2)))[None]}


@pytest.mark.parametrize(
    ("wrong", "seeds", "least", "most"),
    [
        ("", 200, 0.95, 0.995),  # 97 of 100 are meant
        ("half as many held out", 100, 0.5, 0.93),
        ("twice the error stated", 100, 0.999, 1.0),
    ],
)
def test_the_stated_error_is_true_of_19_in_20_draws_and_not_of_all(wrong, seeds, least, most, monkeypatch):
    coordinates, values = line_of_waves(201)
    if wrong.startswith("half"):
        monkeypatch.setattr(adaptive, "held_out_number", lambda *args, **more: held_out_number(*args, **more) // 2)
    if wrong.startswith("twice"):
        stated = Filled.loss_error.fget
        monkeypatch.setattr(Filled, "loss_error", property(lambda self: 2 * stated(self)))
    found = draw(coordinates, values, 0.04, range(seeds))
    assert all(each.measured < 0.5 for each in found)
    assert least <= np.mean([each.covered for each in found]) <= most


def test_the_stated_error_is_true_in_a_plane_and_where_it_passes_only_after_several_draws():
    coordinates = grid(25, 25)
    smooth = {LOSS: surface(bowl, coordinates)}
    assert np.mean([each.covered for each in draw(coordinates, smooth, 0.02, range(20))]) >= 0.9
    covered, stated = [], 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        # One point in 60 is off by a tenth, wherever: what is measured finds few of them, and few draws miss all.
        spikes = (generator.random((1, 301)) < 1 / 60) * generator.choice([-0.1, 0.1], (1, 301))
        line = {LOSS: surface(bowl, grid(301)) * np.exp(spikes)}
        (each,) = draw(grid(301), line, 0.02, [seed])
        covered.append(each.covered)
        assert each.stated <= 0.02  # whatever one of the held-out points is off by
        stated += each.measured < 1
    assert stated, "surfaces that always end fully measured show nothing"
    assert covered.count(False) <= 2  # 19 of 20 are promised


@pytest.mark.parametrize(
    ("left", "attempt", "beyond"), [(200, 0, None), (1000, 0, None), (1000, 2, None), (34, 0, 2), (144, 0, 8)]
)
@pytest.mark.parametrize("larger", [0, 1])
def test_as_many_points_are_held_out_as_make_the_statement_true(left, attempt, beyond, larger):
    number = held_out_number(left, attempt, beyond, larger=larger)
    generator = np.random.default_rng(0)
    misled = []
    for _ in range(2000):
        drawn = generator.choice(left, number, replace=False)
        others = np.delete(np.arange(left), drawn)  # whatever the errors are, only their order counts
        allowed = 0.05 * len(others) if beyond is None else beyond
        misled.append((others > np.sort(drawn)[-1 - larger]).sum() > allowed)
    risk = [0.03, 0.01, 0.005][attempt] * [2 / 3, 1 / 3][larger]
    assert np.mean(misled) <= risk + 3 * np.sqrt(risk / 2000)
    # And no more of them than that takes.
    most = int(0.05 * (left - number + 1)) if beyond is None else beyond
    assert hypergeom.cdf(larger, left, most + 1 + larger, number - 1) > risk


def test_no_more_points_are_held_out_than_it_takes():
    assert [held_out_number(2000, each) for each in range(3)] == [78, 100, 114]
    assert [held_out_number(2000, each, larger=1) for each in range(3)] == [133, 159, 176]
    # All but two of a line's points left: 5 % of 51 points may be off by more.
    assert held_out_number(34, 0, 2) < 26
    assert held_out_number(2, 0, 2) == 0


def test_an_error_is_expected_by_those_of_the_nearest_nodes_and_the_square_of_how_much_nearer_a_point_is():
    chance = np.random.default_rng(0)
    coordinates = [np.cumsum(chance.random(number)) * number for number in (7, 9)]  # x and y, no two distances alike
    used = base_points(coordinates) | (chance.random((9, 7)) < 0.2)
    due = ~used & (chance.random((9, 7)) < 0.5)
    names = ["train/loss", "test/loss"]
    z = {name: chance.normal(size=(9, 7)) for name in [*names, "train/accuracy"]}
    lost = tuple(np.argwhere(used)[7])
    x, y = [(each - each[0]) / (each[-1] - each[0]) for each in coordinates]
    places = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    nodes = places[used]
    apart = np.linalg.norm(nodes[:, None] - nodes, axis=-1)
    np.fill_diagonal(apart, np.inf)
    refinement = Refinement(coordinates, 0.1)
    for missing in (None, "train/accuracy", "test/loss"):
        if missing:
            z[missing][lost] = np.nan
        off = np.zeros(len(nodes))
        for name in names:  # those that decide; a hole in one is a step up from the highest
            known = np.where(np.isnan(z[name]), np.nanmax(z[name][used]) + 1, z[name])[used]
            off = np.maximum(off, np.abs(predict_each(nodes, known[:, None])[:, 0] - known))
        found = refinement._expected_errors(z, names, used, due)
        assert (found[~due] == 0).all()
        for place in np.argwhere(due):
            distances = np.linalg.norm(nodes - places[tuple(place)], axis=1)
            beside = np.argsort(distances)[:4]
            wanted = max(off[k] * (distances.min() / apart[k].min()) ** 2 for k in beside)
            if missing and any((places[lost] == nodes[k]).all() for k in beside):
                wanted = np.inf
            assert found[tuple(place)] == pytest.approx(wanted, rel=1e-9), (missing, place)
        assert np.isinf(found).any() == bool(missing)


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_a_rough_surface_ends_fully_measured(noise):
    coordinates = grid(21, 21)
    values = {LOSS: surface(bowl, coordinates)}
    values[LOSS] *= np.exp(noise * np.random.default_rng(0).standard_normal((1, 21, 21)))
    filled, known = run(coordinates, values)
    assert known.all()
    assert not filled.interpolated.any()
    np.testing.assert_array_equal(filled.values[LOSS], values[LOSS])


def test_a_narrow_ridge_is_measured_where_it_is():
    coordinates = grid(49, 49)
    values = {LOSS: surface(lambda x, y: bowl(x, y) + 30 * np.exp(-(((x - y - 0.4) / 0.1) ** 2)), coordinates)}
    filled, known = run(coordinates, values, 0.05)
    x, y = np.meshgrid(*coordinates)
    near = np.abs(x - y - 0.4) < 0.2
    assert known[0][near].mean() > 2 * known[0][~near].mean()
    assert np.quantile(errors(filled, values)[~known], 0.95) <= 0.05


@pytest.fixture
def drawn(monkeypatch):
    """What was held out, draw after draw."""
    found = []
    original = Refinement._draw
    monkeypatch.setattr(Refinement, "_draw", lambda *args: found.append(original(*args)) or found[-1])
    return found


def test_held_out_points_decide_nothing_and_are_not_interpolated_from(drawn):
    coordinates = grid(33, 33)
    values = {LOSS: surface(bowl, coordinates)}
    filled, known = run(coordinates, values)
    held_out = drawn[-1]
    assert held_out.sum() >= 60
    # Other values there change what is stated, and nothing that was interpolated.
    changed = {LOSS: np.where(held_out, values[LOSS] * 1.01, values[LOSS])}
    again, known_again = run(coordinates, changed)
    np.testing.assert_array_equal(known_again, known)
    np.testing.assert_array_equal(again.values[LOSS][~known], filled.values[LOSS][~known])
    assert np.median(again.errors[LOSS]) > 2 * np.median(filled.errors[LOSS])


def test_a_surface_that_fools_what_is_measured_is_found_out_by_the_points_held_out():
    coordinates = grid(41, 41)
    # Waves that vanish wherever every fourth point of the grid lies.
    values = {LOSS: np.ones((1, 41, 41)) * (1 + 0.5 * np.sin(np.pi * np.arange(41) / 4) ** 2)}
    filled, known = run(coordinates, values)
    assert np.quantile(errors(filled, values), 0.95) <= 0.02
    assert known.sum() > 300


@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_grid_of_any_shape_comes_to_an_end_and_is_whole(numbers, seed):
    numbers = [n if len(numbers) < 3 else min(n, 7) for n in numbers]
    coordinates = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in numbers]
    shape = (1, *reversed(numbers))
    smooth = surface(lambda *at: 0.3 + sum(each**2 for each in at), coordinates)
    accuracy = np.random.default_rng(seed).random(shape)
    values = {LOSS: np.broadcast_to(smooth, shape).copy(), "train/accuracy": accuracy}
    filled, known = run(coordinates, values)
    np.testing.assert_allclose(filled.values[LOSS], values[LOSS], rtol=0.2)
    assert ((filled.values["train/accuracy"] >= 0) & (filled.values["train/accuracy"] <= 1)).all()
    assert known[np.broadcast_to(base_points(coordinates), shape)].all()


def test_losses_that_are_not_finite_are_measured_all_around():
    coordinates = grid(41, 41)
    loss = surface(bowl, coordinates)
    x, y = np.meshgrid(*coordinates)
    loss[0][x + y > 1.0] = np.inf
    loss[0][x < -0.9] = np.nan
    filled, known = run(coordinates, {LOSS: loss}, 0.03)
    wrong = np.isfinite(filled.values[LOSS]) != np.isfinite(loss)
    assert wrong.mean() < 0.01
    assert not wrong[known].any()


def test_a_metric_that_does_not_exist_everywhere_is_not_made_up_where_it_does_not(drawn):
    coordinates = grid(41, 41)
    x, y = np.meshgrid(*coordinates)
    loss = surface(bowl, coordinates)
    margin = surface(lambda x, y: 1.5 + np.sin(2 * x) * y, coordinates)
    _, before = run(coordinates, {LOSS: loss, "train/margin": margin})
    holes = margin.copy()
    holes[0][x + y > 0.7] = np.nan
    holes[0][(x + 0.4) ** 2 + (y + 0.4) ** 2 < 0.04] = np.inf
    filled, known = run(coordinates, {LOSS: loss, "train/margin": holes})
    found = filled.values["train/margin"]
    assert (np.isfinite(found) != np.isfinite(holes))[~known].mean() < 0.01
    there = ~known & np.isfinite(holes)
    assert known.mean() < 0.7
    np.testing.assert_allclose(found[there], holes[there], atol=0.05)
    # One that is missing at a single point, which happens to be held out, is found too.
    hole = tuple(each[0] for each in np.nonzero(drawn[0]))
    margin[hole] = np.nan
    filled, known = run(coordinates, {LOSS: loss, "train/margin": margin})
    assert known[hole]
    assert np.isnan(filled.values["train/margin"][hole])
    # More is measured around it, and what is stated was drawn after that.
    assert known.sum() > before.sum()
    assert np.isfinite(filled.errors["train/margin"]).all()


@pytest.mark.parametrize("seed", range(5))
def test_where_one_point_is_beyond_the_tolerance_more_are_drawn(seed):
    coordinates = grid(41, 41)
    values = {LOSS: surface(bowl, coordinates)}
    plan = Refinement(coordinates, 0.02, seed=seed)
    smooth, known = measure(plan, values)
    ((nodes, _),) = plan._reached.values()
    held_out = np.flatnonzero(known[0] & ~nodes)
    assert (smooth.beyond, len(held_out)) == (0, held_out_number(int((~nodes).sum()), 0))
    values[LOSS].flat[held_out[seed]] *= 1.1
    filled, _ = run(coordinates, values, seed=seed)
    assert (filled.beyond, len(filled.errors[LOSS])) == (1, held_out_number(int((~nodes).sum()), 0, larger=1))
    assert filled.loss_error <= 0.02 < filled.errors[LOSS].max()
    values[LOSS].flat[held_out[seed + 1]] *= 1.1  # two are too many
    assert run(coordinates, values, seed=seed)[1].sum() > known.sum() + len(filled.errors[LOSS])


def test_no_more_are_held_out_after_a_value_that_is_not_finite():
    coordinates = grid(41, 41)
    values = {LOSS: surface(bowl, coordinates)}
    plan = Refinement(coordinates, 0.02)
    _, known = measure(plan, values)
    ((nodes, _),) = plan._reached.values()
    values[LOSS].flat[np.flatnonzero(known[0] & ~nodes)[0]] = np.nan
    asked = []
    plan = Refinement(coordinates, 0.02)
    seen = np.zeros_like(known)
    while isinstance(found := plan.look({LOSS: np.where(seen, values[LOSS], np.nan)}, seen), np.ndarray):
        asked.append(int(found.sum()))
        seen |= found
    first = asked.index(int((known[0] & ~nodes).sum()))
    # What follows goes by the hole, and is then as many as another attempt holds out.
    assert held_out_number(int((~nodes).sum()), 0, larger=1) - asked[first] not in asked[first + 1 : first + 2]


def test_the_stated_errors_are_those_of_the_points_held_out():
    found = {LOSS: np.array([0.0, 0.001, 0.5]), "train/accuracy": np.array([0.1, 0.2, np.inf])}
    heights = {LOSS: Heights("log", 0.07), "train/accuracy": Heights("linear", 0.0)}
    filled = Filled({}, np.array([[[True, False]]]), found, heights)
    said = describe_interpolation(filled, 0.02)
    assert said["errors"][LOSS] == {"kind": "log", "eps": 0.07, "median": 0.001, "largest": 0.5, "bound": 0.5}
    of_accuracy = {"kind": "linear", "eps": 0.0, "median": 0.2, "largest": None, "bound": None}
    assert said["errors"]["train/accuracy"] == of_accuracy
    assert (said["tolerance"], said["held_out"], filled.loss_error) == (0.02, 3, 0.5)
    but_one = replace(filled, beyond=1)  # of more points
    assert describe_interpolation(but_one, 0.02)["errors"][LOSS] == {**said["errors"][LOSS], "bound": 0.001}
    assert but_one.loss_error == 0.001
    assert said["bounds"] == "95 % of the points interpolated"
    assert (
        describe_interpolation(Filled({}, np.array([[True]]), found, heights), 0.02)["bounds"] == "95 % of all points"
    )
    assert describe_interpolation(Filled({}, np.array([[False]]), {}, {}), 0.02) is None


def test_between_points_an_accuracy_stays_one_whatever_a_spline_would_make_of_it():
    coordinates = grid(33, 33)
    values = {LOSS: surface(bowl, coordinates)}
    for name in ("train/accuracy", "train/share"):
        values[name] = surface(lambda x, y: np.clip(0.5 + 3 * (x + y), 0, 1), coordinates)
    filled, known = run(coordinates, values)
    one, other = (filled.values[name][~known] for name in ("train/accuracy", "train/share"))
    assert other.min() < -0.01 < 1.01 < other.max()
    np.testing.assert_array_equal(one, np.clip(other, 0, 1))


def test_a_metric_that_exists_nowhere_stays_so_and_costs_nothing():
    coordinates = grid(33, 33)
    loss = surface(bowl, coordinates)
    filled, known = run(coordinates, {LOSS: loss, "train/f1": np.full_like(loss, np.nan)})
    assert known.mean() < 0.3
    assert np.isnan(filled.values["train/f1"]).all()
    assert "train/f1" not in filled.errors


def test_what_is_known_already_is_not_asked_for_again_and_ends_the_same():
    coordinates = grid(33, 33)
    values = {LOSS: surface(bowl, coordinates), "test/loss": surface(bowl, coordinates) * 1.3}
    filled, known = run(coordinates, values)
    # A run cut short anywhere: half of what it would have measured.
    half = known & (np.random.default_rng(0).random(known.shape) < 0.5)
    again, all_of_it = run(coordinates, values, known=half)
    np.testing.assert_array_equal(all_of_it, known)
    for name in values:
        np.testing.assert_array_equal(again.values[name], filled.values[name])


def test_repetitions_and_data_sets_are_refined_each_where_it_is_rough():
    coordinates = grid(25, 25)
    smooth = surface(bowl, coordinates)[0]
    rough = smooth * np.exp(np.random.default_rng(0).standard_normal(smooth.shape))
    _, known = run(coordinates, {LOSS: np.stack([smooth, rough])})
    assert known[1].all()
    assert known[0].mean() < 0.6
    # Every data set is within the tolerance, not only the first.
    coordinates = grid(33, 33)
    wavy = surface(lambda x, y: bowl(x, y) * (1 + 0.3 * np.sin(9 * x) * np.sin(9 * y)), coordinates)
    values = {LOSS: surface(bowl, coordinates), "test/loss": wavy}
    filled, known = run(coordinates, values)
    assert known.all() or np.quantile(errors(filled, values, "test/loss")[~known], 0.95) <= 0.02
    assert known.sum() > run(coordinates, {LOSS: values[LOSS]})[1].sum()


def test_a_coarse_grid_with_both_ends_comes_first_and_middles_of_cells_before_their_sides():
    mask = base_points(grid(51, 6))
    kept = [np.flatnonzero(axis_levels(n) <= adaptive.BASE_LEVEL) for n in (6, 51)]
    assert mask.shape == (6, 51)
    np.testing.assert_array_equal(np.flatnonzero(mask.any(axis=1)), kept[0])
    np.testing.assert_array_equal(np.flatnonzero(mask.any(axis=0)), kept[1])
    assert mask[[0, 0, -1, -1], [0, -1, 0, -1]].all()
    np.testing.assert_array_equal(visiting_levels([3, 3]), [[0, 2, 0], [2, 1, 2], [0, 2, 0]])
    assert (
        visiting_levels([5, 5, 5])[1, 1, 1] < visiting_levels([5, 5, 5])[1, 1, 0] < visiting_levels([5, 5, 5])[1, 0, 0]
    )


def test_heights_are_those_of_the_picture():
    values = np.array([0.0, 0.01, 3.0, 20.0])
    heights = Heights.of(LOSS, values)
    assert (heights.kind, heights.eps) == ("log", 0.075)
    np.testing.assert_allclose(heights.to(values), np.log(values + 0.075))
    np.testing.assert_allclose(heights.back(heights.to(values)), values, atol=1e-15)
    assert Heights.of(LOSS, -values).kind == "asinh"
    assert Heights.of("train/accuracy", values).kind == "linear"


def test_axes_need_not_be_evenly_spaced():
    coordinates = [np.sort(np.random.default_rng(3).uniform(-1, 1, 40)), np.linspace(0, 2, 30) ** 2]
    values = {LOSS: surface(lambda x, y: 0.2 + x**2 + 0.1 * y, coordinates)}
    filled, known = run(coordinates, values)
    assert known.mean() < 0.5
    np.testing.assert_allclose(filled.values[LOSS], values[LOSS], rtol=0.05)
