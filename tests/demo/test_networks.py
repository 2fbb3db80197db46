"""The two networks of the demo differ by their shortcuts alone, and training them can be repeated."""

import pytest
import torch
from torch import Tensor

from landscape.demo.networks import DigitNetwork, plain, residual
from landscape.demo.run import DemoSettings
from landscape.demo.training import train


@pytest.fixture
def blobs() -> tuple[Tensor, Tensor]:
    """64 noisy images of 4 patterns, easy to tell apart."""
    generator = torch.Generator().manual_seed(3)
    y = torch.arange(64) % 4
    patterns = torch.rand(4, 1, 8, 8, generator=generator)
    return patterns[y] + 0.1 * torch.randn(64, 1, 8, 8, generator=generator), y


def small(*, shortcuts: bool) -> DigitNetwork:
    return DigitNetwork(shortcuts=shortcuts, blocks=1, width=4, classes=4)


def trained(data: tuple[Tensor, Tensor], *, seed: int) -> dict[str, Tensor]:
    model = small(shortcuts=True)
    train(model, *data, epochs=2, seed=seed, batch_size=16)
    return model.state_dict()


def test_the_networks_have_the_same_tensors_with_the_same_initial_values() -> None:
    with_shortcuts, without = residual().state_dict(), plain().state_dict()
    assert list(with_shortcuts) == list(without)
    for name, tensor in with_shortcuts.items():
        assert torch.equal(tensor, without[name]), name


@pytest.mark.parametrize("make", [residual, plain])
def test_the_networks_have_38_layers_and_ten_outputs(make) -> None:
    model = make()
    weights = [name for name, parameter in model.named_parameters() if parameter.ndim > 1]
    assert len(weights) == 38 == DemoSettings().layers
    assert model(torch.rand(3, 1, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_convolutions_have_biases_where_no_batch_norm_has(batch_norm: bool) -> None:
    model = DigitNetwork(shortcuts=True, blocks=1, batch_norm=batch_norm)
    assert {each.bias is None for each in model.modules() if isinstance(each, torch.nn.Conv2d)} == {batch_norm}
    assert any(isinstance(each, torch.nn.BatchNorm2d) for each in model.modules()) == batch_norm


def test_the_shortcuts_are_used() -> None:
    """With every convolution of the blocks at zero, only the shortcuts carry the image to the output."""
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    spread = []
    for model in (residual(blocks=2), plain(blocks=2)):
        with torch.no_grad():
            for parameter in model.blocks.parameters():
                parameter.zero_()
            spread.append(model.eval()(x).std(dim=0).max().item())
    assert spread[0] > 1e-3
    assert spread[1] == 0


def test_making_a_network_depends_on_the_seed_and_not_on_the_global_generator() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = residual(blocks=1, seed=5).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = residual(blocks=1, seed=5).state_dict(), residual(blocks=1, seed=6).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_training_repeats_under_a_seed_and_leaves_the_global_generator_alone(blobs: tuple[Tensor, Tensor]) -> None:
    before = torch.get_rng_state()
    first = trained(blobs, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    again, other = trained(blobs, seed=0), trained(blobs, seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


@pytest.mark.parametrize("shortcuts", [True, False])
def test_training_lowers_the_loss_and_reports_it(blobs: tuple[Tensor, Tensor], shortcuts: bool) -> None:
    x, y = blobs
    model = small(shortcuts=shortcuts)
    heard: list[tuple[int, int, float]] = []
    train(model, x, y, epochs=8, batch_size=16, progress=lambda *report: heard.append(report))
    assert not model.training
    assert [report[:2] for report in heard] == [(epoch, 8) for epoch in range(1, 9)]
    assert heard[-1][2] < 0.5 * heard[0][2]
    with torch.no_grad():
        assert (model(x).argmax(dim=1) == y).float().mean() > 0.9


def test_the_loss_of_an_epoch_is_the_mean_over_its_batches(blobs: tuple[Tensor, Tensor]) -> None:
    """Steps too small to change anything: each epoch's mean is then the loss on all samples, in whatever order."""
    x, y = blobs
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    loss = torch.nn.functional.cross_entropy(model(x), y).item()
    heard: list[float] = []
    train(model, x, y, epochs=2, batch_size=16, learning_rate=1e-12, progress=lambda *report: heard.append(report[2]))
    assert heard == pytest.approx([loss, loss], rel=1e-5)


def test_each_epoch_leaves_other_samples_out_where_they_do_not_make_whole_batches() -> None:
    model, seen = torch.nn.Linear(1, 2), []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten().tolist()))
    train(model, torch.arange(11.0)[:, None], torch.arange(11) % 2, epochs=8, batch_size=4, learning_rate=1e-12)
    epochs = [first + second for first, second in zip(seen[::2], seen[1::2], strict=True)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert {each for epoch in epochs for each in epoch} == set(range(11))
    assert len(set(map(tuple, epochs))) == 8


@pytest.mark.parametrize(("samples", "epochs"), [(15, 1), (64, 0)])
def test_training_on_nothing_is_refused(blobs: tuple[Tensor, Tensor], samples: int, epochs: int) -> None:
    x, y = blobs
    with pytest.raises(ValueError, match="at least one epoch and one batch"):
        train(small(shortcuts=True), x[:samples], y[:samples], epochs=epochs, batch_size=16)
