"""What a page is told of a surface: frames, values and errors, captions, and how far to trust them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from landscape.plot.page.html import read_page, write_page
from landscape.plot.page.packing import Packer, unpack
from landscape.plot.page.records import first_frame, frames_of, surface_record
from landscape.plot.page.trust import trust_rows

from landscape.surface.anchors import Anchors
from landscape.surface.grid import Axis
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Surface, Trajectory, sampling_factor
from tests.helpers.plot_fixtures import noisy, random_axis, seeded, surface_of, valley


def test_errors_are_kept_to_three_digits() -> None:
    surface = noisy(9, 0)
    packer = Packer()
    record = surface_record(surface, packer)
    stored = unpack(packer.index, packer.text())[record["stderr"]["train/loss"]]
    shown = surface.stderr["train/loss"] * sampling_factor(surface, "train/loss")
    np.testing.assert_allclose(stored, shown, rtol=5e-4)


def test_seeds_and_slices_become_frames() -> None:
    plane = valley(6, 5)
    seeds = Surface(
        (*plane.axes, Axis(np.arange(3.0), "seed", kind="repeat", recipe={"repeats": [[{}, {}]] * 3})),
        {"train/loss": np.stack([plane["train/loss"] * k for k in (1, 2, 3)])},
        np.ones((3, 5, 6), np.uint8),
    )
    frames, label = frames_of(seeds)
    assert label == "seed"
    np.testing.assert_array_equal(frames[2]["train/loss"], plane["train/loss"] * 3)
    volume = dataclasses.replace(seeds, axes=(*plane.axes, Axis(np.array([-1.0, 0.5, 2.0]), "third")))
    frames, label = frames_of(volume)
    assert (label, frames[1].title) == ("γ", "γ = 0.5")
    np.testing.assert_array_equal(frames[1]["train/loss"], plane["train/loss"] * 2)
    behind = dataclasses.replace(volume, axes=(*plane.axes, Axis(np.array([-0.2, 1.0, 2.0]), "third")))
    assert [first_frame(each) for each in (volume, behind, seeds)] == [1, 0, 0], "the plane of the checkpoint"
    # A run through a volume lies in none of its slices.
    run = Trajectory(np.zeros((2, 3)), np.zeros(2), np.zeros(2), np.arange(2))
    assert not any(frame.trajectories for frame in frames_of(dataclasses.replace(volume, trajectories={"sgd": run}))[0])


def test_an_unfinished_run_is_shown_as_far_as_it_is_whole() -> None:
    surface = valley(31, 23)
    state = surface.state.copy()
    state[1::2] = NOT_COMPUTED
    values = {name: np.where(state == NOT_COMPUTED, np.nan, array) for name, array in surface.values.items()}
    unfinished = dataclasses.replace(surface, values=values, state=state)
    packer = Packer()
    record = surface_record(unfinished, packer)
    arrays = unpack(packer.index, packer.text())
    missing = int((state == NOT_COMPUTED).sum())
    assert record["trust"][0] == (
        ["unfinished", f"{missing} of 713 points to come; drawn is the complete, coarser grid"]
    )
    assert dict(record["trust"])["not computed"] == f"{missing} of 713"
    assert dict(record["trust"])["not finite"] == "none", "what was not computed is not that"
    assert record["unfinished"] == f"{missing} of 713 points to come"
    # What is drawn has no hole, and is the run's own at the same places.
    x, y = (arrays[axis["values"]] for axis in record["axes"])
    assert 2 <= len(y) < 23
    assert (arrays[record["state"]] == 1).all()
    i, j = (np.searchsorted(axis.values, kept) for axis, kept in zip(surface.axes, (x, y), strict=True))
    for name in surface.values:
        np.testing.assert_array_equal(arrays[record["values"][name]], surface[name][np.ix_(j, i)])


def test_trust_says_what_is_known_and_nothing_else() -> None:
    surface = valley(9, 8)
    surface = dataclasses.replace(surface, stderr={"train/loss": 0.05 * surface["train/loss"]})
    rows = dict(trust_rows(surface, "train/loss"))
    assert rows["points"] == "9 × 8, 72 of 72 measured"
    assert rows["samples of train"] == "1000 of 50000"
    assert rows["cosine of the axes"] == "0.0123"
    assert "not computed" not in rows
    assert rows["not finite"] == "none"
    assert rows["checkpoint"].startswith("net.pt")
    assert rows["at the checkpoint"].startswith("training loss 0.41")
    origin = {"values": {"train/loss": None, "test/loss": 0.25, "test/accuracy": 1}}
    unknown = dict(trust_rows(dataclasses.replace(surface, origin=origin), "train/loss"))
    assert unknown["at the checkpoint"] == "training loss None, test loss 0.25, test accuracy 100.00 %"
    error = 0.05 * surface["train/loss"] * np.sqrt(1 - 1000 / 50000)
    middle, most = (f"{float(f'{each:.3g}'):g}" for each in (np.median(error), error.max()))
    assert rows["standard error"] == f"± {middle} (median) of the training loss, at most ± {most}"
    made = "filter-normalised, seed 7, biases and batch norm left out, length 3.5"
    assert [rows[f"direction {each}"] for each in "αβ"] == [f"random direction {k}, {made}" for k in (1, 2)]
    axes = tuple(dataclasses.replace(axis, source="pca") for axis in surface.axes)
    shown = dict(trust_rows(dataclasses.replace(surface, axes=axes), "train/loss"))
    assert {"direction PC 1", "direction PC 2"} <= set(shown), "as the picture calls them"
    recipes = ({"norm": "layer", "ignore": "none", "seed": 0}, {"norm": "filter", "ignore": "biasbn"})
    axes = tuple(dataclasses.replace(each, recipe=how) for each, how in zip(surface.axes, recipes, strict=True))
    shown = dict(trust_rows(dataclasses.replace(surface, axes=axes), "train/loss"))
    assert shown["direction α"] == "random direction 1, layer-normalised, seed 0, length 3.5", (
        "nothing is left out there"
    )
    assert shown["direction β"] == "random direction 2, filter-normalised, biases and batch norm left out, length 3.5"
    bare = Surface(valley(4, 3).axes[:2], {"train/loss": np.ones((3, 4))}, np.ones((3, 4), np.uint8))
    assert {label for label, _ in trust_rows(bare, "train/loss")} <= {
        "points",
        "not finite",
        "direction α",
        "direction β",
    }


def test_a_page_is_told_of_a_runs_steps_where_the_learning_rate_fell_and_its_losses_by_name() -> None:
    spots, words = np.array([[0.5, -0.25], [0.25, 0.5], [0.0, 0.125], [0.0, 0.0]]), {"unit": "epoch"}
    words |= {"lr_drops": [20, 30, 2], "loss_name": "train/loss", "values": {"train/loss": [4, 3, 2, 1], "short": [1]}}
    words |= {"plane_values": {"train/loss": [8, 7, 6, 5]}}
    run = Trajectory(
        spots, np.array([0.5, 2.0, 1.0, 0.0]), np.array([4.0, 3.0, 2.0, 1.0]), np.array([0, 10, 20, 30]), words
    )
    packer = Packer()
    surface = dataclasses.replace(valley(6, 5), trajectories={"sgd": run})
    (path,) = surface_record(surface, packer)["paths"]
    arrays = unpack(packer.index, packer.text())
    np.testing.assert_array_equal(arrays[path["coordinates"]], spots)
    np.testing.assert_array_equal(arrays[path["step"]], [0, 10, 20, 30])
    np.testing.assert_array_equal(arrays[path["loss"]], [4, 3, 2, 1])
    np.testing.assert_array_equal(arrays[path["own"]["train/loss"]], [4, 3, 2, 1])
    np.testing.assert_array_equal(arrays[path["below"]["train/loss"]], [8, 7, 6, 5])
    assert (list(path["own"]), list(path["below"])) == (["train/loss"], ["train/loss"])
    # By their numbers among the records; 2 is no step of the run.
    assert path["drops"] == [2, 3]
    said = ("sgd", "epoch", "train/loss", "up to 2 away from the plane", False)
    assert tuple(path[key] for key in ("name", "unit", "lossName", "note", "unordered")) == said


def volume() -> Surface:
    plane = valley(6, 5)
    third = Axis(np.array([-1.0, 0.0, 2.0]), "third", "random")
    loss = np.stack([plane["train/loss"] + shift for shift in (5.0, 0.0, 9.0)])
    origin = {"values": {"train/loss": 0.41}}
    return Surface((*plane.axes, third), {"train/loss": loss}, np.ones((3, 5, 6), np.uint8), origin=origin, title="net")


def test_each_seed_is_named_and_the_page_says_how_much_they_differ(tmp_path: Path) -> None:
    content, _ = read_page(write_page(seeded(3, 5, 8), tmp_path / "page.html"))
    frames = content["panes"][0]["frames"]
    assert [frame["title"] for frame in frames] == ["net, seed 3", "net, seed 5", "net, seed 8"]
    assert [f"seed {k}" in text for k, text in zip((3, 5, 8), content["captions"]["train/loss"], strict=True)] == [
        True
    ] * 3
    rows = dict(frames[1]["trust"])
    assert "by a factor of" in rows["seeds"]


def test_only_the_slice_that_holds_the_checkpoint_claims_its_values(tmp_path: Path) -> None:
    content, _ = read_page(write_page(volume(), tmp_path / "page.html"))
    frames = content["panes"][0]["frames"]
    assert [frame["centred"] for frame in frames] == [False, True, False]
    assert [frame["origin"] for frame in frames] == [{}, {"train/loss": 0.41}, {}]
    assert content["start"]["frame"] == 1, "the slider starts where the checkpoint is"


def test_a_page_is_told_of_the_networks_on_its_planes_and_only_there(tmp_path: Path) -> None:
    there = Axis(np.linspace(-1.0, 1.0, 3), "", "checkpoint", {"path": "runs/b.pt", "differs": []})
    behind = Axis(np.linspace(0.0, 1.0, 3), "", "checkpoint", {"path": "runs/c.pt", "differs": []})
    volume = surface_of({"train/loss": np.ones((3, 3, 3))}, there, random_axis(np.linspace(-1, 1, 3), 1), behind)
    frames = read_page(write_page(volume, tmp_path / "page.html"))[0]["panes"][0]["frames"]
    told = [[(each["name"], each["short"], each["x"], each["y"]) for each in frame["networks"]] for frame in frames]
    assert told == [[("b.pt", "b", 1.0, 0.0)], [], [("c.pt", "c", 0.0, 0.0)]]
    assert [frame["checkpoint"] for frame in frames] == ["net.pt", "", ""]
    elsewhere = dataclasses.replace(volume, origin={**volume.origin, "elsewhere": True})
    frames = read_page(write_page(elsewhere, tmp_path / "page.html"))[0]["panes"][0]["frames"]
    assert not any(frame["networks"] for frame in frames)


def test_what_is_said_follows_what_is_drawn(tmp_path: Path) -> None:
    surface = valley()
    surface = dataclasses.replace(surface, values={**surface.values, "test/loss": surface["train/loss"] * 2})
    content, _ = read_page(write_page(surface, tmp_path / "page.html"))
    starts = {name: texts[0].split(" of ")[0] for name, texts in content["captions"].items()}
    assert starts["train/loss"] == "Training loss (cross entropy)"
    assert starts["test/loss"] == "Test loss (cross entropy)"
    assert starts["train/accuracy"] == "Training accuracy"
    assert starts["gap/loss"] == "Loss (cross entropy)"


def test_interpolated_points_are_counted_with_their_error() -> None:
    surface = valley()
    state, count = surface.state.copy(), surface.counts["train"].copy()
    state[::2, ::2], count[::2, ::2] = INTERPOLATED, 0
    quality = {"interpolation_error": 0.0123, "interpolation": {"held_out": 60}}
    surface = dataclasses.replace(surface, state=state, counts={"train": count}, quality=quality)
    rows = dict(trust_rows(surface, "train/loss"))
    filled = int((state == INTERPOLATED).sum())
    assert rows["interpolated"] == f"{filled} of 713 (95 % of them to 1.2 % of loss + eps, by 60 held out)"
    assert rows["samples of train"] == "1000 of 50000", "interpolated points have no samples to count"
    record = surface_record(surface, Packer())
    assert record["interpolation"]["train/loss"] == "95 % of them to 1.2 % of loss + eps, by 60 held out"


def test_a_page_is_told_how_many_samples_the_checkpoint_was_measured_on() -> None:
    surface = dataclasses.replace(valley(), quality={"unfinished": 7, "standard_error": {"target": 0.025}})
    record = surface_record(surface, Packer())
    assert dict(record["trust"])["samples until"] == "standard error of 2.5 % of loss + eps"
    assert record["samples"] == {"train": 1000}
    assert record["unfinished"] == "7 of 713 points lack samples"
    assert dict(trust_rows(surface, "train/loss"))["unfinished"] == "7 of 713 still lack samples"


def test_a_page_states_the_errors_that_the_samples_left_out_leave() -> None:
    surface = valley()
    shape = surface.shape
    counts = np.full(shape, 37_500)
    counts[0] = 50_000  # all of them: nothing is left to chance
    errors = {"train/loss": np.full(shape, 0.25)}
    anchored = {"train": np.arange(counts.size).reshape(shape)}
    anchors = {"train": Anchors(np.array([-1]), {"loss": np.ones((1, 3))}, {"loss": np.ones(1)}, 50_000)}
    surface = dataclasses.replace(
        surface, counts={"train": counts}, stderr=errors, paired_stderr=errors, anchored=anchored, anchors=anchors
    )
    packer = Packer()
    record = surface_record(surface, packer)
    assert list(record["anchored"]) == ["train/loss"], "no accuracy was estimated"
    packed = unpack(packer.index, packer.text())[record["anchored"]["train/loss"]]
    np.testing.assert_array_equal(packed, anchored["train"])
    for kind in ("stderr", "paired"):
        shown = unpack(packer.index, packer.text())[record[kind]["train/loss"]]
        assert (shown[0] == 0).all()
        np.testing.assert_allclose(shown[1:], 0.125, rtol=1e-3)  # half of it, as a quarter was left out
    assert "at most ± 0.125" in dict(trust_rows(surface, "train/loss"))["standard error"]


def test_trust_names_the_values_that_are_not_finite_and_whose_variance_it_is() -> None:
    surface = valley(9, 8)
    accuracy = surface["train/accuracy"].copy()
    accuracy[1, 2:4] = np.nan
    runs = {
        name: Trajectory(
            np.zeros((2, 2)), np.zeros(2), np.zeros(2), np.arange(2), {"explained_variance": [0.7, 0.2, 0.06]}
        )
        for name in ("SGD", "Adam")
    }
    axes = tuple(dataclasses.replace(axis, source="pca") for axis in surface.axes)
    surface = dataclasses.replace(
        surface, axes=axes, values={**surface.values, "train/accuracy": accuracy}, trajectories=runs
    )
    rows = dict(trust_rows(surface, "train/loss"))
    assert rows["not finite"] == "2 of 72 (training accuracy)"
    assert rows["variance"] == "90.0 % of all runs' variance together lies in this plane, 10.0 % outside"
    alone = dataclasses.replace(surface, trajectories={"SGD": runs["SGD"]})
    assert dict(trust_rows(alone, "train/loss"))["variance"].startswith("90.0 % of the run's variance lies")
    record = surface_record(surface, Packer())
    assert [axis["name"] for axis in record["axes"]] == ["PC 1", "PC 2"], "what read-outs call them"
