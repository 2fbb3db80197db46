"""Ticks on an axis of layers stand at the stages that they name."""

from __future__ import annotations

import pytest
from landscape.plot.representations.layer_axes import longest_name, name_layers, stages
from landscape.plot.style.style import look, text_width
from matplotlib.figure import Figure

from landscape.surface.reports.similarity import NetworkLayers

RESNET = ("conv1", "layer1.0.a", "layer1.0.b", "layer1.1.a", "layer2.0.a", "layer2.0.b", "")


def network(*names: str) -> NetworkLayers:
    return NetworkLayers("net", names, (1,) * len(names), ("Conv2d",) * len(names), (8,) * len(names))


def test_stages_are_runs_of_one_beginning_and_the_network_itself_is_its_output():
    assert stages(network(*RESNET)) == [("conv1", 0, 1), ("layer1", 1, 4), ("layer2", 4, 6), ("output", 6, 7)]


def test_of_names_without_stages_some_are_named_from_the_first_to_near_the_last():
    names = [f"{'abcdefghijklmnopqrst'[k]}{k}" for k in range(20)]
    assert stages(network(*names)) == [(names[k], k, k + 1) for k in range(0, 20, 3)]


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_name_stands_in_the_middle_of_its_stage_and_marks_between_stages(axis):
    ax = Figure().subplots()
    name_layers(ax, network(*RESNET), axis=axis, length=6.0)
    chosen, other = (ax.xaxis, ax.yaxis) if axis == "x" else (ax.yaxis, ax.xaxis)
    texts = [label.get_text() for label in chosen.get_ticklabels()]
    assert dict(zip(texts, chosen.get_ticklocs(), strict=True)) == {"conv1": 0, "layer1": 2, "layer2": 4.5, "output": 6}
    assert list(chosen.get_ticklocs(minor=True)) == [0.5, 3.5, 5.5]
    assert not any(label.get_parse_math() for label in chosen.get_ticklabels())
    assert not set(texts) & {label.get_text() for label in other.get_ticklabels()}


def test_where_names_would_touch_those_of_the_largest_stages_stay_and_marks_stay_all():
    ax = Figure().subplots()
    name_layers(ax, network(*RESNET), axis="y", length=0.35)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["layer1", "layer2"]
    assert len(ax.get_yticks(minor=True)) == 3
    name_layers(ax, network(*RESNET), axis="y", length=6.0, labelled=False)
    assert {label.get_text() for label in ax.get_yticklabels()} == {""}


def test_a_long_name_is_cut_to_the_room_that_the_axis_keeps_for_it():
    own = network("encoder_of_the_very_first_stage_of_all.0", "encoder_of_the_very_first_stage_of_all.1", "head")
    ax = Figure().subplots()
    name_layers(ax, own, axis="y", length=6.0)
    widest = max(text_width(label.get_text(), look().tick) for label in ax.get_yticklabels())
    assert 0.5 < widest <= longest_name(own) == 0.75
    assert longest_name(network("a.0", "a.1")) == text_width("a", look().tick)
