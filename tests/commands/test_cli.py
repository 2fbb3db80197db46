"""The command line: exit codes, one line an error, nothing lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import landscape
from landscape.cli import build_parser, join_negative_values, main
from landscape.errors import EvaluationError
from tests.helpers import jobs

NETS = """
import torch
from torch import nn

def net(width=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

def data():
    torch.manual_seed(1)
    return torch.randn(20, 1, 8, 8), torch.randint(0, 10, (20,))

def broken():
    raise RuntimeError("no such luck")

def slow(model, batch):
    import time
    time.sleep(0.05)
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

def poor(model, batch):
    raise ValueError("labels are missing")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder: their code, a checkpoint, and nothing of ours."""
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(NETS, space)
    torch.save(space["net"]().state_dict(), tmp_path / "net.pt")
    return tmp_path


USUAL = ["net.pt", "--model", "nets.py:net", "--data", "train=nets.py:data"]


def test_a_checkpoint_becomes_a_file_and_a_picture(folder, capsys):
    assert main(["evaluate", *USUAL, "--x", "-1:1:5", "--y", "-1:1:4", "-o", "net.h5"]) == 0
    assert "wrote net.h5" in capsys.readouterr().out
    surface = landscape.read_surface("net.h5")
    assert surface.shape == (4, 5)
    assert surface.problem["model"] == {"reference": "nets.py:net", "args": {}, "class": "Sequential"}
    assert main(["plot", "net.h5", "-o", "net.png"]) == 0
    assert (folder / "net.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert main(["info", "net.h5"]) == 0
    assert "20 computed" in capsys.readouterr().out


def test_the_output_is_named_after_the_checkpoint(folder):
    assert main(["evaluate", *USUAL, "--x=-1:1:3"]) == 0
    assert Path("net.h5").exists()


def test_a_negative_range_needs_no_equals_sign():
    assert join_negative_values(["--x", "-1:1:51", "-o", "f", "--y", "-.5:1:3"]) == [
        "--x=-1:1:51",
        "-o",
        "f",
        "--y=-.5:1:3",
    ]
    assert join_negative_values(["--overwrite", "net.pt"]) == ["--overwrite", "net.pt"]


def test_model_arguments_reach_the_factory(folder, capsys):
    assert main(["evaluate", *USUAL, "--model-args", '{"width": 9}', "--x=-1:1:3"]) == 1
    assert "4 x 64 in the file, 9 x 64" in capsys.readouterr().err


def test_a_dry_run_says_what_it_costs_and_writes_nothing(folder, capsys):
    began = time.perf_counter()
    assert main(["evaluate", *USUAL, "--x=-1:1:11", "--y=-1:1:7", "--dry-run", "-o", "net.h5"]) == 0
    took = time.perf_counter() - began
    out = capsys.readouterr().out
    (start,) = re.findall(r"s a point\), after a start of about (\S+) s\n", out)
    assert 0.5 * took - 0.01 < float(start) < 1.05 * took + 0.01  # two digits of it are written
    assert "77 to do of 77" in out
    assert "20 at each point" in out
    assert not Path("net.h5").exists()
    # Directions that are measured are so in the run alone: its start is another.
    for directions in (["gradient"], ["random,gradient", "--y=0:1:2"]):
        assert main(["evaluate", *USUAL, "--x=-1:1:11", "--dry-run", "--directions", *directions]) == 0
        assert "s a point)\n" in capsys.readouterr().out


MISUSED = [
    (["--x", "1:-1:51"], "MIN must be below MAX"),
    (["--x", "0:1:0"], "at least 1"),
    (["--x", "a:b"], "-1:1:51"),
    (["--x", "nan:1:5"], "finite"),
    (["--x", "0:1:2.5"], "-1:1:51"),
    (["--norm", "fitler"], "invalid choice"),
    (["--samples", "0"], "samples is 0"),
    (["--samples", "1" + 21 * "0"], "no larger than 2^53"),
    (["--batch-size", "1" + 21 * "0"], "no larger than 2^53"),
    (["--loss=--"], "--loss is given '--'"),
    (["--directions=--"], "--directions is given '--'"),
    (["--y=-1:1:3", "--directions", "net.pt"], "names 1 (net.pt) for 2 axes"),
    (["--samples", "many"], "invalid int"),
    (["--repeats", "0"], "repeats is 0"),
    (["--model-args", "{"], "not JSON"),
    (["--model-args", "[1]"], "not a JSON object"),
    (["--normalize", "1"], "MEAN/STD"),
    (["--data", "train=nets.py:data"], "two data sets"),
    (["--z", "0:1:2"], "z without y"),
    (["--include", "("], "regular expression"),
    (["--weight-decay", "-1"], "weight_decay"),
    (["--colour", "red"], "unrecognized"),
    (["--device", "gpu"], "no device"),
    (["--loss", "hinge"], "cross_entropy"),
    (["--directions", "net.pt", "--norm", "layer"], "--norm does not go"),
    (["--directions", "net.pt", "--seed", "5"], "--seed does not go"),
]


@pytest.mark.parametrize(
    ("extra", "text"), MISUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_misused_exits_with_2_and_one_line(folder, capsys, extra, text):
    assert main(["evaluate", *USUAL, *extra, "-o", "net.h5"]) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("landscape: error: ")
    assert not Path("net.h5").exists()


FAILED = [
    (["absent.pt"], [], "absent.pt"),
    (["empty.pt"], [], "empty"),
    (["page.pt"], [], "HTML"),
    (["cut.pt"], [], "cut.pt"),
    (["evil.pt"], [], "--trust-checkpoint"),
    (["net.pt"], ["--model", "nets.py:nett"], "net"),
    (["net.pt"], ["--model", "absent.py:net"], "absent.py"),
    (["net.pt"], ["--model", "nets.py:broken"], "no such luck"),
    (["net.pt"], ["--data", "test=absent.py:data"], "absent.py"),
    (["net.pt"], ["--data", "test=npz:absent.npz"], "absent.npz"),
    (["net.pt"], ["--loss", "nets.py:poor"], "labels are missing"),
    (["net.pt"], ["-o", "absent/net.h5"], "absent"),
    (["net.pt"], ["--directions", "other.pt"], "other.pt"),
    (["net.pt"], ["--directions", "net.pt"], "zero everywhere"),
]


@pytest.mark.parametrize(("checkpoint", "extra", "text"), FAILED, ids=[f"{c[0]} {' '.join(e)}" for c, e, _ in FAILED])
def test_what_fails_exits_with_1_and_one_line(folder, capsys, checkpoint, extra, text):
    Path("empty.pt").write_bytes(b"")
    Path("page.pt").write_text("<!doctype html><html><body>404</body></html>")
    Path("cut.pt").write_bytes(Path("net.pt").read_bytes()[:700])

    class Evil:
        def __reduce__(self):
            return (os.system, ("touch pwned",))

    torch.save({"state_dict": Evil()}, "evil.pt")
    usual = [word for word in USUAL[1:] if word not in ("--model", "nets.py:net") or "--model" not in extra]
    assert main(["evaluate", *checkpoint, *usual, "--x=-1:1:3", *extra]) == 1
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.count("\n") == 1
    assert not Path("pwned").exists()


def test_debug_adds_the_traceback(folder, capsys):
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "--loss", "nets.py:poor", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "nets.py" in err


def test_what_is_kept_of_a_run_that_fails_is_said_behind_the_reason(folder, capsys, monkeypatch):
    def fails(*_, **__):
        error = EvaluationError("it is odd")
        error.add_note("(net.h5 holds 3 points)")
        raise error

    monkeypatch.setattr("landscape.evaluation.evaluate.evaluate", fails)
    assert main(["evaluate", *USUAL, "--x=-1:1:3"]) == 1
    assert capsys.readouterr().err == "landscape: error: it is odd (net.h5 holds 3 points)\n"


def test_a_file_of_another_surface_is_kept(folder, capsys):
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "-o", "net.h5"]) == 0
    before = Path("net.h5").read_bytes()
    assert main(["evaluate", *USUAL, "--x=-1:1:5", "-o", "net.h5"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert Path("net.h5").read_bytes() == before
    assert main(["evaluate", *USUAL, "--x=-1:1:5", "-o", "net.h5", "--overwrite"]) == 0


def test_a_file_that_is_not_ours_is_never_overwritten_unasked(folder, capsys):
    Path("thesis.h5").write_text("chapter one")
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "-o", "thesis.h5"]) == 1
    assert Path("thesis.h5").read_text() == "chapter one"


def test_towards_a_checkpoint_and_along_a_files_directions(folder):
    space: dict[str, object] = {}
    exec(NETS, space)
    other = space["net"]()
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
    torch.save({"model": other.state_dict()}, "other.pt")
    assert main(["evaluate", *USUAL, "--directions", "other.pt", "--x", "0:1:3", "-o", "to.h5"]) == 0
    assert main(["evaluate", "other.pt", *USUAL[1:], "--x", "0:1:3", "-o", "there.h5"]) == 0
    arrived = landscape.read_surface("to.h5")["train/loss"][2]
    assert arrived == pytest.approx(landscape.read_surface("there.h5")["train/loss"][0], rel=1e-5)
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "--y=-1:1:3", "--seed", "5", "--save-directions", "-o", "a.h5"]) == 0
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "--y=-1:1:3", "--directions", "a.h5", "-o", "b.h5"]) == 0
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "--y=-1:1:3", "--seed", "5", "-o", "c.h5"]) == 0
    assert main(["evaluate", *USUAL, "--x=-1:1:3", "--y=-1:1:3", "--directions", "c.h5", "-o", "d.h5"]) == 0
    first = landscape.read_surface("a.h5")["train/loss"]
    for name in ("b.h5", "d.h5"):
        np.testing.assert_allclose(landscape.read_surface(name)["train/loss"], first, rtol=1e-6)


def test_axes_of_different_parts_and_kinds(folder, capsys):
    state = torch.load("net.pt")
    torch.save({name: tensor + 0.1 for name, tensor in state.items()}, "b.pt")
    cases = {
        "parts": ["--x-include", "^1", "--y-include", "^3", "--keep-zeros"],
        "mixed": ["--directions", "b.pt,random", "--seed", "4"],
        "plain": ["--directions", "b.pt", "--norm", "none", "--ignore", "none"],
    }
    for name, words in cases.items():
        grid = ["--x=0:1:2"] if name == "plain" else ["--x=0:1:2", "--y=-1:1:2"]
        assert main(["evaluate", *USUAL, *words, *grid, "-o", f"{name}.h5"]) == 0
    parts, mixed, plain = (landscape.read_surface(f"{name}.h5") for name in cases)
    assert [axis.recipe["include"] for axis in parts.axes] == ["^1", "^3"]
    assert parts.cosines[0, 1] == 0
    assert [axis.source for axis in mixed.axes] == ["checkpoint", "random"]
    assert mixed.axes[0].sha256 == plain.axes[0].sha256
    space: dict[str, object] = {}
    exec(NETS, space)
    assert landscape.random_plane(space["net"](), seed=4).directions[1].sha256 == mixed.axes[1].sha256
    capsys.readouterr()
    assert main(["info", "parts.h5"]) == 0
    assert "one of the slices along dimension 0: 1.weight" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", *USUAL, "--y-include", "^3", "--x=0:1:2", "-o", "c.h5"]) == 2
    assert main(["evaluate", *USUAL, "--directions", "b.pt", "--norm", "filter", "--x=0:1:2", "-o", "c.h5"]) == 2


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_is_done_and_is_completed(folder):
    measured = ["--x=-1:1:9", "--y=-1:1:9", "--loss", "nets.py:slow"]
    words = ["evaluate", *USUAL, *measured, "-o", "net.h5", "--write-every", "0.2"]
    process = jobs.start(["-m", "landscape", *words], folder=folder, forked=True)
    jobs.wait_for_points(folder / "net.h5", 1, process)
    time.sleep(0.5)
    process.send_signal(2)
    code, _, err = jobs.finish(process, limit=30)
    assert code == 130, err
    partly = landscape.read_surface(folder / "net.h5")
    assert 0 < int(partly.state.sum()) < 81
    assert main(["plot", "net.h5", "-o", "partly.png"]) == 0
    assert main(words) == 0
    whole = landscape.read_surface(folder / "net.h5")
    assert whole.complete
    done = partly.state == 1
    np.testing.assert_array_equal(whole["train/loss"][done], partly["train/loss"][done])


def test_help_names_every_command_and_its_defaults(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for name in ("demo", "evaluate", "plot", "info", "export"):
        assert name in text
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: -1:1:51)" in text
    assert "file.py:factory" in text
    (commands,) = (each.choices for each in build_parser()._actions if each.dest == "command")
    for name, command in commands.items():
        text = " ".join(command.format_help().split())
        assert "(default: )" not in text, name
        assert not re.search(r"default[^()]*\) \(default", text), name


def test_the_command_line_offers_what_the_library_knows():
    """The choices are written down twice, so that help need not load torch or matplotlib."""
    from landscape.plot.films.films import FORMATS
    from landscape.plot.films.flights import FlightName

    from landscape.commands.shown.film_options import FILM_SUFFIXES
    from landscape.evaluation.settings import BATCH_NORMS, MODES, PRECISIONS

    commands = next(action for action in build_parser()._actions if action.dest == "command").choices

    def offered(command: str, name: str) -> tuple[str, ...]:
        return next(tuple(action.choices) for action in commands[command]._actions if action.dest == name)

    assert offered("plot", "film") == get_args(FlightName)
    assert tuple(FORMATS) == FILM_SUFFIXES
    for command in ("evaluate", "trajectory"):
        assert offered(command, "batch_norm") == BATCH_NORMS
        assert (offered(command, "mode"), offered(command, "precision")) == (MODES, PRECISIONS)


def test_help_answers_quickly_and_a_command_ends_at_once():
    """No stopwatch on a shared machine: what takes time is importing, and these are what would.

    As for the end, no garbage is looked for in all that was loaded; but only where it is the end.
    """
    script = (
        "import atexit, contextlib, gc, sys\n"
        "atexit.register(lambda: print('left:', gc.get_freeze_count() > 0))\n"
        "from landscape.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'] if sys.argv[1:] == ['called'] else None)\n"
        "assert not {'torch', 'matplotlib', 'h5py', 'mpi4py'} & set(sys.modules)"
    )
    for word, left in (("--help", True), ("called", False)):
        words = [sys.executable, "-c", script, word]
        done = subprocess.run(words, check=True, timeout=60, capture_output=True, text=True)
        assert done.stdout.endswith(f"left: {left}\n")
