"""Pictures as files: what is inside, that they are whole, and that they come out the same."""

from __future__ import annotations

import io
import os
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.saving import save, save_figure
from matplotlib.figure import Figure
from PIL import Image

from landscape.errors import PlotError, StoreError, UsageError
from tests.helpers.plot_fixtures import valley


def test_a_png_carries_its_caption_and_where_it_comes_from(tmp_path):
    path = save(valley(), tmp_path / "net.png")
    with Image.open(path) as image:
        text = image.text
        width = image.size[0]
    assert text["Description"].startswith("Training loss (cross entropy) of net.pt on 1,000 of 50,000 samples")
    assert text["Checkpoint SHA-256"] == "ab" * 32
    assert text["File SHA-256"] == "cd" * 32
    assert text["Seeds"] == "7"
    assert text["Software"].startswith("landscape")
    assert "×" in text["Description"]
    assert width > 900


@pytest.mark.parametrize("dpi", [72, 90, 100])
def test_no_line_of_a_caption_is_cut_where_dots_are_few(tmp_path, dpi):
    for width in (3.4, 4.6):
        path = save(draw(valley(9, 7), size=width), tmp_path / "net.png", dpi=dpi)
        with Image.open(path) as image:
            dark = np.asarray(image.convert("L")) < 200
        assert dark.any()
        assert not dark[:, -3:].any()


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_no_line_of_a_caption_is_cut_whoever_writes_the_figure(kind):
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        for figure in (draw(valley(9, 7), kind=kind, size=3.4), draw(valley(9, 7), kind=kind, size=4.6, shown=True)):
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=100)
            dark = np.asarray(Image.open(buffer).convert("L")) < 200
            assert dark.any()
            assert not dark[:, -3:].any()
    plt.close("all")


def test_dots_an_inch_set_the_size(tmp_path):
    figure = draw(valley())
    sizes = []
    for dpi in (100, 200):
        save(figure, tmp_path / f"{dpi}.png", dpi=dpi)
        with Image.open(tmp_path / f"{dpi}.png") as image:
            sizes.append(image.size)
            assert image.info["dpi"][0] == pytest.approx(dpi, rel=0.01)
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], abs=1)
    with pytest.raises(UsageError, match="10 to 2400 dots"):
        save(figure, tmp_path / "x.png", dpi=0)


def test_a_pdf_has_editable_text_and_its_metadata(tmp_path):
    data = save(valley(), tmp_path / "net.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/Type /Font" in data
    assert b"/Subtype /Type3" not in data
    assert b"/CIDFontType2" in data or b"/TrueType" in data
    assert b"/Title (resnet20)" in data
    assert b"/Subject" in data
    assert b"Seeds: 7" in data
    assert b"CreationDate" not in data


def test_an_svg_has_text_as_text_and_its_metadata(tmp_path):
    text = save(valley(), tmp_path / "net.svg").read_text(encoding="utf-8")
    assert re.search(r"<text[^>]*>resnet20</text>", text)
    assert "<dc:title>resnet20</dc:title>" in text
    assert "Checkpoint SHA-256: " + "ab" * 32 in text
    assert "<dc:date>" not in text


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_picture_is_the_same_file(tmp_path, suffix):
    first = save(valley(), tmp_path / f"a{suffix}").read_bytes()
    assert save(valley(), tmp_path / f"b{suffix}").read_bytes() == first


def test_a_suffix_in_capitals_is_understood(tmp_path):
    assert save(valley(), tmp_path / "NET.PNG").read_bytes().startswith(b"\x89PNG")


def test_pages_films_and_meshes_are_given_what_was_asked_for(tmp_path, monkeypatch):
    asked = []

    def written(surfaces, where, **options):
        asked.append((surfaces, where, options))
        return b"mesh"

    monkeypatch.setattr("landscape.plot.page.html.write_page", written)
    monkeypatch.setattr("landscape.plot.films.films.write_film", written)
    monkeypatch.setattr("landscape.plot.surfaces.meshes.build_mesh_file", written)
    surface = valley(9, 8)
    for name in ("a.html", "a.gif", "a.ply"):
        assert save(surface, tmp_path / name, name="train/loss") == tmp_path / name
        given, where, options = asked.pop()
        assert given is surface or given == [surface]
        assert where in (tmp_path / name, ".ply")
        assert options == {"name": "train/loss"}
    assert (tmp_path / "a.ply").read_bytes() == b"mesh"


def test_an_unknown_suffix_is_a_usage_error_that_lists_the_known_ones(tmp_path):
    for name in ("net.jpg", "net", "net.h5"):
        with pytest.raises(UsageError, match=r"end it in \.png, \.pdf or \.svg"):
            save(valley(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_found_before_anything_is_drawn(tmp_path):
    with pytest.raises(StoreError, match="there is no folder"):
        save(None, tmp_path / "no" / "net.png")  # type: ignore[arg-type]


def test_a_folder_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "net.png").mkdir()
    with pytest.raises(StoreError, match="folder"):
        save(valley(), tmp_path / "net.png")
    assert (tmp_path / "net.png").is_dir()


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path):
    old = tmp_path / "net.png"
    old.write_bytes(b"precious")
    with pytest.raises(PlotError):
        save(valley(), old, name="no/such")
    assert old.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["net.png"]


def test_a_figure_of_somebody_elses_is_written_as_it_is(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    save_figure(figure, tmp_path / "other.png", {"Title": "mine"}, dpi=100)
    with Image.open(tmp_path / "other.png") as image:
        assert image.size == (200, 100)
        assert image.text["Title"] == "mine"
    with pytest.raises(TypeError, match="already drawn; kind cannot change it"):
        save(figure, tmp_path / "other.png", kind="contour")


def test_saving_leaves_the_users_settings_alone(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    save(valley(), tmp_path / "net.svg")
    assert dict(matplotlib.rcParams) == before
