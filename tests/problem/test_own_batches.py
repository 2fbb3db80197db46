"""Batches that a loader makes in its own way: weighed, ragged, of graphs, or by a sampler."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
)

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import to_device
from landscape.problem.data.datasets import as_data, choose, describe_data, fingerprint
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.named_data import in_units_of
from tests.helpers.sample_sets import Samples, X, Y


def pairs(model: Any, batch: Any) -> Tensor:
    """A loss over all pairs of a batch: it depends on which samples are in it."""
    return torch.cdist(batch[0], batch[0]).mean(1)


OWN = {
    "batch_sampler": lambda: DataLoader(Samples(), batch_sampler=[[9, 1, 4], [2, 3]]),
    "batch_sampler of tensors": lambda: DataLoader(TensorDataset(X, Y), batch_sampler=[[9, 1, 4], [2, 3]]),
    "list of batches": lambda: [(X[[9, 1, 4]], Y[[9, 1, 4]]), (X[[2, 3]], Y[[2, 3]])],
    "generator of batches": lambda: ((X[part], Y[part]) for part in ([9, 1, 4], [2, 3])),
    "generator with batches of nothing": lambda: ((X[part], Y[part]) for part in ([9, 1, 4], [], [2, 3], [])),
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


def test_of_batches_without_an_end_no_more_are_read_than_asked_for():
    def endless():
        for number in range(50):
            yield X[: 2 + number % 2], Y[: 2 + number % 2]
        raise AssertionError("it is read for ever")

    sets, _ = in_units_of({"train": as_data(endless(), "train")}, resolve_loss(pairs), None, 256)
    assert sets["train"].available(4) == 4
    assert choose(sets["train"], 5).tolist() == [0, 1, 2, 3, 4]
    assert [batch.samples for batch in sets["train"].fetch(range(5))] == [2, 3, 2, 3, 2]


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


@pytest.mark.parametrize(
    ("sampler", "wanted"),
    [
        (BatchSampler([7, 2, 5], 2, drop_last=False), [[7, 2], [5]]),
        (BatchSampler(SequentialSampler(range(3)), 2, drop_last=True), [[0, 1]]),
    ],
)
def test_a_loader_that_makes_no_batches_gives_what_its_sampler_draws(sampler, wanted):
    data = as_data(DataLoader(TensorDataset(X, Y), batch_size=None, sampler=sampler), "train")
    numbers = [number for part in wanted for number in part]
    assert data.available(100) == len(numbers)
    torch.testing.assert_close(data.fetch(range(len(numbers)))[0], X[numbers])


def test_sparse_inputs_are_data_with_a_fingerprint_of_their_numbers():
    dense = X.reshape(len(X), -1) * (torch.arange(X[0].numel()) % 2)
    prints = [fingerprint(as_data((each, Y), "train"), range(4)) for each in (dense, dense.to_sparse(), 2 * dense)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("batched", [False, True])
def test_what_a_sampler_draws_is_the_same_each_time_and_its_generator_is_left_as_it_was(batched):
    generator = torch.Generator().manual_seed(5)
    before = generator.get_state()

    class Own(BatchSampler):
        pass

    sampler = Own(RandomSampler(X, generator=generator), 2, drop_last=False)
    how = {"batch_sampler": sampler} if batched else {"batch_size": None, "sampler": sampler}
    first, second = (
        next(as_data(DataLoader(TensorDataset(X, Y), **how), "train").batches(range(4), 4))[0] for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(generator.get_state(), before)


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


def test_a_graph_whose_matrix_is_too_large_to_be_written_out_has_a_fingerprint():
    def of(*values: float) -> str:
        graph, nodes = Graph(torch.ones(2, 2), 1), 10**6
        graph.edge_index = torch.sparse_coo_tensor(
            [[0, nodes - 1], [5, 7]], list(values), (nodes, nodes), check_invariants=True
        )
        return fingerprint(as_data([graph], "train"), range(1))

    assert of(1.0, 2.0) == of(1.0, 2.0) != of(1.0, 3.0)


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
