from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from landscape.plot.page.html import read_page

from landscape.cli import main
from landscape.files.reports.curvature_file import write_curvature
from landscape.files.reports.similarity_file import write_similarity
from landscape.files.store import write_surface
from tests.helpers.curvatures import curvature
from tests.helpers.plot_fixtures import valley
from tests.helpers.similarities import similarity


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    write_surface(tmp_path / "net.h5", valley(9, 8))
    return tmp_path / "net.h5"


def test_view_writes_a_page_beside_the_file(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(stored)]) == 0
    content, _ = read_page(stored.with_suffix(".html"))
    assert content["panes"][0]["title"] == "resnet20"
    assert "net.html" in capsys.readouterr().out


def test_options_are_what_the_page_starts_with(stored: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    words = "--name train/accuracy --colour train/loss --scale asinh --cap 3 --exaggeration 1.5 --colormap cividis"
    titles = ["--title", "First", "--title", "Second", "--headline", "Two", "--independent", "--no-interpolation"]
    assert main(["view", str(stored), str(stored), "-o", str(out), *words.split(), *titles]) == 0
    content, _ = read_page(out)
    start = content["start"]
    assert (start["height"], start["colour"], start["kind"]) == ("train/accuracy", "train/loss", "asinh")
    assert (start["cap"], start["exaggeration"], start["colormap"]) == (3.0, 1.5, "cividis")
    assert (start["shared"], start["smooth"]) == (False, False)
    assert [pane["title"] for pane in content["panes"]] == ["First", "Second"]
    assert content["name"] == "Two"


def test_epochs_are_frames_of_one_pane(stored: Path, tmp_path: Path) -> None:
    assert main(["view", str(stored), str(stored), "--epochs", "-o", str(tmp_path / "page.html")]) == 0
    content, _ = read_page(tmp_path / "page.html")
    assert [len(pane["frames"]) for pane in content["panes"]] == [2]


def test_a_page_may_be_called_htm_and_holds_reports_of_all_files_and_data_sets(stored: Path, tmp_path: Path) -> None:
    origin = valley().origin
    files = {"one.h5": ("train", "test"), "two.h5": ("other",)}
    for file, names in files.items():
        reports = {name: replace(curvature(data=name), origin=origin) for name in names}
        write_curvature(tmp_path / file, reports, {})
    words = ["view", str(stored), *(str(tmp_path / file) for file in files), "-o", str(tmp_path / "page.htm")]
    assert main(words) == 0
    content, _ = read_page(tmp_path / "page.htm")
    (pane,) = content["panes"]
    titles = [f"{name}, 500 samples" for name in ("train", "test", "other")]
    assert [each["title"] for each in pane["frames"][0]["curvature"]] == titles


def test_a_folder_becomes_a_gallery(stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.h5").write_bytes(b"<html>")
    words = ["--headline", "All <of> them", "--colormap", "cividis"]
    assert main(["view", str(tmp_path), "-o", str(tmp_path / "site"), *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"left out {tmp_path / 'bad.h5'}: " in said
    assert said.endswith("index.html and 1 page")
    assert "<h1>All &lt;of&gt; them</h1>" in (tmp_path / "site" / "index.html").read_text()
    assert read_page(tmp_path / "site" / "net.html")[0]["start"]["colormap"] == "cividis"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{file}", "-o", "net.png"], 2, "landscape plot"),
        (["{file}", "--title", "a", "--title", "b"], 2, "one for each"),
        (["{file}", "--cap", "high"], 2, "cap"),
        (["{folder}"], 2, "-o site/"),
        (["{folder}", "{file}", "-o", "x"], 2, "one folder"),
        (["{folder}", "--title", "a", "-o", "x"], 2, "without --epochs and --title"),
        (["{folder}", "--epochs", "-o", "x"], 2, "without --epochs and --title"),
        (["missing.h5"], 1, "missing.h5"),
        (["{file}", "--name", "test/loss"], 1, "test/loss"),
    ],
)
def test_misuse_is_one_line_and_writes_nothing(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    filled = [word.format(file=stored, folder=tmp_path) for word in words]
    before = sorted(tmp_path.iterdir())
    assert main(["view", *filled]) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said
    assert sorted(tmp_path.iterdir()) == before


def test_similarity_is_shown_beside_surfaces_and_alone(stored: Path, tmp_path: Path) -> None:
    write_similarity(tmp_path / "sim.h5", similarity())
    out = tmp_path / "page.html"
    assert main(["view", str(tmp_path / "sim.h5"), str(stored), "-o", str(out), "--title", "Net"]) == 0
    content, _ = read_page(out)
    assert [pane["title"] for pane in content["panes"]] == ["Net"]
    assert [each["name"] for each in content["similarities"][0]["networks"]] == ["a", "b"]
    assert main(["view", str(tmp_path / "sim.h5")]) == 0
    content, _ = read_page(tmp_path / "sim.html")
    assert content["panes"] == []
    assert main(["view", str(tmp_path / "sim.h5"), "--cap", "2", "-o", str(out)]) == 2
