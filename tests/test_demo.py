"""The demo, made small: everything it promises is there, and it says so where a network did not train."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from landscape.plot.html import read_page

import landscape
from landscape.cli import build_parser, join_negative_values, main
from landscape.commands.demo import training_note
from landscape.commands.demo_page import demo_page
from landscape.demo import DemoSettings, run_demo
from landscape.errors import LandscapeError

SMALL = ["--epochs", "1", "--plane=-1:1:4", "--line=-1:1:5", "--samples", "16"]


@pytest.mark.slow
def test_the_demo_trains_measures_and_draws_both_networks_on_one_scale(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "out"), *SMALL]) == 0
    folder = tmp_path / "out"
    for network in ("residual", "plain"):
        line = landscape.read_surface(folder / f"{network}-line.h5")
        plane = landscape.read_surface(folder / f"{network}-plane.h5")
        assert line.complete
        assert plane.shape == (4, 4)
        assert set(plane.values) == {"train/loss", "train/accuracy", "test/loss", "test/accuracy"}
        assert landscape.load_checkpoint(folder / f"{network}.pt").tensors
    for picture in ("surface", "contour", "heatmap", "line"):
        assert (folder / f"{picture}.png").read_bytes()[:4] == b"\x89PNG"
        assert (folder / f"{picture}.pdf").read_bytes()[:4] == b"%PDF"
    content, _ = read_page(folder / "page.html")
    assert [pane["title"] for pane in content["panes"]] == ["with shortcuts", "without shortcuts"]
    page = (folder / "index.html").read_text()
    assert 'href="page.html"' in page
    assert page.count("<img ") == 4
    # One epoch trains neither network, and the page says which did not.
    assert "did not finish training" in page
    assert "index.html" in capsys.readouterr().out


def test_the_commands_it_gives_can_be_typed():
    for network in ("residual", "plain"):
        for stage in ("line", "plane"):
            words = shlex.split(DemoSettings().command(network, stage))
            assert words[0] == "landscape"
            options = build_parser().parse_args(join_negative_values(words[1:]))
            assert options.model == f"landscape.demo_networks:{network}"
            assert (options.y is None) == (stage == "line")


def test_only_a_network_that_did_not_learn_is_named():
    good = {"train/accuracy": 1.0, "test/accuracy": 0.99, "train/loss": 0.0, "test/loss": 0.03}
    poor = {"train/accuracy": 0.82, "test/accuracy": 0.78, "train/loss": 0.6, "test/loss": 0.8}
    assert training_note({"residual": good, "plain": good}) == ""
    note = training_note({"residual": good, "plain": poor})
    assert "without shortcuts did not finish training: 82 %" in note
    assert "78 %" in note


def test_what_comes_from_outside_is_escaped_in_the_page():
    page = demo_page({"a": "<b>&"}, {}, {'x".png': "<script>alert(1)</script>"}, "<i>", ["landscape demo && rm"])
    assert "<script>" not in page
    assert "&lt;i&gt;" in page
    assert 'src="x&quot;.png"' in page


def test_a_failing_process_ends_the_demo_with_its_message(tmp_path, monkeypatch):
    monkeypatch.setattr("landscape.demo._cores", lambda: 2)
    (tmp_path / "residual.pt").mkdir()  # where its checkpoint should go
    with pytest.raises(LandscapeError, match="residual"):
        run_demo(tmp_path, DemoSettings(epochs=1, line="0:1:2", plane="0:1:2", samples=8), lambda *progress: None)


def test_a_folder_that_cannot_be_made_is_a_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file" / "out")]) == 1
    assert "cannot make the folder" in capsys.readouterr().err
    assert Path(tmp_path / "file").read_text() == ""
