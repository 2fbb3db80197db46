"""``landscape plot``: from files to pictures, and what it says when that is not possible."""

from __future__ import annotations

import argparse
import importlib
import io
import subprocess
import sys

import numpy as np
import pytest
from landscape.plot.surfaces.camera import Camera
from PIL import Image

from landscape.cli import main
from landscape.commands.shown.plot_others import _page
from landscape.errors import UsageError
from landscape.files.store import write_surface
from landscape.surface.surface import Surface
from tests.helpers.attacks import filtered, robust
from tests.helpers.plot_fixtures import damaged_valley, half_finished_valley, line_surface, network, repeated, valley
from tests.helpers.population_results import populations
from tests.helpers.similarities import similarity
from tests.helpers.walks import walks


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write surfaces of every kind into the working folder."""
    monkeypatch.chdir(tmp_path)
    surfaces = {
        "plane": valley(),
        "damaged": damaged_valley(),
        "half": half_finished_valley(),
        "line": line_surface(),
        "skip": network(0.1, 3, 1, side=21),
        "plain": network(0.6, 5, 2, side=21),
        "seeds": repeated(valley(), 3),
    }
    for name, surface in surfaces.items():
        write_surface(f"{name}.h5", surface)
    return tmp_path


def text_of(path):
    with Image.open(path) as image:
        return dict(image.text)


def test_a_file_becomes_a_picture_beside_it_and_its_caption_is_printed(files, capsys):
    assert main(["plot", "plane.h5"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("wrote plane.png\nTraining loss (cross entropy) of net.pt on 1,000 of 50,000 samples")
    fields = text_of(files / "plane.png")
    assert fields["File"] == "plane.h5"
    assert len(fields["File SHA-256"]) == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ["plane.h5", "--kind", "heatmap", "--cap", "100"],
        ["plane.h5", "--hillshade", "--levels", "1,10,100", "--colormap", "cividis"],
        ["plane.h5", "--levels", "1e-308,1e308", "--for", "icml", "--font", "DejaVu Serif", "--no-subtitle"],
        ["damaged.h5", "--cap", "auto", "--scale", "log", "--eps", "0.01"],
        ["half.h5", "--scale", "linear"],
        ["line.h5", "--name", "test/loss", "--name", "test/accuracy"],
        ["skip.h5", "plain.h5", "--title", "a", "--title", "b", "--headline", "Both", "--columns", "1"],
        ["skip.h5", "plain.h5", "--independent", "--name", "train/accuracy"],
        ["seeds.h5", "--no-caption"],
        ["plane.h5", "--kind", "surface", "--no-interpolation"],
    ],
)
def test_every_option_draws(files, arguments):
    assert main(["plot", *arguments, "-o", "out.png", "--dpi", "60"]) == 0
    assert "Description" in text_of(files / "out.png")


def test_what_is_asked_of_a_picture_is_what_is_drawn(files, monkeypatch):
    asked = {}

    def drawn(surfaces, **options):
        asked.update(options)
        raise UsageError("that was all that is asked here")

    monkeypatch.setattr("landscape.plot.figures.draw", drawn)
    words = ["plot", "plane.h5", "--name", "train/loss", "--scale", "log", "--cap", "9", "--eps", "0.2"]
    words += ["--levels", "1,2", "--colormap", "cividis", "--independent", "--columns", "3", "--no-subtitle"]
    words += ["--font", "DejaVu Serif"]
    words += ["--title", "a", "--headline", "b", "--no-caption", "--no-interpolation", "--marks", "3,5", "--size", "5"]
    how = {"name": ["train/loss"], "scale": "log", "cap": 9.0, "eps": 0.2, "levels": [1.0, 2.0], "colormap": "cividis"}
    how |= {"independent": True, "columns": 3, "font": "DejaVu Serif", "subtitle": False, "titles": ["a"]}
    how |= {"headline": "b", "caption": False, "interpolate": False, "marks": [3, 5], "size": "5", "hillshade": True}
    assert main([*words, "--hillshade"]) == 2
    assert {name: asked[name] for name in how} == how
    assert main([*words, "--kind", "surface", "--camera", "10,20", "--color", "convexity"]) == 2
    assert (asked["kind"], asked["color"]) == ("surface", "convexity")
    assert Camera.of(asked["camera"]) == Camera(10, 20)
    asked.clear()
    assert main(["plot", "plane.h5"]) == 2
    assert not {"hillshade", "interpolate", "camera", "color", "marks"} & asked.keys()
    assert (asked["caption"], asked["subtitle"], asked["headline"], asked["titles"]) == (True, True, "", None)
    assert main(["plot", "plane.h5", "--for", "icml"]) == 2
    assert (asked["caption"], asked["size"]) == (False, "icml")


def test_several_formats_come_from_one_drawing(files):
    assert main(["plot", "line.h5", "-o", "a.png", "-o", "a.pdf", "-o", "a.svg"]) == 0
    assert (files / "a.pdf").read_bytes().startswith(b"%PDF")
    assert b"<svg" in (files / "a.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["plane.h5", "-o", "net.jpg"], 2, "end it in .png, .pdf or .svg"),
        (["plane.h5", "-o", "no/net.png"], 1, "there is no folder no"),
        (["nothing.h5"], 1, "nothing.h5"),
        (["plane.h5", "--name", "test/loss"], 1, "no values called 'test/loss'; there are train/loss, train/accuracy"),
        (["plane.h5", "--kind", "line"], 1, "is a plane: --kind contour"),
        (["line.h5", "--kind", "contour"], 1, "is a line: --kind line"),
        (["line.h5", "plane.h5"], 1, "lines and planes do not fit into one figure"),
        (["plane.h5", "--kind", "pie"], 2, "invalid choice: 'pie'"),
        (["plane.h5", "--cap", "high"], 2, "a cap is a loss or 'auto', not 'high'"),
        (["plane.h5", "--cap", "0.0001"], 1, "hides everything"),
        (["plane.h5", "--levels", "1,x"], 2, "levels are numbers with commas between them"),
        (["plane.h5", "--levels", "3,2"], 2, "increasing"),
        (["plane.h5", "--columns", "0"], 2, "--columns is at least 1"),
        (["plane.h5", "skip.h5", "--title", "a"], 2, "1 times --title for 2 files"),
        (["plane.h5", "--kind", "heatmap", "--hillshade"], 2, "--hillshade is for contours"),
        (["plane.h5", "--kind", "heatmap", "--no-interpolation"], 2, "--no-interpolation is for contours"),
        (["line.h5", "--hillshade"], 2, "a line has no option hillshade"),
        (["plane.h5", "--colormap", "virids"], 2, "no colour map 'virids'"),
        (["plane.h5", "--dpi", "0"], 2, "10 to 2400 dots an inch"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_an_exit_code(files, capsys, arguments, code, words):
    before = sorted(path.name for path in files.iterdir())
    assert main(["plot", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert error.startswith("landscape: error: ")
    assert sorted(path.name for path in files.iterdir()) == before


def test_a_picture_of_nothing_finite_is_an_error_and_leaves_no_file(files, capsys):
    surface = valley()
    nothing = Surface(surface.axes, {"train/loss": np.full(surface.shape, np.nan)}, surface.state)
    write_surface(files / "nan.h5", nothing)
    assert main(["plot", "nan.h5"]) == 1
    assert (
        "nothing to draw: none of the 713 computed values of train/loss is finite in nan.h5" in capsys.readouterr().err
    )
    assert not (files / "nan.png").exists()


def test_a_spike_that_takes_most_of_the_colours_is_pointed_out(files, capsys):
    # Whichever panel it is in.
    assert main(["plot", "plane.h5", "damaged.h5", "plane.h5", "-o", "out.png", "--dpi", "50"]) == 0
    assert "--cap auto hatches them" in capsys.readouterr().out
    for arguments in (
        ["damaged.h5", "--cap", "auto"],
        ["damaged.h5", "--eps", "1e9"],
        ["plane.h5"],
        ["line.h5"],
        ["plane.h5", "--name", "train/accuracy"],
    ):
        assert main(["plot", *arguments, "-o", "out.png", "--dpi", "50"]) == 0
        assert "--cap" not in capsys.readouterr().out


def test_a_terminal_without_unicode_gets_the_caption_too(files, monkeypatch):
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    assert main(["plot", "plane.h5", "--dpi", "50"]) == 0
    plain.flush()
    assert b"31 \\xd7 23 points" in plain.buffer.getvalue()


def test_a_refused_colour_map_is_a_warning_and_not_the_end(files, caplog):
    with pytest.warns(UserWarning, match="viridis is used instead"):
        assert main(["plot", "plane.h5", "--colormap", "jet", "--debug"]) == 0


def test_a_warning_is_one_line_without_a_place_in_our_code(tmp_path):
    path = tmp_path / "s.h5"
    write_surface(path, valley())
    words = [sys.executable, "-m", "landscape", "plot", str(path), "-o", str(tmp_path / "s.png"), "--colormap", "jet"]
    out = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert out.stderr.startswith("landscape: the colour map 'jet' is not used: ")
    assert out.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("no_caption", "venue", "caption"), [(False, None, True), (True, None, False), (False, "icml", False)]
)
def test_a_report_for_a_paper_leaves_its_caption_to_the_paper(no_caption, venue, caption):
    asked = argparse.Namespace(headline=None, no_caption=no_caption, venue=venue, size="4x3", font="serif")
    assert _page(asked) == {"headline": "", "caption": caption, "size": venue or "4x3", "font": "serif"}


REPORTS = {
    "similarity": ("representations.similarity_maps.similarity", "similarity_file.write_similarity", similarity()),
    "predictions": (
        "representations.population_figures.predictions",
        "predictions_file.write_predictions",
        populations(),
    ),
    "robustness": ("lines.robustness_curves.robustness", "robustness_file.write_robustness", robust()),
    "frequencies": ("lines.frequency_curves.frequencies", "frequencies_file.write_frequencies", filtered()),
    "walk": ("lines.walk_curves.walk", "walk_file.write_walk", walks()),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_what_is_asked_of_a_picture_of_a_report_is_what_is_drawn(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, writer, result = REPORTS[kind]
    module, _, name = writer.rpartition(".")
    getattr(importlib.import_module(f"landscape.files.reports.{module}"), name)("a.h5", result)
    asked = {}

    def draw(*given, **options):
        asked.update(options, given=given)
        raise UsageError("that was all that is asked here")

    monkeypatch.setattr(f"landscape.plot.{drawn}", draw)
    page = ["--headline", "b", "--no-caption", "--size", "5", "--font", "DejaVu Serif"]
    several = ["a.h5", "--title", "one", "--title", "two"] if kind in ("robustness", "frequencies", "walk") else []
    chosen = {
        "similarity": ["--name", "stderr", "--colormap", "cividis"],
        "predictions": ["--name", "A", "--name", "B"],
    }
    assert main(["plot", "a.h5", *several, *page, *chosen.get(kind, [])]) == 2
    how = {"headline": "b", "caption": False, "size": "5", "font": "DejaVu Serif"}
    how |= {"labels": ["one", "two"]} if several else {}
    how |= {"values": "stderr", "colormap": "cividis", "networks": None} if kind == "similarity" else {}
    assert {each: asked[each] for each in how} == how
    assert len(asked["given"][0]) == 2 if several else isinstance(asked["given"][0], type(result))
    assert asked["given"][1:] == (("A", "B") if kind == "predictions" else ())
    assert main(["plot", "a.h5", "--for", "icml"]) == 2
    assert (asked["headline"], asked["caption"], asked["size"]) == ("", False, "icml")
    assert main(["plot", "a.h5"]) == 2
    assert (asked["caption"], asked["size"], asked["font"]) == (True, None, None)
