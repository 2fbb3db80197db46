"""What has to be the same for a file to be gone on with, and what may differ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import landscape
from landscape.evaluation.resume import differences, value_differences
from landscape.surface.surface import Surface

# What a surface's problem says that another run may say otherwise: the network's name, and how many samples there are.
FREE = {"model", "data", "samples", "statistics"}  # the last follows from the network and the other settings


@pytest.fixture
def stored(classifier, images) -> Surface:
    """A whole surface as a run makes it, of two data sets."""
    data = {"train": images, "test": (images[0][:9], images[1][:9])}
    return landscape.evaluate(classifier, data, x="-1:1:3", y="-1:1:2", weight_decay=0.1)


def changed(surface: Surface, part: str, **changes: object) -> Surface:
    return dataclasses.replace(surface, **{part: {**getattr(surface, part), **changes}})


def test_a_surface_is_no_other_than_itself_nor_than_one_with_fewer_samples_or_ranks(stored):
    assert list(differences(stored, stored)) == []
    data = {name: {**entry, "samples": 5} for name, entry in stored.problem["data"].items()}
    fewer = changed(changed(stored, "problem", data=data, samples=5), "quality", ranks=7, batch_size=3, engine="plain")
    assert list(differences(stored, fewer)) == []


def test_every_setting_that_a_file_says_is_compared(stored):
    for name in set(stored.problem) - FREE:
        asked = changed(stored, "problem", **{name: "something else"})
        (found,) = differences(stored, asked)
        assert "something else was asked for" in found, name
    (found,) = differences(stored, changed(stored, "problem", noise="common"))
    assert found == "its noise is none, common was asked for"
    (found,) = differences(stored, changed(stored, "problem", normalize=[[0.5], [0.2]]))
    assert found == "its normalisation of the data is none, 0.5, 0.2 was asked for"
    (found,) = differences(stored, changed(stored, "problem", batch_norm_data="test"))
    assert found == "its batch norm data is none, test was asked for"


def test_every_setting_of_a_quantity_is_compared_also_one_that_is_not_asked_for(stored):
    had = changed(stored, "problem", quantities={"curvature": {"samples": 9, "damping": 0.5}})
    for asked, difference in (
        ({"samples": 9, "damping": 0.5}, []),
        ({"samples": 8, "damping": 0.5}, ["its curvature has samples 9, 8 was asked for"]),
        ({"samples": 9}, ["its curvature has damping 0.5, none was asked for"]),
        (
            {"samples": 9, "damping": 0.5, "seed": 1},
            ["its curvature has seed none, 1 was asked for"],
        ),
    ):
        wanted = changed(stored, "problem", quantities={"curvature": asked})
        assert list(differences(had, wanted)) == difference
    assert list(differences(had, changed(stored, "problem", quantities={"other": {"samples": 1}}))) == []


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_samples_of_every_data_set_are_compared(stored, name):
    prints = {**stored.origin["fingerprints"], name: "0" * 64}
    assert list(differences(stored, changed(stored, "origin", fingerprints=prints))) == [
        f"the samples of its data set {name!r} are not these"
    ]
    data = {**stored.problem["data"], name: {**stored.problem["data"][name], "size": 11}}
    (found,) = differences(stored, changed(stored, "problem", data=data))
    assert f"its data set {name!r} has" in found
    assert "this one 11" in found
    (found,) = differences(stored, changed(stored, "problem", data={name: stored.problem["data"][name]}))
    assert found == f"its data sets are test, train, {name} were asked for"


@pytest.mark.parametrize("number", [0, 1])
def test_every_axis_is_compared_by_points_and_direction(stored, number):
    letter, axis = "xy"[number], stored.axes[number]

    def asked(**changes):
        axes = list(stored.axes)
        axes[number] = dataclasses.replace(axis, **changes)
        return dataclasses.replace(stored, axes=tuple(axes))

    moved = np.array(axis.values)
    moved[-1] += 1e-9
    (found,) = differences(stored, asked(values=moved))
    assert found.startswith(f"its {letter} is ")
    (found,) = differences(stored, asked(sha256="1" * 64, recipe={**axis.recipe, "norm": "layer"}))
    assert found == f"its direction {letter} has norm filter, layer was asked for"
    (found,) = differences(stored, asked(sha256="1" * 64))
    assert found.startswith(f"its direction {letter} comes out otherwise here (SHA-256 {axis.sha256[:12]}, now 1111")
    (found,) = differences(stored, asked(kind="repeat"))
    assert found == f"its axis {letter} is a direction, a repeat was asked for"


def test_another_checkpoint_is_named_by_its_digest_and_does_not_count_as_other_directions(stored):
    axes = tuple(dataclasses.replace(axis, sha256="2" * 64) for axis in stored.axes)
    other = dataclasses.replace(changed(stored, "origin", sha256="3" * 64), axes=axes)
    (found,) = differences(stored, other)
    assert found == (f"it is of the checkpoint with SHA-256 {stored.origin['sha256'][:12]}, this one's is {'3' * 12}")


def test_repeated_planes_are_compared_by_all_their_directions(classifier, images):
    one, two = (
        landscape.evaluate(classifier, images, landscape.random_plane(classifier, seed=seed), x="0:1:2", repeats=2)
        for seed in (0, 1)
    )
    found = list(differences(one, two))
    assert found == ["its direction x has seed 0, 1 was asked for", "its seeds are 0, 1, 1, 2 were asked for"]
    recipe = one.axes[-1].recipe
    last = [recipe["repeats"][0], [{**each, "sha256": "4" * 64} for each in recipe["repeats"][1]]]
    changed_axis = dataclasses.replace(one.axes[-1], recipe={**recipe, "repeats": last})
    (found,) = differences(one, dataclasses.replace(one, axes=(one.axes[0], changed_axis)))
    assert "comes out otherwise" in found


def test_precision_is_compared_and_the_batch_size_where_values_depend_on_it(stored):
    (found,) = differences(stored, changed(stored, "quality", precision="bfloat16"))
    assert found == "its precision is float64, bfloat16 was asked for"
    for setting in ({"batch_norm": "recompute"}, {"mode": "train"}, {"noise": "fresh"}, {"loss_by_batch": True}):
        one = changed(stored, "problem", **setting)
        (found,) = differences(one, changed(one, "quality", batch_size=7))
        assert found == "its batch size is 256, 7 was asked for"


@pytest.mark.parametrize(
    ("was", "now", "precision", "same"),
    [
        (2.0, 2.0 * (1 + 5e-5), "float32", True),  # sums in another order
        (2.0, 2.0 * (1 + 2e-4), "float32", False),
        (2.0, 2.0 * (1 - 2e-4), "float32", False),
        (2.0, 2.0 * (1 + 5e-10), "float64", True),
        (2.0, 2.0 * (1 + 2e-9), "float64", False),
        (2.0, 2.0 * 1.015, "bfloat16", True),
        (2.0, 2.0 * 1.03, "bfloat16", False),
        (0.0, 1e-8, "float32", True),
        (0.0, 1e-6, "float32", False),
        (np.nan, np.nan, "float32", True),
        (np.nan, 1.0, "float32", False),
        (1.0, np.nan, "float32", False),
        (np.inf, np.inf, "float32", True),
        (np.inf, -np.inf, "float32", False),
        (np.inf, 1e30, "float32", False),
    ],
)
def test_a_value_at_the_checkpoint_may_differ_by_rounding_alone(was, now, precision, same):
    found = list(value_differences({"train/loss": was}, {"train/loss": now}, 1000, precision))
    assert (found == []) is same


def test_two_samples_may_fall_to_the_other_side_of_an_edge():
    for off, same in ((0.002, True), (0.003, False)):
        found = list(value_differences({"test/accuracy": 0.5}, {"test/accuracy": 0.5 + off}, 1000, "float64"))
        assert (found == []) is same
    # A value that this run does not measure says nothing; every one it does measure has to be the same.
    stored = {"train/loss": 1.0, "train/margin": 3.0, "test/loss": 2.0}
    assert list(value_differences(stored, {"train/loss": 1.0, "test/loss": 2.5}, 1000, "float32")) == [
        "test/loss at theta* was 2 and is 2.5 now"
    ]
