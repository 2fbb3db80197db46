"""A checkpoint's tensors are put into a network under whatever names, or what does not fit is listed."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from landscape.errors import CheckpointError
from landscape.problem.checkpoints.checkpoint import Checkpoint, apply_checkpoint
from landscape.problem.params import digest
from tests.helpers.tied_network import Net, net, same


def checkpoint_of(tensors: dict[str, Tensor]) -> Checkpoint:
    return Checkpoint(tensors, "net.pt", digest(tensors))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "net.", "model._orig_mod.", "module.model."])
@pytest.mark.parametrize("around", ["nothing", "model", "module", "compile"])
def test_wrappers_prefixes_are_taken_off_or_put_on(trained, prefix, around):
    tensors = {prefix + name: tensor for name, tensor in trained.state_dict().items()}
    model = net(2)
    outer: nn.Module = model
    if around in ("model", "module"):
        outer = nn.Module()
        setattr(outer, around, model)
    elif around == "compile":
        outer = torch.compile(model, backend="eager")
    apply_checkpoint(outer, checkpoint_of(tensors))
    assert same(model, trained)


def test_a_wrapped_part_of_a_network_is_found(trained):
    tensors = {name.replace("norm.", "norm.module._orig_mod."): each for name, each in trained.state_dict().items()}
    model = net(2)
    apply_checkpoint(model, checkpoint_of(tensors))
    assert same(model, trained)


def test_a_prefix_that_tells_two_parts_apart_is_kept():
    model = nn.ModuleDict({"model": nn.Linear(2, 2), "weight": nn.Identity()})
    model.register_parameter("bias", nn.Parameter(torch.zeros(2)))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.bias.fill_(1)
        other["model"].bias.fill_(2)
    wrapped = {f"module.{name}": tensor for name, tensor in other.state_dict().items()}
    for tensors in (other.state_dict(), wrapped):
        fresh = copy.deepcopy(model)
        apply_checkpoint(fresh, checkpoint_of(tensors))
        assert same(fresh, other)


def test_of_two_networks_whose_names_differ_by_a_wrapper_alone_none_is_taken_for_the_other(trained):
    tensors = trained.state_dict()
    both = tensors | {f"module.{name}": each + 1 for name, each in tensors.items()}
    for given in (both, dict(reversed(both.items()))):
        model = net(2)
        before = digest(model.state_dict())
        with pytest.raises(CheckpointError, match=r"the network does not have: module\."):
            apply_checkpoint(model, checkpoint_of(given))
        assert digest(model.state_dict()) == before


def test_old_files_without_counters_and_with_more_of_them_fit(trained):
    tensors = trained.state_dict()
    with_one_number = tensors | {"norm.num_batches_tracked": torch.tensor([7])}  # as torch 0.3 wrote a scalar
    model = net(2)
    apply_checkpoint(model, checkpoint_of(with_one_number))
    assert torch.equal(model.norm.num_batches_tracked, torch.tensor(7))
    del tensors["norm.num_batches_tracked"]
    tensors["position_ids"] = torch.arange(9)
    model = net(2)
    apply_checkpoint(model, checkpoint_of(tensors))
    assert torch.equal(model.embed.weight, trained.embed.weight)


@pytest.mark.parametrize("name", ["norm.running_mean", "norm.weight"])
def test_a_file_without_a_statistic_or_a_weight_is_refused(trained, name):
    tensors = trained.state_dict()
    del tensors[name]
    with pytest.raises(CheckpointError, match=f"1 the file does not have: {re.escape(name)}"):
        apply_checkpoint(net(2), checkpoint_of(tensors))


def test_a_tied_tensor_may_be_missing_under_its_other_name_and_stays_tied(trained):
    for name in ("embed.weight", "head.weight"):
        tensors = trained.state_dict()
        del tensors[name]
        model = net(2)
        apply_checkpoint(model, checkpoint_of(tensors))
        assert same(model, trained)
        assert model.head.weight is model.embed.weight


def test_tensors_that_are_one_in_the_network_and_two_in_the_file_are_refused():
    tensors, model = net(1, tied=False).state_dict(), net(2)
    with pytest.raises(CheckpointError, match=r"embed\.weight and head\.weight are one tensor in the network"):
        apply_checkpoint(net(2), checkpoint_of(tensors))
    tensors["embed.weight"][0] = torch.nan  # of a network that diverged
    tensors["head.weight"] = tensors["embed.weight"].clone()
    apply_checkpoint(model, checkpoint_of(tensors))
    assert model.head.weight is model.embed.weight
    torch.testing.assert_close(model.head.weight.data, tensors["head.weight"], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_takes_the_checkpoints_precision(trained, precision):
    model = net(2)
    model.register_buffer("times", torch.arange(3.0, dtype=torch.float64), persistent=False)
    apply_checkpoint(model, checkpoint_of(copy.deepcopy(trained).to(precision).state_dict()))
    assert model._buffers.pop("times").dtype == torch.float64, "another precision than the rest to begin with"
    assert {tensor.dtype for tensor in (*model.parameters(), *model.buffers())} == {precision, torch.int64}
    assert model.head.weight is model.embed.weight
    assert not model.scale.requires_grad
    assert same(model, copy.deepcopy(trained).to(precision))


def test_precisions_may_be_mixed_and_an_unsaved_buffer_is_left_then(trained):
    tensors = trained.state_dict()
    tensors["norm.weight"] = tensors["norm.weight"].double()
    model = net(2)
    apply_checkpoint(model, checkpoint_of(tensors))
    assert model.norm.weight.dtype == torch.float64
    assert model.norm.bias.dtype == torch.float32
    assert model.position.dtype == torch.float32


def test_what_does_not_fit_is_listed_and_the_network_left_as_it_was(trained):
    tensors = trained.state_dict()
    tensors["norm.weight"] = torch.zeros(9)
    del tensors["scale"]
    tensors |= {f"extra{number}.weight": torch.zeros(1) for number in range(5)}
    model = net(2)
    before = digest(model.state_dict())
    with pytest.raises(CheckpointError) as caught:
        apply_checkpoint(model, checkpoint_of(tensors))
    assert str(caught.value) == (
        "net.pt does not fit Net: 1 the file does not have: scale, 5 the network does not have: extra0.weight; "
        "extra1.weight; extra2.weight ..., 1 of another shape: norm.weight 9 in the file, 4 in the network; "
        "is it the right network, with the right --model-args?"
    )
    assert digest(model.state_dict()) == before


def test_the_prefix_that_would_make_it_fit_is_named(trained):
    tensors = {f"student.{name}": tensor for name, tensor in trained.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"under 'student\.': choose that part with --checkpoint-key student"):
        apply_checkpoint(net(2), checkpoint_of(tensors))
    outer = nn.Module()
    outer.backbone, outer.classifier = net(2), nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=r"the part of the network called 'backbone\.'"):
        apply_checkpoint(outer, checkpoint_of(trained.state_dict()))


def test_a_network_without_values_yet_gets_them(trained):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    lazy = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    source = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    model[0].weight.requires_grad_(False)
    for empty in (model, lazy):
        apply_checkpoint(empty, checkpoint_of(source.state_dict()))
        assert same(empty, source)
        assert [p.requires_grad for p in empty.parameters()] == [empty is lazy, True, True, True]
        x = torch.ones(5, 3, dtype=torch.float64)
        assert torch.equal(empty.eval()(x), source.eval()(x))
    with torch.device("meta"):
        hopeless = Net()
    with pytest.raises(CheckpointError, match="position is on the meta device"):
        apply_checkpoint(hopeless, checkpoint_of(trained.state_dict()))


def test_a_network_that_renames_old_keys_itself_is_let_do_so(trained):
    class Renamed(Net):
        def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
            if f"{prefix}old_scale" in state_dict:
                state_dict[f"{prefix}scale"] = state_dict.pop(f"{prefix}old_scale")
            super()._load_from_state_dict(state_dict, prefix, *rest)

    tensors = trained.state_dict()
    tensors["old_scale"] = tensors.pop("scale")
    model = Renamed()
    apply_checkpoint(model, checkpoint_of(tensors))
    assert torch.equal(model.scale, trained.scale)
    with pytest.raises(CheckpointError, match="does not fit Net"):
        apply_checkpoint(net(2), checkpoint_of(tensors))


def test_a_prefix_is_whole_names_and_no_part_of_one():
    def layers(prefix):
        return nn.ModuleDict({f"{prefix}fc": nn.Linear(3, 2)})

    for inner, outer in (("", "my"), ("my", "")):
        with pytest.raises(CheckpointError, match="is it the right network, with"):
            apply_checkpoint(layers(outer), checkpoint_of(layers(inner).state_dict()))
