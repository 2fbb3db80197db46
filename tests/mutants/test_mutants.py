"""The tool that tries careless changes, on a tree of one module and two tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.mutants import mutants
from tests.mutants.__main__ import HERE, main
from tests.mutants.mutants import Copy, Mutant, chosen, read, stale

LIST = """
[[mutant]]
why = "a sum"
file = "sums.py"
old = "a + b"
new = "{new}"
tests = ["test_sums.py{test}"]
"""
TESTS = """
import subprocess, sys
from sums import add

def test_add():
    assert add(2, 2) == 4

def test_add_in_a_process():
    code = "import os, sys; sys.path = [p for p in sys.path if p]; import sums; print(sums.add(1, 2))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/").stdout.strip() == "3"
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # pytest starts in a tenth of the time
    monkeypatch.setattr(mutants, "PRELOADED", "")
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "test_sums.py").write_text(TESTS)
    (tmp_path / "lists").mkdir()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def score(tree: Path, new: str, test: str = "", *words: str) -> int:
    (tree / "lists" / "sums.toml").write_text(LIST.format(new=new, test=test))
    return main(["--jobs", "1", *words], tree, tree / "lists")


@pytest.mark.parametrize(
    ("new", "test", "code"),
    [
        ("a - b", "", 0),
        ("a * b", "::test_add", 1),  # 2 * 2 is 2 + 2
        ("a * b", "::test_add_in_a_process", 0),  # what a test starts imports the copy, too
    ],
)
def test_a_mutant_is_noticed_where_its_tests_fail(tree: Path, new: str, test: str, code: int) -> None:
    assert score(tree, new, test) == code
    assert "a + b" in (tree / "sums.py").read_text()


def test_a_mutant_that_hangs_is_noticed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(tree, "next(a for _ in iter(int, 1) if 0)", "", "--limit", "3", "--clean") == 0
    assert "hangs" in capsys.readouterr().out


def test_mutants_of_one_size_in_one_second_do_not_share_bytecode(tree: Path, tmp_path: Path) -> None:
    copy = Copy(tree, tmp_path / "copy")
    change = {"room": "sums", "why": "", "file": "sums.py", "old": "a + b", "tests": ("test_sums.py::test_add",)}
    results = [copy.tries(Mutant(new=new, **change)) for new in ("a - b", "a * b", "a - b")]
    assert results == ["noticed", "SURVIVED", "noticed"]
    assert copy.passes(("test_sums.py",))
    copy.close()


@pytest.mark.parametrize(
    ("new", "test", "text"),
    [
        ("a + b", "", "is the same"),
        ("a +", "", "no Python"),
        ("a - b", "/gone", "there is no test_sums.py/gone"),
        ("a - b", "::test_ad", "there is no test_sums.py::test_ad"),
        ("a - b", "::test_add[gone]", "without any change"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(
    tree: Path, capsys: pytest.CaptureFixture[str], new: str, test: str, text: str
) -> None:
    assert score(tree, new, test) == 2
    assert text in capsys.readouterr().err
    (tree / "sums.py").write_text("old = ['a + b', 'a + b']")
    assert score(tree, "a - b") == 2
    assert "2 times" in capsys.readouterr().err


def test_a_share_is_the_same_for_a_seed_and_another_for_another() -> None:
    listed = [Mutant("room", str(i), "", "", "", ()) for i in range(100)]
    assert len(chosen(listed, 0.1, 1)) == 10
    assert chosen(listed, 0.1, 1) == chosen(listed, 0.1, 1) != chosen(listed, 0.1, 2)
    assert chosen(listed, 0.001, 1)
    assert chosen(listed, 1, 1) == listed


def test_every_list_fits_the_tree() -> None:
    assert stale(read(HERE, []), HERE.parents[1]) == []
