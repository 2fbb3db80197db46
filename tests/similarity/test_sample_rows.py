"""Whose rows are whose: wherever a module has its samples, a layer's features are what the module gives for each alone.

The other side of each comparison asks the network for one sample at a time, where nothing needs to be told apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.errors import UsageError
from landscape.similarity.sample_rows import Place, is_right, places_by_shape, rows_of
from tests.similarity.test_hsic import naive

N = 24


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class StepsFirst(nn.Module):
    """Takes samples first, runs steps first, and has a layer over all steps of all samples."""

    def __init__(self, steps: int = 7) -> None:
        super().__init__()
        self.rnn, self.each, self.out = nn.GRU(4, 5), nn.Linear(5, 3), nn.Linear(3 * steps, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x.transpose(0, 1))
        each = torch.tanh(self.each(states.flatten(0, 1))).unflatten(0, states.shape[:2])
        found: Tensor = self.out(each.transpose(0, 1).flatten(1))
        return found


class TwoViews(nn.Module):
    """Looks at all samples, and then at all of them turned around, in one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Linear(6, 8), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        one, other = torch.relu(self.body(torch.cat([x, x.flip(1)]))).chunk(2)
        found: Tensor = self.out(torch.cat([one, other], 1))
        return found


class Windows(nn.Module):
    """Has three windows of each sample that follow each other."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Linear(4, 8), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.body(x.reshape(-1, 4)).reshape(len(x), -1))
        return found


class Packed(nn.Module):
    """Packs steps: the first of all samples, then the second of all."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.full((len(x),), x.shape[1])
        packed, _ = self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))
        found: Tensor = self.out(nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0].mean(1))
        return found


class Padded(nn.Module):
    """Hands an encoder of PyTorch, which would make nested tensors of them, sequences with padding."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.into, self.body, self.out = nn.Embedding(9, 8), nn.TransformerEncoder(layer, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.body(self.into(x), src_key_padding_mask=x == 0)[:, 0])
        return found


def alone(model: nn.Module, x: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return what modules give for one sample at a time, shape (n, p) each."""
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    modules = dict(model.named_modules())

    def hook_of(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            while isinstance(output, tuple):
                output = output[0]
            assert isinstance(output, Tensor)
            kept[name].append(output.detach().flatten().double())

        return hook

    hooks = [modules[name].register_forward_hook(hook_of(name)) for name in names]
    with torch.no_grad():
        for row in x:
            model(row[None])
    for hook in hooks:
        hook.remove()
    return {name: torch.stack(rows) for name, rows in kept.items()}


@pytest.mark.parametrize(
    ("kind", "x"),
    [
        (StepsFirst, draw(N, 7, 4)),
        (lambda: StepsFirst(5), draw(N, 5, 4)),  # as many steps as samples of the calls that tell
        (TwoViews, draw(N, 6)),
        (Windows, draw(N, 12)),
        (Packed, draw(N, 5, 4)),
    ],
    ids=["steps first", "as many steps as samples", "two views", "windows", "packed"],
)
def test_layers_are_compared_by_what_they_give_for_each_sample_alone(kind: Callable[[], nn.Module], x: Tensor) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    found = landscape.similarity(model, x, passes=1)
    names = found.networks[0].layers
    assert set(names) == {name for name, _ in model.named_children()}
    own = alone(model, x, names)
    assert [own[name].shape[1] for name in names] == list(found.networks[0].features)
    wanted = naive([[(own[name] - own[name].mean(0)).numpy() for name in names]])
    np.testing.assert_allclose(found.cka, wanted, atol=1e-5)


class Sorted(nn.Module):
    """Puts samples in an order of its own, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        order = x[:, 0].argsort()
        found: Tensor = self.out(torch.tanh(self.body(x[order]))[order.argsort()])
        return found


def test_a_layer_whose_rows_are_in_another_order_than_the_samples_is_left_out_with_a_note() -> None:
    found = landscape.similarity(Sorted(), draw(N, 6), passes=1)
    assert found.networks[0].layers == ("out",)
    words = "rows of what body gives do not go with the samples where these are given in another order: left out"
    assert found.notes == (f"network: {words}",)
    with pytest.raises(UsageError, match="body gives do not go with the samples"):
        landscape.similarity(Sorted(), draw(N, 6), layers="body")


def test_an_encoder_that_makes_nested_tensors_of_padding_has_layers() -> None:
    tokens = torch.randint(1, 9, (N, 6), generator=torch.Generator().manual_seed(0))
    tokens[::2, 4:] = 0
    fused = torch.backends.mha.get_fastpath_enabled()
    found = landscape.similarity(Padded(), tokens, passes=1)
    assert {"into", "body.layers.0.linear2", "out"} <= set(found.networks[0].layers)
    assert not found.notes
    assert torch.backends.mha.get_fastpath_enabled() is fused


def test_what_is_sparse_within_a_network_or_what_it_gives_is_what_it_stands_for() -> None:
    class Sparse(Windows):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).to_sparse()

    torch.manual_seed(0)
    model, x, y = Sparse().eval(), draw(N, 12), torch.arange(N) % 2
    plain = Windows().eval()
    plain.load_state_dict(model.state_dict())
    found, wanted = (landscape.similarity(each, x, passes=1) for each in (model, plain))
    np.testing.assert_array_equal(found.cka, wanted.cka)
    for measure in (
        lambda net: landscape.predictions({"a": [net]}, (x, y)).probabilities,
        lambda net: landscape.evaluate(net, (x, y), x="-1:1:3")["train/loss"],
        lambda net: landscape.curvature(net, (x, y), eigenvalues=1).eigenvalues,
    ):
        np.testing.assert_array_equal(measure(model), measure(plain))


def test_a_network_that_was_compiled_and_called_has_the_layers_it_had_before() -> None:
    torch.manual_seed(0)
    model = Windows().eval()
    plain = landscape.similarity(model, draw(N, 12), passes=1)
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        compiled(draw(5, 12)), compiled(draw(4, 12))
    found = landscape.similarity(compiled, draw(N, 12), passes=1)
    assert [name.removeprefix("_orig_mod.") for name in found.networks[0].layers] == list(plain.networks[0].layers)
    np.testing.assert_allclose(found.cka, plain.cka)


def test_a_compiled_network_is_refused_where_nothing_can_run_it_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = torch.compile(Windows().eval(), backend="eager")
    monkeypatch.delattr(torch.compiler, "set_stance")
    with pytest.raises(UsageError, match="give the network as it was before"):
        landscape.similarity(compiled, draw(N, 12))
    assert landscape.similarity(Windows(), draw(N, 12), passes=1).networks[0].layers == ("body", "out")


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript_is_left_out_or_refused_in_words() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.out = torch.jit.script(Windows()), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.out(self.inner(x))
            return found

    found = landscape.similarity(Outer(), draw(N, 12), passes=1)
    assert found.networks[0].layers == ("out",)
    assert found.notes == ("network: what inner gives cannot be listened to (TorchScript): left out",)
    # What is asked for lies inside of it.
    with pytest.raises(UsageError, match=r"a sample \(what inner gives cannot be listened to \(TorchScript\)\)"):
        landscape.similarity(Outer(), draw(N, 12), layers="body")
    with pytest.raises(UsageError, match=r"\(what the network gives cannot be listened to \(TorchScript\)\)"):
        landscape.similarity(torch.jit.script(Windows()), draw(N, 12))


def test_places_are_where_an_output_grows_with_the_samples() -> None:
    assert places_by_shape([(7, 3), (5, 2)], [(7, 3), (4, 2)], (5, 4)) == [Place(1, 0, 1)]
    assert places_by_shape([(10, 5)], [(8, 4)], (5, 4)) == [
        Place(0, 0, 2),
        Place(0, 0, 2, apart=True),
        Place(0, 1, 1),
    ]
    assert places_by_shape([(11,), (4, 5), ()], [(9,), (4, 5), ()], (5, 4)) == []


def test_rows_are_right_where_they_move_with_the_samples() -> None:
    x = draw(5, 2, 100)
    turned = x.roll(-1, 0)

    def right(one: Tensor, other: Tensor, place: Place) -> bool:
        return is_right(place, [rows_of(one)], [rows_of(other)], 5)

    together, apart = Place(0, 0, 2), Place(0, 0, 2, apart=True)
    flat, strided = (lambda t: t.flatten(0, 1)), (lambda t: t.transpose(0, 1).flatten(0, 1))
    assert [right(flat(x), flat(turned), each) for each in (together, apart)] == [True, False]
    assert [right(strided(x), strided(turned), each) for each in (together, apart)] == [False, True]
    # Around a number that is far larger than what tells samples apart.
    assert [right(strided(x) + 1e4, strided(turned) + 1e4, each) for each in (together, apart)] == [False, True]
    # What is not finite goes with its sample, too; a layer that is nowhere finite is told of later.
    x[2, 0, 0] = torch.nan
    assert right(flat(x), flat(x.roll(-1, 0)), together)
    assert not right(flat(x), flat(x), together)
    nowhere = torch.full((10, 4), torch.nan)
    assert right(nowhere, nowhere, together)
    # One that is the same for all but for rounding is none's in particular.
    same = torch.ones(10, 4) * (1 + 1e-7 * draw(10, 4))
    assert right(same, same, together)
    # Of another shape, or not there.
    assert not right(flat(x), flat(x)[:8], together)
    assert not right(flat(x), flat(x), Place(1, 0, 2))
    assert right(torch.arange(5.0), torch.arange(5.0).roll(-1), Place(0, 0, 1))
