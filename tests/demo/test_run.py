"""The demo, made small: everything it promises is there, and it says so where a network did not train."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from landscape.plot.page.html import read_page

import landscape
from landscape.cli import build_parser, join_negative_values, main
from landscape.commands.surfaces import demo_page
from landscape.commands.surfaces.demo import PICTURES, training_note
from landscape.demo import networks
from landscape.demo.run import DemoSettings, run_demo
from landscape.demo.training import train
from landscape.errors import LandscapeError
from tests.helpers.plot_fixtures import random_axis, surface_of

SMALL = ["--epochs", "1", "--plane=-1:1:5", "--line=-1:1:5", "--samples", "16"]


def parsed(command: str):
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "landscape"
    return build_parser().parse_args(join_negative_values(words[1:]))


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_pictures")
def test_the_demo_trains_measures_and_draws_both_networks_on_one_scale(tmp_path, capfd, monkeypatch):
    defaults = DemoSettings.__init__.__defaults__
    monkeypatch.setattr(DemoSettings.__init__, "__defaults__", (*defaults[:-1], 1))  # one block a stage
    monkeypatch.setattr("landscape.demo.run._cores", lambda: 2)
    assert [kind for kind, _ in PICTURES] == list(demo_page._EXPLAINED)
    monkeypatch.setattr(
        "landscape.commands.surfaces.demo.PICTURES", PICTURES[::3]
    )  # of a plane and of a line: to draw takes long
    folder = tmp_path / "out"
    assert main(["demo", "-o", str(folder), *SMALL, "--seed", "2"]) == 0
    planes = [landscape.read_surface(folder / f"{network}-plane.h5") for network in ("residual", "plain")]
    for plane in planes:
        assert plane.shape == (5, 5)
        assert set(plane.values) == {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}
        assert plane.problem["model"]["args"] == {"blocks": 1}
        assert [axis.recipe["seed"] for axis in plane.directions] == [2, 2]
    for network in ("residual", "plain"):
        assert landscape.read_surface(folder / f"{network}-line.h5").complete
        trained = landscape.load_checkpoint(folder / f"{network}.pt").tensors
        # Weights, the order of training and directions are of the seed that is asked for.
        model = getattr(networks, network)(blocks=1, seed=2)
        train(model, *landscape.digits(), epochs=1, seed=2)
        torch.testing.assert_close(trained, dict(model.state_dict()), rtol=0, atol=1e-2)
    for picture in ("surface", "line"):
        assert (folder / f"{picture}.pdf").read_bytes()[:4] == b"%PDF"
    # One epoch trains neither network: no picture says less.
    content, _ = read_page(folder / "page.html")
    titles = ["with shortcuts, undertrained", "without shortcuts, undertrained"]
    assert [pane["title"] for pane in content["panes"]] == titles
    page = (folder / "index.html").read_text()
    assert "did not finish training" in page
    assert all(f'<th scope="col">{title}</th>' for title in titles)
    names = re.findall(r'(?:href|src|srcset)="([^":]+)"', page)
    assert len(names) == 10
    assert all((folder / name).stat().st_size > 1000 for name in names), "every picture and link is there"
    middle = f"{planes[0]['train/loss'][2, 2]:.2g}"
    assert f"<small>the 16 of the pictures</small></th><td>{middle}</td>" in page, "apart from the loss on all images"
    assert "<small>all 1,437</small>" in page
    said = capfd.readouterr()
    assert "index.html" in said.out
    assert "leaked" not in said.err


def test_the_commands_it_gives_can_be_typed():
    for settings in (DemoSettings(), DemoSettings(blocks=2, seed=3, samples=7)):
        for network in ("residual", "plain"):
            for stage in ("line", "plane"):
                options = parsed(settings.command(network, stage))
                assert options.model == f"landscape.demo.networks:{network}"
                assert (options.seed, options.samples) == (settings.seed, settings.samples)
                assert (options.y is None) == (stage == "line")
                assert ("blocks" in str(options.model_args)) == (settings.blocks == 2)
    for _, command in demo_page.OWN:
        parsed(command)
    compile(demo_page.PYTHON, "page", "exec")


def test_only_a_network_that_did_not_learn_is_named():
    good = {"train/accuracy": 1.0, "test/accuracy": 0.99, "train/loss": 0.0, "test/loss": 0.03}
    poor = {"train/accuracy": 0.82, "test/accuracy": 0.78, "train/loss": 0.6, "test/loss": 0.8}
    assert training_note({"residual": good, "plain": good}) == ""
    note = training_note({"residual": good, "plain": poor})
    assert "without shortcuts did not finish training: 82 %" in note
    assert "78 %" in note


def test_the_table_says_what_was_measured_on_which_images():
    """A cone: half a filter length away its height is a half, and a disc of that radius lies below."""
    at = np.linspace(-1, 1, 41)
    cone = np.hypot(*np.meshgrid(at, at))
    cone[20, -1] = np.nan  # a whole filter length away
    plane = dataclasses.replace(
        surface_of({"train/loss": cone}, random_axis(at, 0), random_axis(at, 1)),
        problem={"data": {"train": {"size": 1437, "samples": 256}, "test": {"size": 360, "samples": 200}}},
        origin={"values": {"train/loss": 0.25}},
    )
    scores = {"train/accuracy": 0.987, "test/accuracy": 0.654, "train/loss": 0.032, "test/loss": 1.1}
    below = 100 * (cone < 0.5).mean()
    assert below == pytest.approx(100 * np.pi / 16, rel=0.1)
    assert demo_page.facts({"a": scores}, [plane]) == [
        ("Training images right", "all 1,437", ["98.7 %"]),
        ("Test images right", "all 360", ["65.4 %"]),
        ("Training loss", "all 1,437", ["0.032"]),
        ("Training loss", "the 256 of the pictures", ["0.25"]),
        ("Test loss", "all 360", ["1.1"]),
        ("Median training loss 0.25 away", "the 256 of the pictures", ["0.25"]),
        ("Median training loss 0.5 away", "the 256 of the pictures", ["0.5"]),
        ("Median training loss 1 away", "the 256 of the pictures", ["1"]),
        ("Share of the plane below a loss of 0.5", "the 256 of the pictures", [f"{below:.1f} %"]),
    ]


def test_the_page_escapes_what_comes_from_outside():
    pictures = [
        demo_page.Picture(kind, file, "tall.png", "p.pdf") for kind, file in (("line", 'x".png'), ("surface", "y.png"))
    ]
    rows = [("<what>", "<of>", ["1 %", "<2>"])]
    page = demo_page.demo_page(
        {"a": "<b>&"}, rows, pictures, "<i>", ["landscape demo && rm"], layers=8, interactive="p.html"
    )
    assert '<th scope="col">&lt;b&gt;&amp;</th>' in page
    assert '<th scope="row">&lt;what&gt;<small>&lt;of&gt;</small></th><td>1 %</td><td>&lt;2&gt;</td>' in page
    assert "&lt;i&gt;" in page
    assert "demo &amp;&amp; rm" in page
    assert re.findall(r'src="([^"]+)"', page) == ["x&quot;.png", "y.png"]
    assert "of 8 layers" in page


def test_a_failing_process_ends_the_demo_with_its_message(tmp_path, monkeypatch):
    monkeypatch.setattr("landscape.demo.run._cores", lambda: 2)
    with pytest.raises(LandscapeError, match="network failed: ValueError: training needs at least one epoch"):
        run_demo(tmp_path, DemoSettings(epochs=0), lambda *progress: None)


def test_a_folder_that_cannot_be_made_is_a_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file" / "out")]) == 1
    assert "cannot make the folder" in capsys.readouterr().err
    assert Path(tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(("cores", "here"), [(1, True), (2, False), (8, False)])
def test_on_one_core_both_networks_are_trained_in_this_process(cores, here, tmp_path, monkeypatch):
    monkeypatch.setattr("landscape.demo.run._cores", lambda: cores)
    monkeypatch.setattr("landscape.demo.run.work_on", lambda network, *given: {"train/loss": len(network)})
    monkeypatch.setattr("landscape.demo.run._in_processes", lambda *given: "in processes")
    found = run_demo(tmp_path, DemoSettings(), print)
    assert found == ({"residual": {"train/loss": 8}, "plain": {"train/loss": 5}} if here else "in processes")
