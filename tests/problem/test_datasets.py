"""Data of every make are read by number, the same every time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import batch_size_of, tensors_in, to_device
from landscape.problem.datasets import Data, as_data, choose, describe_data, fingerprint
from landscape.problem.losses import resolve_loss
from landscape.problem.named_data import in_units_of

X = torch.arange(30.0).reshape(10, 3)
Y = torch.arange(10)


class Samples(Dataset[Any]):
    """Has an index, as most data sets do."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        if not 0 <= number < 10:
            raise IndexError(number)
        return X[number], int(Y[number])


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
    data = as_data(KINDS[kind](), "train")
    assert data.size == 10
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
        "import torch; from landscape.problem.datasets import as_data, fingerprint;"
        "print(fingerprint(as_data({'b': torch.arange(6.0).reshape(3, 2), 'a': torch.arange(3)}, 'x'), [2, 0]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)
    here = as_data({"a": torch.arange(3), "b": torch.arange(6.0).reshape(3, 2)}, "x")
    assert done.stdout.strip() == fingerprint(here, [2, 0]), done.stderr


def test_the_fingerprint_of_many_bytes_reads_samples_from_first_to_last(monkeypatch):
    monkeypatch.setattr("landscape.problem.datasets._FINGERPRINT_BYTES", 1)
    monkeypatch.setattr("landscape.problem.datasets._FINGERPRINT_CHUNK", 4)
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


# Batches of the user's own making are the unit for a loss that sees them whole.


def pairs(model: Any, batch: Any) -> Tensor:
    """A loss over all pairs of a batch: it depends on which samples are in it."""
    return torch.cdist(batch[0], batch[0]).mean(1)


OWN = {
    "batch_sampler": lambda: DataLoader(Samples(), batch_sampler=[[9, 1, 4], [2, 3]]),
    "batch_sampler of tensors": lambda: DataLoader(TensorDataset(X, Y), batch_sampler=[[9, 1, 4], [2, 3]]),
    "list of batches": lambda: [(X[[9, 1, 4]], Y[[9, 1, 4]]), (X[[2, 3]], Y[[2, 3]])],
    "generator of batches": lambda: ((X[part], Y[part]) for part in ([9, 1, 4], [2, 3])),
    "list of a loader": lambda: list(DataLoader(Samples(), batch_sampler=[[9, 1, 4], [2, 3]])),
}


@pytest.mark.parametrize("kind", OWN)
def test_a_loss_over_a_batch_gets_the_loaders_own_and_each_counts_as_one(kind):
    loss = resolve_loss(pairs)
    sets, batch_size = in_units_of({"train": as_data(OWN[kind](), "train")}, loss, 256, 256)
    data = sets["train"]
    assert (batch_size, data.unit, data.size) == (1, "batch", 2)
    assert describe_data(data, 2)["unit"] == "batch"
    order = choose(data, 2, seed=3)
    got = [loss(None, batch, number=1)["loss"] for batch in data.batches(order, 1)]
    assert [value.shape for value in got] == [(1,), (1,)]
    values = torch.cat([pairs(None, (X[part],)) for part in ([9, 1, 4], [2, 3])])
    # Batches weigh by their samples: five of them, three in the first.
    torch.testing.assert_close(torch.cat(got).mean(), values.mean())
    assert [batch.batch[1].tolist() for batch in data.fetch([0, 1])] == [[9, 1, 4], [2, 3]]
    with pytest.raises(IndexError):
        data.fetch([2])


def test_a_loss_of_samples_is_given_samples_whatever_the_batches():
    data = as_data(OWN["batch_sampler"](), "train")
    assert in_units_of({"train": data}, resolve_loss("mse"), None, 256) == ({"train": data}, None)
    assert "unit" not in describe_data(data, 10)


def test_beside_a_data_set_in_batches_others_are_cut_in_order():
    sets = {"train": as_data(OWN["batch_sampler"](), "train"), "test": as_data((X, Y), "test")}
    found, _ = in_units_of(sets, resolve_loss(pairs), 4, 256)
    assert [batch.batch[1].tolist() for batch in found["test"].fetch([0, 1, 2])] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_sampler_that_draws_its_batches_draws_the_same_in_every_run_and_no_random_number_is_used():
    class Draws:
        def __iter__(self):
            for _ in range(5):
                yield [int(torch.randint(10, ())), random.randrange(10), int(np.random.randint(10))]  # noqa: NPY002

        def __len__(self):
            return 3

    plans = []
    for seed in (7, 8):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = torch.get_rng_state(), random.getstate()
        plans.append(as_data(DataLoader(Samples(), batch_sampler=Draws()), "train").plan)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert random.getstate() == before[1]
    assert plans[0] == plans[1]
    assert len(plans[0]) == 3


# Ragged batches: how many samples there are is known from the data, not from a tensor.


def flat(samples: list[Any]) -> Any:
    """Collate labels one after the other, as for CTC or embedding bags."""
    sizes = [1 + int(y) % 3 for _, y in samples]
    numbers = torch.cat([torch.full((size,), int(y)) for size, (_, y) in zip(sizes, samples, strict=True)])
    return torch.stack([x for x, _ in samples]), numbers, torch.tensor([0, *sizes[:-1]]).cumsum(0)


RAGGED = {
    "flat labels": flat,
    "lists of tensors": lambda samples: [torch.ones(1 + int(y), 2) for _, y in samples],
    "nested dicts": lambda samples: {"a": {"x": torch.stack([x for x, _ in samples])}, "edges": torch.zeros(2, 50)},
    "objects": lambda samples: [Graph(x, int(y)) for x, y in samples],
}


class Graph:
    def __init__(self, x: Tensor, y: int) -> None:
        self.x, self.edge_index, self.y, self.device = x, torch.zeros(2, y), torch.tensor(y), "nowhere"

    def to(self, device: Any) -> Graph:
        moved = Graph(self.x, int(self.y))
        moved.device = str(device)
        return moved


@pytest.mark.parametrize("kind", RAGGED)
def test_ragged_batches_hold_as_many_samples_as_were_asked_for(kind):
    data = as_data(DataLoader(Samples(), batch_size=4, collate_fn=RAGGED[kind]), "train")
    assert data.size == 10
    seen = []

    def own(model: Any, batch: Any) -> Tensor:
        seen.append(batch)
        return torch.arange(4.0 if len(seen) < 3 else 2.0)

    batches = [to_device(batch, "cpu") for batch in data.batches(range(10), 4)]
    values = [resolve_loss(own)(None, b, number=n) for b, n in zip(batches, (4, 4, 2), strict=True)]
    assert [len(value["loss"]) for value in values] == [4, 4, 2]
    with pytest.raises(ProblemError, match=r"shape \(3,\)"):
        resolve_loss(lambda model, batch: torch.ones(4))(None, seen[0], number=3)
    if kind == "objects":
        assert {graph.device for graph in seen[0]} == {"cpu"}


class Graphs(Dataset[Any]):
    """A data set of graphs, without a collate function: batches are lists."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> Graph:
        return Graph(torch.ones(number + 1, 2), number)


def test_graphs_are_batched_as_their_library_does_or_listed():
    for source in (Graphs(), [Graph(torch.ones(2, 2), 1), Graph(torch.ones(3, 2), 2), Graph(torch.ones(1, 2), 0)]):
        data = as_data(source, "train")
        batch = data.fetch([2, 0])
        assert [type(each) for each in batch] == [Graph, Graph]
        assert data.size == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_the_subset_of_a_sampler_is_what_is_read_with_workers_too(workers):
    loader = DataLoader(Samples(), batch_size=2, sampler=SubsetRandomSampler([7, 3, 5, 9]), num_workers=workers)
    data = as_data(loader, "train")
    assert data.size == 4
    batches = list(data.batches([0, 1, 3], 2))
    assert [batch[1].tolist() for batch in batches] == [[3, 5], [9]]
    assert torch.equal(batches[1][0], X[[9]])


@pytest.mark.parametrize("seed", [-1, 2**53 + 1])
def test_a_seed_that_a_file_could_not_say_is_refused_before_anything_is_measured(seed):
    data = as_data((torch.zeros(3, 1), torch.zeros(3)), "train")
    with pytest.raises(UsageError, match=r"from 0 to 2\^53"):
        choose(data, 2, seed)
