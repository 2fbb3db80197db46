"""The examples of the documents, made small, and a folder in which they run: a user's files in miniature."""

from __future__ import annotations

import glob
import re
import shlex
import shutil
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from tests.helpers.li2018_files import write_like_the_tool

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

NETS = """
import torch
from torch import nn

def net(shortcut=True):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 10))

make_net = resnet20 = resnet56 = net
"""
DATA = """
import torch

def training_set():
    torch.manual_seed(1)
    return torch.randn(20, 1, 8, 8), torch.randint(0, 10, (20,))
"""
# What takes long, made short; a grid's ends stay as they are.
SMALLER = [
    (r"(=-?[\d.]+:-?[\d.]+):\d+", r"\1:3"),
    (r"--data (\w+=)?digits(:\w+)?", r"--data \1data.py:training_set"),
    (r"--data (\w+=)?npz:cifar10_test.npz", r"--data \1data.py:training_set"),
    (r"examples/networks_on_digits.py:\w+", "nets.py:net"),
    (r" --normalize [\d.,/]+", ""),
    (r"--without-dominant \d+", "--without-dominant 1"),
    (r"--samples \d+", "--samples 10"),
    (r"--repeats \d+", "--repeats 2"),
    (r"^curvature (?!.*--eigenvalues)", "curvature --eigenvalues 1 --probes 2 --steps 2 "),
    (r"^curvature (?!.*--products)", "curvature --products 8 "),
    (r"--products \d+", "--products 8"),
    (r"--eigenvalues \d+", "--eigenvalues 1"),
    (r"--probes \d+", "--probes 2"),
    (r"^(curvature .*)--steps \d+", r"\1--steps 2"),
    (r"--points \d+", "--points 5"),
    # A plane of a run has a side of its own, unless it is said.
    (r"^trajectory (?!.*--(?:points|plane-only|onto|line))", "trajectory --points 5 "),
    (r" --size \d+x\d+", ""),
    (r"--film (\w+)", r"--film \1 --seconds 1 --fps 2 --size 240x180"),
    # Of the README's picture the test asks for its size.
    (r"^plot (?!.*(?:--film|resnet20\.png))", "plot --dpi 60 "),
    (r"^plot (.*\.pdf --kind surface|.*--kind surface .*\.pdf)", r"plot --size 4x2.5 \1"),
    (r"--seconds \d+", "--seconds 1"),
]


def code_of(document: Path, language: str = "") -> list[str]:
    """Return a document's blocks of code: fenced ones of a language, or those without one and indented ones."""
    text = document.read_text()
    fenced = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if language:
        return fenced
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*fenced, *(re.sub(r"^ {4}", "", block, flags=re.M) for block in re.findall(r"(?:^ {4}.*\n)+", text, re.M))]


def lines_of(document: Path) -> list[str]:
    """Return the lines that a shell would be given, continued ones joined, without comments."""
    code = "\n".join(code_of(document)).replace("\\\n", " ")
    return [line for each in code.split("\n") if (line := re.sub(r"\s+#\s.*$", "", each).strip())]


def commands_of(document: Path) -> list[str]:
    """Return the ``landscape`` commands among them, without a launcher."""
    lines = [re.sub(r"^mpiexec -n \d+ ", "", re.sub(r" +", " ", line)) for line in lines_of(document)]
    return [line for line in lines if re.match(r"landscape [a-z]+", line)]


def words_of(command: str) -> list[str]:
    """Return a command's words after ``landscape``, with the network and the data that "..." stands for."""
    words = shlex.split(command)[1:]
    if "..." in words:
        place, needs = words.index("..."), words[0] in ("evaluate", "trajectory")
        rest = words[:place] + words[place + 1 :]
        data = [] if "--data" in rest else ["--data", "train=digits"]
        words[place : place + 1] = ["--model", "nets.py:net", *data] if needs else []
    return words


def small_words_of(command: str) -> list[str]:
    """Return the same made small, patterns of files replaced by the files, as a shell does."""
    text = shlex.join(words_of(command))
    for pattern, smaller in SMALLER:
        text = re.sub(pattern, smaller, text)
    words = [sorted(glob.glob(word)) or [word] if "*" in word else [word] for word in shlex.split(text)]
    return [word for each in words for word in each]


def small_network(seed: int = 0) -> nn.Module:
    """Return the network of ``nets.py`` with weights that differ by seed."""
    space: dict[str, object] = {}
    exec(NETS, space)
    model: nn.Module = space["net"]()  # type: ignore[operator]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.1 * seed * torch.randn(tensor.shape, generator=generator))
    return model


def fill(folder: Path) -> None:
    """Write what the documents' examples start from."""
    (folder / "nets.py").write_text(NETS)
    (folder / "data.py").write_text(DATA)
    for number, name in enumerate(("net.pt", "net.t7", "other.pt", "a.pt", "b.pt", "c.pt")):
        torch.save(small_network(number).state_dict(), folder / name)
    for run in ("run", "sgd", "adam", "other"):
        (folder / run).mkdir()
        for step in (0, 1, 81, 122, 10):
            state = small_network(1 + step % 7).state_dict()
            torch.save({"state_dict": state, "epoch": step}, folder / run / f"epoch{step}.pt")
    groups = [f"networks/{name}" for name in ("narrow", "wide", "small", "oversized")]
    for place in (*groups, "resnet56", "resnet56_noshort"):
        (folder / place).mkdir(parents=True)
        for number in range(2):
            name = f"{number}.pt" if place in groups else f"epoch{5 * number:02}.pt"
            torch.save(small_network(number + len(place)).state_dict(), folder / place / name)
    shutil.copytree(ROOT / "docs" / "images", folder / "docs" / "images", ignore=shutil.ignore_patterns("*.png"))
    write_like_the_tool(folder / "old_surface.h5", np.linspace(-1, 1, 3), np.linspace(-1, 1, 3))
    with h5py.File(folder / "old_directions.h5", "w") as file:
        for axis, name in enumerate(("xdirection", "ydirection")):
            for number, tensor in enumerate(small_network().parameters()):
                data = np.random.default_rng([axis, number]).normal(size=tuple(tensor.shape)).astype(np.float32)
                file.require_group(name).create_dataset(str(number), data=data)
