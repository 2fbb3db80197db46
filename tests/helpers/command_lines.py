"""Command lines nobody means: what Hypothesis feeds the options that the parsers themselves list, and what is asked."""

from __future__ import annotations

import argparse
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hypothesis import strategies as st

from landscape.cli import build_parser

# In the folder in which they run: inputs that are there, and code. 'any' is where a word of some kind goes.
CODE = """
import torch
from torch import nn

def net(width=4):
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 3))

def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 3, generator=generator), torch.randint(0, 3, (12,), generator=generator)

def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

def sizes(output, batch):
    return output.square().sum(1)

def broken(*arguments):
    raise RuntimeError("\\x1b[2Jno such luck\\nat all")

number = 5
"""
PROBLEM = ["--model", "code.py:net", "--data", "train=code.py:data"]
# Words that work, cheaply; what is drawn comes after them.
USUAL = {
    "evaluate": (["net.pt"], [*PROBLEM, "--x=-1:1:3", "-o", "out.h5"]),
    "trajectory": (["run"], [*PROBLEM, "--points", "3", "-o", "out.h5"]),
    "plot": (["line.h5"], ["-o", "out.png", "--dpi", "30"]),
    "view": (["plane.h5"], ["-o", "out.html"]),
    "info": (["plane.h5"], []),
    "export": (["plane.h5"], ["-o", "out.csv"]),
    "demo": ([], ["--epochs", "1", "--line=-1:1:3", "--plane=-1:1:2", "--samples", "10", "-o", "out"]),
}
ODD = {
    "empty": ["", " ", "\t", ",", ":", "=", "."],
    "list-making": ["--", "-", "---", "--=", "-o", "--x"],
    "huge": ["9" * 40, "1000000000000", str(2**31), str(2**63), "1e308", "1.8e308", "1000000000"],
    "negative": ["-1", "-0.5", "-1e308", "-0", str(-(2**63)), "-1000000000000"],
    "nan": ["nan", "inf", "-inf", "NaN,1", "1e-320", "1e400"],
    "escapes": ["\x1b[2J\x07", "\u202egnp", "a\nb", "\x9b31m", "x\x1b]0;y\x07:z", "\r", "\x7f"],
    "long": ["a" * 5000, "1," * 3000, "9" * 5000, "a/" * 3000, ":" * 4000, "(" * 2000, "[" * 3000, '{"a":' * 2000],
    "non-UTF-8": [os.fsdecode(each) for each in (b"\xff\xfe", b"caf\xe9.h5", b"\x80:\x80", b"run\xff/")],
    "ranges": ["0:1:0", "1:0:5", "-1:1:1000000000000", "-1e308:1e308:3", "nan:1:3", "::", "0:1:1", "0:0:1"],
    "more ranges": ["1e-320:1:3", "1e308:1.1e308:3", "1:1.0000000000000002:9", "-1:1:1_0", "-1:1:3:4", "-1:1:3.0"],
    "sizes": ["0x0", "1x1", "320x240", "1000000000x1", "-1x-1", "x", "1e3x1", "16x16"],
    "references": ["code.py:net", "code.py:broken", "code.py:number", "code.py:", ":net", "code.py:net:x", "os:getcwd"],
    "more references": ["torch.nn:Linear", "torch.nn:L1Loss", "train=code.py:data", "=code.py:data", "code:loss"],
    "code": [
        "code.py:loss",
        "code.py:sizes",
        "code.py:data",
        "hf:.",
        "hf:",
        "builtins:print",
        "a.b.c:d",
        "./code.py:net",
    ],
    "data": [
        "digits",
        "digits:test",
        "digits:none",
        "npz:",
        "npz:data.npz",
        "npz:net.pt",
        "cifar10:",
        "cifar10:.:train",
    ],
    "files": ["net.pt", "run", "run/1.pt", "plane.h5", "line.h5", "run.h5", "code.py", "data.npz", "absent", "empty"],
    "more files": [".", "..", "/", "/dev/null", "run/*.pt", "*", "net.pt:model", "run/1.pt,run/2.pt", "absent/x.png"],
    "homes": [
        "~",
        "~nobody-here/net.pt",
        "npz:~nobody-here/a.npz",
        "hf:~nobody-here",
        "~nobody-here/code.py:net",
        "cifar10:~nobody-here",
        "~/",
    ],
    "names": ["train/loss", "test/loss", "train/accuracy", "loss", "train/", "/", "train", "train_loss"],
    "JSON": ["{}", "[]", "null", '{"width": 3}', '{"width": -1}', '{"": 0}', "{", '{"width": 1e400}', "1"],
    "patterns": ["weight", "0", "^$", "(", "[", "(?P<a>x)", "(a+)+$", "\\", "*", "(?i)WEIGHT"],
    "pairs": ["0.5/0.2", "0/0", "1/1e-320", "1,2/1", "nan/1", "/", "1/", "1,1,1/1,1,1", "1,,2/1"],
    "plain": ["0", "1", "2", "3", "0.5", "0.02", "auto", "none", "true", "1,2", "2,1,1", "viridis", "cpu", "cuda:99"],
    "devices": ["meta", "cuda", "mps", "cpu:7", "xla", "fpga", "cuda:-1", "privateuseone"],
}


LIKELY = {
    "MIN:MAX:NUM": ("ranges", "more ranges"),
    "REF": ("references", "more references", "code"),
    "[NAME=]REF": ("references", "more references", "code", "data", "homes"),
    "LOSS": ("references", "more references", "code"),
    "JSON": ("JSON",),
    "MEAN/STD": ("pairs",),
    "REGEX": ("patterns",),
    "DEVICE": ("devices",),
    "WxH": ("sizes",),
    "DATA/METRIC": ("names",),
    **dict.fromkeys(("SOURCE", "CHECKPOINT", "FILE", "RUN", "SURFACE", "OUT"), ("files", "more files", "homes")),
}


def _commands() -> dict[str, argparse.ArgumentParser]:
    action = next(each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(action.choices)


COMMANDS = _commands()


def options_of(command: str) -> list[argparse.Action]:
    """Return what a command's parser takes, positional words too, but what shows help or tracebacks."""
    return [each for each in COMMANDS[command]._actions if each.dest not in ("help", "debug")]


def words_for(action: argparse.Action) -> st.SearchStrategy[str]:
    """Draw what somebody may type as the value of an option: of its choices, of a kind above, a number, any text."""
    text = st.text(st.characters(exclude_characters="\0/"), max_size=12)
    numbers = st.one_of(st.integers().map(str), st.floats().map(repr), st.integers(-5, 20).map(str))
    kinds = [st.sampled_from(sorted(ODD)).flatmap(lambda kind: st.sampled_from(ODD[kind])), numbers, text]
    # What looks like what is wanted gets farther in.
    likely = [each for kind in LIKELY.get(str(action.metavar), ()) for each in ODD[kind]]
    kinds += [st.sampled_from(likely)] * 2 if likely else [numbers] if action.type else []
    if action.choices:
        kinds[:0] = [st.sampled_from(sorted(map(str, action.choices)))] * 2
    return st.one_of(kinds)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command, its usual words, and one to three of its options with values of any kind."""
    command = draw(st.sampled_from([name for name in USUAL for _ in range(1 if name == "demo" else 6)]))
    positional, usual = USUAL[command]
    more: list[str] = []
    for action in draw(st.lists(st.sampled_from(options_of(command)), min_size=1, max_size=3)):
        if action.nargs == 0:
            more.append(action.option_strings[0])
            continue
        value = draw(words_for(action))
        if not action.option_strings:
            positional = [value] if draw(st.booleans()) else [*positional, value]
        else:
            name = draw(st.sampled_from(action.option_strings))
            more += [f"{name}={value}"] if name.startswith("--") and draw(st.booleans()) else [name, value]
    return [command, *positional, *usual, *more]


# A message of ours, or what a progress bar says where there is no terminal.
_FROM_US = re.compile(r"landscape: |.*: \d+ of \d+ [a-z ]+, [\d.,e-]+ a second|.* with(out)? shortcuts: ")


class TooLong(BaseException):
    """A command took more than its time; nothing in the product catches this."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooLong` after so much processor time, or ten times as much of the clock: others use the machine."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds:g} s")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds))
    before = [signal.signal(number, stop) for number, _, _ in timers]
    try:
        for _, timer, limit in timers:
            signal.setitimer(timer, limit)
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def fault_in(code: int, out: str, err: str, most: int = 1) -> str:
    """Return what is wrong with how a command ended; nothing where it did its work or said in one line why not.

    Of several files a command may say of each, ``most`` at most, what is wrong with it.
    """
    said = err.count("landscape: error: ")
    if code not in (0, 1, 2):
        return f"exit code {code}"
    if not (1 <= said <= most if code else said == 0):
        return f"{said} errors with exit code {code}"
    if "--debug shows where" in err:
        return "unforeseen"
    if not all(_FROM_US.match(line) for line in err.splitlines()):
        return "something else on stderr"
    if not all(line.isprintable() for text in (out, err) for line in text.split("\n")):
        return "raw control characters"
    if max(map(len, err.splitlines()), default=0) > 2000:
        return "a line nobody can read"
    return ""


def make_inputs(folder: Path) -> None:
    """Write what the words above name, all of it tiny."""
    import numpy as np
    import torch
    from torch import nn

    from landscape.cli import main

    (folder / "code.py").write_text(CODE)
    (folder / "empty").write_bytes(b"")
    (folder / "run").mkdir()
    np.savez(folder / "data.npz", x=np.eye(3, dtype=np.float32), y=np.arange(3))
    for number, name in enumerate(("net.pt", "run/1.pt", "run/2.pt", "run/3.pt")):
        torch.manual_seed(number)
        torch.save(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).state_dict(), folder / name)
    assert main(["evaluate", "net.pt", *PROBLEM, "--x=-1:1:4", "-o", "line.h5"]) == 0
    assert main(["evaluate", "net.pt", *PROBLEM, "--x=-1:1:4", "--y=-1:1:3", "-o", "plane.h5"]) == 0
    assert main(["trajectory", "run", *PROBLEM, "--points", "3", "-o", "run.h5"]) == 0
