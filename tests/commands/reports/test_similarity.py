"""The command from checkpoints to what info says of the file and to a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import landscape
from landscape.cli import main
from tests.helpers import tiny_problem

pytestmark = pytest.mark.usefixtures("coarse_pictures")

MODEL = ["--model", "tests/helpers/tiny_problem.py:net", "--data", "test=tests/helpers/tiny_problem.py:data"]


@pytest.fixture
def checkpoints(tmp_path):
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        torch.save(tiny_problem.net().state_dict(), tmp_path / f"{name}.pt")
    return [str(tmp_path / f"{name}.pt") for name in "ab"]


def test_the_command_gives_what_python_gives_and_a_picture(checkpoints, tmp_path, capsys):
    path = str(tmp_path / "sim.h5")
    assert main(["similarity", *checkpoints, *MODEL, "--batch-size", "60", "-o", path]) == 0
    said = capsys.readouterr().out
    assert "a in b" in said
    assert main(["info", "--json", path]) == 0
    facts = json.loads(capsys.readouterr().out)["similarity"]
    assert facts["networks"] == ["a", "b"]
    assert facts["layers"] == [["0", "1", "2", "3"]] * 2
    models = {}
    for name, file in zip("ab", checkpoints, strict=True):
        models[name] = tiny_problem.net()
        models[name].load_state_dict(torch.load(file))
    found = landscape.similarity(models, tiny_problem.data(), batch_size=60)
    for i in range(2):
        assert facts["block"][i] is None
        np.testing.assert_allclose(facts["pc_share"][i], found.pc_share[found.rows(i)], rtol=1e-6)
        for j in range(2):
            np.testing.assert_allclose(facts["cka"][i][j], found.between(i, j), rtol=1e-9)
            np.testing.assert_allclose(facts["cka_stderr"][i][j], found.between(i, j, found.stderr), rtol=1e-6)
    assert main(["info", path]) == 0
    assert "Similarity of 8 layers of 2 networks" in capsys.readouterr().out
    assert main(["plot", path, "-o", str(tmp_path / "sim.pdf")]) == 0
    assert (tmp_path / "sim.pdf").stat().st_size > 5000
    assert "A dot marks" in capsys.readouterr().out
    assert main(["plot", path, "--name", "b", "--name", "stderr", "-o", str(tmp_path / "one.pdf")]) == 0
    said = capsys.readouterr().out
    assert "standard error of CKA of 4 layers of 1 of the 2 networks" in said
    assert "A dot marks" not in said
    assert main(["plot", path, "--name", "cka", "--name", "stderr", "-o", str(tmp_path / "one.pdf")]) == 2
    assert "--name chooses networks, too: a, b" in capsys.readouterr().err


def test_groups_have_models_of_their_own_and_names_that_tell_them_apart(checkpoints, tmp_path, capsys):
    path = str(tmp_path / "sim.h5")
    groups = ["--group", f"one={tmp_path}/[a]*.pt", "--group", f"two={checkpoints[1]}"]
    models = ["--model", "one=tests/helpers/tiny_problem.py:net", "--model", MODEL[1], *MODEL[2:]]
    options = ["--no-components", "--passes", "1", "--layers", "^[03]$", "-o", path]
    assert main(["similarity", *groups, *models, *options]) == 0
    main(["info", "--json", path])
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])["similarity"]
    assert facts["groups"] == ["one", "two"]
    assert facts["layers"] == [["0", "3"]] * 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layers", "conv"], "matches no layer"),
        (["--group", "x=nowhere/*.pt"], "no file matches nowhere"),
        (["--samples", "2"], "needs 4 at least"),
        (["--model", "y=nets.py:net"], "there are no groups"),
    ],
)
def test_what_was_mistyped_is_named(checkpoints, tmp_path, capsys, words, said):
    given = [] if words[0] == "--group" else checkpoints[:1]
    assert main(["similarity", *given, *MODEL, "-o", str(tmp_path / "s.h5"), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_says_what_it_takes_measures_nothing_and_knows_what_is_done(checkpoints, tmp_path, capsys):
    path = tmp_path / "sim.h5"
    words = [
        "similarity",
        *checkpoints,
        *MODEL,
        "--batch-size",
        "60",
        "--passes",
        "3",
        "--procrustes",
        "2",
        "-o",
        str(path),
    ]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "2, with 8 layers in all" in said
    assert "240 in 14 batches" in said  # 3 passes of 4, and 2 of Procrustes
    assert not path.exists()
    assert main(words) == 0
    before = path.read_bytes()
    capsys.readouterr()
    assert main([*words, "--dry-run"]) == 0
    assert "14 batches over all passes, 14 of them done" in capsys.readouterr().out
    assert main(words) == 0
    assert "was complete" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert main([*words, "--passes", "4"]) == 0
    assert "wrote" in capsys.readouterr().out  # to a complete file one pass was added
    before = path.read_bytes()
    assert main([*words, "--passes", "2"]) == 1
    assert "passes 4 instead of 2" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_layers_without_a_value_are_named(checkpoints, tmp_path, capsys):
    """A ReLU that is 0 for all samples has no variance."""
    state = torch.load(checkpoints[0])
    state["0.bias"] -= 1000.0
    torch.save(state, checkpoints[0])
    path = str(tmp_path / "sim.h5")
    assert main(["similarity", *checkpoints, *MODEL, "--passes", "1", "-o", path]) == 0
    reasons = "without variance, different in one sample alone, not finite, or called as often as samples ask for"
    assert f"{reasons}: 1 of a" in " ".join(capsys.readouterr().out.split())
    assert main(["info", "--json", path]) == 0
    facts = json.loads(capsys.readouterr().out)["similarity"]
    assert {"network": "a", "layer": "1"} in facts["holes"]
    assert not any(each["network"] == "b" for each in facts["holes"])
