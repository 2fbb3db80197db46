"""Options that many commands share are lost in none: how checkpoints are read, what on, and which files go."""

from __future__ import annotations

import shlex
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from landscape.cli import main
from tests.helpers import kept_problem

KEY = ["--checkpoint-key", "ema"]
MODEL = """--model nets.py:build --model-args '{"whole": true}'"""
FEW = f"{MODEL} --device cpu --data nets.py:data --samples 20"
LINE = f"{FEW} --x=-1:1:2"
COMMANDS = [
    f"evaluate a.pt {LINE}",
    f"evaluate a.pt {LINE} --directions b.pt",
    f"evaluate a.pt {LINE} --y=-1:1:2 --directions b.pt,c.pt --axes orthonormal",
    f"evaluate a.pt {LINE} --directions gradient",
    f"evaluate a.pt {LINE} --y=-1:1:2 --directions own.h5",
    f"trajectory run {FEW} --points 3",
    f"trajectory run {FEW} --points 3 --plane own.h5 --origin a.pt",
    f"trajectory run {FEW} --points 3 --plane a.pt,b.pt,c.pt",
    f"trajectory run {MODEL} --onto own.h5",
    f"curvature a.pt {FEW} --probes 2 --eigenvalues 1 --no-gauss-newton --surface own.h5",
    f"curvature run/0.pt run/1.pt {FEW} --probes 2 --eigenvalues 1 --no-gauss-newton --include 7",
    f"walk run {FEW} --rate 0.1",
    f"similarity a.pt b.pt {FEW}",
    f"predictions --group A=a.pt --group B=b.pt {FEW}",
    f"robustness a.pt {FEW} --epsilon 0.3 --steps 2 --restarts 1 --transfer b.pt",
    f"frequencies a.pt {FEW} --cutoffs 2,3",
    "info a.pt",
]


def write_checkpoint(path: Path, **more: object) -> None:
    """Write weights beside others, and beside what PyTorch does not read from somebody who is not trusted."""
    weights = kept_problem.network().state_dict()
    others = {f"other.{name}": 2 * each for name, each in weights.items()}
    torch.save({"model": others, "ema": weights, "rate": Fraction(1, 3), **more}, path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three networks, a run, and a plane through the networks."""
    folder = tmp_path_factory.mktemp("reading")
    build = "def build(whole=False):\n    return network() if whole else network()[:-1]\n"
    (folder / "nets.py").write_text(Path(kept_problem.__file__).read_text() + build)
    torch.manual_seed(0)
    for name in "abc":
        write_checkpoint(folder / f"{name}.pt")
    (folder / "run").mkdir()
    for step in range(3):
        write_checkpoint(folder / "run" / f"{step}.pt", step=step)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plane = f"evaluate a.pt {LINE} --y=-1:1:2 --directions b.pt,c.pt -o own.h5 --trust-checkpoint"
        assert main([*shlex.split(plane), *KEY]) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_checkpoints_are_read_by_their_key_and_trusted(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    output = tmp_path / "found.h5"
    words = [*shlex.split(command), *KEY, *([] if command.startswith("info") else ["-o", str(output)])]
    assert main(words) in (1, 2)
    assert "holds more than tensors" in capsys.readouterr().err
    assert main([*words, "--trust-checkpoint"]) == 0, capsys.readouterr().err
    assert "other." not in capsys.readouterr().out


@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.startswith("info")])
def test_a_file_of_something_else_is_replaced_only_where_asked(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    path, other = tmp_path / "found.h5", tmp_path / "examples.npz"
    for each in (path, other):
        each.write_text("chapter one")
    words = [*shlex.split(command), *KEY, "--trust-checkpoint", "-o", str(path)]
    assert main(words) in (1, 2)
    if command.startswith("robustness"):
        words += ["--save-examples", str(other)]
        assert main([*words, "-o", str(tmp_path / "free.h5")]) == 2
    assert path.read_text() == other.read_text() == "chapter one"
    assert main([*words, "--overwrite"]) == 0, capsys.readouterr().err
    assert other.read_bytes()[:2] == (b"PK" if "--save-examples" in words else b"ch")
    assert main(["info", str(path)]) == 0


@pytest.mark.parametrize("command", [each for each in COMMANDS if "--device" in each])
def test_a_device_on_which_nothing_can_be_computed_is_refused(command, place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    words = shlex.split(command.replace("--device cpu", "--device meta"))
    assert main([*words, *KEY, "--trust-checkpoint", "-o", str(tmp_path / "found.h5")]) == 2
    assert "--device meta: torch cannot compute on it here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [each for each in COMMANDS if "--data" in each])
def test_normalisation_is_not_lost(command, place, tmp_path, monkeypatch, capsys):
    """Of data that a function makes it is refused, which is the soonest that a command shows what it hands on."""
    monkeypatch.chdir(place)
    words = [*shlex.split(command), *KEY, "--trust-checkpoint", "--normalize", "0.5/0.5"]
    assert main([*words, "-o", str(tmp_path / "found.h5")]) == 2
    assert "--normalize is for the built-in data sets" in capsys.readouterr().err
