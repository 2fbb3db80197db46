"""Reports with absurd content and a right checksum: every reader says why not, or info and plot do their work.

160 files in the usual suite. The long run, with this file's name behind it: ``LANDSCAPE_HOSTILE=5000 pytest``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landscape.cli import main
from landscape.commands.reports import report_kinds
from landscape.files.reports.curvature_file import write_curvature
from landscape.files.reports.curvature_run_file import write_curvature_run
from landscape.files.reports.frequencies_file import FREQUENCIES, write_frequencies
from landscape.files.reports.predictions_file import PREDICTIONS, write_predictions
from landscape.files.reports.report_layout import Layout
from landscape.files.reports.robustness_file import ROBUSTNESS, write_robustness
from landscape.files.reports.similarity_file import LAYOUT, write_similarity
from landscape.files.reports.walk_file import WALK, write_walk
from landscape.surface.reports.curvature import CurvatureRun
from tests.helpers.attacks import filtered, robust
from tests.helpers.curvatures import curvature
from tests.helpers.hostile import hostile_files, hostile_reports
from tests.helpers.population_results import populations
from tests.helpers.similarities import similarity
from tests.helpers.walks import walks

FILES = int(os.environ.get("LANDSCAPE_HOSTILE", "160"))
# One in so many is drawn: a picture takes a second.
DRAWN = 20


def along_a_run() -> CurvatureRun:
    """Return two steps."""
    return CurvatureRun("sgd", "epoch", (0, 5), (0.1, float("nan")), (curvature(), curvature(1)))


KINDS = {
    "curvature run": (None, lambda path: write_curvature_run(path, {"train": along_a_run()}, {"software": "x"})),
    "curvature": (None, lambda path: write_curvature(path, {"train": curvature()}, {"software": "x"})),
    "similarity": (LAYOUT, lambda path: write_similarity(path, similarity())),
    "predictions": (PREDICTIONS, lambda path: write_predictions(path, populations())),
    "frequencies": (FREQUENCIES, lambda path: write_frequencies(path, filtered())),
    "walk": (WALK, lambda path: write_walk(path, walks())),
    "robustness": (ROBUSTNESS, lambda path: write_robustness(path, robust())),
}


def changes(kind: str, layout: Layout[Any] | None, path: Path, number: int) -> Iterator[str]:
    """Change the file again and again; yield what was changed."""
    if layout is not None:
        yield from hostile_reports(layout, path, number, seed=FILES)
        return
    for copy, said in hostile_files(path.read_bytes(), number, seed=FILES, kind=kind):
        path.write_bytes(copy)
        yield said


def test_every_kind_of_report_is_tried():
    assert {*report_kinds.KINDS, "curvature", "curvature run"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_info_and_plot_do_their_work_or_say_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str):
    layout, write = KINDS[kind]
    path, read = tmp_path / "report.h5", 0
    write(path)
    assert main(["info", str(path)]) == 0
    capsys.readouterr()
    for number, said in enumerate(changes(f"landscape {kind}", layout, path, FILES // len(KINDS))):
        drawn = number % DRAWN == 0
        words = ["plot", str(path), "-o", str(tmp_path / "p.png"), "--dpi", "40"] if drawn else ["info", str(path)]
        words += ["--json"] if number % 2 and not drawn else []
        code = main(words)
        out, err = capsys.readouterr()
        what = f"{' '.join(words)} after {said}: {err}"
        assert code in (0, 1, 2), what
        assert "shows where" not in err, what  # how an error that nobody foresaw ends
        assert (code != 0) == (err.count("landscape: error:") == 1), what
        assert all(line.isprintable() for text in (out, err) for line in text.split("\n")), what
        read += code == 0
    assert 0 < read < FILES // len(KINDS)
