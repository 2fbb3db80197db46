"""Directions depend on what they should and on nothing else."""

import copy

import numpy as np
import pytest
import torch
from landscape.plot.style.direction_words import directions_text as describe_directions
from torch import nn

import landscape
from landscape.commands.surfaces.summary import describe_result
from landscape.directions.construct import (
    Direction,
    Plane,
    checkpoint_plane,
    default_move,
    random_plane,
    random_tensor,
    rebuild_plane,
)
from landscape.directions.direction_files import read_plane
from landscape.errors import DirectionError, UsageError
from landscape.problem.params import moved_tensors
from landscape.surface.recipes import NORMALIZATIONS
from tests.helpers.tied_network import net

# random_tensor(0, 1, "fc.weight", (2, 2)), written down when the rule was made.
PINNED = [-1.3077266792791995, 1.9659018253228266, -0.3133419662417677, -2.164504424497985]


def network(order=("a", "b"), dtype=torch.float32):
    layers = {"a": nn.Linear(3, 4), "b": nn.Linear(4, 2)}
    model = nn.Module()
    for name in order:
        model.add_module(name, layers[name])
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.copy_(torch.linspace(-1, 1, tensor.numel()).reshape(tensor.shape) + len(name))
    return model.to(dtype)


def test_a_random_tensor_is_pinned_down_for_good():
    # Pinned values: a file's recipe must give the same direction in years to come, or be noticed.
    drawn = random_tensor(0, 1, "fc.weight", (2, 2)).flatten().tolist()
    assert drawn == pytest.approx(PINNED, rel=1e-15)


def test_a_direction_does_not_depend_on_construction_order():
    one, other = random_plane(network(("a", "b"))), random_plane(network(("b", "a")))
    for mine, theirs in zip(one.directions, other.directions, strict=True):
        assert mine.sha256 == theirs.sha256
        for name in mine.tensors:
            assert torch.equal(mine.tensors[name], theirs.tensors[name])


def test_drawing_leaves_torchs_and_numpys_generators_alone():
    torch.manual_seed(5)
    model = network()
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = random_plane(model)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    torch.manual_seed(6)
    assert random_plane(model).directions[0].sha256 == first.directions[0].sha256


def test_a_recipe_says_what_a_filter_is_of_each_tensor():
    model = network()
    model.experts = nn.Parameter(torch.ones(2, 3, 4))
    recipe = random_plane(model, ignore="none").directions[0].recipe
    assert recipe["filters"] == {
        "slices along dimensions 0 and 1": ["experts"],
        "slices along dimension 0": ["a.weight", "b.weight"],
    }
    assert "filters" not in random_plane(model, norm="layer").directions[0].recipe
    deep = nn.Sequential(*(nn.Linear(2, 2) for _ in range(11)))
    named = random_plane(deep).directions[0].recipe["filters"]["slices along dimension 0"]
    assert named[-2:] == ["7.weight", "3 more"]


def test_seeds_and_axes_give_different_directions():
    model = network()
    digests = {d.sha256 for seed in range(3) for d in random_plane(model, seed=seed, dimensions=3).directions}
    assert len(digests) == 9


def test_the_first_axis_of_a_plane_is_the_line_of_the_same_seed():
    model = network()
    assert random_plane(model, dimensions=1).directions[0].sha256 == random_plane(model).directions[0].sha256


def test_cosines_and_lengths_are_what_they_say():
    plane = random_plane(network(dtype=torch.float64), ignore="none")
    dx, dy = (torch.cat([t.flatten() for t in d.tensors.values()]) for d in plane.directions)
    assert plane.directions[0].length == pytest.approx(float(dx.norm()), rel=1e-12)
    assert plane.cosines[0, 1] == pytest.approx(float(dx @ dy / dx.norm() / dy.norm()), rel=1e-10)
    volume = random_plane(network(), orthogonal=True, dimensions=3)
    np.testing.assert_allclose(volume.cosines, np.eye(3), atol=1e-6)


def test_a_recipe_rebuilds_the_direction():
    model = network()
    plane = random_plane(model, seed=3, norm="layer", ignore="none", orthogonal=True, exclude="bias")
    again = rebuild_plane(model, [d.recipe for d in plane.directions])
    assert [d.sha256 for d in plane.directions] == [d.sha256 for d in again.directions]
    assert (again.include, again.exclude) == (None, "bias")


def test_half_precision_weights_get_nearly_the_same_direction():
    whole, half = random_plane(network()), random_plane(network(dtype=torch.float16))
    for name, tensor in whole.directions[0].tensors.items():
        # As wide as the weights: in float32 two directions would take as much as four networks.
        assert half.directions[0].tensors[name].dtype == torch.bfloat16
        torch.testing.assert_close(half.directions[0].tensors[name].float(), tensor, rtol=5e-3, atol=1e-3)


def test_towards_a_checkpoint_one_is_the_other_network(classifier, tmp_path):
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        for tensor in [*other.parameters(), other[1].running_mean, other[1].running_var]:
            tensor.add_(torch.rand_like(tensor))
    torch.save(other.state_dict(), tmp_path / "other.pt")
    plane = checkpoint_plane(classifier, [tmp_path / "other.pt"])
    assert plane.move == default_move(classifier) == "states"
    for name, tensor in classifier.state_dict().items():
        if tensor.is_floating_point():
            arrived = tensor + plane.directions[0].tensors[name]
            torch.testing.assert_close(arrived, other.state_dict()[name], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("choice", "text"), [({"norm": "fitler"}, "filter, layer"), ({"ignore": "bn"}, "biasbn, none")]
)
def test_a_choice_that_there_is_not_is_refused_with_those_there_are(choice, text):
    with pytest.raises(UsageError, match=text):
        random_plane(network(), **choice)


def test_weights_that_are_not_finite_are_refused():
    model = network()
    with torch.no_grad():
        model.a.weight[0, 0] = float("nan")
    with pytest.raises(DirectionError, match=r"a\.weight"):
        random_plane(model)


def test_a_network_of_vectors_alone_says_what_to_do():
    model = nn.Module()
    model.scale = nn.Parameter(torch.ones(3))
    with pytest.raises(DirectionError, match="--ignore none"):
        random_plane(model)


def test_towards_itself_there_is_no_direction(classifier, tmp_path):
    torch.save(classifier.state_dict(), tmp_path / "same.pt")
    with pytest.raises(
        DirectionError, match=r"same\.pt.* is zero everywhere: .*holds the weights that the network has"
    ):
        checkpoint_plane(classifier, [tmp_path / "same.pt"])


class Masked(nn.Module):
    """A network with a mask, a table of whole numbers, statistics, and a complex weight."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.phase = nn.Parameter(torch.randn(4, dtype=torch.cfloat))
        self.norm.running_mean.normal_()
        self.register_buffer("mask", torch.rand(4) > 0.5 if seed else torch.ones(4, dtype=torch.bool))
        self.register_buffer("table", torch.arange(4) + seed)

    def forward(self, x):
        return (torch.fft.fft(self.norm(self.linear(x * self.mask))) * self.phase).abs() + self.table


def towards(tmp_path, model, other, **chosen):
    torch.save(other.state_dict(), tmp_path / "other.pt")
    return checkpoint_plane(model, [tmp_path / "other.pt"], **chosen)


def test_whole_numbers_and_masks_that_differ_are_refused(tmp_path):
    model, other = Masked(0), Masked(1)
    with pytest.raises(DirectionError, match=r"mask, table \(torch\.bool\) cannot move.*other\.pt"):
        towards(tmp_path, model, other)
    model.mask.copy_(other.mask)
    with pytest.raises(DirectionError, match=r"table \(torch\.int64\)"):
        towards(tmp_path, model, other)
    model.table.copy_(other.table)
    other.norm.num_batches_tracked += 5  # of no consequence
    assert towards(tmp_path, model, other).directions[0].recipe["differs"] == []
    # Where nothing but weights could move they do, and a mask is left behind no more than where states move.
    bare, second = nn.Linear(3, 2), nn.Linear(3, 2)
    for each, kept in ((bare, True), (second, False)):
        each.register_buffer("mask", torch.tensor([kept, True, False]))
    with pytest.raises(DirectionError, match=r"mask \(torch\.bool\) cannot move"):
        towards(tmp_path, bare, second)
    assert towards(tmp_path, bare, second, move="weights").directions[0].recipe["differs"] == ["mask"]


@pytest.mark.parametrize(
    ("chosen", "differs"),
    [
        ({"exclude": "mask|table"}, ["mask", "table"]),
        ({"include": "linear"}, ["phase", "norm.running_mean", "mask", "table"]),
        ({"include": "weight"}, ["phase", "linear.bias", "norm.running_mean", "mask", "table"]),
        ({"move": "weights"}, ["norm.running_mean", "mask", "table"]),
    ],
)
def test_what_is_left_behind_knowingly_is_named_and_there_is_no_barrier(tmp_path, chosen, differs):
    torch.manual_seed(3)
    data = torch.randn(8, 4), torch.randint(0, 4, (8,))
    model, other = Masked(0).eval(), Masked(1).eval()
    plane = towards(tmp_path, model, other, **chosen)
    assert sorted(plane.directions[0].recipe["differs"]) == sorted(differs)
    surface = landscape.evaluate(model, data, plane, x="0:1:3")
    assert not surface.axes[0].reaches_checkpoint
    assert "barrier" not in describe_result(surface)
    assert describe_directions(surface).startswith(
        "from the checkpoint (0) towards other.pt (1), which differs there in"
    )
    model.mask.copy_(other.mask), model.table.copy_(other.table)
    whole = landscape.evaluate(model, data, towards(tmp_path, model, other), x="0:1:3")
    assert whole.axes[0].reaches_checkpoint
    assert "barrier" in describe_result(whole)
    with torch.no_grad():
        there = float(nn.functional.cross_entropy(other(data[0]), data[1]))
    assert float(whole["train/loss"][-1]) == pytest.approx(there, rel=1e-5)


def test_one_of_several_networks_in_a_file_is_named_behind_its_path(classifier, tmp_path):
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        other[0].weight.mul_(2)
    torch.save({"model": classifier.state_dict(), "ema": other.state_dict()}, tmp_path / "both.pt")
    plane = checkpoint_plane(classifier, [f"{tmp_path / 'both.pt'}:ema"])
    assert plane.directions[0].recipe["key"] == "ema"
    torch.testing.assert_close(plane.directions[0].tensors["0.weight"], classifier[0].weight.detach())


def test_a_plane_has_at_least_one_direction():
    with pytest.raises(UsageError, match="dimensions is 0"):
        random_plane(network(), dimensions=0)


def lines(model, *parts, **chosen):
    return [random_plane(model, include=part, dimensions=1, **chosen).directions[0] for part in parts]


def test_axes_may_be_over_different_parts_of_a_network(classifier, images, tmp_path):
    plane = Plane.of(lines(classifier, "^0", "^5"))
    assert plane.cosines[0, 1] == 0.0
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    surface = landscape.evaluate(classifier, images, plane, x="-1:1:3", y="-1:1:3", path=tmp_path / "parts.h5")
    x, y = (landscape.evaluate(classifier, images, Plane.of([d]), x="-1:1:3") for d in plane.directions)
    # Each axis alone is the line of its own direction.
    np.testing.assert_allclose(surface["train/loss"][1], x["train/loss"], rtol=1e-12)
    np.testing.assert_allclose(surface["train/loss"][:, 1], y["train/loss"], rtol=1e-12)
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
    # The file's recipes make it again.
    again = read_plane(classifier, tmp_path / "parts.h5")
    assert [d.sha256 for d in again.directions] == [d.sha256 for d in plane.directions]
    more = landscape.evaluate(classifier, images, again, x="-1:1:3", y="-1:1:3")
    np.testing.assert_array_equal(more["train/loss"], surface["train/loss"])


def test_parts_chosen_by_what_they_leave_out_are_joined(classifier):
    first = random_plane(classifier, exclude="^5", dimensions=1, ignore="none").directions[0]
    second = random_plane(classifier, include="^5.*weight", dimensions=1).directions[0]
    plane = Plane.of([first, second])
    names = set(moved_tensors(classifier, include=plane.include, exclude=plane.exclude))
    assert names == {*first.tensors, "5.weight"}
    assert set(plane.directions[0].tensors) == set(plane.directions[1].tensors) == names


def test_towards_a_checkpoint_and_at_random_make_a_plane(classifier, images, tmp_path):
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        for tensor in [*other.parameters(), other[1].running_mean]:
            tensor.add_(0.1 * torch.rand_like(tensor))
    torch.save(other.state_dict(), tmp_path / "b.pt")
    towards_b = checkpoint_plane(classifier, [tmp_path / "b.pt"]).directions[0]
    plane = Plane.of([towards_b, random_plane(classifier).directions[1]])
    assert plane.move == "states"
    surface = landscape.evaluate(
        classifier, images, plane, x="0:1:2", y="0:1:2", path=tmp_path / "mixed.h5", low_memory=True
    )
    with torch.no_grad():
        there = float(nn.functional.cross_entropy(other(images[0]), images[1]))
    assert float(surface["train/loss"][0, 1]) == pytest.approx(there, rel=1e-9)
    again = read_plane(classifier, tmp_path / "mixed.h5")
    assert [d.sha256 for d in again.directions] == [d.sha256 for d in plane.directions]
    with pytest.raises(UsageError, match="--repeats draws other seeds, which needs --directions random"):
        landscape.evaluate(classifier, images, plane, x="0:1:2", y="0:1:2", repeats=2)


@pytest.mark.parametrize("norm", NORMALIZATIONS)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_pruned_weights_stay_at_zero(norm, orthogonal):
    model = network()
    with torch.no_grad():
        model.a.weight[:, 0] = 0
        model.b.weight[0] = 0
    plane = random_plane(model, norm=norm, ignore="none", orthogonal=orthogonal, keep_zeros=True)
    again = rebuild_plane(model, [d.recipe for d in plane.directions], low_memory=True)
    for direction, other in zip(plane.directions, again.directions, strict=True):
        assert direction.sha256 == other.sha256
        for name, parameter in model.named_parameters():
            moved = direction.tensors[name]
            assert not moved[parameter == 0].any()
            assert parameter.ndim < 2 or bool(moved[parameter != 0].any())
        if norm == "filter":
            rows = direction.tensors["a.weight"].norm(dim=1)
            torch.testing.assert_close(rows, model.a.weight.detach().norm(dim=1))


def test_a_plane_that_is_next_to_a_line_says_so(caplog):
    model = network()
    plane = random_plane(model)
    assert not caplog.records
    x = plane.directions[0]
    near = {name: x.tensors[name] + 0.1 * y for name, y in plane.directions[1].tensors.items()}
    Plane.of([x, Direction.of(near, {}, "another")])
    assert "nearly parallel (cosine 0.99" in caplog.text


def test_weights_of_whole_numbers_are_refused_unless_left_behind():
    model = network()
    model.packed = nn.Parameter(torch.ones(3, 3, dtype=torch.int8), requires_grad=False)
    with pytest.raises(UsageError, match=r"packed holds weights of torch\.int8"):
        random_plane(model)
    assert random_plane(model, exclude="packed").directions[0].length > 0


def test_a_complex_direction_is_drawn_in_both_parts():
    model = Masked(0)
    drawn = random_plane(model, ignore="none").directions[0].tensors["phase"]
    assert drawn.dtype == torch.cfloat
    torch.testing.assert_close(drawn.abs(), model.phase.detach().abs())
    assert float(drawn.real.abs().min()) > 0
    assert float(drawn.imag.abs().min()) > 0


def test_what_is_infinite_in_both_networks_stays_where_it_is(tmp_path):
    """A mask of -inf: its difference to itself is no number."""
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    for each in (model, other):
        each.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    torch.save(other.state_dict(), tmp_path / "other.pt")
    (direction,) = checkpoint_plane(model, [tmp_path / "other.pt"]).directions
    assert direction.tensors["mask"].tolist() == [0, 0]
    torch.testing.assert_close(direction.tensors["weight"], (other.weight - model.weight).detach())
    # What is no number in both is nothing that is left behind.
    for each in (model, other):
        each.mask[0] = torch.nan
    torch.save(other.state_dict(), tmp_path / "other.pt")
    assert checkpoint_plane(model, [tmp_path / "other.pt"], move="weights").directions[0].recipe["differs"] == []


def test_a_tied_weight_is_not_left_behind_under_its_other_name(tmp_path):
    assert towards(tmp_path, net(0), net(1), move="weights").directions[0].recipe["differs"] == []


@pytest.mark.parametrize("seed", [2**53 + 1, -(2**53) - 1])
def test_seeds_that_a_file_could_not_hold_exactly_are_refused(seed):
    with pytest.raises(UsageError, match=rf"seed of random directions is {seed}, it may be no larger than 2\^53"):
        random_plane(network(), seed=seed)
