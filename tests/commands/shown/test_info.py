"""What `landscape info` says is in the file, fits a page, and cannot be made to steer a terminal."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from landscape.cli import main
from landscape.commands.shown.facts import surface_facts
from landscape.commands.surfaces.summary import describe_anchors, describe_paths, describe_result
from landscape.files.store import write_surface
from landscape.problem.checkpoints.checkpoint import load_checkpoint
from landscape.surface.anchors import Anchors
from landscape.surface.derived.loss_barrier import barrier
from landscape.surface.derived.projected_runs import distances
from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, Surface, Trajectory, sampling_factor
from tests.helpers.li2018_files import NAME, write_directions, write_like_the_tool
from tests.helpers.plot_fixtures import half_finished_valley, interpolation, repeated, valley


@pytest.fixture
def info(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command at 80 columns and return what it printed."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, code: int = 0) -> str:
        assert main(["info", *map(str, arguments)]) == code
        return capsys.readouterr().out

    return run


def evil() -> Surface:
    """Return a surface whose every text tries to steer the terminal or rich."""
    text = "[bold red]x[/] \x1b[2J\x1b]0;title\x07 \u202e \udcff [link=http://a]b[/link] :smile:"
    axis = Axis(np.array([0.0, 1.0]), label=text, source=text, recipe={text: text}, sha256=text)
    run = Trajectory(np.zeros((1, 1)), np.zeros(1), np.zeros(1), np.zeros(1, np.int64), {text: text})
    fields = dict.fromkeys(("title", "software", "created", "command"), text)
    documents = {key: {text: [text, {text: text}]} for key in ("problem", "origin", "quality")}
    return Surface(
        (axis,), {"train/loss": np.ones(2)}, np.ones(2, np.uint8), trajectories={text: run}, **fields, **documents
    )


def test_a_surface_is_told_from_head_to_foot(tmp_path, info):
    surface = dataclasses.replace(
        valley(),
        cosines=np.array([[1.0, 0.0123], [0.0123, 1.0]]),
        quality={"precision": "float32", "precision_error": 1.25e-7},
        software="landscape 0.1.0",
        created="2026-05-01T12:00:00+00:00",
        command="landscape evaluate runs/net.pt --x -1:1:31 -o net.h5",
    )
    digest = write_surface(tmp_path / "net.h5", surface)
    said = info(tmp_path / "net.h5")
    for words in (
        "surface of 31 x 23 points, complete",
        "2026-05-01T12:00:00+00:00 by landscape 0.1.0",
        "runs/net.pt (SHA-256 abababababababab)",
        digest[:16],
        "713 computed",
        "1,000 of 50,000",
        "train/loss",
        "0.41",  # at theta*
        "seed 7, norm filter, ignore biasbn, move weights",
        "cosine x, y  0.0123",
        "float32",
        "1.25e-07",
        "cross_entropy",
        "made with\nlandscape evaluate runs/net.pt --x -1:1:31 -o net.h5\n",
    ):
        assert words in said, words


def test_a_line_between_two_networks_is_told_with_its_barrier(tmp_path, info):
    line = interpolation()
    write_surface(tmp_path / "line.h5", line)
    height, place = barrier(line, "train/loss")
    said = info(tmp_path / "line.h5")
    assert f"barrier of train/loss: {height:.4g} above the line between both networks, at {place:.4g}" in said
    assert "barrier of train/accuracy" not in said
    facts = json.loads(info("--json", tmp_path / "line.h5"))["values"]
    assert facts["train/loss"]["barrier"] == {"height": height, "x": place}
    x = line.axes[0].values
    top, where = barrier(line, "test/loss")
    words = f"test/loss: barrier {top:.4g} above the line between both networks, at {where:.4g}"
    assert words in describe_result(line).splitlines()
    flat = dataclasses.replace(line, values={"train/loss": 1 + x**2})
    assert "train/loss: no barrier between both networks" in describe_result(flat)
    write_surface(tmp_path / "flat.h5", flat)
    assert "barrier of train/loss: none" in info(tmp_path / "flat.h5")


def test_extremes_and_barriers_are_those_of_points_that_were_measured(tmp_path, info):
    line = interpolation()
    height, place = barrier(line, "train/loss")
    top = int(np.argmin(np.abs(line.axes[0].values - place)))
    values, state = line["train/loss"].copy(), line.state.copy()
    values[top + 1] = values.max() + 1  # as a spline may overshoot
    values[2] = 0.0
    state[[top + 1, 2]] = INTERPOLATED
    line = dataclasses.replace(line, values={"train/loss": values}, state=state)
    assert barrier(line, "train/loss") == (height, place)
    write_surface(tmp_path / "line.h5", line)
    facts = json.loads(info("--json", tmp_path / "line.h5"))["values"]["train/loss"]
    assert facts["max"]["value"] == values[state == COMPUTED].max() < values.max()
    assert facts["min"]["value"] == values[state == COMPUTED].min() > 0
    said = describe_result(line)
    assert f"over {len(values) - 2} measured points" in said
    assert f"to {values[state == COMPUTED].max():.4g} over" in said


def test_a_half_finished_surface_says_how_far_it_is_and_how_to_go_on(tmp_path, info):
    surface = dataclasses.replace(half_finished_valley(), command="landscape evaluate ...")
    write_surface(tmp_path / "net.h5", surface)
    said = info(tmp_path / "net.h5")
    whole = surface.finished_part().shape
    assert "% done" in said
    assert f"a coarser grid of {whole[1]} x {whole[0]}" in said
    assert f"{int((surface.state == 0).sum()):,} missing" in said
    assert "to continue\nlandscape evaluate ...\n" in said


def test_the_command_that_goes_on_does_not_start_over(tmp_path, info):
    surface = dataclasses.replace(half_finished_valley(), command="landscape evaluate 'my net.pt' --overwrite -o a.h5")
    write_surface(tmp_path / "net.h5", surface)
    assert "to continue\nlandscape evaluate 'my net.pt' -o a.h5\n" in info(tmp_path / "net.h5")


def test_almost_complete_is_not_rounded_to_complete(tmp_path, info):
    state = np.ones(100_000, np.uint8)
    state[5] = 0
    line = Surface((Axis(np.arange(100_000.0)),), {}, state)
    write_surface(tmp_path / "net.h5", line)
    assert "99.9 % done" in info(tmp_path / "net.h5")


def test_extremes_leave_out_what_is_missing_or_not_finite_and_count_the_latter():
    values = np.array([[np.nan, 3.0, np.inf], [np.nan, 7.0, 5.0]])
    state = np.array([[0, 1, 1], [1, 1, 2]], np.uint8)
    x, y = Axis(np.array([-1.0, 0.0, 1.0])), Axis(np.array([0.0, 4.0]))
    facts = surface_facts(Surface((x, y), {"train/loss": values}, state))
    entry = facts["values"]["train/loss"]
    assert entry["min"] == {"value": 3.0, "x": 0.0, "y": 0.0}
    assert entry["max"] == {"value": 7.0, "x": 0.0, "y": 4.0}
    assert entry["not_finite"] == 2
    assert entry["at_origin"] == 3.0
    assert facts["points"] == {"computed": 4, "interpolated": 1, "missing": 1}


def test_anchors_are_counted_with_the_points_that_they_estimate():
    x, y = Axis(np.array([-1.0, 0.0, 1.0])), Axis(np.array([0.0, 4.0]))
    counts, anchored = np.array([[50, 600, 50], [50, 50, 50]]), np.array([[3, 0, 2], [0, 5, 0]])
    state = np.array([[1, 1, 1], [1, 1, 2]], np.uint8)
    held = Anchors(np.array([-1, 1]), {"loss": np.zeros((2, 50))}, {"loss": np.zeros(2)}, 600)
    fields = {"counts": {"train": counts}, "anchored": {"train": anchored}, "anchors": {"train": held}}
    surface = Surface((x, y), {"train/loss": np.arange(6.0).reshape(2, 3)}, state, **fields)
    facts = surface_facts(surface)
    assert facts["anchors"]["train"] == {
        "number": 2, "all_samples": 600, "points_measured_in_full": 1, "points_estimated": 3,
        "points_of_plain_means": 1, "fewest_anchors_of_an_estimate": 2,
    }  # fmt: skip
    assert facts["samples"]["train"] == {"least": 50, "most": 600, "size": None}
    said = describe_anchors(surface)
    assert said.endswith("train: all 600 samples measured at theta* and 1 other, 50 of them elsewhere")


def test_a_run_on_a_surface_is_told_by_how_far_it_goes_and_how_far_off():
    x, y = Axis(np.linspace(-2.0, 2.0, 5), length=2.0), Axis(np.linspace(-1.0, 1.0, 3), length=1.0)
    at, off = np.array([[2.0, 0.0], [1.0, 0.5], [0.0, 0.0]]), np.array([3.0, 0.75, 0.0])
    below = [0.5, 0.4, 0.1]
    known = {"unit": "epoch", "loss_name": "train/loss", "plane_values": {"train/loss": below}}
    run = Trajectory(at, off, np.array([0.9, 0.5, 0.1]), np.array([1, 4, 9]), known)
    surface = Surface((x, y), {"train/loss": np.ones((3, 5))}, np.ones((3, 5), np.uint8), trajectories={"sgd": run})
    entry = surface_facts(surface)["trajectories"]["sgd"]
    assert (entry["points"], entry["greatest_distance"]) == (3, 3.0)
    away = distances(surface, run)
    assert away[0] == pytest.approx(5.0)  # 4 along x, and 3 off the plane
    inside = 1 - float((off**2).sum() / (away**2).sum())
    assert describe_paths(surface).splitlines() == [
        "sgd: 3 records, epoch 1 to 9, up to 5 from theta*",
        "sgd: off the plane by up to 3 (epoch 1, 60 % of its way from theta*), median 0.75",
        f"sgd: the plane holds {100 * inside:.3g} % of its squared distances from theta*",
        "sgd: train/loss of its steps is, in the median, 0.1 from the plane's below them; at most 0.4 (epoch 1: 0.9, "
        "the plane 0.5)",
    ]
    third = dataclasses.replace(run, coordinates=np.column_stack([at, np.zeros(3)]))
    volume = Surface((x, y, y), {}, np.ones((3, 3, 5), np.uint8), trajectories={"sgd": third})
    assert "sgd: off the volume by up to 3 (epoch 1," in describe_paths(volume)


def test_a_value_at_theta_that_was_measured_wins_over_the_grid():
    line = Surface((Axis(np.array([1.0, 2.0])),), {"train/loss": np.ones(2)}, np.ones(2, np.uint8))
    assert surface_facts(line)["values"]["train/loss"]["at_origin"] is None
    measured = dataclasses.replace(line, origin={"values": {"train/loss": 0.25}})
    assert surface_facts(measured)["values"]["train/loss"]["at_origin"] == 0.25


def test_the_error_of_a_mean_over_all_samples_is_nothing():
    counts = {"train": np.array([100, 75])}
    line = Surface((Axis(np.array([0.0, 1.0])),), {}, np.ones(2, np.uint8), counts=counts)
    known = dataclasses.replace(line, problem={"data": {"train": {"size": 100}}})
    assert sampling_factor(known, "train/loss").tolist() == [0.0, 0.5]
    assert sampling_factor(line, "train/loss").tolist() == [1.0, 1.0]


def test_what_was_never_computed_is_told_without_numbers(tmp_path, info):
    nothing = Surface((Axis(np.array([0.0, 1.0])),), {"train/loss": np.full(2, np.nan)}, np.zeros(2, np.uint8))
    write_surface(tmp_path / "net.h5", nothing)
    said = info(tmp_path / "net.h5")
    assert "0 % done" in said
    assert "nan" not in said.lower().replace("finite", "")


def test_repetitions_are_told_with_their_seeds(tmp_path, info):
    surface = repeated(valley(7, 5), 3)
    write_surface(tmp_path / "net.h5", surface)
    said = info(tmp_path / "net.h5")
    assert "7 x 5 x 3 points" in said
    assert "repeat" in said


def test_a_surface_of_the_2018_tool_is_told(tmp_path, info):
    write_like_the_tool(tmp_path / "s.h5", [-1.0, 0.0, 1.0], [0.0, 2.0], done=4)
    said = info(tmp_path / "s.h5")
    assert "3 x 2 points, 66.6 % done" in said
    assert "2018" in said
    assert NAME in said.replace("\n", "").replace(" ", "")


def test_directions_of_the_2018_tool_are_told_tensor_by_tensor(tmp_path, info):
    write_directions(tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["explained_variance_ratio_"] = [0.7, 0.25]
    said = info(tmp_path / "d.h5")
    assert "2 directions" in said
    assert "70 %, 25 %" in said
    assert said.index("9 ") < said.index("10 ")
    assert "12 x 2" in said
    assert "13 in all" in said


def test_a_bare_checkpoint_is_told_tensor_by_tensor(tmp_path, info):
    tensors = {"fc.weight": torch.zeros(3, 1000), "fc.bias": torch.zeros(3, dtype=torch.float16)}
    torch.save({"state_dict": tensors, "epoch": 7}, tmp_path / "net.pt")
    said = info(tmp_path / "net.pt")
    for words in ("fc.weight", "3 x 1000", "float32", "3,000", "float16", "2 in all", "3,003", "12 kB", "epoch", "7"):
        assert words in said, words
    facts = json.loads(info(tmp_path / "net.pt", "--json"))
    assert facts["tensors"][0] == {
        "name": "fc.weight", "shape": [3, 1000], "dtype": "float32", "count": 3000, "bytes": 12000
    }  # fmt: skip
    assert facts["metadata"]["epoch"] == 7
    loaded = load_checkpoint(tmp_path / "net.pt")
    assert (facts["sha256"], facts["description"]) == (loaded.sha256, loaded.description)
    assert facts["sha256"] != facts["description"]


def test_which_of_several_networks_can_be_said(tmp_path, info):
    torch.save({"generator": {"a": torch.zeros(2)}, "critic": {"b": torch.zeros(5)}}, tmp_path / "gan.pt")
    assert "critic" in info(tmp_path / "gan.pt", "--checkpoint-key", "generator")
    facts = json.loads(info(tmp_path / "gan.pt", "--checkpoint-key", "critic", "--json"))
    assert [tensor["name"] for tensor in facts["tensors"]] == ["b"]
    assert sorted(facts["candidates"]) == ["critic", "generator"]


def test_a_checkpoint_with_code_is_told_where_it_is_trusted(tmp_path, info, capsys):
    torch.save(torch.nn.Linear(3, 2), tmp_path / "net.pt")
    info(tmp_path / "net.pt", code=1)
    assert "2 x 3" in info(tmp_path / "net.pt", "--trust-checkpoint")


def test_json_is_strict_one_line_a_file_and_says_the_same(tmp_path, info):
    values = {"train/loss": np.array([np.nan, np.inf, 2.0])}
    line = Surface((Axis(np.array([0.0, 1.0, 2.0])),), values, np.ones(3, np.uint8), origin={"x": math.nan})
    for name in ("a.h5", "b.h5"):
        write_surface(tmp_path / name, line)
    lines = info("--json", tmp_path / "a.h5", tmp_path / "b.h5").splitlines()
    facts = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [Path(each["path"]).name for each in facts] == ["a.h5", "b.h5"]
    assert facts[0]["values"]["train/loss"]["not_finite"] == 2
    assert facts[0]["values"]["train/loss"]["at_origin"] is None
    assert facts[0]["origin"] == {"x": None}


def test_a_file_that_cannot_be_read_does_not_keep_the_others_back(tmp_path, info, capsys):
    write_surface(tmp_path / "a.h5", valley(5, 5))
    (tmp_path / "bad.h5").write_bytes(b"<html>")
    assert main(["info", str(tmp_path / "bad.h5"), str(tmp_path / "a.h5")]) == 1
    out, err = capsys.readouterr()
    assert "5 x 5 points" in out
    assert err.count("\n") == 1
    assert "an HTML page" in err
    evil = str(tmp_path / "\x1b[2J\n.h5")
    assert main(["info", evil, str(tmp_path / "a.h5"), str(tmp_path / "a.h5")]) == 1
    out, err = capsys.readouterr()
    assert all(each.isprintable() for each in err.removesuffix("\n"))
    assert out.count("5 x 5 points") == out.count(f"\n\n{tmp_path}") + 1 == 2  # apart from each other
    assert main(["info", str(tmp_path / "missing.h5")]) == 1
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.parametrize("make", [evil, valley, half_finished_valley], ids=["evil", "valley", "half"])
def test_in_a_pipe_lines_fit_80_columns_and_hold_nothing_but_text(tmp_path, info, make):
    write_surface(tmp_path / "net.h5", make())
    said = info(tmp_path / "net.h5")
    assert all(c.isprintable() or c == "\n" for c in said)
    body = said.split("\n", 1)[1].split("made with")[0].split("to continue")[0]
    assert max(map(len, body.splitlines())) <= 80
    assert all(line == line.rstrip() for line in said.splitlines())
    if make is evil:
        assert "[bold red]x[/]" in said
        assert ":smile:" in said


def test_names_outside_the_terminals_alphabet_are_escaped(tmp_path):
    write_surface(tmp_path / "net.h5", dataclasses.replace(valley(), title="größe"))
    command = [sys.executable, "-m", "landscape", "info", str(tmp_path / "net.h5")]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run(command, capture_output=True, timeout=120, env=environment, check=True)
    assert rb"gr\xf6\xdfe" in done.stdout
