"""`landscape curvature` from the command line to file, tables, JSON and picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landscape.cli import main
from landscape.files.reports.curvature_file import read_curvature
from tests.helpers import jobs

pytestmark = pytest.mark.usefixtures("coarse_pictures")

NETS = """
from torch import nn
def small():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 10))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("curvature")
    (place / "nets.py").write_text(NETS)
    torch.manual_seed(0)
    scope: dict[str, Any] = {}
    exec(NETS, scope)
    torch.save(scope["small"]().state_dict(), place / "net.pt")
    network = ["net.pt", "--model", "nets.py:small", "--data", "train=digits", "--samples", "60"]
    problem = ["curvature", *network, "--batch-size", "30", "--probes", "3", "--steps", "3", "--eigenvalues", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(["evaluate", *network, "--x=-0.1:0.1:7", "-o", "line.h5"]) == 0
        assert main([*problem, "--data", "test=digits:test", "--surface", "line.h5", "-o", "net.curvature.h5"]) == 0
    return place


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_json_has_the_names_that_programs_read(capsys):
    assert main(["info", "--json", "net.curvature.h5"]) == 0
    facts = json.loads(capsys.readouterr().out)["curvature"]
    assert list(facts) == ["train", "test"]
    train, stored = facts["train"], read_curvature("net.curvature.h5")["train"]
    for found, matrix in ((train, stored.raw), (train["normalised"], stored.normalised)):
        assert found["eigenvalues"] == sorted(found["eigenvalues"], reverse=True) == matrix.eigenvalues.tolist()
        assert found["residuals"] == matrix.residuals.tolist()
        assert (found["trace"], found["trace_stderr"]) == (matrix.trace, matrix.trace_stderr)
    assert train["gradient_norm"] == stored.gradient_norm
    assert train["samples"] == 60
    drawn = train["slice"]
    assert drawn["hessian"][0][0] == pytest.approx(drawn["fitted"][0][0], rel=0.02)
    assert facts["test"]["slice"]["fitted"] == [[None]]  # the line was of train alone
    assert train["origin"]["checkpoint"] == "net.pt"


def test_the_table_has_each_number_with_its_error(capsys):
    assert main(["info", "net.curvature.h5"]) == 0
    printed = capsys.readouterr().out
    for words in ("Curvature of train, 60 samples", "Curvature of test", "residual", "±", "random slice", "1.weight"):
        assert words in printed


def test_a_surface_of_other_weights_is_refused(capsys):
    state = torch.load("net.pt", weights_only=True)
    torch.save({name: each + 1 for name, each in state.items()}, "moved.pt")
    base = ["curvature", "moved.pt", "--model", "nets.py:small", "--data", "train=digits", "-o", "other.h5"]
    assert main([*base, "--surface", "line.h5"]) == 2
    assert "does not go through this checkpoint" in capsys.readouterr().err


def test_a_dry_run_says_what_it_takes_and_writes_nothing(capsys):
    base = ["curvature", "net.pt", "--model", "nets.py:small", "--data", "train=digits", "--samples", "60"]
    base += ["--data", "test=digits:test"]
    assert main([*base, "--batch-size", "30", "--probes", "3", "--steps", "3", "-o", "dry.h5", "--dry-run"]) == 0
    said = capsys.readouterr().out
    for name in ("train", "test"):
        assert f"{name}     60 samples, 310 weights" in said
    assert f"products at most {2 * (100 + 10 + 9)}" in said
    assert "graphs of 2 of 2 batches" in said
    assert not Path("dry.h5").exists()


def test_the_picture_is_written_and_options_of_surfaces_are_refused(capsys):
    assert main(["plot", "net.curvature.h5", "-o", "spectrum.pdf"]) == 0
    assert Path("spectrum.pdf").read_bytes().startswith(b"%PDF")
    assert "Curvature of the mean loss over 60 samples of test" in capsys.readouterr().out
    assert main(["plot", "net.curvature.h5", "--kind", "line"]) == 2
    assert "--kind does not go with curvature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--probes", "1"], "probes is 1, it has to be 2 at least"),
        (["--eigenvalues", "0"], "eigenvalues is 0"),
        (["--eigenvalue-tolerance", "nan"], "tolerance is nan"),
        (["--samples", "0"], "0 samples"),
        (["-o", "nets.py"], "nets.py"),
        (["--batch-size", "-3"], "batch size is -3"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_nonsense_is_refused_in_one_line(options, said, capsys):
    base = ["curvature", "net.pt", "--model", "nets.py:small", "--data", "train=digits", "-o", "other.h5"]
    assert main([*base, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("landscape: error: ")
    assert said in error
    assert not Path("other.h5").exists()


def test_two_processes_share_batches_out_and_find_the_same(folder):
    asked = ["net.pt", "--model", "nets.py:small", "--data", "train=digits", "--samples", "50", "--batch-size", "20"]
    asked = ["curvature", *asked, "--probes", "2", "--steps", "2", "--eigenvalues", "1", "--surface", "line.h5"]
    assert main([*asked, "-o", "one.h5"]) == 0
    code, out, err = jobs.run(["-m", "landscape", *asked, "-o", "two.h5"], mpi="mpich", ranks=2, folder=folder)
    assert (code, out.count("wrote two.h5")) == (0, 1), err
    one, two = read_curvature("one.h5")["train"], read_curvature("two.h5")["train"]
    assert one.verdict == two.verdict
    for name in ("raw", "normalised"):
        for key in ("eigenvalues", "samples_stderr", "traces", "trace_samples_stderr", "forms", "nodes"):
            first, second = getattr(getattr(one, name), key), getattr(getattr(two, name), key)
            np.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-6, err_msg=f"{name} {key}")
    for key in ("gradient_norm", "gauss_newton_greatest", "gauss_newton_trace"):
        assert getattr(two, key) == pytest.approx(getattr(one, key), rel=1e-5)
    np.testing.assert_allclose(two.slice.hessian, one.slice.hessian, rtol=1e-4)
