"""No command writes over a file that it was given to read, in whatever way both are spelled."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape.cli import main
from landscape.commands.given_files import given_files
from landscape.errors import UsageError
from landscape.files.atomic import check_place, replace_file
from landscape.files.inputs import protected, require_no_input
from landscape.files.locks import Lock
from landscape.files.store import read_surface, write_surface
from tests.helpers import jobs, tiny_problem
from tests.helpers.plot_fixtures import valley

pytestmark = pytest.mark.usefixtures("coarse_pictures")

SPELLINGS: dict[str, Callable[[Path], Path | str]] = {
    "as it is": lambda path: path,
    "relative": lambda path: os.path.relpath(path),
    "roundabout": lambda path: path.parent / "." / "folder" / ".." / path.name,
    "symbolic link": lambda path: linked(path, os.symlink),
    "hard link": lambda path: linked(path, os.link),
}


def linked(path: Path, link: Callable[[Path, Path], None]) -> Path:
    """Return another name of a file, which ends as a picture, a page or a surface may."""
    other = path.with_name(f"link-{path.stem}{path.suffix}")
    if not other.exists():
        link(path, other)
    return other


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one of each kind of input, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "helper", raising=False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "run").mkdir()
    for number, name in enumerate(("net.pt", "other.pt", "run/1.pt", "run/2.pt", "run/3.pt")):
        torch.manual_seed(number)
        torch.save(tiny_problem.net().state_dict(), tmp_path / name)
    shutil.copy(jobs.PROBLEM, tmp_path / "problem.py")
    (tmp_path / "helper.py").write_text("from tests.helpers.tiny_problem import *\n")
    (tmp_path / "nets.py").write_text("import helper\nnet, data = helper.net, helper.data\n")
    x, y = tiny_problem.data()
    np.savez(tmp_path / "data.npz", x=np.asarray(x), y=np.asarray(y))
    write_surface(tmp_path / "net.h5", valley(5, 3))
    return tmp_path


EVALUATE = ["evaluate", "net.pt", "--model", "nets.py:net", "--data", "train=nets.py:data", "--x=-1:1:3"]
RUN = ["trajectory", "run", "--model", "nets.py:net", "--data", "train=nets.py:data", "--points", "3"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("words", "victim"),
    [
        (EVALUATE, "net.pt"),
        (EVALUATE, "nets.py"),
        (EVALUATE, "helper.py"),  # nothing names it but an import
        ([*EVALUATE, "--directions", "other.pt"], "other.pt"),
        ([*EVALUATE, "--directions", "net.h5"], "net.h5"),
        ([*EVALUATE, "--data", "test=npz:data.npz"], "data.npz"),
        ([*EVALUATE, "--loss", "problem.py:cross_entropy"], "problem.py"),
        (RUN, "run/2.pt"),
        ([*RUN[:1], "run/*.pt", *RUN[2:]], "run/1.pt"),
        ([*RUN, "--origin", "net.pt"], "net.pt"),
        (["export", "net.h5", "--format", "csv"], "net.h5"),
    ],
)
def test_an_input_is_never_the_output(place, capsys, words, victim, spelling):
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    output = SPELLINGS[spelling](place / victim)
    assert main([*words, "-o", str(output), "--overwrite"]) == 2, capsys.readouterr()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is a file that this command reads" in said
    assert "write to another one" in said
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("kind", ["plot", "view", "gallery"])
def test_a_picture_or_a_page_that_leads_to_the_surface_is_not_written(place, capsys, kind):
    before = (place / "net.h5").read_bytes()
    name = place / ("a.png" if kind == "plot" else "net.html")
    os.link(place / "net.h5", name)
    if kind == "gallery":
        (place / "runs").mkdir()
        shutil.move(place / "net.h5", place / "runs" / "net.h5")
        words = ["view", "runs", "-o", str(place)]
    else:
        words = [kind, "net.h5", "-o", str(name)]
    assert main(words) == 2, capsys.readouterr()
    assert "is a file that this command reads" in capsys.readouterr().err
    assert name.read_bytes() == before


def test_what_a_command_wrote_it_may_write_again(place, capsys):
    for _ in range(2):
        assert main([*RUN, "-o", "run/net.h5"]) == 0, capsys.readouterr()
        assert main(["view", "run/net.h5"]) == 0, capsys.readouterr()
        assert main(["plot", "run/net.h5"]) == 0, capsys.readouterr()
    assert main([*EVALUATE, "-o", "net.h5", "--overwrite"]) == 0, capsys.readouterr()
    assert main(["trajectory", "run", "--model", "nets.py:net", "--onto", "net.h5", "--overwrite"]) in (0, 1)


def test_names_that_writing_takes_beside_the_file_are_spared_as_well(tmp_path):
    for name in ("net.h5.writing", "net.h5.lock"):
        (tmp_path / name).write_text("precious")
        os.utime(tmp_path / name, (0, 0))
        calls = [Lock(tmp_path / "net.h5").__enter__]
        if name.endswith("writing"):
            calls = [lambda: replace_file(tmp_path / "net.h5", b"new"), lambda: check_place(tmp_path / "net.h5")]
        for call in calls:
            with protected([tmp_path / name]), pytest.raises(UsageError):
                call()
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()


def test_code_that_was_saved_anew_since_it_was_imported_is_spared(tmp_path, monkeypatch):
    path = tmp_path / "saved_anew.py"
    path.write_text("a = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("saved_anew")
    with protected([]):
        for _ in range(2):
            with pytest.raises(UsageError, match=r"saved_anew\.py is a file that this command reads"):
                require_no_input(path)
            (tmp_path / "new").write_text("a = 2\n")
            os.replace(tmp_path / "new", path)


def test_outside_a_command_and_after_it_a_file_may_be_read_and_written(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, valley(5, 3))
    with protected([path]):
        with pytest.raises(
            UsageError, match=re.escape(f"{tmp_path}/./net.h5 is a file that this command reads (given as {path})")
        ):
            require_no_input(f"{tmp_path}/./net.h5")
        with pytest.raises(UsageError, match=r"net\.h5 is a file that this command reads; write"):
            require_no_input(path)
        (tmp_path / "link.h5").symlink_to(path)  # through which it would be written
        with pytest.raises(UsageError, match=r"link\.h5 is a file that this command reads \(given as"):
            require_no_input(tmp_path / "link.h5")
        with pytest.raises(UsageError, match="is a file that this command reads"):
            require_no_input(os.__file__)  # code
    write_surface(path, read_surface(path))
    require_no_input(os.__file__)
    with protected(["a name\0of no file", tmp_path / "nothing"]):
        require_no_input(path)
    (tmp_path / "other").write_text("x")
    with protected([tmp_path / "other"]):
        (tmp_path / "other").unlink()
        write_surface(path, read_surface(path))  # whatever number the file system gives it


def test_a_study_that_ships_may_be_repeated_into_a_folder_of_its_name(place):
    (place / "dropout").mkdir()
    (place / "dropout" / "study.json").write_text("{}")
    (place / "mine.toml").write_text("")
    assert list(given_files(Namespace(command="study", study="dropout", output="dropout"))) == []
    assert list(given_files(Namespace(command="study", study="mine.toml", output="dropout"))) == ["mine.toml"]


def test_names_with_commas_colons_and_equal_signs_in_them_are_looked_at_whole(place):
    for name in ("a,b.pt", "a=b.pt", "a:b.pt", "a,b=c:d.pt"):
        (place / name).write_text("")
        assert list(given_files(Namespace(command="evaluate", checkpoint=name))) == [name]


def test_a_study_may_be_repeated_into_a_folder_that_is_called_like_its_kind_of_data(place):
    (place / "cifar10").mkdir()
    (place / "cifar10" / "study.json").write_text("{}")
    (place / "root").mkdir()
    (place / "root" / "test_batch").write_text("")
    for spelled in ("cifar10:root", "cifar10:root:test", "test=cifar10:root:test"):
        options = Namespace(command="study", study="width", data=[spelled], output="cifar10")
        assert set(given_files(options)) == {"root/test_batch"}, spelled
    assert list(given_files(Namespace(command="evaluate", checkpoint="cifar10/study.json"))) == ["cifar10/study.json"]


@pytest.mark.parametrize("head", ["landscape 1\n", "landscape similarity 1\n", "landscape curvature run 1\n"])
def test_surfaces_and_reports_within_a_folder_that_is_read_may_be_written_again(place, head):
    (place / "run" / "earlier.h5").write_text(head)
    found = list(given_files(Namespace(command="similarity", networks=["run"], output="run/earlier.h5")))
    assert sorted(found) == ["run/1.pt", "run/2.pt", "run/3.pt"]


def test_what_the_system_says_of_a_name_is_no_surprise(place, capsys):
    assert main(["export", "net.h5", "--format", "csv", "-o", 5000 * "a"]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"landscape: error: a+ \.\.\. a+: File name too long\n", said)
