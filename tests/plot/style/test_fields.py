"""Metadata of pictures: all it takes to find their numbers again."""

from __future__ import annotations

import dataclasses
import gc
import json
import math
import weakref

import numpy as np
import pytest
from landscape.plot.scale.scale import Scale
from landscape.plot.style.fields import metadata, recall, remember
from matplotlib.figure import Figure

import landscape
from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED
from tests.helpers.plot_fixtures import PROBLEM, network, valley


def test_metadata_holds_all_it_takes_to_find_the_numbers_again():
    surface = valley()
    fields = metadata(surface, Scale.of(surface, "train/loss"), text="A caption.")
    assert fields["Description"] == "A caption."
    assert fields["File SHA-256"] == "cd" * 32
    assert fields["Checkpoint SHA-256"] == "ab" * 32
    assert fields["Samples"] == "1,000 of 50,000 samples (seed 3)"
    assert fields["Batch norm"] == "frozen"
    assert (fields["Normalization"], fields["Ignored"], fields["Seeds"]) == ("filter", "biasbn", "7")
    assert (fields["Eps"], fields["Cap"], fields["Interpolation"]) == ("0.1", "none", "none")
    assert json.loads(fields["Directions"])[1]["axis"] == 1
    assert fields["Software"].startswith("landscape ")
    assert all(isinstance(value, str) for value in fields.values())


def test_every_field_of_the_metadata_holds_what_its_name_says():
    surface = valley(5, 4)
    axes = [dataclasses.replace(axis, recipe={**axis.recipe, "seed": 0}) for axis in surface.axes]
    loss, state = surface["train/loss"].copy(), surface.state.copy()
    loss[0, 0], loss[1, :2] = math.nan, math.inf
    state[2, :3], state[3, 0] = INTERPOLATED, NOT_COMPUTED
    surface = dataclasses.replace(
        surface, axes=tuple(axes), values={"train/loss": loss}, state=state, quality={"precision": "float32"},
        created="2026-05-01", command="landscape evaluate", problem={**PROBLEM, "mode": "train"},
    )  # fmt: skip
    scale = dataclasses.replace(Scale.of(valley(5, 4), "train/loss", cap=20.0), independent=True)
    fields = metadata(surface, scale, notes={"Interpolation": "cubic", "View": "top"})
    assert [json.loads(fields.pop(name)) for name in ("Data", "Cosines", "Directions")] == [
        PROBLEM["data"], [[1.0, 0.0123], [0.0123, 1.0]], [dict(axis.recipe) for axis in axes]
    ]  # fmt: skip
    above = int((np.nan_to_num(loss[:3], posinf=0.0) > 20).sum() + (loss[3, 1:] > 20).sum())
    assert fields == {
        "Title": "resnet20", "Checkpoint": "runs/net.pt", "Checkpoint SHA-256": "ab" * 32, "File": "net.h5",
        "File SHA-256": "cd" * 32, "Model": "nets.py:resnet20", "Samples": "1,000 of 50,000 samples (seed 3)",
        "Sample seed": "3", "Loss function": "cross_entropy", "Batch norm": "frozen", "Mode": "train",
        "Normalization": "filter", "Ignored": "biasbn", "Moved": "weights", "Seeds": "0", "Grid": "5 x 4",
        "Missing": "1", "Above cap": str(above), "Not finite": "3", "Interpolated": "3", "Precision": "float32",
        "Measured with": "landscape 0.1.0", "Measured": "2026-05-01", "Command": "landscape evaluate",
        "Values": "train/loss", "Scale": scale.axis_label(), "Eps": "0.1", "Cap": "20", "Scale shared": "no",
        "Interpolation": "cubic", "View": "top", "Software": f"landscape {landscape.__version__}",
    }  # fmt: skip


def test_metadata_of_panels_tells_them_apart():
    surfaces = [network(0.1, 3, 1, title="skip"), network(0.5, 6, 2, title="plain")]
    fields = metadata(surfaces, Scale.of(surfaces, "train/loss", cap=50.0))
    assert fields["Seeds"] == "1 | 2"
    assert fields["Title"] == "skip | plain"
    counts = [str(int((each["train/loss"] > 50).sum())) for each in surfaces]
    assert fields["Above cap"] == " | ".join(counts)
    caps = (50.0, 20.0)
    scales = [Scale.of(each, "train/loss", cap=cap) for each, cap in zip(surfaces, caps, strict=True)]
    counts = [str(int((each["train/loss"] > cap).sum())) for each, cap in zip(surfaces, caps, strict=True)]
    assert metadata(surfaces, scales)["Above cap"] == " | ".join(counts)


def test_metadata_is_forgotten_with_its_figure():
    figure = Figure()
    remember(figure, {"Title": "x"})
    assert recall(figure) == {"Title": "x"}
    assert recall(Figure()) == {}
    still_there = weakref.ref(figure)
    del figure
    gc.collect()
    assert still_there() is None


@pytest.mark.parametrize("title", ["résumé", "网络", "a|b", "<b>&amp;"])
def test_any_title_is_kept_as_it_is(title):
    surface = dataclasses.replace(valley(), title=title)
    assert metadata(surface)["Title"] == title
