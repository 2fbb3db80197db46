"""What README and docs say can be typed: every command parses, every file and link exists, the Python block runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from torch import nn

from landscape.cli import build_parser, join_negative_values, main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(document: Path) -> list[str]:
    """Return the ``landscape`` commands of a document's indented or fenced code, continued lines joined."""
    text = document.read_text().replace("\\\n", " ")
    found = re.findall(
        r"^(?: {4}|```.*\n)?(?: {4})?((?:mpiexec [^\n]*? )?landscape [a-z]+[^\n`]*)$", text, re.MULTILINE
    )
    return [re.sub(r"^mpiexec -n \d+ ", "", re.sub(r"\s+#.*$", "", line)) for line in found]


PAIRS = [(document.name, command) for document in DOCUMENTS for command in commands_of(document)]


def test_the_readme_has_commands():
    assert len(commands_of(ROOT / "README.md")) >= 8


@pytest.mark.parametrize(("document", "command"), PAIRS, ids=[f"{d}: {c[:60]}" for d, c in PAIRS])
def test_a_documented_command_is_one_that_can_be_typed(document, command):
    words = shlex.split(command)[1:]
    if "..." in words:  # the model and the data, shown before
        place = words.index("...")
        needs = words[0] in ("evaluate", "trajectory")
        words[place : place + 1] = ["--model", "nets.py:net", "--data", "train=digits"] if needs else []
    build_parser().parse_args(join_negative_values(words))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} points at {target}"


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    torch.manual_seed(0)
    space = {
        "model": nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)),
        "x": torch.randn(30, 4),
        "y": torch.randint(0, 3, (30,)),
    }
    monkeypatch.chdir(tmp_path)
    exec(block.replace("-1:1:51", "-1:1:7"), space)
    assert (tmp_path / "net.h5").exists()
    assert (tmp_path / "net.pdf").read_bytes()[:5] == b"%PDF-"


def test_the_readmes_picture_is_drawn_by_its_command(tmp_path, monkeypatch):
    command = next(c for c in commands_of(ROOT / "README.md") if "docs/images/resnet20.h5" in c)
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)[1:]
    words[words.index("-o") + 1] = str(tmp_path / "drawn.png")
    assert main(words) == 0
    assert (tmp_path / "drawn.png").stat().st_size > 50_000
