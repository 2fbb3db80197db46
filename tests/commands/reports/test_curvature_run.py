"""`landscape curvature` along a training run: to file, table, JSON and picture, and on where it was cut short."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import FormatError
from landscape.files.reports.curvature_file import read_curvature
from landscape.files.reports.curvature_run_file import read_curvature_run
from landscape.trajectory import curvature_steps
from landscape.trajectory.runs import find_run
from tests.helpers import jobs

pytestmark = pytest.mark.usefixtures("coarse_pictures")

NETS = """
from torch import nn
def small():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 10))
"""
RATES = (0.5, 0.5, 0.1)
BASE = ["curvature", "run/step*.pt", "--model", "nets.py:small", "--data", "train=digits", "--samples", "40"]
BASE += ["--batch-size", "20", "--probes", "2", "--steps", "2", "--eigenvalues", "1", "--no-gauss-newton"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("curvature_run")
    (place / "nets.py").write_text(NETS)
    (place / "run").mkdir()
    torch.manual_seed(0)
    scope: dict[str, Any] = {}
    exec(NETS, scope)
    for step, rate in enumerate(RATES):
        saved = {"state_dict": scope["small"]().state_dict(), "step": 10 * step, "lr": rate}
        torch.save(saved, place / "run" / f"step{step}.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main([*BASE, "-o", "run.curvature.h5"]) == 0
    return place


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def networks() -> list[nn.Module]:
    scope: dict[str, Any] = {}
    exec(NETS, scope)
    found = []
    for step in range(3):
        model = scope["small"]()
        model.load_state_dict(torch.load(f"run/step{step}.pt", weights_only=True)["state_dict"])
        found.append(model)
    return found


def test_each_steps_report_is_that_of_its_own_network(folder):
    run = read_curvature_run("run.curvature.h5")["train"]
    assert run.complete
    np.testing.assert_allclose(run.learning_rates, RATES)
    np.testing.assert_allclose(run.edge_of_stability, [4, 4, 20])
    assert run.steps == (0, 10, 20)
    for model, report in zip(networks(), run.reports, strict=True):
        alone = landscape.curvature(
            model,
            landscape.digits(),
            samples=40,
            batch_size=20,
            probes=2,
            steps=2,
            eigenvalues=1,
            gauss_newton=False,
        )
        np.testing.assert_allclose(report.eigenvalues, alone.eigenvalues, rtol=1e-6)
        np.testing.assert_allclose(report.normalised.traces, alone.normalised.traces, rtol=1e-6)


def test_a_run_cut_short_goes_on_where_it_was(folder, capsys, monkeypatch):
    whole = curvature_steps.measure_curvature
    asked = []

    def counting(*arguments: Any, **options: Any) -> Any:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(curvature_steps, "measure_curvature", counting)
    assert main([*BASE, "-o", "short.h5"]) == 130
    short = read_curvature_run("short.h5")["train"]
    assert (len(short.reports), short.complete) == (2, False)
    assert main([*BASE, "-o", "short.h5"]) == 0
    assert len(asked) == 4, "steps that are there are not measured again"
    first, second = (read_curvature_run(path)["train"] for path in ("short.h5", "run.curvature.h5"))
    np.testing.assert_array_equal(*(each.over_steps(lambda report: report.trace) for each in (first, second)))
    assert first.complete
    for name in ("seed", "sample_seed", "samples", "probes"):
        assert main([*BASE, "-o", "short.h5", f"--{name.replace('_', '-')}", "7"]) == 1
        assert re.search(rf"{name} \d+, not 7", capsys.readouterr().err), name
    assert len(read_curvature_run("short.h5")["train"].reports) == 3


def test_what_is_known_of_later_steps_stays_theirs_while_earlier_ones_are_measured(monkeypatch):
    model, data, run = networks()[0], landscape.digits(), find_run("run/step*.pt")
    how: dict[str, Any] = {"samples": 40, "batch_size": 20, "probes": 2, "steps": 1, "eigenvalues": 1, "most": 3}
    whole = curvature_steps.measure_run_curvature(model, data, run, **how)["train"]
    last = dataclasses.replace(
        whole, steps=whole.steps[2:], learning_rates=whole.learning_rates[2:], reports=whole.reports[2:], complete=False
    )
    measured = iter(whole.reports)
    monkeypatch.setattr(curvature_steps, "measure_curvature", lambda *_, **__: next(measured))
    seen: list[Any] = []
    found = {"train": last}
    curvature_steps.measure_run_curvature(model, data, run, found=found, each_step=seen.append, **how)
    assert [(each["train"].steps, each["train"].learning_rates, each["train"].complete) for each in seen] == [
        ((0, 20), (RATES[0], RATES[2]), False),
        ((0, 10, 20), RATES, True),
    ]
    for each, numbers in zip(seen, ((0, 2), (0, 1, 2)), strict=True):
        wanted = [whole.reports[number].raw.trace for number in numbers]
        assert each["train"].over_steps(lambda report: report.trace).tolist() == wanted


def test_json_and_tables_have_the_steps(capsys):
    assert main(["info", "--json", "run.curvature.h5"]) == 0
    steps = json.loads(capsys.readouterr().out)["run"]["train"]["steps"]
    assert [each["step"] for each in steps] == [0, 10, 20]
    assert [each["two_over_learning_rate"] for each in steps] == pytest.approx([4, 4, 20])
    assert all(each["eigenvalues"][0] > each["eigenvalues"][-1] for each in steps)
    assert main(["info", "run.curvature.h5"]) == 0
    printed = capsys.readouterr().out
    assert "Curvature of train along run, 40 samples" in printed
    assert "2 / lr" in printed


def test_the_picture_is_written_with_its_caption(capsys):
    assert main(["plot", "run.curvature.h5", "-o", "run.pdf"]) == 0
    assert Path("run.pdf").read_bytes().startswith(b"%PDF")
    assert "over 40 samples of train at 3 recorded steps" in capsys.readouterr().out


def test_damage_and_other_files_are_refused(folder, tmp_path, capsys):
    data = bytearray(Path("run.curvature.h5").read_bytes())
    data[-20] ^= 1
    (tmp_path / "bad.h5").write_bytes(data)
    with pytest.raises(FormatError, match="is damaged"):
        read_curvature_run(tmp_path / "bad.h5")
    Path("line.txt").write_text("mine")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FormatError, match="holds no curvature run"):
        read_curvature_run(tmp_path / "plain.h5")
    assert main([*BASE, "-o", "line.txt"]) == 1
    assert "left as it is" in capsys.readouterr().err
    assert main([*BASE, "--surface", "x.h5", "-o", "other.h5"]) == 2
    assert "--surface is of one network" in capsys.readouterr().err


def test_a_folder_that_is_one_network_is_no_run(tmp_path, capsys):
    (tmp_path / "saved").mkdir()
    save_file(networks()[2].state_dict(), tmp_path / "saved" / "model.safetensors")
    (tmp_path / "saved" / "config.json").write_text("{}")
    assert main(["curvature", str(tmp_path / "saved"), *BASE[2:], "-o", str(tmp_path / "one.h5")]) == 0
    found = read_curvature(tmp_path / "one.h5")["train"]
    last = read_curvature_run("run.curvature.h5")["train"].reports[2]
    np.testing.assert_allclose(found.raw.eigenvalues, last.raw.eigenvalues, rtol=1e-6)


# As where a training wrote step1.pt when one process had looked, and the other had not.
LATE = """
import os, sys
from pathlib import Path
from landscape.cli import main
from landscape.trajectory import runs
listed = runs.checkpoints_at
def early(source):
    return [each for each in listed(source) if each.name != "step1.pt" or not Path(source).is_dir()]
if os.environ["PMI_RANK"] == "1":
    runs.checkpoints_at = early
sys.exit(main())
"""


@pytest.mark.slow
def test_all_processes_measure_the_files_that_the_first_one_sees(folder):
    words = ["-c", LATE, "curvature", "run", *BASE[2:], "-o", "two.curvature.h5"]
    code, _, err = jobs.run(words, mpi="mpich", ranks=2, folder=folder)
    assert code == 0, err
    found, alone = (read_curvature_run(name)["train"] for name in ("two.curvature.h5", "run.curvature.h5"))
    assert found.steps == alone.steps
    for one, two in zip(alone.reports, found.reports, strict=True):
        np.testing.assert_allclose(two.raw.eigenvalues, one.raw.eigenvalues, rtol=1e-4)
