"""Batches of every make are measured, moved, cut, joined and given to networks as they take them."""

from __future__ import annotations

import dataclasses
from collections import UserDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.errors import ProblemError
from landscape.problem.batches import (
    batch_bytes,
    batch_size_of,
    call_model,
    concatenate,
    describe_batch,
    output_logits,
    slice_batch,
    split_inputs_targets,
    tensors_in,
    to_device,
)

Pair = namedtuple("Pair", ["x", "y"])


@dataclasses.dataclass
class Record:
    x: Tensor
    labels: Tensor
    split: str = "train"


class Own:
    """A batch class of a user's own, with the two methods such classes have."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.device = "nowhere"

    def to(self, device: Any) -> Own:
        moved = Own(self.x.to(device))
        moved.device = str(device)
        return moved

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, which: slice) -> Own:
        return Own(self.x[which])


def x() -> Tensor:
    return torch.arange(12.0).reshape(4, 3)


def y() -> Tensor:
    return torch.arange(4)


KINDS = {
    "tensor": x,
    "tuple": lambda: (x(), y()),
    "list": lambda: [x(), y()],
    "named tuple": lambda: Pair(x(), y()),
    "dict": lambda: {"x": x(), "labels": y()},
    "other mapping": lambda: UserDict({"x": x(), "labels": y()}),
    "dataclass": lambda: Record(x(), y()),
    "nested": lambda: ({"a": x(), "b": (y(), x())}, y()),
    "arrays": lambda: (x().numpy(), y().numpy()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_counts_its_samples_and_bytes(kind):
    batch = KINDS[kind]()
    assert batch_size_of(batch) == 4
    assert batch_bytes(batch) == sum(t.nbytes for t in tensors_in(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_cut_in_two_and_joined_is_the_same_batch(kind):
    batch = KINDS[kind]()
    joined = concatenate([slice_batch(batch, 0, 1), slice_batch(batch, 1, 4)])
    assert type(joined) is type(batch)
    for part, original in zip(tensors_in(joined), tensors_in(batch), strict=True):
        np.testing.assert_array_equal(np.asarray(part), np.asarray(original))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_keeps_its_kind_on_another_device(kind):
    batch = KINDS[kind]()
    moved = to_device(batch, "meta")
    assert type(moved) is type(batch)
    assert all(isinstance(part, Tensor) and part.is_meta for part in tensors_in(moved))
    assert not any(isinstance(part, Tensor) and part.is_meta for part in tensors_in(batch))


def test_a_batch_of_a_class_of_ones_own_is_moved_by_its_own_method():
    moved = to_device(Own(x()), "cpu")
    assert isinstance(moved, Own)
    assert moved.device == "cpu"
    assert batch_size_of(moved) == 4
    assert len(slice_batch(moved, 1, 3)) == 2


def test_tensors_of_several_lengths_are_as_many_samples_as_the_batch_itself_says():
    @dataclasses.dataclass
    class Graphs:
        nodes: Tensor
        edges: Tensor
        num_graphs: int

    assert batch_size_of(Graphs(torch.zeros(7, 2), torch.zeros(2, 9), 3)) == 3


def test_what_is_no_tensor_stays_in_a_moved_batch():
    assert to_device({"x": x(), "name": "a", "flag": True, "nothing": None}, "cpu")["name"] == "a"


def test_images_of_several_sizes_in_a_list_are_as_many_as_their_targets():
    images = [torch.zeros(3, 4, 4), torch.zeros(3, 5, 5)]
    boxes = [{"boxes": torch.zeros(3, 4)}, {"boxes": torch.zeros(1, 4)}]
    assert batch_size_of((images, boxes)) == 2
    assert batch_size_of((tuple(images), tuple(boxes))) == 2


def test_a_tensor_that_all_samples_share_does_not_change_their_number():
    assert batch_size_of(({"x": x(), "edges": torch.zeros(2, 9)}, y())) == 4
    assert batch_size_of({"x": x(), "weights": torch.zeros(7), "labels": y()}) == 4


@pytest.mark.parametrize("batch", [{"a": torch.zeros(2), "b": torch.zeros(3)}, {}, {"a": "text"}, 3, torch.zeros(())])
def test_a_batch_that_does_not_say_how_many_samples_it_holds_is_an_error(batch):
    with pytest.raises(ProblemError, match="how many samples"):
        batch_size_of(batch)


def test_batches_of_unlike_samples_cannot_be_joined():
    with pytest.raises(ProblemError, match="cannot be joined"):
        concatenate([(torch.zeros(2, 3), torch.zeros(2)), (torch.zeros(2, 5), torch.zeros(2))])
    with pytest.raises(ProblemError, match="different kinds"):
        concatenate([torch.zeros(2), {"x": torch.zeros(2)}])
    with pytest.raises(ProblemError, match="cannot be joined"):
        concatenate([{"x": torch.zeros(2)}, {"y": torch.zeros(2)}])


def test_texts_in_a_batch_are_cut_and_joined_with_it():
    batch = {"x": x(), "names": ["a", "b", "c", "d"]}
    assert slice_batch(batch, 1, 3)["names"] == ["b", "c"]
    assert concatenate([slice_batch(batch, 0, 2), slice_batch(batch, 2, 4)])["names"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["labels", "label", "targets", "target", "y"])
def test_a_mapping_is_split_at_its_target(name):
    inputs, target = split_inputs_targets({"x": x(), name: y()})
    assert list(inputs) == ["x"]
    assert torch.equal(target, y())


def test_of_several_names_a_target_may_have_the_likeliest_is_taken():
    names = ["labels", "label", "targets", "target", "y"]  # as frameworks name them, from Hugging Face's on
    batch = {name: torch.tensor([number]) for number, name in enumerate(names)}
    for number, name in enumerate(names):
        # Whatever the mapping's own order.
        for part in (dict(list(batch.items())[number:]), dict(reversed(list(batch.items())[number:]))):
            inputs, target = split_inputs_targets({"x": x(), **part})
            assert target.item() == number, name
            assert name not in inputs


def test_a_pair_and_a_dataclass_are_split():
    assert split_inputs_targets([x(), y()])[1].tolist() == [0, 1, 2, 3]
    inputs, target = split_inputs_targets(Record(x(), y()))
    assert set(inputs) == {"x", "split"}
    assert target.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("batch", [x(), (x(),), (x(), y(), y()), {"x": x()}])
def test_a_batch_that_cannot_be_split_asks_for_a_loss_of_ones_own(batch):
    with pytest.raises(ProblemError, match=r"--loss file\.py:loss"):
        split_inputs_targets(batch)


class Keywords(nn.Module):
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> str:
        return "keywords" if attention_mask is not None else "whole"


class Whole(nn.Module):
    def forward(self, x: Any) -> Any:
        return x


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> str:
        return "two"


def test_a_mapping_goes_in_as_keywords_where_the_network_takes_them_else_whole():
    inputs = {"input_ids": x(), "attention_mask": y()}
    assert call_model(Keywords(), inputs) == "keywords"
    assert call_model(Whole(), inputs) is inputs
    assert call_model(lambda **all: sorted(all), inputs) == ["attention_mask", "input_ids"]


def test_a_tuple_goes_in_as_arguments_where_the_network_takes_so_many_else_whole():
    assert call_model(Two(), (x(), y())) == "two"
    assert call_model(Two(), [x(), y()]) == "two"
    pair = (x(), y())
    assert call_model(Whole(), pair) is pair
    assert torch.equal(call_model(Whole(), x()), x())


def test_an_object_goes_in_by_the_attributes_that_the_network_asks_for_else_whole():
    class Graph:
        def __init__(self, **parts: Tensor) -> None:
            vars(self).update(parts)

    class ByParts(nn.Module):
        def forward(self, nodes: Tensor, edges: Tensor, weights: Tensor | None = None) -> Any:
            return nodes, edges, weights

    graph, lone = Graph(edges=y(), nodes=x(), weights=x()), Graph(nodes=x())
    assert call_model(ByParts(), graph) == (graph.nodes, graph.edges, None)
    assert call_model(Whole(), graph) is graph
    with pytest.raises(TypeError, match="edges"):  # and says itself what it lacks
        call_model(ByParts(), lone)


def test_a_wrapper_takes_what_the_network_in_it_takes():
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self.module(*args, **kwargs)

    inputs = {"input_ids": x(), "attention_mask": y()}
    assert call_model(Wrapper(Whole()), inputs) is inputs
    assert call_model(Wrapper(Keywords()), inputs) == "keywords"
    assert call_model(Wrapper(Two()), (x(), y())) == "two"
    assert call_model(torch.compile(Whole(), backend="eager"), inputs) is inputs


def test_logits_are_found_in_what_networks_return():
    logits = x()
    Output = namedtuple("Output", ["logits", "aux_logits"])
    for output in (logits, (logits, None), [logits], {"logits": logits}, {"out": logits}, Output(logits, None)):
        assert output_logits(output) is logits
    # Of several the logits by name, else what comes first.
    others = ({"out": x() + 1, "logits": logits}, {"logits": logits, "out": x() + 1}, (logits, x() + 1))
    assert all(output_logits(output) is logits for output in others)
    for output in ("text", (), {"loss": logits}, None):
        with pytest.raises(ProblemError, match="returned"):
            output_logits(output)


def test_a_batch_is_described_in_a_line():
    text = describe_batch(({"ids": y(), "names": ["a"] * 9}, x()))
    assert text == "({ids: int64 4, names: a list}, float32 4 x 3)"
    assert describe_batch(torch.zeros(())) == "float32 scalar"


def test_forward_may_call_itself_anything():
    class Odd(torch.nn.Module):
        def forward(s, pixel_values, mask=None):
            return pixel_values.sum()

    assert float(call_model(Odd(), {"pixel_values": torch.ones(2)})) == 2.0


def test_batches_go_to_a_gpu_from_pinned_memory_without_waiting(monkeypatch):
    calls = []

    def pinned(tensor):
        calls.append("pinned")
        return tensor

    def moved(tensor, device, non_blocking=False):
        calls.append((str(device), non_blocking))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "to", moved)
    to_device({"x": torch.ones(3), "more": [torch.zeros(2)]}, torch.device("cuda:1"))
    assert calls == ["pinned", ("cuda:1", True)] * 2
    calls.clear()
    to_device(torch.ones(3), "cpu")
    assert calls == [("cpu", False)]
