"""The command from groups of checkpoints to a file, what info says of it, and a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from landscape.cli import main
from landscape.files.reports.predictions_file import read_predictions
from tests.helpers import tiny_problem

pytestmark = pytest.mark.usefixtures("coarse_pictures")

MODEL = ["--model", "tests/helpers/tiny_problem.py:net", "--data", "test=tests/helpers/tiny_problem.py:data"]


@pytest.fixture
def groups(tmp_path):
    for seed in range(8):
        torch.manual_seed(seed)
        torch.save(tiny_problem.net().state_dict(), tmp_path / f"{'ab'[seed // 4]}{seed % 4}.pt")
    return [f"--group={name.upper()}={tmp_path}/{name}*.pt" for name in "ab"]


def test_a_run_that_was_made_is_not_made_again_and_can_be_put_together(groups, tmp_path, capsys, monkeypatch):
    path, one, two, both = (str(tmp_path / f"{name}.h5") for name in ("p", "one", "two", "both"))
    assert main(["predictions", *groups, *MODEL, "-o", path]) == 0
    said = capsys.readouterr().out
    assert "binomial noise" in said
    assert "differ after correction" in said
    found = read_predictions(path)
    assert main(["predictions", *groups, *MODEL, "-o", path]) == 0
    assert "8 of 8" not in capsys.readouterr().err
    for group, file in zip(groups, (one, two), strict=True):
        assert main(["predictions", group, *MODEL, "-o", file]) == 0
    monkeypatch.setattr("sys.argv", ["landscape", "--put", "together"])
    assert main(["predictions", "--group", f"A={one}", "--group", f"B={two}", "-o", both]) == 0
    again = read_predictions(both)
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    assert again.command == "landscape --put together"
    capsys.readouterr()
    assert main(["info", "--json", path, both]) == 0
    facts = [json.loads(line)["predictions"] for line in capsys.readouterr().out.splitlines()]
    assert facts[0]["comparisons"][0]["excess"] == facts[1]["comparisons"][0]["excess"]
    assert main(["plot", path, "-o", str(tmp_path / "p.png")]) == 0
    assert "Share of networks that are right" in capsys.readouterr().out


def test_other_settings_and_other_weights_do_not_continue_a_file(groups, tmp_path, capsys):
    path = str(tmp_path / "p.h5")
    assert main(["predictions", groups[0], *MODEL, "-o", path]) == 0
    for other, was in (
        (["--samples", "30"], "samples is None"),
        (["--sample-seed", "3"], "sample_seed is 0"),
        (["--outputs", "probabilities"], "outputs is logits"),
        (["--half"], "half is False"),
    ):
        assert main(["predictions", groups[0], *MODEL, "-o", path, *other]) == 1
        assert f"holds other predictions ({was})" in capsys.readouterr().err
    torch.save(tiny_problem.net().state_dict(), tmp_path / "a1.pt")
    assert main(["predictions", groups[0], *MODEL, "-o", path]) == 1
    assert "holds other predictions (a1 has other weights)" in capsys.readouterr().err
    # A name for the same function: what is stored of a network is how it was asked for.
    (tmp_path / "nets.py").write_text("from tests.helpers.tiny_problem import net\n")
    words = ["predictions", groups[0], "--model", f"{tmp_path}/nets.py:net", *MODEL[2:], "-o", path]
    assert main(words) == 1
    models = "; ".join(f"a{k} has {'other weights; a1 has ' if k == 1 else ''}another model" for k in range(4))
    assert f"holds other predictions ({models})" in capsys.readouterr().err


def test_networks_that_are_added_on_other_data_leave_the_file_as_it_is(groups, tmp_path, capsys, monkeypatch):
    path = tmp_path / "p.h5"
    assert main(["predictions", groups[0], *MODEL, "-o", str(path)]) == 0
    whole = path.read_bytes()
    monkeypatch.setenv("OTHER_DATA", "0")
    for _ in range(2):  # nor is it taken for one of these data by who tries again
        assert main(["predictions", *groups, *MODEL, "-o", str(path)]) == 1
        assert "p.h5 holds predictions for other samples; write to another file" in capsys.readouterr().err
        assert path.read_bytes() == whole
