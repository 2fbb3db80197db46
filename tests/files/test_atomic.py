"""Files are replaced as a whole or not at all, and one that is something else is called by its name."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape.errors import FormatError, StoreError
from landscape.files.atomic import check_place, looks_like, open_regular, printable, read_start, replace_file


def saved(tmp_path: Path, kind: str) -> bytes:
    path = tmp_path / "file"
    if kind == "torch":
        torch.save({"w": torch.zeros(2)}, path)
    elif kind == "old torch":
        torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, x=np.zeros(2))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "hello")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("torch", "a PyTorch checkpoint"),
        ("old torch", "a Python pickle"),
        ("npz", "a NumPy archive"),
        ("zip", "a zip archive"),
    ],
)
def test_archives_are_told_apart(tmp_path, kind, words):
    assert looks_like(saved(tmp_path, kind)[:1024]).startswith(words)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE HTML><title>404</title>", "an HTML page"),
        (b'{"error": "not found"}', "a JSON file"),
        ("größer als\n".encode()[:3], "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
        (b"\0" * 600, "nothing but zero bytes"),
        (b'\x10\0\0\0\0\0\0\0{"w":{}}', "a safetensors file"),
        (b"\x01\x02\xfe\xff\x00\x99" * 9, "binary data"),
    ],
)
def test_a_file_is_called_by_its_name(start, words):
    assert looks_like(start).startswith(words)


def test_what_could_steer_a_terminal_is_escaped():
    assert printable("a\x1b[2Jb\u202ec\udcffd\u2028é") == r"a\x1b[2Jb\u202ec\udcffd\u2028é"


def test_a_pipe_is_refused_before_it_blocks(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="pipe"):
        open_regular(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["missing", "nul\0byte", "."])
def test_a_file_that_cannot_be_opened_is_an_error_of_ours(tmp_path, name):
    with pytest.raises(FormatError):
        read_start(f"{tmp_path}/{name}")


def test_replacing_follows_a_link_and_keeps_access_rights(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "file.writing").symlink_to("precious")
    replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failed_write_keeps_the_last_good_file(tmp_path, monkeypatch, code, where):
    path = tmp_path / "file"
    replace_file(path, b"good")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, where, fail)
        with pytest.raises(StoreError, match=r"last good .* is kept"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_up_in_the_middle_keeps_the_last_good_file(tmp_path):
    # A limit on the size of files stops a write half way, as a full disk does.
    script = f"""
import resource
from landscape.errors import StoreError
from landscape.files.atomic import check_place, replace_file
replace_file({str(tmp_path / "file")!r}, b"good")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for call in (replace_file, check_place):
    try:
        call({str(tmp_path / "file")!r}, b"x" * 10**7 if call is replace_file else 10**7)
    except StoreError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "is kept" in done.stdout
    assert "nothing was started" in done.stdout
    assert (tmp_path / "file").read_bytes() == b"good"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_places_where_nothing_can_be_written_are_found_beforehand(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="make it first"):
        check_place(tmp_path / "missing" / "net.h5")
    with pytest.raises(StoreError, match="is not a folder"):
        check_place(tmp_path / "file" / "net.h5")
    with pytest.raises(StoreError, match="is a folder"):
        check_place(tmp_path)
    with pytest.raises(StoreError, match="a device"):
        replace_file("/dev/null", b"x")
    with pytest.raises(StoreError, match="not the name of a file"):
        check_place("nul\0byte")
    check_place(tmp_path / "file", size=3_000_000)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="no permission"):
        check_place(tmp_path / "net.h5")


@pytest.mark.parametrize("write", [check_place, lambda path: replace_file(path, b"new")])
def test_a_place_that_another_process_writes_at_this_moment_is_said_to_be_that(tmp_path, monkeypatch, write):
    beside = tmp_path / "s.h5.writing"
    monkeypatch.setattr(os, "unlink", lambda path: beside.touch())  # made after what was there is gone
    with pytest.raises(StoreError, match="cannot be written: another process is writing it at this moment; noth"):
        write(tmp_path / "s.h5")
    assert beside.exists()


def test_a_process_killed_while_writing_leaves_a_whole_file(tmp_path):
    path = tmp_path / "file"
    script = f"""
from landscape.files.atomic import replace_file
number = 0
while True:
    replace_file({str(path)!r}, b"%012d" % number * 200_000)
    number += 1
"""
    for kill in range(5):
        with subprocess.Popen([sys.executable, "-c", script]) as process:
            try:
                deadline = time.monotonic() + 30
                before = path.stat().st_mtime_ns if path.exists() else 0
                while not path.exists() or path.stat().st_mtime_ns == before:
                    assert time.monotonic() < deadline
                    time.sleep(0.005)
                time.sleep(0.013 * kill)
            finally:
                process.send_signal(signal.SIGKILL)
        data = path.read_bytes()
        assert data == data[:12] * 200_000
    assert {p.name for p in tmp_path.iterdir()} <= {"file", "file.writing"}
    replace_file(path, b"after")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
