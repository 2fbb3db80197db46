"""Every example runs, in a folder of its own, and leaves what it says."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from landscape.cli import join_negative_values, main
from tests.helpers import jobs

EXAMPLES = Path(__file__).parent.parent / "examples"
# What running an example needs beyond its file: arguments, and what it leaves.
RUNS = {
    "own_network.py": ([], ["own_network.h5", "own_network.png"]),
    "optimizers_on_digits.py": ([], ["optimizers.h5", "optimizers.png", "optimizers-steps.png"]),
    "networks_on_digits.py": (["--populations", "1", "--epochs", "1"], ["networks/wide/0.pt", "networks/small/0.pt"]),
    "train_cifar.py": (["cifar10.npz", "--epochs", "1"], ["resnet20.pt"]),
}
SHORTER = [
    ("optimizers_on_digits.py", "STEPS, EVERY, BATCH = 400, 10, 64", "STEPS, EVERY, BATCH = 60, 10, 64"),
    ("own_network.py", 'x="-1:1:25", y="-1:1:25"', 'x="-1:1:9", y="-1:1:9"'),
]
# Imported by others, and what a test of its own runs.
OTHERS = {"resnet_cifar.py", "own_study.py", "pypi_networks.py"}


@pytest.fixture
def folder(tmp_path):
    """A copy of the examples, with 128 images of noise in the form of CIFAR-10."""
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("*.h5", "*.png", "*.pt", "__pycache__")
    )
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (128, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "examples" / "cifar10.npz", x=x, y=generator.integers(0, 10, 128, dtype=np.uint8))
    # A part of the steps and points, from which the same comes.
    for name, long, short in SHORTER:
        path = tmp_path / "examples" / name
        text = path.read_text()
        assert long in text
        path.write_text(text.replace(long, short))
    return tmp_path / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RUNS))
def test_an_example_runs_and_leaves_what_it_says(folder, name):
    arguments, left = RUNS[name]
    # One in a process of its own, as a user starts it: with nothing loaded before.
    code, _, err = jobs.run([name, *arguments], folder=folder, forked=name != "own_network.py")
    assert code == 0, err
    for file in left:
        assert (folder / file).stat().st_size > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of others' packages
def test_networks_that_nobody_here_wrote_are_measured_as_the_docs_say(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    runpy.run_path("pypi_networks.py", run_name="__main__")
    document = (EXAMPLES.parent / "docs" / "networks.md").read_text()
    commands = re.findall(r"^ {4}(landscape evaluate .*)$", document, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert main(join_negative_values(shlex.split(command)[1:])) == 0, capsys.readouterr().err
        assert "over 25 points" in capsys.readouterr().out


@pytest.mark.slow
def test_a_study_of_ones_own_runs_in_miniature(folder):
    words = ["landscape", "study", "own_study.toml", "--smoke", "--no-pages", "--executor", "here", "-o", "own"]
    code, _, err = jobs.run(["-m", *words], folder=folder)
    assert code == 0, err
    told = json.loads((folder / "own" / "smoke" / "results.json").read_text())
    assert told["complete"]
    assert [each["name"] for each in told["hypotheses"]] == ["flatter"]
    lines = [line for name in ("own_study.toml", "own_study.py") for line in (folder / name).read_text().splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) <= 60


def test_every_example_is_run_here_and_short():
    examples = {path.name for path in EXAMPLES.glob("*.py")}
    assert examples == set(RUNS) | OTHERS
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 60, path
