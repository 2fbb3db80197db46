"""Data sets by the names a user types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import landscape
from landscape.errors import ProblemError, UsageError
from landscape.problem.data.archives import read_cifar10
from landscape.problem.data.sources import open_data, parse_normalize, resolve_data, split_name
from tests.helpers.cifar_files import cifar


def saved(path: Path, x: Any, y: Any) -> str:
    np.savez(path, x=np.asarray(x), y=np.asarray(y))
    return f"npz:{path}"


def bytes_of(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_several_data_sets_come_by_name_in_their_order(tmp_path):
    reference = saved(tmp_path / "a.npz", np.zeros((3, 2), np.float32), [0, 1, 2])
    data = resolve_data(["test=digits:test", f"task-2.b={reference}", "train=digits"])
    assert list(data) == ["test", "task-2.b", "train"]
    assert [each.size for each in data.values()] == [360, 3, 1437]
    assert [each.reference for each in data.values()] == ["digits:test", reference, "digits"]
    assert data["test"].name == "test"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("digits", "train"),
        ("digits:test", "test"),
        ("cifar10:/data:test", "test"),
        ("npz:/a=b/c.npz", "train"),
        ("file.py:make", "train"),
        ("a=file.py:make", "a"),
        ("a=npz:x=y.npz", "a"),
    ],
)
def test_a_data_set_without_a_name_is_called_by_its_split(text, name):
    assert split_name(text)[0] == name


@pytest.mark.parametrize(
    "texts", [["a b=digits"], ["=digits"], ["a="], [""], ["train=digits", "train=digits:test"], []]
)
def test_names_that_cannot_be_or_come_twice_are_misuse(texts):
    with pytest.raises(UsageError, match=r"--data|no data"):
        resolve_data(texts)


@pytest.mark.parametrize("reference", ["digit", "digits:valid", "cifar10", "cifar10:"])
def test_a_data_set_that_is_not_written_right_is_told_how(reference):
    with pytest.raises(UsageError, match=r"write NAME=digits|only train and test"):
        open_data(reference, "train")


def test_digits_are_images_of_one_channel_from_0_to_1():
    x, y = open_data("digits", "train").fetch(range(1437))
    assert x.shape == (1437, 1, 8, 8)
    assert x.dtype == torch.float32
    assert (x.min(), x.max()) == (0, 1)
    assert torch.equal(x * 16, (x * 16).round())
    assert y.dtype == torch.int64


@pytest.mark.parametrize("split", ["", ":train", ":test"])
def test_cifar10_is_scaled_and_normalised_a_channel(tmp_path, split):
    folder = cifar(tmp_path / "cifar-10-batches-py")
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
    data = open_data(f"cifar10:{tmp_path}{split}", "a", normalize=(mean, std))
    raw, labels = read_cifar10(folder, split[1:] or "train")
    x, y = data.fetch(range(data.size))
    expected = (raw / 255 - np.reshape(mean, (1, 3, 1, 1))) / np.reshape(std, (1, 3, 1, 1))
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6)
    assert y.tolist() == labels.tolist()
    assert data.normalize == (mean, std)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 6, 7, 3), (0, 3, 1, 2)),
        ((5, 3, 6, 7), (0, 1, 2, 3)),
        ((5, 6, 7, 1), (0, 3, 1, 2)),
        ((5, 4, 6, 7), (0, 1, 2, 3)),
    ],
)
def test_images_of_bytes_come_channels_first_from_0_to_1(tmp_path, shape, axes):
    raw = bytes_of(*shape)
    x, y = open_data(saved(tmp_path / "a.npz", raw, np.arange(5, dtype=np.uint8)), "a").fetch([4, 2])
    np.testing.assert_allclose(x, raw.transpose(axes)[[4, 2]] / 255, rtol=1e-6)
    assert x.dtype == torch.float32
    assert y.tolist() == [4, 2]
    assert y.dtype == torch.int64


def test_grey_images_get_a_channel(tmp_path):
    raw = bytes_of(5, 6, 7)
    x, _ = open_data(saved(tmp_path / "a.npz", raw, np.zeros(5)), "a").fetch(range(5))
    np.testing.assert_allclose(x[:, 0], raw / 255, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5, 3, 7, 3), (5, 6, 7, 8), (5, 6), (5, 1, 2, 3, 4)])
def test_bytes_that_may_be_anything_are_asked_to_be_saved_otherwise(tmp_path, shape):
    with pytest.raises(ProblemError, match="save"):
        open_data(saved(tmp_path / "a.npz", bytes_of(*shape), np.zeros(5)), "a")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int64, np.int32, ">f4"])
def test_numbers_that_are_no_bytes_stay_as_they_are(tmp_path, kind):
    x = np.arange(10).reshape(5, 2).astype(kind)
    got, _ = open_data(saved(tmp_path / "a.npz", x, np.zeros(5)), "a").fetch([1])
    assert got.tolist() == [[2, 3]]
    assert got.numpy().dtype == np.dtype(kind).newbyteorder("=")


def test_targets_that_are_no_labels_stay_as_they_are(tmp_path):
    _, y = open_data(saved(tmp_path / "a.npz", np.zeros((3, 2)), np.array([0.5, 1.5, 2.5])), "a").fetch([1])
    assert y.tolist() == [1.5]
    with pytest.raises(ProblemError, match="y of <U3"):
        open_data(saved(tmp_path / "a.npz", np.zeros((3, 2)), ["cat", "dog", "cow"]), "a")


def test_floating_images_are_normalised_too(tmp_path):
    reference = saved(tmp_path / "a.npz", np.ones((3, 2, 4, 4), np.float32), np.zeros(3))
    x, _ = open_data(reference, "a", normalize=((0.5, 1.0), (0.5, 2.0))).fetch([0])
    assert x[0, :, 0, 0].tolist() == [1.0, 0.0]
    x, _ = open_data(reference, "a", normalize=((0.0,), (4.0,))).fetch([0])
    assert x.unique().tolist() == [0.25]


def test_a_normalisation_that_does_not_fit_is_misuse(tmp_path):
    with pytest.raises(UsageError, match="for 3 channels, a=digits has 1"):
        open_data("digits", "a", normalize=((0.0,) * 3, (1.0,) * 3))
    with pytest.raises(UsageError, match="int64"):
        open_data(saved(tmp_path / "a.npz", np.zeros((3, 2), int), np.zeros(3)), "a", normalize=((0.0,), (1.0,)))
    (tmp_path / "makes_pairs.py").write_text(
        "import torch\ndef make():\n    return torch.zeros(2, 1), torch.zeros(2)\n"
    )
    with pytest.raises(UsageError, match="normalise them there"):
        open_data(f"{tmp_path}/makes_pairs.py:make", "a", normalize=((0.0,), (1.0,)))


def test_a_normalisation_is_written_as_means_and_deviations():
    assert parse_normalize("0.5,0.4/0.2,0.1") == ((0.5, 0.4), (0.2, 0.1))
    assert parse_normalize("0.5/0.2") == ((0.5,), (0.2,))


@pytest.mark.parametrize("text", ["", "0.5", "0.5/0", "0.5/-1", "a/b", "0.5,0.4/0.2", "nan/1", "0/inf", "1/2/3"])
def test_a_normalisation_that_is_none_is_misuse(text):
    with pytest.raises(UsageError, match="MEAN/STD"):
        parse_normalize(text)


FACTORIES = """
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset
X, Y = torch.arange(8.0).reshape(4, 2), torch.arange(4)
pair = (X, Y)
loader_itself = DataLoader(TensorDataset(X, Y), batch_size=2)
def tensors(): return X, Y
def dataset(): return TensorDataset(X, Y)
def loader(): return loader_itself
def stream():
    for x, y in zip(X, Y):
        yield x, y
class Own(Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return X[i], Y[i]
def needs(path): return X, Y
def fails(): raise FileNotFoundError("no images")
def nothing(): pass
"""


@pytest.mark.parametrize("name", ["tensors", "dataset", "loader", "stream", "Own", "pair", "loader_itself"])
def test_a_factory_may_return_what_one_has(tmp_path, name):
    (tmp_path / "makes_data.py").write_text(FACTORIES)
    x, y = open_data(f"{tmp_path}/makes_data.py:{name}", "train").fetch([3, 1])
    assert x.tolist() == [[6, 7], [2, 3]]
    assert y.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("needs", r"makes_data\.py:needs\(\) failed: TypeError: needs\(\) missing 1 required positional argument"),
        ("fails", r"failed: FileNotFoundError: no images \(makes_data\.py, line 17\)"),
        ("nothing", "is a NoneType; a Dataset, a DataLoader"),
        ("streams", "did you mean stream"),
    ],
)
def test_a_factory_that_fails_says_where(tmp_path, name, text):
    (tmp_path / "makes_data.py").write_text(FACTORIES)
    with pytest.raises(ProblemError, match=text):
        open_data(f"{tmp_path}/makes_data.py:{name}", "train")


def test_digits_in_python_are_those_of_the_command_line():
    x, y = landscape.digits("test")
    other = resolve_data(["test=digits:test"])["test"].fetch(range(360))
    assert torch.equal(x, other[0])
    assert torch.equal(y, other[1])
    assert (float(x.min()), float(x.max())) == (0.0, 1.0)
    with pytest.raises(UsageError, match="'all'"):
        landscape.digits("all")
