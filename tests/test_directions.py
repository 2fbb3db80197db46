"""Directions depend on what they should and on nothing else."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from landscape.directions import checkpoint_plane, default_move, random_plane, random_tensor, rebuild_plane
from landscape.errors import DirectionError, UsageError

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
    assert random_plane(network(), orthogonal=True).cosines[0, 1] == pytest.approx(0, abs=1e-6)


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
