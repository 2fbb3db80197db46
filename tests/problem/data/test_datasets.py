"""Data of every make are read by number, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import batch_size_of, tensors_in
from landscape.problem.data.datasets import Data, as_data, choose, describe_data, fingerprint
from tests.helpers import jobs
from tests.helpers.sample_sets import Samples, X, Y


class Flow(IterableDataset[Any]):
    """Has no index, and counts how many samples were asked of it."""

    def __init__(self, endless: bool = False) -> None:
        self.endless = endless
        self.given = 0

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        number = 0
        while number < 10 or self.endless:
            self.given += 1
            yield X[number % 10], int(Y[number % 10])
            number += 1


KINDS = {
    "tuple of tensors": lambda: (X, Y),
    "list of tensors": lambda: [X, Y],
    "arrays": lambda: (X.numpy(), Y.numpy()),
    "tensor and list": lambda: (X, Y.tolist()),
    "TensorDataset": lambda: TensorDataset(X, Y),
    "Dataset": Samples,
    "Subset": lambda: Subset(Samples(), range(10)),
    "list of samples": lambda: [(X[i], int(Y[i])) for i in range(10)],
    "list of batches": lambda: [(X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:], Y[8:])],
    "generator of samples": lambda: ((X[i], Y[i]) for i in range(10)),
    "generator of batches": lambda: ((X[i : i + 3], Y[i : i + 3]) for i in range(0, 10, 3)),
    "IterableDataset": Flow,
    "loader": lambda: DataLoader(Samples(), batch_size=3),
    "shuffled loader": lambda: DataLoader(Samples(), batch_size=3, shuffle=True, drop_last=True),
    "loader of tensors": lambda: DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True),
    "loader of a stream": lambda: DataLoader(Flow(), batch_size=4),
    "loader of a stream without batches": lambda: DataLoader(Flow(), batch_size=None),
    "loader without batches": lambda: DataLoader([(X[:4], Y[:4]), (X[4:], Y[4:])], batch_size=None),
    "loader with batches of its own": lambda: DataLoader(Samples(), batch_sampler=[[9, 1], [2, 3]]),
    "loader with workers": lambda: DataLoader(Samples(), batch_size=2, num_workers=1, shuffle=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_read_by_number_whatever_holds_them(kind):
    data = as_data(KINDS[kind](), "train", "nets.py:data")
    assert (data.name, data.reference, data.size) == ("train", "nets.py:data", 10)
    for numbers in ([3], [0, 1, 2], [9, 0, 4, 5, 5], list(range(10))):
        x, y = data.fetch(numbers)
        assert torch.equal(x, X[numbers])
        assert torch.equal(y, Y[numbers])
    x, y = data.fetch(np.array([7, 2]))
    assert y.tolist() == [7, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_come_in_order_with_a_short_one_last(kind):
    batches = list(as_data(KINDS[kind](), "train").batches(np.array([9, 8, 1, 2, 3]), 2))
    assert [batch[1].tolist() for batch in batches] == [[9, 8], [1, 2], [3]]


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_outside_are_an_error(kind):
    data = as_data(KINDS[kind](), "train")
    for numbers in ([10], [-1], [0, 99]):
        with pytest.raises(IndexError, match="samples 0 to 9"):
            data.fetch(numbers)


def test_the_fingerprint_tells_contents_and_not_containers():
    prints = {kind: fingerprint(as_data(make(), "train"), range(10)) for kind, make in KINDS.items()}
    assert len(set(prints.values())) == 1, prints
    other = Y.clone()
    other[9] = 0
    assert fingerprint(as_data((X, other), "train"), range(10)) not in prints.values()
    assert fingerprint(as_data((X, Y), "train"), range(9)) not in prints.values()
    # The same bytes as other numbers, or in another shape.
    for x in (X.view(torch.int32), X[:, None]):
        assert fingerprint(as_data((x, Y), "train"), range(10)) not in prints.values()
    assert fingerprint(as_data((X, Y), "train"), [*range(1, 10), 0]) not in prints.values()
    named = {name: fingerprint(as_data({name: X, "y": Y}, "train"), range(10)) for name in ("x", "ids")}
    assert named["x"] != named["ids"]


def test_a_fingerprint_covers_what_is_not_a_tensor():
    class Box:
        def __init__(self, x: Tensor) -> None:
            self.x = x

    def boxed(value: float) -> Data:
        loader = DataLoader([value, 2.0], collate_fn=lambda samples: Box(torch.tensor(samples)))
        return as_data(loader, "train")

    assert fingerprint(boxed(1.0), [0, 1]) != fingerprint(boxed(3.0), [0, 1])
    assert fingerprint(boxed(1.0), [0, 1]) == fingerprint(boxed(1.0), [0, 1])


def test_a_fingerprint_is_the_same_in_another_process():
    code = (
        "import torch; from landscape.problem.data.datasets import as_data, fingerprint;"
        "print(fingerprint(as_data({'b': torch.arange(6.0).reshape(3, 2), 'a': torch.arange(3)}, 'x'), [2, 0]))"
    )
    _, out, err = jobs.run(["-c", code])  # whose seed of hashes is another
    here = as_data({"a": torch.arange(3), "b": torch.arange(6.0).reshape(3, 2)}, "x")
    assert out.strip() == fingerprint(here, [2, 0]), err


def test_the_fingerprint_of_many_bytes_reads_samples_from_first_to_last(monkeypatch):
    monkeypatch.setattr("landscape.problem.data.datasets._FINGERPRINT_BYTES", 1)
    monkeypatch.setattr("landscape.problem.data.datasets._FINGERPRINT_CHUNK", 4)
    read: list[int] = []

    class Watched(Samples):
        def __getitem__(self, number: int) -> tuple[Tensor, int]:
            read.append(number)
            return super().__getitem__(number)

    fingerprint(as_data(Watched(), "train"), range(10))
    assert sorted(set(read)) == [0, 3, 6, 9]


@pytest.mark.parametrize(
    "columns",
    [
        {"x": X, "labels": Y},
        {"input_ids": [[1, 2], [3, 4]], "labels": [0, 1]},
        ((X, X), Y),
        ({"a": X, "b": Y}, Y),
        X,
    ],
)
def test_columns_keep_their_structure(columns):
    batch = as_data(columns, "train").fetch([1, 0])
    assert batch_size_of(batch) == 2
    if isinstance(columns, dict):
        assert list(batch) == list(columns)
    assert all(tensor.shape[0] == 2 for tensor in tensors_in(batch))


def test_a_list_of_many_tensors_of_one_shape_is_a_list_of_samples():
    data = as_data([torch.full((3, 4, 4), float(number)) for number in range(7)], "train")
    assert data.size == 7
    assert data.fetch([5]).shape == (1, 3, 4, 4)


def test_a_sampler_that_weighs_samples_is_said_to_be_ignored(caplog):
    data = as_data(DataLoader(Samples(), sampler=WeightedRandomSampler([1.0] * 10, 5)), "train")
    assert data.size == 10
    assert "WeightedRandomSampler" in caplog.text


def test_a_loaders_own_way_to_make_batches_is_used():
    def collate(samples: list[Any]) -> dict[str, Tensor]:
        return {"x": torch.stack([x for x, _ in samples]) + 100, "y": torch.tensor([y for _, y in samples])}

    data = as_data(DataLoader(Samples(), batch_size=5, collate_fn=collate), "train")
    assert data.batch_size == 5
    assert torch.equal(data.fetch([4, 2])["x"], X[[4, 2]] + 100)


def test_a_data_set_that_reads_several_samples_at_once_is_asked_so():
    class Several(Samples):
        def __getitem__(self, number: int) -> tuple[Tensor, int]:
            raise AssertionError("one at a time")

        def __getitems__(self, numbers: list[int]) -> list[tuple[Tensor, int]]:
            return [(X[number], int(Y[number])) for number in numbers]

    assert as_data(Several(), "train").fetch([3, 4])[1].tolist() == [3, 4]


def test_reading_leaves_torchs_random_numbers_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for kind in ("Dataset", "shuffled loader", "loader of tensors", "loader with workers"):
        data = as_data(KINDS[kind](), "train")
        list(data.batches(choose(data, 7, 1), 2))
        fingerprint(data, range(10))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_is_read_no_further_than_asked_and_once():
    flow = Flow(endless=True)
    data = as_data(flow, "train")
    assert data.streamed
    assert data.available(100) == 100
    assert flow.given <= 128
    first = data.fetch([0, 99])
    assert torch.equal(first[1], data.fetch([0, 99])[1])
    assert flow.given <= 128
    assert choose(data, 5).tolist() == [0, 1, 2, 3, 4]
    assert describe_data(data, 5) == {"reference": "", "size": None, "samples": 5}


def test_a_stream_that_ends_early_gives_what_it_has():
    data = as_data(Flow(), "train")
    assert data.available(100) == 10
    assert len(choose(data, 100)) == 10
    assert len(choose(data)) == 10


def test_a_larger_choice_of_samples_extends_a_smaller_one():
    data = as_data((torch.zeros(1000, 1), torch.zeros(1000)), "train", "file.py:data")
    small, large, all_of_them = choose(data, 100, 3), choose(data, 500, 3), choose(data, 1000, 3)
    assert (large[:100] == small).all()
    assert (all_of_them[:500] == large).all()
    assert sorted(all_of_them) == list(range(1000))
    assert (choose(data, 100, 4) != small).any()
    assert choose(data).tolist() == list(range(1000))
    # Files written by one version have to be continued by the next.
    assert choose(data, 5, 0).tolist() == [459, 206, 222, 162, 711]
    assert describe_data(data, 100) == {"reference": "file.py:data", "size": 1000, "samples": 100}
    with pytest.raises(UsageError, match="at least 1"):
        choose(data, 0)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ((X, Y[:5]), "one row a sample"),
        ({"x": X, "y": Y[:5]}, "one row a sample"),
        ((X, ["a"] * 10), "is no tensor"),
        ("digits", "is a str"),
        ({}, "is needed"),
        ({"train": Samples()}, "is needed"),
        (3, "is a int"),
        (None, "is a NoneType"),
        ([], "holds no samples"),
        (iter([]), "holds no samples"),
        ((X[:0], Y[:0]), "holds no samples"),
        (DataLoader(TensorDataset(X[:0])), "holds no samples"),
    ],
)
def test_what_holds_no_samples_is_an_error(source, text):
    with pytest.raises(ProblemError, match=text):
        as_data(source, "train")


@pytest.mark.parametrize("name", ["", "a b", "train/loss", "ä", "a:b"])
def test_a_data_set_has_a_name_that_fits_into_a_file(name):
    with pytest.raises(UsageError, match="cannot be called"):
        as_data((X, Y), name)


class Broken(Samples):
    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        raise OSError("the picture is gone")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_cannot_be_read_names_the_users_line(workers):
    data = as_data(DataLoader(Broken(), batch_size=2, num_workers=workers), "test")
    with pytest.raises(ProblemError, match=r"data set .test.: .*the picture is gone"):
        list(data.batches(range(6), 2))
    with pytest.raises(
        ProblemError, match=r"reading samples 0 to 1 failed: OSError: .*\(test_datasets\.py, line \d+\)"
    ):
        data.fetch([0, 1])


def test_samples_that_make_no_batch_say_what_they_are():
    with pytest.raises(ProblemError, match=r"samples such as \(a object, int64 scalar\) cannot be made a batch"):
        as_data([(object(), torch.tensor(1))] * 3, "train").fetch([0, 1])


def test_a_stream_that_breaks_says_after_how_many_samples():
    def flow() -> Iterator[Any]:
        yield X[:4], Y[:4]
        raise OSError("the line is dead")

    data = as_data(flow(), "train")
    assert data.fetch([3])[1].item() == 3
    with pytest.raises(ProblemError, match=r"after 4 samples failed: OSError: the line is dead"):
        data.fetch([4])


def test_a_data_set_made_already_is_taken_as_it_is():
    data = as_data((X, Y), "train")
    assert as_data(data, "other") is data
