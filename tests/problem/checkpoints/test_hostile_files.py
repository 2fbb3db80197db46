"""Damaged, cut and hostile files of every kind that is read are read or refused in a line, and cost little memory."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from landscape.errors import CheckpointError, LandscapeError
from landscape.problem.checkpoints.checkpoint import load_checkpoint
from landscape.problem.data.archives import read_cifar10, read_npz
from tests.helpers import jobs
from tests.helpers.cifar_files import images


def torch_file(**options: Any) -> bytes:
    torch.manual_seed(1)
    buffer = io.BytesIO()
    torch.save({"model": nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).state_dict()}, buffer, **options)
    return buffer.getvalue()


def npz_file() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.arange(12).reshape(3, 4), y=np.arange(3))
    return buffer.getvalue()


# Its bytes, how many of them say what it is, and what reads it.
CIFAR = pickle.dumps({b"labels": [1], b"data": images(1)}, 2)
WHOLE = {
    "zip": (torch_file(), None, load_checkpoint),
    "legacy": (torch_file(_use_new_zipfile_serialization=False), None, load_checkpoint),
    "safetensors": (save({"weight": torch.arange(20.0)}), None, load_checkpoint),
    "npz": (npz_file(), 200, read_npz),
    "cifar": (
        pickle.dumps({b"labels": [1], b"data": images(1)}, 2),
        200,
        lambda path: read_cifar10(path.parent, "test"),
    ),
}


@settings(max_examples=200)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(sorted(WHOLE)))
def test_a_damaged_file_is_read_or_refused_but_never_anything_else(tmp_path_factory, seed, kind):
    whole, most, read = WHOLE[kind]
    rng = np.random.default_rng(seed)
    data = bytearray(whole)
    for place in rng.integers(0, most or len(data), 3):
        data[place] = rng.integers(256)
    file = tmp_path_factory.getbasetemp() / "test_batch"
    file.write_bytes(data)
    with contextlib.suppress(LandscapeError):
        read(file)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.99])
def test_a_checkpoint_cut_off_anywhere_is_an_error(tmp_path, kind, share):
    data = WHOLE[kind][0]
    (tmp_path / "net.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"cut off|damaged|zero bytes|unknown kind|did not write"):
        load_checkpoint(tmp_path / "net.pt")


HOSTILE = """
import resource, sys
from landscape.problem.data.archives import read_npz
from landscape.problem.checkpoints.checkpoint import load_checkpoint
from landscape.errors import LandscapeError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        read_npz(path) if path.endswith("npz") else load_checkpoint(path)
    except LandscapeError as error:
        assert "\\n" not in str(error), error
        print(error)
    else:
        raise SystemExit(f"{path} was read")
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert more < 300 * 1024, f"{more} KiB for small files"
"""


def hostile_files(folder: Path) -> list[Path]:
    files = []
    # A few numbers repeated without end: a tensor of 4 TB on 4 bytes.
    files.append(folder / "expanded.pt")
    torch.save({"weight": torch.ones(1).expand(10**12)}, files[-1])
    # The same archive, its members compressed: a quarter of a gigabyte of zeros in a few hundred kilobytes.
    whole = io.BytesIO()
    torch.save({"weight": torch.zeros(1 << 18)}, whole)
    files.append(folder / "bomb.pt")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(files[-1], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            with new.open(name, "w") as member:
                part = old.read(name)
                for _ in range(256 if name.endswith("data/0") else 1):
                    member.write(part)
    # A pickle that says its storage has 2**31 elements.
    legacy = io.BytesIO()
    torch.save({"weight": torch.zeros(77777)}, legacy, _use_new_zipfile_serialization=False)
    number = struct.pack("<i", 77777)
    assert number in legacy.getvalue()
    files.append(folder / "old.pt")
    files[-1].write_bytes(legacy.getvalue().replace(number, struct.pack("<i", 2**31 - 1)))
    # A safetensors header that is longer than the file, and one whose tensor is.
    for name, header in (
        ("a", b"{}"),
        ("b", b'{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'),
    ):
        length = 99_000_000 if name == "a" else len(header)
        files.append(folder / f"{name}.safetensors")
        files[-1].write_bytes(length.to_bytes(8, "little") + header)
    # An array of 300 MB of zeros in an archive of little more than one.
    start = io.BytesIO()
    np.lib.format.write_array(start, np.zeros((1, 1), np.uint8))
    header = start.getvalue()[:-1].replace(b"(1, 1), }          ", b"(1, 314572800), }")
    files.append(folder / "a.npz")
    with zipfile.ZipFile(files[-1], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("x.npy", "w", force_zip64=True) as member:
            member.write(header)
            for _ in range(300):
                member.write(bytes(1 << 20))
        file.writestr("y.npy", start.getvalue())
    assert files[-1].stat().st_size < 2 << 20
    return files


def test_a_small_file_never_costs_gigabytes(tmp_path):
    files = hostile_files(tmp_path)
    # Forked: what starts as a program begins with its parent's peak, behind which its own would not be seen.
    code, out, err = jobs.run(["-c", HOSTILE, *files])
    assert code == 0, out + err
    assert len(out.splitlines()) == len(files)
    assert "claims 314," in out
