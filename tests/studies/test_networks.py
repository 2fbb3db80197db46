"""Networks of studies: what their names promise of layers, parameters, initial weights and derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from landscape.demo.networks import plain
from landscape.errors import UsageError
from landscape.studies.study_networks import ACTIVATIONS, convolution, perceptron, residual, transformer


def seeded(factory, **arguments):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(arguments.pop("seed", 0))
        return factory(**arguments)


def layers(network):
    return [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize(("blocks", "depth"), [(1, 8), (3, 20), (9, 56)])
def test_a_residual_network_has_six_layers_a_block_and_two(blocks, depth):
    assert len(layers(residual(blocks=blocks, width=2))) == depth


def outputs(network, x):
    """Return the shapes that each convolution and linear layer gives, without the batch."""
    found = []
    for each in layers(network):
        each.register_forward_hook(lambda module, given, out: found.append(tuple(out.shape[1:])))
    network.eval()(x)
    return found


def test_stages_are_as_wide_and_as_small_as_their_names_say():
    x = torch.rand(2, 3, 16, 16)
    shapes = [(5, 16, 16), (5, 8, 8), (10, 8, 8), (10, 4, 4), (20, 4, 4), (7,)]
    assert outputs(convolution(layers=5, width=5, channels=3, classes=7), x) == shapes
    stages = [(4, 16, 16)] * 2 + [(8, 8, 8)] * 2 + [(16, 4, 4)] * 2
    assert outputs(residual(blocks=1, width=4, channels=3, classes=7), x) == [(4, 16, 16), *stages, (7,)]
    assert outputs(perceptron(depth=3, width=6, inputs=768, classes=7), x) == [(6,)] * 3 + [(7,)]
    # A patch a token: sixteen of 4 x 4 pixels; within a layer twice as wide.
    layer = [(16, 3 * 8), (16, 8), (16, 2 * 8), (16, 8)]
    network = transformer(layers=2, width=8, heads=2, patch=4, side=16, channels=3, classes=7)
    assert outputs(network, x) == [(8, 4, 4), *layer, *layer, (7,)]


def test_shortcuts_change_neither_parameters_nor_their_initial_values():
    one, other = seeded(residual, shortcuts=True).state_dict(), seeded(residual, shortcuts=False).state_dict()
    assert one.keys() == other.keys() == plain(blocks=3).state_dict().keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["linear.weight"], seeded(residual, seed=1).state_dict()["linear.weight"])


def test_without_batch_norm_convolutions_have_biases_of_zero():
    network = residual(batch_norm=False)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in network.modules())
    assert all(bool((each.bias == 0).all()) for each in layers(network))


@pytest.mark.parametrize("gain", [0.5, math.sqrt(2)])
def test_initial_weights_have_the_spread_of_their_gain(gain):
    network = seeded(perceptron, depth=2, width=400, gain=gain)
    for each in layers(network)[:2]:
        assert float(each.weight.detach().std()) * math.sqrt(each.in_features) == pytest.approx(gain, rel=0.02)


def test_orthogonal_weights_keep_lengths_but_for_the_gain():
    weight = layers(seeded(perceptron, depth=2, width=30, initialisation="orthogonal", gain=2.0))[1].weight
    torch.testing.assert_close(weight @ weight.T, 4 * torch.eye(30), atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_block_of_zero_gamma_begins_as_the_identity(batch_norm):
    network = seeded(residual, blocks=1, zero_gamma=True, batch_norm=batch_norm).eval()
    x = torch.rand(2, 8, 4, 4)
    torch.testing.assert_close(network.blocks[0](x), x)
    # By the last scale alone: with the first one at 0, too, no gradient would ever reach it.
    zero = {name for name, each in network.blocks[0].named_parameters() if "weight" in name and not each.any()}
    assert zero == {"norm2.weight" if batch_norm else "conv2.weight"}
    with pytest.raises(UsageError, match="lets nothing pass"):
        residual(zero_gamma=True, shortcuts=False)


def test_activations_are_those_of_their_names():
    x = torch.linspace(-3, 3, 50)
    torch.testing.assert_close(ACTIVATIONS["swish"](x), x * torch.sigmoid(x))
    torch.testing.assert_close(ACTIVATIONS["mish"](x), x * torch.tanh(torch.log1p(torch.exp(x))))
    torch.testing.assert_close(ACTIVATIONS["gelu"](x), x * torch.special.ndtr(x))
    with pytest.raises(UsageError, match="no activation 'Relu'"):
        perceptron(activation="Relu")


def test_attention_is_that_of_torch():
    network = seeded(transformer, layers=1, width=8, heads=2)
    ours = network.layers[0].attention
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = ours.inputs.weight, ours.inputs.bias
    theirs.out_proj.weight, theirs.out_proj.bias = ours.outputs.weight, ours.outputs.bias
    x = torch.rand(3, 16, 8)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


@pytest.mark.parametrize("factory", [residual, perceptron, convolution, transformer])
def test_every_network_has_second_derivatives_and_drops_values_in_training_alone(factory):
    size = {residual: {"blocks": 1, "width": 2}, perceptron: {"width": 8}}.get(factory, {"layers": 2, "width": 8})
    network = seeded(factory, dropout=0.5, **size)
    x = torch.rand(4, 1, 8, 8)
    network.train()
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    weight = layers(network)[0].weight
    loss = nn.functional.cross_entropy(network(x), torch.arange(4))
    (gradient,) = torch.autograd.grad(loss, weight, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert bool(second.isfinite().all())
    assert float(second.norm()) > 0
