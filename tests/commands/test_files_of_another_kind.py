"""A file of ours that is of another kind than a command takes is named, with what shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from landscape.cli import main
from landscape.commands.reports.report_kinds import KINDS
from landscape.files.atomic import looks_like
from landscape.files.store import write_surface
from tests.helpers.plot_fixtures import valley

CONTENTS = {kind: kind for kind in (*KINDS, "curvature")}
CONTENTS |= {"curvature run": "curvature along a run", "walk": "walks along the gradient"}
SHOWS = "which 'landscape info' and 'landscape plot' read"


NETS = """
import torch

net = torch.nn.Linear(2, 1)
data = torch.utils.data.TensorDataset(torch.zeros(8, 2), torch.zeros(8, 1))
"""


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Return a surface, beside a network and data."""
    write_surface(tmp_path / "net.h5", valley(9, 8))
    (tmp_path / "nets.py").write_text(NETS)
    torch.save({"weight": torch.ones(1, 2), "bias": torch.ones(1)}, tmp_path / "net.pt")
    return tmp_path / "net.h5"


COMMANDS = ("view", "view beside", "export", "evaluate", "trajectory", "compare")
# Pages show similarity and curvature beside surfaces.
WRONG = [
    (command, kind)
    for command in COMMANDS
    for kind in sorted(CONTENTS)
    if not (command.startswith("view") and kind in ("similarity", "curvature"))
]


@pytest.mark.parametrize(("command", "kind"), WRONG)
def test_a_report_where_a_surface_is_wanted_is_named_with_what_shows_it(command, kind, stored, tmp_path, capsys):
    path = tmp_path / "report.h5"  # which calls itself one of that kind
    path.write_bytes(f"landscape {kind} 1\n{'0' * 64}\n".encode().ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    before = path.read_bytes()
    out = str(tmp_path / "out")
    problem = ["--model", f"{tmp_path}/nets.py:net", "--data", f"train={tmp_path}/nets.py:data", "--loss", "mse"]
    given = {
        "view": ["view", str(path), "-o", f"{out}.html"],
        "view beside": ["view", str(stored), str(path), "-o", f"{out}.html"],
        "export": ["export", str(path), "-o", f"{out}.csv"],
        "evaluate": ["evaluate", str(tmp_path / "net.pt"), *problem, "-o", str(path)],
        "trajectory": ["trajectory", str(tmp_path / "net.pt"), str(path), *problem, "-o", f"{out}.h5"],
        "compare": ["info", "--compare", str(stored), str(path)],
    }[command]
    assert main(given) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"a file of {CONTENTS[kind]}, {SHOWS}" in said, said
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("out*"))


def test_a_surface_is_named_and_what_only_begins_like_ours_is_not():
    assert looks_like(b"landscape 1\n") == "a surface"
    assert looks_like(b"landscape of the soul\n") == "a text file"
