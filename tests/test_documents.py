"""What README and docs say can be typed: every example runs, made small, and every file and link exists."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import tomllib
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import landscape
from landscape.cli import build_parser, join_negative_values, main
from tests.helpers.document_examples import (
    DOCUMENTS,
    ROOT,
    code_of,
    commands_of,
    fill,
    lines_of,
    small_network,
    small_words_of,
    words_of,
)

# Run elsewhere: demo and studies by their own tests, networks of other packages by that of the examples.
ELSEWHERE = ("landscape demo", "landscape study")
ELSEWHERE += ("landscape evaluate vit.pt", "landscape evaluate gpt2.pt", "landscape evaluate bert.pt")
PAIRS = [(document.name, command) for document in DOCUMENTS for command in commands_of(document)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    place = tmp_path_factory.mktemp("filled")
    fill(place)
    return place


@pytest.fixture
def folder(filled, tmp_path, monkeypatch):
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_documents_have_commands():
    assert len(PAIRS) >= 40
    assert len(commands_of(ROOT / "README.md")) >= 8


@pytest.mark.parametrize(("document", "command"), PAIRS, ids=[f"{d}: {c[:60]}" for d, c in PAIRS])
def test_a_documented_command_is_one_that_can_be_typed(document, command):
    build_parser().parse_args(join_negative_values(words_of(command)))


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_pictures")
@pytest.mark.parametrize("document", [each for each in DOCUMENTS if commands_of(each)], ids=lambda path: path.name)
def test_the_commands_of_a_document_run_in_their_order(folder, capsys, document):
    assert main(small_words_of("landscape evaluate net.pt ... --x=-1:1:3 --y=-1:1:3 -o net.h5")) == 0
    for place in ("plain", "skip", "epoch1", "runs/one", "landscape-demo/residual-plane", "landscape-demo/plain-plane"):
        Path(place).parent.mkdir(exist_ok=True)
        shutil.copy("net.h5", f"{place}.h5")
    for command in dict.fromkeys(commands_of(document)):
        if command.startswith(ELSEWHERE):
            continue
        words = small_words_of(command)
        if words[0] in ("evaluate", "trajectory") and "--plane-only" not in words and "--onto" not in words:
            words.append("--overwrite")  # of one document's examples, several write to one name
        capsys.readouterr()
        assert main(join_negative_values(words)) == 0, (command, capsys.readouterr().err)
    if document.name == "README.md":
        assert Path("resnet20.png").stat().st_size > 40_000


def test_other_commands_name_what_there_is():
    """Those that install, build or need a cluster are looked up: targets, scripts, extras, modules, files."""
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines()}
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for document in DOCUMENTS:
        for line in lines_of(document):
            words = line.split()
            if words[0] == "make":
                assert words[1] in targets, line
            if words[:2] == ["npm", "run"]:
                assert words[2] in scripts, line
            for place in re.findall(r"-m (tests[.\w]*)", line):
                assert importlib.util.find_spec(place), line
            for place in re.findall(r"(?<![\w=/.-])(?:tests|examples|docs)/[\w./]+", line):
                assert (ROOT / place).exists(), line
        for extra in re.findall(r"(?:torch-landscape|\.)\[(\w+)\]", document.read_text()):
            assert extra in extras, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} points at {target}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if code_of(each, "python")], ids=lambda path: path.name
)
def test_a_documents_python_runs(folder, document):
    import lightning
    import transformers

    model = small_network()
    x, y = torch.randn(20, 1, 8, 8), torch.randint(0, 10, (20,))
    space = {
        "landscape": landscape,
        "model": model,
        "x": x,
        "y": y,
        "data": (x, y),
        "batches": [(x, y)] * 125,
        "criterion": nn.CrossEntropyLoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "rate": 0.1,
        "lightning": lightning,
        "transformers": transformers,
        "args": transformers.TrainingArguments("trained", use_cpu=True, report_to=[]),
    }
    shutil.rmtree("run")  # the document records it
    before = set(folder.iterdir())
    for block in code_of(document, "python"):
        with warnings.catch_warnings():
            if "lightning" in block:
                warnings.simplefilter("ignore")  # of what others advise to install
            exec(block.replace(":51", ":3").replace('path="run.h5"', 'path="run.h5", points=3'), space)
    assert set(folder.iterdir()) - before, "the examples end in a file"


def test_no_picture_names_a_folder_of_the_machine_it_was_made_on():
    from PIL import Image

    for path in sorted((ROOT / "docs").rglob("*.png")):
        with Image.open(path) as picture:
            told = [text for text in picture.info.values() if isinstance(text, str)]
        absolute = [text for text in told if re.search(r"(?<![\w./~-])/(work|tmp|home|root|Users)/", text)]
        assert not absolute, f"{path.name}: {absolute[0][:120]}"
