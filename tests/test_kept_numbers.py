"""What commands find of a small network trained here is what they found, however it is asked (`tests.helpers.kept`).

The network is in double precision, so that only sums in another order differ between machines.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import landscape
from landscape.cli import main
from tests.helpers import kept_problem
from tests.helpers.drawn import sums
from tests.helpers.kept import assert_kept, steady

PROBLEM = ["--model", "nets.py:network", "--data", "train=nets.py:data", "--batch-size", "40", "--device", "cpu"]
BOTH = [*PROBLEM, "--data", "test=nets.py:held_out"]
LINE, PLANE = ["--x=-1:1.5:6"], ["--x=-1:1:4", "--y=-0.5:1:3"]

# What the clock and the machine decide, and what is zero but for rounding.
_CHANGES = {
    r"\d[\d.,]*(?:e-?\d+)? ?(?:µs|ms|s|min|minutes?|seconds?|hours?|h|GiB|MiB|KiB)\b": "…",
    r"SHA-256 [0-9a-f]+": "…",
    r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,}\b": "…",
    r"residual [\d.e-]+": "residual …",
    r"(torch|numpy|Python) \d[\w.+]*": r"\1",
    r"-?\d[\d.]*e-(?:0[7-9]|1\d)": "0",
    r"  +": "  ",
}
NORMS = ("filter", "layer", "weight", "dfilter", "dlayer", "model", "none")
MANY = [*PROBLEM[:2], "--data", "train=nets.py:many", *PROBLEM[4:]]
INPUT = [*PROBLEM, *PLANE, "--space", "input"]
SURFACES = {
    "plane": [*BOTH, *PLANE],
    **{f"norm-{norm}": [*PROBLEM, *LINE, "--norm", norm] for norm in NORMS},
    **{f"norm-{norm}-all": [*PROBLEM, *LINE, "--norm", norm, "--ignore", "none"] for norm in NORMS[::5]},
    "seed": [*PROBLEM, *LINE, "--seed", "4"],
    "orthogonal": [*PROBLEM, *PLANE, "--orthogonal"],
    "states": [*PROBLEM, *LINE, "--move", "states", "--ignore", "none"],
    "recomputed": [*PROBLEM, *LINE, "--batch-norm", "recompute"],
    "training-mode": [*PROBLEM, *LINE, "--mode", "train", "--noise", "common"],
    "fresh-noise": [*PROBLEM, *LINE, "--mode", "train", "--noise", "fresh"],
    "some-samples": [*PROBLEM, *LINE, "--samples", "50", "--sample-seed", "3", "--anchors", "none"],
    "anchors": [*PROBLEM, *PLANE, "--samples", "40", "--anchors", "3"],
    "repeats": [*PROBLEM, *LINE, "--repeats", "3"],
    "weight-decay": [*PROBLEM, *LINE, "--weight-decay", "0.01"],
    "included": [*PROBLEM, *LINE, "--include", "3", "--keep-zeros"],
    "each-axis-its-own": [*PROBLEM, *PLANE, "--x-include", "0", "--y-include", "7"],
    "gradient": [*PROBLEM, *PLANE, "--directions", "gradient,random"],
    "hessian": [*PROBLEM, *PLANE, "--directions", "hessian"],
    "sharpest": [*PROBLEM, *LINE, "--directions", "sharpest"],
    "towards": [*PROBLEM, "--directions", "b.pt", "--x=-0.5:1.5:5"],
    "networks": [*PROBLEM, "--directions", "b.pt,c.pt", "--axes", "orthonormal", *PLANE],
    "curvature": [*PROBLEM, "--x=-1:1:3", "--curvature"],
    "metric": [*PROBLEM, *LINE, "--metric", "nets.py:margin"],
    "metric-of-ours": [*PROBLEM, *LINE, "--loss", "nets.py:brier", "--metric", "nets.py:margin"],
    "standard-error": [*MANY, *LINE, "--standard-error", "0.2", "--anchors", "none"],
    "error": [*MANY, *PLANE, "--error", "0.3", "--precision", "float32"],
    "tolerance": [*PROBLEM, "--x=-1:1:21", "--y=-1:1:17", "--tolerance", "1", "--samples", "40"],
    "volume": [*PROBLEM, "--x=-1:1:3", "--y=-1:1:3", "--z=-1:0.5:2"],
    "seeds-of-a-plane": [*PROBLEM, *PLANE, "--repeats", "2", "--orthogonal"],
    "low-memory": ["--low-memory", *BOTH, *PLANE],
    "test-statistics": [*BOTH, *LINE, "--batch-norm", "recompute", "--batch-norm-data", "test"],
    "eigenvectors": [*PROBLEM, *PLANE, "--directions", "hessian:2,hessian:-1"],
    "universal": [*INPUT, "--directions", "universal,gradient", "--input-norm", "l2", "--epsilon", "1", "--clip=-9:9"],
    "input": [*INPUT, "--directions", "sign,random", "--samples", "20"],
    "one-input": [*INPUT, "--directions", "pgd,random", "--sample", "3", "--epsilon", "0.3"],
}
RUNS = {
    "runs": ["a", "b", *PROBLEM, "--points", "4"],
    "run-pca": ["a", *BOTH, "--points", "3", "--ignore", "biasbn", "--origin", "b.pt"],
    "run-line": ["a", *PROBLEM, "--line", "pca", "--points", "4", "--margin", "0.3"],
    "run-ends": ["a", *PROBLEM, "--line", "ends", "--points", "4"],
    "run-local": ["a", *PROBLEM, "--plane", "local", "--at", "12", "--points", "3"],
    "run-networks": ["a", *PROBLEM, "--plane", "a.pt,b.pt,c.pt", "--points", "3"],
    "run-square": ["a", *PROBLEM, "--plane", "a.pt,b.pt,c.pt", "--axes", "orthonormal", "--points", "3"],
    "run-x": ["a", *PROBLEM, "--x=-1:8:4", "--points", "3"],
    "run-states": ["c", *PROBLEM, "--move", "states", "--points", "3"],
    "run-unordered": ["a", *PROBLEM, "--unordered", "--points", "3"],
    "run-onto": ["b", *PROBLEM[:2], "--onto", "onto.h5"],
    "run-plane-only": ["c", *PROBLEM[:2], "--plane-only"],
}
ESTIMATES = {
    "surface": ["evaluate", "a.pt", *BOTH, *PLANE],
    "adaptive": ["evaluate", "a.pt", *PROBLEM, "--x=-1:1:11", "--y=-1:1:9", "--tolerance", "0.1"],
    "samples": ["evaluate", "a.pt", *PROBLEM, *PLANE, "--samples", "40", "--anchors", "3"],
    "curvature-map": ["evaluate", "a.pt", *PROBLEM, *LINE, "--curvature"],
    "trajectory": ["trajectory", "a", *PROBLEM, "--points", "4"],
    "curvature": ["curvature", "a.pt", *PROBLEM, "--probes", "3", "--eigenvalues", "2"],
    "similarity": ["similarity", "a.pt", "b.pt", *PROBLEM],
}
PAIR = ["a.pt", "b.pt", *PROBLEM]
REPORTS = {
    "curvature": ["curvature", "a.pt", *PROBLEM, "--probes", "3", "--eigenvalues", "2", "--samples", "40"],
    "curvature-slice": ["curvature", "a.pt", *PROBLEM, "--surface", "onto.h5", "--probes", "4", "--eigenvalues", "1"],
    "curvature-part": ["curvature", "a.pt", *BOTH, "--include", "^7", "--no-gauss-newton", "--probes", "2"],
    "curvature-run": ["curvature", "a", *PROBLEM, "--probes", "2", "--eigenvalues", "1", "--samples", "40"],
    "walk": ["walk", "a", *PROBLEM, "--rate", "0.1"],
    "similarity": ["similarity", *PAIR, "--passes", "2", "--procrustes", "1", "--without-components", "1"],
    "similarity-rbf": ["similarity", *PAIR, "--kernel", "rbf", "--without-dominant", "2"],
    "predictions": ["predictions", "--group", "one=a.pt,b.pt", "--group", "other=c.pt", *PROBLEM],
    "robustness": ["robustness", "a.pt", *PROBLEM, "--epsilon", "0.2,0.5", "--steps", "5", "--transfer", "b.pt"],
    "robustness-l2": ["robustness", "a.pt", *PROBLEM, "--epsilon", "0.5,2", "--norm", "l2", "--steps", "5"],
    "similarity-groups": [
        "similarity",
        "--group",
        "one=a.pt,b.pt",
        "--group",
        "other=c.pt",
        *PROBLEM,
        "--tokens",
        "mean",
        "--no-components",
    ],
    "predictions-half": ["predictions", "--group", "one=a.pt,c.pt", "--group", "two=b.pt", *PROBLEM, "--half"],
    "robustness-random": [
        "robustness",
        "a.pt",
        *PROBLEM,
        "--epsilon",
        "0.2",
        "--steps",
        "3",
        "--restarts",
        "2",
        "--random",
        "3",
        "--clip=-8:8",
        "--samples",
        "40",
    ],
    "frequencies-l2": ["frequencies", "b.pt", *PROBLEM, "--norm", "l2", "--cutoffs", "1,2,3", "--epsilon", "1"],
    "walk-of-some": ["walk", "b", *PROBLEM, "--rate", "0.05", "--multiples", "0.5,1,4", "--samples", "50"],
    "frequencies": ["frequencies", "a.pt", *PROBLEM, "--epsilon", "0.3", "--steps", "5"],
}


# By a command: what it is told always, what it is told one of, and what it may be told beside; whatever goes together.
SMALL = LINE, PLANE, PLANE, ["--x=-1:1:3", "--y=-1:1:2", "--z=-1:0.5:2"]
WAYS = [[*LINE, "--directions", each] for each in ("b.pt", "gradient", "sharpest")]
WAYS += [[*PLANE, "--directions", each] for each in ("b.pt,random", "b.pt,c.pt", "gradient,random")]
FEW = [["--samples", "50"], ["--samples", "40", "--sample-seed", "3"]]
MOVED = [["--include", "3"], ["--exclude", "0"], ["--ignore", "none"], ["--ignore", "biasbn"], ["--move", "states"]]
MIXED: dict[str, tuple[list[str], list[list[list[str]]], list[list[list[str]]]]] = {
    "evaluate": (
        ["evaluate", "a.pt"],
        [[PROBLEM, PROBLEM, BOTH, MANY], [*SMALL, *SMALL, *WAYS, [*WAYS[4], "--axes", "orthonormal"]]],
        [
            [*FEW, ["--samples", "60", "--anchors", "2"]], MOVED, [["--seed", "7"]],
            [["--norm", each] for each in NORMS],
            [["--batch-norm", "recompute"], ["--mode", "train", "--noise", "common"], ["--low-memory"]],
            [["--repeats", "2"], ["--keep-zeros"], ["--orthogonal"], ["--y-include", "7"], ["--curvature"]],
            [["--metric", "nets.py:margin"], ["--loss", "nets.py:brier"], ["--weight-decay", "0.01"]],
            [["--tolerance", "0.5"], ["--standard-error", "0.3"], ["--batch-norm-data", "test"]],
        ],
    ),
    "trajectory": (
        ["trajectory", "--points", "3"],
        [[PROBLEM, BOTH], [["a"], ["b"], ["a", "b"], ["b", "c"]]],
        [
            [["--line", "pca"], ["--line", "ends"], ["--plane", "local"], ["--plane", "a.pt,b.pt,c.pt"]],
            [["--unordered"]], FEW, MOVED,
            [["--batch-norm", "frozen"], ["--origin", "c.pt"], ["--margin", "0.4"], ["--at", "6"]],
        ],
    ),
    "curvature": (
        ["curvature", "--probes", "2", "--eigenvalues", "1"],
        [[PROBLEM, BOTH], [["a.pt"], ["a.pt"], ["b.pt"]], FEW],
        [MOVED, [["--surface", "onto.h5"], ["--no-gauss-newton"], ["--seed", "3"], ["--loss", "nets.py:brier"]]],
    ),
    "similarity": (
        ["similarity"],
        [[PROBLEM], [["a.pt", "b.pt"], ["a.pt", "b.pt", "c.pt"], ["c.pt"]], FEW],
        [
            [["--layers", "^[37]"], ["--tokens", "mean"]], [["--passes", "3"], ["--kernel", "rbf"]],
            [["--procrustes", "1"], ["--without-dominant", "2"], ["--no-components"], ["--without-components", "1"]],
        ],
    ),
    "robustness": (
        ["robustness", "--steps", "3", "--restarts", "1", "--random", "2", "--epsilon", "0.3,0.9"],
        [[PROBLEM], [["a.pt"], ["b.pt"]], FEW],
        [[["--norm", "l2"], ["--clip=-9:9"]], [["--transfer", "c.pt"], ["--seed", "2"], ["--loss", "nets.py:brier"]]],
    ),
}  # fmt: skip


def mixed(command: str, seed: int) -> list[str]:
    """Return a command with some of its options, whether they go together or not."""
    chance, (words, always, beside) = random.Random(f"{command} {seed}"), MIXED[command]
    taken = [*always, *(each for each in beside if chance.random() < 0.35)]
    return [*words, *(word for each in taken for word in chance.choice(each))]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three trained networks and their runs."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copy(kept_problem.__file__, folder / "nets.py")
    for seed, name in enumerate("abc"):
        kept_problem.train(folder / name, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["landscape"])  # which files keep
        assert main(["evaluate", "a.pt", *PROBLEM, "--x=-0.5:0.5:7", "--y=-0.5:0.5:7", "-o", "onto.h5"]) == 0
    return folder


def measured(surface: landscape.Surface) -> dict[str, Any]:
    """Return all numbers of a surface, in sums that tell its points apart."""
    found = {group: getattr(surface, group) for group in ("values", "stderr", "paired_stderr", "counts", "anchored")}
    return {
        **{f"{group} {name}": sums(array) for group, each in found.items() for name, array in each.items()},
        "state": sums(surface.state),
        "cosines": [] if surface.cosines is None else sums(surface.cosines),
        "axes": [[axis.label, sums(axis.values), axis.length, axis.recipe.get("source")] for axis in surface.axes],
        "origin": surface.origin.get("values"),
        "trajectories": {
            name: [sums(run.coordinates), sums(run.residual), sums(run.loss), run.step.tolist()]
            for name, run in surface.trajectories.items()
        },
    }


def said(words: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run a command; return what it printed."""
    code, told = answered(words, place, capsys)
    assert code == 0
    return told


def answered(words: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Run a command; return its exit code and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["landscape", *words])  # which files keep
        code = main(words)
    captured = capsys.readouterr()
    text = captured.out.replace(f"{place}/", "") + captured.err
    for pattern, put in _CHANGES.items():
        text = re.sub(pattern, put, text)
    return code, [line.rstrip() for line in text.splitlines() if "a second" not in line]


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_what_it_was(name, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")
    path = f"{name}.h5"
    told = said(["evaluate", "a.pt", *SURFACES[name], "-o", path, "--overwrite"], place, capsys)
    told += said(["info", path], place, capsys)
    kept = steady(measured(landscape.read_surface(path)) | {"said": told})
    assert_kept(f"numbers/{name}", kept, write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("name", RUNS)
def test_a_trajectory_is_what_it_was(name, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")
    told = said(["trajectory", *RUNS[name], "-o", "runs.h5", "--overwrite"], place, capsys)
    told += said(["info", "runs.h5"], place, capsys)
    kept = steady(measured(landscape.read_surface("runs.h5")) | {"said": told})
    assert_kept(f"numbers/{name}", kept, write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("name", ESTIMATES)
def test_what_something_will_cost_is_what_it_was(name, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")
    told = said([*ESTIMATES[name], "--dry-run", "-o", "none.h5"], place, capsys)
    assert_kept(f"said/estimate-{name}", {"said": told}, write=pytestconfig.getoption("keep"))


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_what_it_was(name, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")
    told = said([*REPORTS[name], "-o", "report.h5", "--overwrite"], place, capsys)
    assert main(["info", "--json", "report.h5"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = {
        key: each
        for key, each in found.items()
        if key not in ("command", "problem", "settings", "path", "software", "created")
    }
    kept["said"] = told
    # Residuals and errors of an iteration that ends early are of the size of what ends it.
    assert_kept(f"numbers/report-{name}", steady(kept), write=pytestconfig.getoption("keep"), absolute=1e-4)


SEEDS = [("evaluate", range(start, start + 6)) for start in (0, 6, 12, 18)]
SEEDS += [(command, range(4)) for command in MIXED if command != "evaluate"]


@pytest.mark.parametrize(("command", "seeds"), SEEDS, ids=str)
def test_mixed_options_give_and_are_answered_what_they_were(command, seeds, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "400")
    found: dict[str, Any] = {}
    for seed in seeds:
        words = mixed(command, seed)
        Path("mixed.h5").unlink(missing_ok=True)
        code, told = answered([*words, "-o", "mixed.h5"], place, capsys)
        found[f"{seed}: {' '.join(words)}"] = [code, told]
        if code == 0 and command in ("evaluate", "trajectory"):
            found |= {f"{seed}: {name}": each for name, each in measured(landscape.read_surface("mixed.h5")).items()}
        elif code == 0:
            found[f"{seed}: info"] = answered(["info", "mixed.h5"], place, capsys)
    assert_kept(f"mixed/{command}-{seeds[0]}", steady(found), write=pytestconfig.getoption("keep"), absolute=1e-4)
