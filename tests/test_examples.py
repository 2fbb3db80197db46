"""Every example runs, in a folder of its own, and leaves what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
# What running an example needs beyond its file: arguments, and what it leaves.
RUNS = {
    "own_network.py": ([], ["own_network.h5", "own_network.png"]),
    "optimizers_on_digits.py": ([], ["optimizers.h5", "optimizers.png", "optimizers-steps.png"]),
    "pypi_networks.py": ([], ["vit.pt", "gpt2.pt", "bert.pt"]),
    "networks_on_digits.py": (["--populations", "1", "--epochs", "1"], ["networks/wide/0.pt", "networks/small/0.pt"]),
    "train_cifar.py": (["cifar10.npz", "--epochs", "1"], ["resnet20.pt"]),
}
# Imported by others.
OTHERS = {"resnet_cifar.py", "own_study.py"}


@pytest.fixture
def folder(tmp_path):
    """A copy of the examples, with 128 images of noise in the form of CIFAR-10."""
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("*.h5", "*.png", "*.pt", "__pycache__")
    )
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (128, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "examples" / "cifar10.npz", x=x, y=generator.integers(0, 10, 128, dtype=np.uint8))
    return tmp_path / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RUNS))
def test_an_example_runs_and_leaves_what_it_says(folder, name):
    arguments, left = RUNS[name]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, name, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for file in left:
        assert (folder / file).stat().st_size > 0


@pytest.mark.slow
def test_networks_that_nobody_here_wrote_are_measured_as_the_docs_say(folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "pypi_networks.py"], cwd=folder, env=environment, check=True, timeout=200)
    document = (EXAMPLES.parent / "docs" / "networks.md").read_text()
    commands = re.findall(r"^ {4}(landscape evaluate .*)$", document, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        assert "over 25 points" in done.stdout


@pytest.mark.slow
def test_a_study_of_ones_own_runs_in_miniature(folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = ["landscape", "study", "own_study.toml", "--smoke", "--no-pages", "--executor", "here", "-o", "own"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
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
