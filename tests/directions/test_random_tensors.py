"""A direction that is drawn anew whenever it is needed holds the numbers of one that is kept, to the last bit."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from landscape.directions.construct import Direction, checkpoint_plane, random_plane, random_tensor, rebuild_plane
from landscape.directions.displacement import Displacement
from landscape.directions.filters import filters_of
from landscape.directions.normalization import normalize_direction
from landscape.directions.random_tensors import _generator
from landscape.problem import chunks
from landscape.problem.chunks import LazyTensors, chunk_slices, common_slices, inner_products, real_numbers, zip_chunks
from landscape.problem.params import digest, inner_product, length, moved_tensors
from landscape.surface.recipes import IGNORES, NORMALIZATIONS

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


class Tied(nn.Module):
    """Every kind of tensor: convolutions both ways, a norm, an embedding tied to the last layer, a scalar."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(11, 6)
        self.convolution = nn.Conv1d(6, 9, 3, groups=3)
        self.norm = nn.BatchNorm1d(9)
        self.transposed = nn.ConvTranspose1d(9, 6, 3, groups=3)
        self.head = nn.Linear(6, 11)
        self.head.weight = self.embedding.weight
        self.temperature = nn.Parameter(torch.tensor(1.5))
        self.experts = nn.Parameter(torch.randn(3, 5, 4))
        self.phases = nn.Parameter(torch.randn(5, 4, dtype=torch.cfloat))
        self.shifts = nn.Parameter(torch.randn(7, dtype=torch.cfloat))
        with torch.no_grad():
            self.norm.weight.uniform_(0.5, 2)
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.1, 2)
            self.convolution.weight[2] = 0.0  # a zero filter


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    # So small that every tensor falls into several.
    monkeypatch.setattr(chunks, "CHUNK", 16)


def state(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def tied_in(dtype):
    """Return the network in a type; torch itself would make complex numbers real."""
    model = Tied().eval()
    wide = torch.complex128 if dtype == torch.float64 else torch.complex64
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for tensor in tensors.values():
                if tensor is not None and (tensor.is_floating_point() or tensor.is_complex()):
                    tensor.data = tensor.data.to(wide if tensor.is_complex() else dtype)
    return model


def motion_along(model, plane):
    tensors = moved_tensors(model, move=plane.move, include=plane.include, exclude=plane.exclude)
    return Displacement(model, tensors, [d.tensors for d in plane.directions])


COMBINATIONS = [
    {"norm": norm, "ignore": ignore, "orthogonal": orthogonal, "move": move}
    for norm, ignore, orthogonal, move in itertools.product(
        NORMALIZATIONS, IGNORES, (False, True), ("weights", "states")
    )
]


def named(each):
    return "-".join(map(str, each.values())) if isinstance(each, dict) else str(each)


# Each type with any two of these settings: a quarter of all there are.
TYPED = [(how, DTYPES[(n // 8 + (n ^ n // 2)) % 4]) for n, how in enumerate(COMBINATIONS)]


@pytest.mark.parametrize(("how", "dtype"), TYPED, ids=named)
def test_drawn_anew_it_moves_weights_to_the_same_bits(how, dtype):
    model = tied_in(dtype)
    chosen = {**how, "seed": 3, "dimensions": 3, "exclude": "temperature" if how["ignore"] == "none" else None}
    kept, anew = (random_plane(model, **chosen, low_memory=low) for low in (False, True))
    assert [d.sha256 for d in kept.directions] == [d.sha256 for d in anew.directions]
    assert [d.length for d in kept.directions] == [d.length for d in anew.directions]
    np.testing.assert_array_equal(kept.cosines, anew.cosines)
    assert all(isinstance(d.tensors, LazyTensors) for d in anew.directions)
    start = state(model)
    for at in [(0.3, -0.7, 0.1), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.25)]:
        ended = []
        for plane in (kept, anew):
            displacement = motion_along(model, plane)
            # Twice: what is drawn at a point depends on theta*, not on where the network happens to be.
            displacement.move_to((5.0, 5.0, 5.0))
            displacement.move_to(at)
            ended.append(state(model))
            displacement.restore()
        assert all(torch.equal(ended[0][name], ended[1][name]) for name in start)
        assert not all(torch.equal(ended[0][name], start[name]) for name in start)
    assert all(torch.equal(tensor, start[name]) for name, tensor in state(model).items())


@pytest.mark.parametrize("include", [None, "weight", "^head"])
def test_a_subspace_and_other_seeds_come_out_the_same(include):
    model = Tied().eval()
    for seed in (0, 7):
        kept = random_plane(model, seed=seed, include=include, ignore="none")
        anew = rebuild_plane(model, [d.recipe for d in kept.directions], low_memory=True)
        for mine, other in zip(kept.directions, anew.directions, strict=True):
            assert list(mine.tensors) == list(other.tensors)
            assert all(torch.equal(mine.tensors[name], other.tensors[name]) for name in mine.tensors)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (40, 3), (2, 50, 3)])
def test_numbers_drawn_in_pieces_are_those_drawn_at_once(shape):
    model = nn.Module()
    model.w = nn.Parameter(torch.ones(shape))
    model.other = nn.Parameter(torch.ones(2, 2))
    drawn = random_plane(model, norm="none", ignore="none", dimensions=1, low_memory=True).directions[0].tensors["w"]
    assert torch.equal(drawn, random_tensor(0, 0, "w", shape).float())


def drawn_for(name, tensor):
    if not tensor.is_complex():
        return random_tensor(0, 0, name, tensor.shape)
    generator = _generator(0, 0, name, tensor.shape)
    return torch.view_as_complex(torch.from_numpy(generator.standard_normal((*tensor.shape, 2))))


@pytest.mark.parametrize("norm", NORMALIZATIONS)
def test_scaling_piece_by_piece_is_scaling_the_whole(norm):
    model = tied_in(torch.float64)
    weights = moved_tensors(model)
    whole = {name: drawn_for(name, tensor) for name, tensor in weights.items()}
    scaled = normalize_direction(whole, weights, filters_of(model), norm=norm, ignore="none")
    for name, tensor in random_plane(model, norm=norm, ignore="none").directions[0].tensors.items():
        torch.testing.assert_close(tensor, scaled[name], rtol=1e-14, atol=0)


def test_half_precision_towards_a_checkpoint_arrives_and_keeps_no_more_than_that(tmp_path):
    model, other = tied_in(torch.bfloat16), tied_in(torch.bfloat16)
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.copy_(torch.randn_like(tensor) * 3)
    torch.save(other.state_dict(), tmp_path / "other.pt")
    plane = checkpoint_plane(model, [tmp_path / "other.pt"])
    tree = plane.directions[0].tensors
    moved = moved_tensors(model, move="states")
    assert chunks.kept_bytes(tree) == sum(t.numel() * t.element_size() for t in moved.values())
    motion_along(model, plane).move_to((1.0,))
    for name, tensor in other.state_dict().items():
        # Rounded in float32 once, which may fall on the other side of a tie.
        torch.testing.assert_close(model.state_dict()[name], tensor, rtol=2**-7, atol=1e-6)


def test_a_copy_of_theta_star_stands_in_for_a_network_that_moves():
    model = Tied()
    tree = random_plane(model, low_memory=True).directions[0].tensors
    before = dict(tree)
    bound = tree.about({name: tensor.detach().clone() for name, tensor in moved_tensors(model).items()})
    with torch.no_grad():
        model.embedding.weight.mul_(2)
    assert torch.equal(bound["embedding.weight"], before["embedding.weight"])
    assert not torch.equal(tree["embedding.weight"], before["embedding.weight"])


def test_sums_over_pieces_are_sums_over_tensors():
    model = tied_in(torch.float64)
    plane = random_plane(model, ignore="none", low_memory=True)
    trees = [d.tensors for d in plane.directions]
    flat = [torch.cat([real_numbers(t).flatten() for t in tree.values()]) for tree in trees]
    exact = np.array([[float(a @ b) for a in flat] for b in flat])
    np.testing.assert_allclose(inner_products(trees), exact, rtol=1e-12)
    assert inner_product(trees[0], trees[1]) == pytest.approx(exact[0, 1], rel=1e-12)
    real = {name: tensor for name, tensor in trees[0].items() if not tensor.is_complex()}
    rounded = {name: tensor.to(torch.bfloat16) for name, tensor in real.items()}
    assert Direction.of(real, {}, "").sha256 == digest(rounded)


@pytest.mark.parametrize("bits", ["weights", "buffers"])
def test_norm_model_gives_the_length_of_what_moves(bits):
    model = tied_in(torch.float64)
    move = "weights" if bits == "weights" else "states"
    for ignore in IGNORES:
        moving = {n: t for n, t in moved_tensors(model, move=move).items() if t.ndim >= 2 or ignore == "none"}
        plane = random_plane(model, norm="model", ignore=ignore, move=move, dimensions=1)
        assert plane.directions[0].length == pytest.approx(length(moving), rel=1e-12)


@pytest.mark.parametrize("shape", [(), (0, 3), (100,), (7, 5), (3, 40), (1, 33)])
def test_pieces_cover_a_tensor_once_and_in_order(shape):
    tensor = torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape)
    parts = [tensor[where].reshape(-1) for where in chunk_slices(shape)]
    assert torch.equal(torch.cat(parts), tensor.reshape(-1))
    slices = chunk_slices(shape)
    assert all(len(part) <= 16 or tensor[where].shape[0] == 1 for part, where in zip(parts, slices, strict=True))


def test_trees_that_fall_apart_differently_meet_as_whole_tensors():
    model = Tied()
    other = {name: torch.zeros_like(tensor) for name, tensor in moved_tensors(model).items()}
    drawn = random_plane(model, low_memory=True).directions[0].tensors

    class Zeros(LazyTensors):
        def dtype(self, name):
            return torch.float32

        def chunks(self, name):
            return (other[name][where] for where in self.chunk_slices(name))

        def about(self, weights):
            return self

    zeros = Zeros(other)
    assert common_slices([drawn, zeros], "transposed.weight") == [...]
    side_by_side = list(zip_chunks([drawn, zeros], "transposed.weight"))
    assert all(mine.shape == theirs.shape for mine, theirs in side_by_side)
    assert torch.equal(torch.cat([mine for mine, _ in side_by_side]), drawn["transposed.weight"])
    assert len(common_slices([drawn, zeros], "embedding.weight")) > 1
