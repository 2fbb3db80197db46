"""The file of a run, from before the first measurement until the process leaves."""

from __future__ import annotations

import pytest

from landscape.errors import StoreError
from landscape.evaluation import output
from landscape.evaluation.output import OutputFile
from landscape.parallel.shutdown import run_callbacks


def test_a_job_that_is_refused_leaves_what_the_first_is_writing_alone(tmp_path):
    path = tmp_path / "net.h5"
    with OutputFile(path, 30.0, overwrite=False):
        writing = tmp_path / "net.h5.writing"
        writing.write_bytes(b"half of it")
        with pytest.raises(StoreError, match="is being written by"), OutputFile(path, 30.0, overwrite=True):
            pytest.fail("two jobs have one file")
        assert writing.read_bytes() == b"half of it"


def test_a_process_that_leaves_before_the_first_result_gives_the_lock_back(tmp_path):
    with OutputFile(tmp_path / "net.h5", 30.0, overwrite=False):
        assert run_callbacks() == []
        assert list(tmp_path.iterdir()) == []


def test_nothing_stays_behind_where_the_file_cannot_be_written(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="is a folder"), OutputFile(tmp_path / "folder", 30.0, overwrite=False):
        pytest.fail("a folder is no file")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
    assert run_callbacks() == []


def test_a_folder_that_is_missing_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "missing" / "net.h5"
    with pytest.raises(StoreError, match=f"no folder {path.parent}; make it first"), OutputFile(path, 30.0, False):
        pytest.fail("there is no such folder")


def test_what_was_asked_to_be_overwritten_is_replaced_once_and_then_only_what_is_our_own(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(output, "write_surface", lambda path, surface, **how: asked.append(how["overwrite"]) or "")
    with OutputFile(tmp_path / "net.h5", 30.0, overwrite=True) as file:
        for _ in range(3):
            file.write(None)
    with OutputFile(tmp_path / "other.h5", 30.0, overwrite=False) as file:
        file.write(None)
    assert asked == [True, False, False, False]
