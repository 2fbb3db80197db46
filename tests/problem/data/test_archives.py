"""Arrays come out of files as they went in, and out of bad files comes one line."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.errors import ProblemError
from landscape.problem.data.archives import read_cifar10, read_digits, read_npz
from tests.helpers.cifar_files import cifar, images


def test_the_digits_are_split_once_and_for_all():
    train, test = read_digits("train"), read_digits("test")
    assert train[0].shape == (1437, 1, 8, 8)
    assert test[0].shape == (360, 1, 8, 8)
    assert train[0].max() == 16
    # Pictures of one version are compared with those of another: a split that moved would be found here.
    assert test[1][:8].tolist() == [0, 8, 8, 9, 8, 3, 7, 5]
    together = np.concatenate([train[0], test[0]]).reshape(1797, -1)
    assert len(np.unique(together, axis=0)) == 1797


@pytest.mark.parametrize("inside", [True, False])
def test_cifar10_is_read_from_its_folder_or_the_one_around_it(tmp_path, inside):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    x, y = read_cifar10(folder if inside else tmp_path, "train")
    assert x.shape == (20, 3, 32, 32)
    assert y.tolist() == sorted([0, 1, 2, 3, 4] * 4)
    np.testing.assert_array_equal(x[4:8].reshape(4, -1), images(4, 1))
    x, y = read_cifar10(folder, "test")
    assert y.tolist() == [5] * 4
    # The first 1,024 numbers of a row are its red, by rows from the top.
    np.testing.assert_array_equal(x[2, 0, 1], images(4, 5)[2, 32:64])


def test_batches_written_by_python_2_are_read(tmp_path):
    """Python 2 wrote texts as bytes and arrays' contents as texts; this pickle is put together as it would be."""
    raw = images(1)
    body = b"".join(
        [
            b"\x80\x02}q\x01(U\x04dataq\x02",
            b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87R",
            b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T\x00\x0c\x00\x00" + raw.tobytes() + b"tb",
            b"U\x06labels]K\x07au.",
        ]
    )
    folder = cifar(tmp_path / "cifar-10-batches-py")
    (folder / "test_batch").write_bytes(body)
    x, y = read_cifar10(folder, "test")
    np.testing.assert_array_equal(x.reshape(1, -1), raw)
    assert y.tolist() == [7]
    turned = {"data": np.asfortranarray(images(4, 9)), "labels": [1, 0, 2, 3]}  # written again, in another order
    (folder / "test_batch").write_bytes(pickle.dumps(turned, 2))
    x, y = read_cifar10(folder, "test")
    np.testing.assert_array_equal(x.reshape(4, -1), images(4, 9))
    assert y.tolist() == [1, 0, 2, 3]


def test_a_missing_batch_says_what_folder_is_wanted(tmp_path):
    with pytest.raises(ProblemError, match=r"there is no .*data_batch_1; give the folder cifar-10-batches-py"):
        read_cifar10(tmp_path, "train")


class Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def bad_batches(tmp_path: Path) -> dict[str, bytes]:
    good = {b"labels": [1, 2], b"data": images(2)}
    return {
        "code": pickle.dumps({**good, b"more": Code(tmp_path / "it ran")}, 2),
        "objects": pickle.dumps({**good, b"data": np.array([{}, {}])}, 2),
        "floats": pickle.dumps({**good, b"data": images(2).astype(float)}, 2),
        "shape": pickle.dumps({**good, b"data": images(2)[:, :100]}, 2),
        "labels": pickle.dumps({**good, b"labels": [1]}, 2),
        "names": pickle.dumps({b"x": 1}, 2),
        "list": pickle.dumps([1, 2], 2),
        "cut": pickle.dumps(good, 2)[:3000],
        "empty": b"",
        "text": b"<html>not found</html>",
        # Remembering an object under a large number makes C's unpickler take 32 GB.
        "memory": b"\x80\x02]r" + (2**31 - 1).to_bytes(4, "little") + b".",
        "encoding": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf16\x86R.",
    }


@pytest.mark.parametrize("kind", sorted(bad_batches(Path("."))))
def test_what_is_no_batch_is_refused_and_none_of_its_code_run(tmp_path, kind):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    (folder / "test_batch").write_bytes(bad_batches(tmp_path)[kind])
    with pytest.raises(ProblemError, match=r"test_batch (is not one of CIFAR-10's python batches|has images of shape)"):
        read_cifar10(folder, "test")
    assert not (tmp_path / "it ran").exists()


def test_a_file_far_larger_than_a_batch_is_not_read(tmp_path):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    size = (1 << 28) + 1
    os.truncate(folder / "test_batch", size)  # no disk is taken
    with pytest.raises(ProblemError, match=f"it has {size:,} bytes"):
        read_cifar10(folder, "test")


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_are_read_from_an_archive(tmp_path, compressed):
    x, y = np.arange(24, dtype=np.float32).reshape(4, 6), np.array([0, 1, 2, 3], dtype=np.uint8)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", x=x, y=y, other=x)
    for got, given_array in zip(read_npz(tmp_path / "a.npz"), (x, y), strict=True):
        np.testing.assert_array_equal(got, given_array)
        assert got.dtype == given_array.dtype


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def npy(array: np.ndarray[Any, Any], **changes: Any) -> bytes:
    """Return an array as .npy, its header changed."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    data = buffer.getvalue()
    for old, new in changes.get("replace", ()):
        assert old in data
        data = data.replace(old, new)
    return data


Y = npy(np.arange(3))
BAD = {
    "no y": ({"x.npy": Y, "z.npy": Y}, "has no array y; it holds x, z"),
    "nothing": ({}, "has no array x and no array y; it holds nothing"),
    "unlike lengths": ({"x.npy": Y, "y.npy": npy(np.arange(4))}, r"x of shape \(3,\) and y of \(4,\)"),
    "fewer labels than images": ({"x.npy": npy(np.arange(4)), "y.npy": Y}, r"x of shape \(4,\) and y of \(3,\)"),
    "a scalar": ({"x.npy": npy(np.array(3)), "y.npy": Y}, "one row a sample"),
    "no samples": ({"x.npy": npy(np.zeros((0, 2))), "y.npy": npy(np.zeros(0))}, "no samples"),
    "objects": ({"x.npy": npy(np.array([{}, [], 3], dtype=object)), "y.npy": Y}, "Python objects"),
    "a lie": ({"x.npy": npy(np.arange(3), replace=[(b"(3,)", b"(9,)")]), "y.npy": Y}, "damaged"),
    "a vast lie": (
        {"x.npy": npy(np.zeros((1, 1234567, 1), np.uint8)[:, :0], replace=[(b"(1, 0, 1)", b"(9**9,1)")]), "y.npy": Y},
        "damaged",
    ),
    "a negative side": ({"x.npy": npy(np.zeros((2, 2)), replace=[(b"(2, 2)", b"(-2,2)")]), "y.npy": Y}, "do not fill"),
    "no array": ({"x.npy": b"hello", "y.npy": Y}, "damaged"),
    "a header without its end": (
        {"x.npy": npy(np.arange(3), replace=[(b"}", b" ")]), "y.npy": Y},
        "damaged",
    ),
    "bools": ({"x.npy": npy(np.ones((3, 2), bool)), "y.npy": Y}, "x of bool"),
    "texts": ({"x.npy": Y, "y.npy": npy(np.array(["a", "b", "c"]))}, "y of <U1"),
    "no width": ({"x.npy": npy(np.ones((3, 0))), "y.npy": Y}, "no numbers in a sample"),
    "a long header": ({"x.npy": b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little"), "y.npy": Y}, "too long"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_archive_that_is_no_data_set_says_why(tmp_path, kind):
    members, text = BAD[kind]
    with pytest.raises(ProblemError, match=text) as caught:
        read_npz(archive(tmp_path / "a.npz", members))
    assert "a.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_called_what_it_looks_like(tmp_path):
    for data, text in ((b"", "looks like empty"), (b"<html>404</html>", "an HTML page"), (b"PK\x03\x04cut", "cut off")):
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(ProblemError, match=text):
            read_npz(tmp_path / "a.npz")
    with pytest.raises(ProblemError, match="there is no file"):
        read_npz(tmp_path / "b.npz")
    with pytest.raises(ProblemError, match="is a folder"):
        read_npz(tmp_path)


def test_an_archive_compressed_in_an_unusual_way_is_refused(tmp_path):
    with pytest.raises(ProblemError, match="compressed in a way"):
        read_npz(archive(tmp_path / "a.npz", {"x.npy": Y, "y.npy": Y}, zipfile.ZIP_LZMA))
