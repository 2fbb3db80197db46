"""Every option that changes a value reaches what measures, under the name it has there."""

from __future__ import annotations

import argparse
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import nn

from landscape.cli import build_parser, join_negative_values
from landscape.commands.options import load_plane, measure_settings
from landscape.commands.reports.network_options import given_networks
from landscape.commands.surfaces.trajectory import _plane as plane_of_runs
from landscape.commands.surfaces.trajectory import suitable_batch_norm
from landscape.directions.construct import random_plane
from landscape.trajectory.runs import find_runs
from tests.helpers.document_examples import fill, small_network

# Option -> a value that is not its default, as typed and as handed on.
MEASURED: dict[str, tuple[list[str], Any]] = {
    "samples": (["--samples", "7"], 7),
    "sample_seed": (["--sample-seed", "3"], 3),
    "anchors": (["--anchors", "9"], 9),
    "error": (["--error", "0.04"], 0.04),
    "standard_error": (["--standard-error", "0.02"], 0.02),
    "tolerance": (["--tolerance", "0.03"], 0.03),
    "batch_size": (["--batch-size", "5"], 5),
    "batch_norm": (["--batch-norm", "recompute"], "recompute"),
    "batch_norm_data": (["--batch-norm-data", "train"], "train"),
    "mode": (["--mode", "train"], "train"),
    "noise": (["--noise", "fresh"], "fresh"),
    "weight_decay": (["--weight-decay", "0.5"], 0.5),
    "precision": (["--precision", "bfloat16"], "bfloat16"),
    "precision_tolerance": (["--precision-tolerance", "0.2"], 0.2),
    "compile": (["--compile"], True),
    "loss": (["--loss", "mse"], "mse"),
    "metrics": (["--metric", "a.py:b", "--metric", "a.py:c"], ["a.py:b", "a.py:c"]),
    "write_every": (["--write-every", "4"], 4.0),
    "overwrite": (["--overwrite"], True),
    "x": (["--x=-2:2:5"], "-2:2:5"),
    "y": (["--y=-3:3:7"], "-3:3:7"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(command: str, *more: str) -> argparse.Namespace:
    words = [command, "net.pt", "--model", "nets.py:net", "--data", "train=data.py:training_set", *more]
    options = build_parser().parse_args(join_negative_values(words))
    options.checkpoint = "net.pt"
    return options


@pytest.mark.parametrize("command", ["evaluate", "trajectory"])
def test_every_option_of_measuring_is_handed_on(command):
    plain = measure_settings(parsed(command), small_network())
    words = [word for words, _ in MEASURED.values() for word in words]
    every = measure_settings(parsed(command, *words, "--model-args", '{"width": 3}'), small_network())
    assert {name: every[name] for name in MEASURED} == {name: value for name, (_, value) in MEASURED.items()}
    assert all(plain[name] != every[name] for name in MEASURED)
    # All that `evaluate` takes beside: what differs in each command, and where the surface comes from.
    assert set(plain) - set(MEASURED) == {"checkpoint", "description", "command"}
    assert every["description"] == {"reference": "nets.py:net", "args": {"width": 3}, "class": "Sequential"}


@pytest.mark.parametrize(
    ("words", "recipe"),
    [
        (["--seed", "5"], {"seed": 5}),
        (["--norm", "layer"], {"norm": "layer"}),
        (["--ignore", "none"], {"ignore": "none"}),
        (["--orthogonal"], {"orthogonal": True}),
        (["--move", "states"], {"move": "states"}),
        (["--include", "1.weight"], {"include": "1.weight"}),
        (["--exclude", "bias"], {"exclude": "bias"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_option_of_directions_is_in_their_recipe(folder, words, recipe):
    plain, other = (load_plane(parsed("evaluate", *more), small_network(), 2) for more in ([], words))
    before, after = (
        {**plane.directions[1].recipe, "move": plane.move, "include": plane.include, "exclude": plane.exclude}
        for plane in (plain, other)
    )
    assert recipe.items() <= after.items()
    assert not recipe.items() <= before.items()


def test_a_third_direction_moves_what_include_says_and_not_what_that_of_y_does():
    words = ["--include", "4", "--y-include", "1", "--x-include", "1.weight"]
    plane = load_plane(parsed("evaluate", *words), small_network(), 3)
    moved = [[name for name, each in one.tensors.items() if bool(each.any())] for one in plane.directions]
    assert moved == [["1.weight"], ["1.weight"], ["4.weight"]]


def test_every_option_of_what_moves_reaches_directions_towards_networks_and_the_planes_of_runs(folder):
    runs, network = find_runs(["run"]), small_network(2)  # that of step 1
    towards, three = ["--directions", "b.pt,c.pt"], ["--plane", "a.pt,b.pt,c.pt"]
    for command, more, move in (
        ("evaluate", towards, "weights"),
        ("evaluate", [*towards, "--axes", "orthonormal"], "weights"),
        ("trajectory", three, "weights"),
        ("trajectory", [*three, "--axes", "orthonormal"], "weights"),
        ("trajectory", ["--line", "ends"], "weights"),
        ("trajectory", ["--line"], "states"),
        ("trajectory", ["--plane", "local", "--at", "1"], "states"),
    ):
        given = {"move": move, "include": "1", "exclude": "bias"}  # none of them the default
        options = parsed(command, *more, *(word for name, value in given.items() for word in (f"--{name}", value)))
        plane = (
            load_plane(options, network, 2)
            if command == "evaluate"
            else plane_of_runs(options, network, runs, options.plane.split(","))
        )
        assert {name: getattr(plane, name) for name in given} == given, more


def test_every_option_of_how_directions_are_measured_is_handed_on(monkeypatch):
    asked = []

    def measured(model, data, sources, how, *, path, progress):
        asked.append((sources, how, path))
        return list(random_plane(model).directions)

    monkeypatch.setattr("landscape.curvature.directions.curvature_directions", measured)
    given = {"samples": 7, "sample_seed": 3, "batch_size": 5, "include": "1", "exclude": "bias", "ignore": "biasbn"}
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    for more, path in ([], "net.h5"), (["-o", "a.h5"], "a.h5"), (["--overwrite"], None):
        options = parsed("evaluate", "--directions", "gradient,hessian", "--loss", "mse", *words, *more)
        load_plane(options, small_network(), 2, {})
        sources, how, known = asked.pop()
        assert sources == ["gradient", "hessian:0"]
        assert {name: getattr(how, name) for name in given} == given
        assert how.loss.name == "mse"
        assert known == path or str(known) == path


def test_a_folder_that_is_a_network_is_a_second_checkpoint_and_a_network_to_compare(folder):
    for name in ("here", "there"):
        (folder / "nets" / name).mkdir(parents=True)
        (folder / "nets" / name / "config.json").write_text("{}")
        tensors = {key: tensor + 1 for key, tensor in small_network().state_dict().items()}
        save_file(tensors, folder / "nets" / name / "model.safetensors")
    plane = load_plane(parsed("evaluate", "--directions", "nets/there"), small_network(), 1)
    assert plane.directions[0].recipe["source"] == "checkpoint"
    for words in (["--group", "a=nets/here,nets/there"], ["--group", "a=nets/*ere"], ["--group", "a=nets"]):
        assert [each.name for each in given_networks(build_parser().parse_args(["predictions", *words]))] == [
            "here",
            "there",
        ]


def test_statistics_are_estimated_again_where_weights_alone_move():
    moved = {move: load_plane(parsed("evaluate", "--move", move), small_network(), 2) for move in ("weights", "states")}
    found = [suitable_batch_norm(small_network(), moved[move]) for move in ("weights", "states")]
    assert found == ["recompute", "frozen"]
    without = nn.Sequential(nn.Linear(3, 2))
    assert suitable_batch_norm(without, moved["weights"]) == "frozen"
