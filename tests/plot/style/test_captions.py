"""Captions: true, complete, and silent about what is not known."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from landscape.plot.planes.corner_notes import corner_lines
from landscape.plot.planes.marks import Sheet
from landscape.plot.scale.scale import Scale
from landscape.plot.style.captions import caption, origin_text
from landscape.plot.style.direction_words import bare_label
from landscape.plot.style.fields import metadata
from landscape.plot.style.shortcuts import anchor_words, interpolation_words

from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, Surface
from tests.helpers.plot_fixtures import (
    PROBLEM,
    damaged_valley,
    half_finished_valley,
    interpolation,
    line_surface,
    network,
    repeated,
    valley,
)


def said(surfaces, **options):
    return caption(surfaces, Scale.of(surfaces, "train/loss", **options))


def test_a_caption_says_what_was_measured_where_and_how():
    assert said(valley()) == (
        "Training loss (cross entropy) of net.pt on 1,000 of 50,000 samples (seed 3), batch-norm statistics frozen, "
        "along two random directions, filter-normalised (seed 7; cosine 0.012; biases and batch norm not moved). "
        "31 × 23 points; drawn as z = log(L + 0.1)."
    )


def test_a_caption_counts_what_cannot_be_seen():
    text = said(damaged_valley(), cap=100)
    assert "105 above the cap of 100 (hatched), 13 not finite" in text
    surface = valley()
    state = surface.state.copy()
    state[3:6] = INTERPOLATED
    surface = dataclasses.replace(
        surface, state=state, quality={"interpolation_error": 0.0123, "interpolation": {"held_out": 60}}
    )
    assert "93 interpolated, not measured (95 % of them to 1.2 % of loss + eps, by 60 held out)" in said(surface)


def test_a_caption_says_how_right_the_values_are_that_are_drawn_not_others():
    surface = valley()
    state = surface.state.copy()
    state[3:6] = INTERPOLATED
    errors = {"train/loss": {"largest": 0.0123}, "train/accuracy": {"largest": 0.0345}}
    quality = {"interpolation_error": 0.05, "interpolation": {"held_out": 64, "errors": errors}}
    surface = dataclasses.replace(surface, state=state, quality=quality)
    assert "95 % of them to 1.2 % of loss + eps, by 64 held out" in caption(surface, None, "train/loss")
    text = caption(surface, None, "train/accuracy")
    assert "95 % of them to 3.5 percentage points of the training accuracy, by 64 held out" in text
    assert "loss + eps" not in text
    errors |= {"test/loss": {"largest": 0.02}, "task2/loss": {"largest": 0.05}, "train/margin": {"largest": 0.25}}
    expected = {
        ("train/loss", "test/loss"): "2 % of loss + eps",
        ("train/loss", "task3/loss"): "5 % of loss + eps",  # of one that the file does not know: the worst
        ("train/loss", "train/accuracy"): "1.2 % of loss + eps and 3.5 percentage points of the training accuracy",
        ("train/margin",): "0.25 of the training margin",
        (): "5 % of loss + eps",
    }
    for names, words in expected.items():
        assert interpolation_words(surface, names) == f" (95 % of them to {words}, by 64 held out)"
    made = {"bounds": "95 % of all points", "errors": errors}
    bounded = dataclasses.replace(surface, quality={"interpolation": made})
    assert interpolation_words(bounded, ["train/loss"]) == " (95 % of all points to 1.2 % of loss + eps)"
    assert interpolation_words(bounded, ["train/other"]) == ""


def test_a_caption_says_that_a_point_held_out_is_further_off_than_the_bound():
    surface = valley()
    errors = {
        "train/loss": {"largest": 0.026, "bound": 0.011},
        "test/loss": {"largest": 0.031, "bound": 0.01},
        "train/accuracy": {"largest": 0.02, "bound": 0.005},
        "train/margin": {"largest": 0.25, "bound": 0.25},
    }
    made = {"bounds": "95 % of all points", "held_out": 133, "errors": errors}
    surface = dataclasses.replace(surface, quality={"interpolation": made})
    expected = {
        ("train/loss",): "1.1 % of loss + eps, by 133 held out, the worst off by 2.6 %",
        ("train/loss", "test/loss"): "1.1 % of loss + eps, by 133 held out, the worst off by 3.1 %",
        ("train/margin",): "0.25 of the training margin, by 133 held out",
        ("train/accuracy", "train/margin"): "0.5 percentage points of the training accuracy and 0.25 of the training "
        "margin, by 133 held out, the worst off by 2 percentage points",
    }
    for names, words in expected.items():
        assert interpolation_words(surface, names) == f" (95 % of all points to {words})"


def test_a_caption_says_how_few_samples_some_points_have_and_how_many_are_to_come():
    surface = valley()
    counts = surface.counts["train"].copy()
    counts[0, :5] = 256
    counts[1, :3], state = 0, surface.state.copy()
    state[1, :3] = INTERPOLATED
    surface = dataclasses.replace(surface, counts={"train": counts}, state=state, quality={"unfinished": 7})
    text = said(surface)
    assert "on 256 to 1,000 of 50,000 samples (seed 3)" in text
    assert "7 still lack samples: the run is unfinished" in text
    assert "unfinished: 7 points lack samples" in corner_lines(Sheet.of(surface, "train/loss", None))


def test_a_caption_of_an_unfinished_run_says_how_coarse_it_is():
    part = half_finished_valley().finished_part()
    assert (
        f"Coarse picture of an unfinished run: {part.shape[1]} × {part.shape[0]} of 31 × 23 points (50 % done)"
    ) in said(half_finished_valley())


def test_one_point_is_one():
    axis = Axis(np.array([0.0]))
    assert "1 point." in caption(Surface((axis,), {"train/loss": np.array([1.0])}, np.array([COMPUTED], np.uint8)))


def test_long_titles_are_short_within_a_sentence():
    long = "a title much longer than any sentence can bear, which goes on and on, "
    surfaces = [network(0.1, 3, 1, title=long + "one"), network(0.5, 6, 2, title=long + "two")]
    text = said(surfaces)
    assert "seed 1 (a title much longe…nd on, one), seed 2 (a title much longe…nd on, two)" in text


def test_what_panels_share_is_said_once_and_what_differs_with_their_titles():
    skip, plain = network(0.1, 3, 1, title="skip"), network(0.5, 6, 2, title="plain")
    text = said([skip, plain], cap=50.0)
    assert text.count("samples") == 1
    assert "seed 1 (skip), seed 2 (plain); cosine 0.012;" in text
    assert "51 × 51 points; plain:" in text
    assert "skip: 0" not in text


def test_checkpoints_of_the_same_name_are_told_apart_by_their_folders():
    a, b = valley(), valley()
    a = dataclasses.replace(a, origin={"checkpoint": "runs/a/net.pt"}, title="a")
    b = dataclasses.replace(b, origin={"checkpoint": "runs/b/net.pt"}, title="b")
    assert "of a/net.pt and b/net.pt on" in said([a, b])


def test_independent_scales_are_admitted():
    surfaces = [network(0.1, 3, 1), network(0.5, 6, 2)]
    scales = [Scale.of(each, "train/loss", independent=True) for each in surfaces]
    text = caption(surfaces, scales)
    assert "Each panel has a scale of its own (independent scales)." in text
    assert scales[0].formula() in text
    assert scales[1].formula() in text


def test_a_linear_scale_beside_a_log_one_is_no_gap_in_the_record():
    surfaces = [network(0.1, 3, 1, title="a"), network(0.5, 6, 2, title="b")]
    scales = [
        Scale.of(each, "train/loss", independent=True, kind=kind)
        for each, kind in zip(surfaces, ("linear", "log"), strict=True)
    ]
    assert "drawn as z = L (a), z = log(L + 0.1) (b)" in caption(surfaces, scales)


def test_the_way_between_two_networks_names_both_and_its_statistics():
    text = said(interpolation())
    assert "from the checkpoint (0) to b.pt (1)" in text
    # Running statistics move with the weights, so they are neither frozen nor measured.
    assert "batch-norm statistics interpolated" in text


@pytest.mark.parametrize(
    ("source", "ignore", "words"),
    [
        ("random", "biasbn", "statistics frozen"),
        ("random", "none", "statistics moved along the directions"),
        ("file", None, "statistics moved along the directions"),
        ("checkpoint", None, "statistics interpolated"),
        ("checkpoint", "biasbn", "statistics frozen"),
    ],
)
def test_what_happens_to_running_statistics_depends_on_the_directions(source, ignore, words):
    surface = valley()
    recipe = {"source": source, "move": "states", **({"ignore": ignore} if ignore else {})}
    axes = tuple(dataclasses.replace(axis, source=source, recipe=recipe) for axis in surface.axes)
    surface = dataclasses.replace(surface, axes=axes, problem={**PROBLEM, "move": "states"})
    assert f"batch-norm {words}" in said(surface)


def test_seeds_of_repetitions_are_listed():
    assert "seeds 10 to 14" in said(repeated(valley()))
    assert "5 times 31 × 23 points" in said(repeated(valley()))
    apart = [
        dataclasses.replace(axis, recipe={**axis.recipe, "seed": 3 + 2 * k}) for k, axis in enumerate(valley().axes)
    ]
    assert "(seeds 3, 5;" in said(dataclasses.replace(valley(), axes=tuple(apart)))


@pytest.mark.parametrize(("value", "sure"), [(50.0, True), (-50.0, True), (10.0, False), (0.3, False)])
def test_an_eigenvalue_is_as_sure_as_its_residual_is_small_beside_it(value, sure):
    recipe = {"index": 0, "tolerance": 0.05, "measured": {"eigenvalue": value, "residual": 1.0}}
    first = dataclasses.replace(valley().axes[0], source="hessian", recipe=recipe)
    text = said(dataclasses.replace(valley(), axes=(first, valley().axes[1])))
    assert "the eigenvector of the Hessian's greatest eigenvalue" in text
    assert ("not converged: residual 1" not in text) is sure


def test_several_data_sets_are_named_with_their_sizes():
    text = caption(line_surface(), None, ["train/loss", "test/loss"])
    assert text.startswith(
        "Loss (cross entropy) of net.pt on 1,000 of 50,000 train and 500 of 10,000 test samples (seed 3)"
    )


def test_a_whole_data_set_is_no_sample():
    surface = dataclasses.replace(valley(), counts={"train": np.full((23, 31), 50000)})
    assert "on all 50,000 samples, batch" in said(surface)


def test_recomputed_statistics_training_mode_and_low_precision_are_said():
    problem = {**PROBLEM, "batch_norm": "recompute", "batch_norm_data": "train", "mode": "train"}
    text = said(dataclasses.replace(valley(), problem=problem, quality={"precision": "bfloat16"}))
    assert "batch-norm statistics recomputed at each point on train, network in training mode" in text
    assert "computed in bfloat16" in text
    measured = {"precision": "bfloat16", "precision_error": 0.00261}
    text = said(dataclasses.replace(valley(), quality=measured))
    assert "computed in bfloat16 (off by at most 0.26 % at the probes)" in text


def test_a_file_of_the_2018_tool_is_described_by_what_it_knows():
    axis = Axis(np.linspace(-1, 1, 5))
    surface = Surface((axis, axis), {"train/loss": np.arange(25.0).reshape(5, 5)}, np.full((5, 5), COMPUTED, np.uint8))
    text = caption(surface)
    assert text == "Training loss, along two directions. 5 × 5 points."
    fields = metadata(surface)
    assert "Seeds" not in fields
    assert "Checkpoint" not in fields
    recipe = {"source": "file", "path": "old/D.h5", "axis": 0}
    named = dataclasses.replace(surface, axes=(dataclasses.replace(axis, source="file", recipe=recipe),) * 2)
    assert caption(named).startswith("Training loss, along two directions of D.h5.")


@pytest.mark.parametrize(
    ("norm", "words"),
    [
        ("filter", "filter-normalised"), ("layer", "layer-normalised"), ("weight", "scaled by the weights"),
        ("dfilter", "of unit length in each filter"), ("dlayer", "of unit length in each layer"),
        ("model", "scaled to the whole network"), ("none", "not normalised"),
    ],
)  # fmt: skip
def test_a_caption_says_how_directions_were_scaled(norm, words):
    surface = valley(5, 4)
    axes = tuple(dataclasses.replace(axis, recipe={**axis.recipe, "norm": norm}) for axis in surface.axes)
    assert f"along two random directions, {words} (seed 7" in caption(dataclasses.replace(surface, axes=axes))


def test_labels_lose_the_letter_that_the_axis_writes_anyway():
    assert bare_label(Axis(np.arange(3.0), "α  (random direction 1)")) == "random direction 1"
    assert bare_label(Axis(np.arange(3.0), "PC 1 (61.2 % of variance)")) == "PC 1 (61.2 % of variance)"


def test_the_values_at_the_checkpoint_are_written_in_order():
    values = {"test/accuracy": 0.5, "train/accuracy": 0.25, "train/loss": 1.23456, "test/loss": None, "train/mse": 3.0}
    surface = dataclasses.replace(valley(), origin={"values": values})
    assert origin_text(surface) == "train loss 1.23, train accuracy 25.0 %, test accuracy 50.0 %"
    assert origin_text(dataclasses.replace(surface, origin={})) == ""
    # Where another network lies on one of the axes, whose values these are is said.
    axes = (dataclasses.replace(surface.axes[0], source="checkpoint"), surface.axes[1])
    whose = origin_text(dataclasses.replace(surface, axes=axes, origin={"values": values, "checkpoint": "runs/net.pt"}))
    assert whose == "net.pt (0): " + origin_text(surface)


@pytest.mark.parametrize(
    ("layers", "other", "kind", "moved", "words"),
    [
        (3, [], "frozen", None, "batch-norm statistics frozen"),
        (0, [], "frozen", None, ""),
        (0, ["mask"], "frozen", None, ""),
        (None, [], "frozen", None, "batch-norm statistics frozen"),
        (0, [], "recompute", None, ""),
        (3, [], "recompute", None, "batch-norm statistics recomputed at each point on train"),
        (3, [], "frozen", "checkpoint", "batch-norm statistics interpolated"),
        (0, ["mask"], "frozen", "checkpoint", "buffers interpolated"),
        (3, ["mask"], "frozen", "checkpoint", "batch-norm statistics and other buffers interpolated"),
        (3, ["mask"], "frozen", "file", "batch-norm statistics and other buffers moved along the directions"),
        (0, [], "frozen", "checkpoint", ""),
    ],
)
def test_a_caption_says_nothing_of_batch_norm_that_is_not_there(layers, other, kind, moved, words):
    known = {} if layers is None else {"statistics": {"batch_norm": layers, "other": other, "recomputed_on": "train"}}
    surface = dataclasses.replace(valley(), problem={**PROBLEM, "batch_norm": kind, **known})
    if moved:
        recipe = {"source": moved, "move": "states"}
        axes = tuple(dataclasses.replace(axis, source=moved, recipe=recipe) for axis in surface.axes)
        surface = dataclasses.replace(surface, axes=axes)
    text = said(surface)
    between = text.partition("(seed 3)")[2].split("along" if moved == "file" or not moved else "from the checkpoint")
    found = text.partition("(seed 3)")[2]
    assert ("buffers" in found) == ("buffers" in words)
    assert ("batch-norm statistics" in found) == ("batch-norm statistics" in words)
    assert f", {words}, " in found if words else between[0].strip(", ") == ""
    if layers == 0 and not moved:
        assert "biases and other tensors of one dimension not moved" in text
        assert "batch" not in text


def test_what_only_some_panels_or_axes_have_is_not_said_of_all():
    plain = valley()
    recipes = [{**axis.recipe, "ignore": "none"} for axis in plain.axes]
    axes = tuple(dataclasses.replace(axis, recipe=recipe) for axis, recipe in zip(plain.axes, recipes, strict=True))
    moved = dataclasses.replace(plain, axes=axes)
    half = dataclasses.replace(plain, axes=(plain.axes[0], axes[1]))
    for panels in ([plain, moved], [moved, plain], [half], [plain, half]):
        assert "not moved" not in said(panels)
    assert "not moved" in said([plain, plain])
    # One axis towards a network and one of another kind: statistics are moved, not only interpolated.
    sources = ("checkpoint", "file")
    for order in (sources, sources[::-1]):
        mixed = tuple(
            dataclasses.replace(axis, source=source, recipe={"source": source, "move": "states"})
            for axis, source in zip(plain.axes, order, strict=True)
        )
        assert "statistics moved along the directions" in said(dataclasses.replace(plain, axes=mixed))


def test_what_one_panel_has_is_not_said_to_be_unknown_of_the_others():
    def panel(title: str, **problem: object) -> Surface:
        return dataclasses.replace(valley(), title=title, problem={**valley().problem, **problem})

    exact, bare = panel("exact"), panel("bare", statistics={"batch_norm": 0, "other": []})
    old = dataclasses.replace(valley(), title="old", problem={}, counts={})
    fast = dataclasses.replace(valley(), title="fast", quality={"precision": "bfloat16"})
    for panels in ([exact, fast], [fast, exact, exact, exact, exact]):
        text = said(panels)
        assert "; computed in bfloat16 (fast)." in text
        assert "not recorded" not in text
    assert "batch-norm statistics frozen (exact), no batch norm (bare)," in said([exact, bare])
    assert "batch norm" not in said([bare, bare])
    text = said([exact, old])
    assert "samples (seed 3) (exact), not recorded (old), batch-norm statistics frozen (exact), not recorded" in text


def test_panels_of_one_title_are_told_apart_by_their_places():
    panels = [network(0.1, 3, seed, title=title) for seed, title in ((1, "net"), (2, "other"), (3, "net"))]
    assert "seed 1 (panel 1), seed 2 (other), seed 3 (panel 3)" in said(panels)


def test_parameters_that_were_chosen_are_named_both_ways():
    for chosen, text in (
        ({"include": "conv"}, "only some parameters (include 'conv')"),
        ({"exclude": "fc"}, "only some parameters (exclude 'fc')"),
        ({"include": "conv", "exclude": "fc"}, "only some parameters (include 'conv', exclude 'fc')"),
    ):
        assert text in said(dataclasses.replace(valley(), problem={**valley().problem, **chosen}))


def test_of_many_panels_that_differ_one_is_told_and_that_others_do():
    many = [
        dataclasses.replace(valley(), title=f"net{k}", problem={**valley().problem, "batch_norm": how})
        for k, how in enumerate(("recompute", *4 * ["frozen"]))
    ]
    text = said(many)
    assert "batch-norm statistics recomputed at each point (net0), the others differ" in text
    assert text.count("batch-norm") == 1


def test_every_panel_with_holes_is_counted_and_no_other():
    state = valley().state.copy()
    state[:2] = INTERPOLATED
    filled = dataclasses.replace(valley(), state=state, title="filled")
    for panels in ([valley(), filled], [filled, valley()]):
        text = said(panels)
        assert "filled: 62 interpolated, not measured" in text
        assert "resnet20: " not in text
    damaged = dataclasses.replace(damaged_valley(), title="damaged")
    text = said([filled, damaged, valley()], cap=100)
    assert text.count("not finite") == 1
    assert "damaged: 105 above the cap of 100 (hatched), 13 not finite" in text


def test_of_many_panels_with_holes_four_are_told_and_how_many_others_there_are():
    many = [dataclasses.replace(damaged_valley(), title=f"net{k}") for k in range(7)]
    text = said(many)
    assert text.count("13 not finite") == 4
    assert "net3: 13 not finite; 3 others have such points, too" in text
    assert "others" not in said(many[:4])


def test_anchors_are_those_of_points_that_are_estimates():
    state = np.array([COMPUTED, COMPUTED, COMPUTED, INTERPOLATED])
    surface = SimpleNamespace(
        state=state,
        shape=state.shape,
        anchored={"train": np.array([0, 3, 5, 7]), "test": np.array([1, 1, 1, 0])},
        # The first point has all samples: it is no estimate.
        counts={"train": np.array([100, 10, 10, 0]), "test": np.array([5, 5, 5, 5])},
        anchors={"train": SimpleNamespace(size=100), "test": SimpleNamespace(size=50)},
    )
    assert anchor_words(surface, ["train/loss"]) == "estimated for all samples from 3 to 5 anchors"
    both = "estimated for all samples from 3 to 5 anchors of train and 1 anchor of test"
    assert anchor_words(surface, ["train/loss", "test/loss", "train/accuracy"]) == both
    surface.counts["test"] = np.full(4, 50)
    assert anchor_words(surface, ["test/loss"]) == ""
