"""The engine gives what the network gives, at every point, or steps aside."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.directions.displacement import untouched
from landscape.engine.agreement import difference
from landscape.engine.prepare import prepare
from tests.helpers.engine_calls import images, needs_onednn, plain, state_of
from tests.helpers.engine_networks import FAMILIES, as_trained, make, moved


@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_follows_the_network_from_point_to_point(family):
    model = make(family)
    engine = prepare(model, images(2))
    batches = [engine.batch(images(5, seed=1)), engine.batch(images(3, seed=2))]  # the last one is short
    start = state_of(model)
    for distance, seed in ((0.0, 0), (0.2, 1), (1.0, 2), (30.0, 3), (1e6, 4), (0.0, 0)):
        model.load_state_dict(start)
        moved(model, distance, seed)
        engine.refresh()
        for batch in batches:
            # 2e-5: float32 sums in another order, amplified by norms whose variance has become nearly 0.
            assert difference(engine(batch), plain(model, batch.contiguous())) < 2e-5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_network_is_left_as_it_was(precision):
    model = make("resnet")
    assert any(getattr(module, "inplace", False) for module in model.modules())
    model.fc.weight.requires_grad_(False)
    before, pointers = state_of(model), [t.data_ptr() for t in model.state_dict().values()]
    modules = [(id(module), getattr(module, "inplace", None)) for module in model.modules()]
    engine = prepare(model, images(), precision=precision)
    engine.refresh()
    engine(images())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert pointers == [t.data_ptr() for t in model.state_dict().values()]
    assert modules == [(id(module), getattr(module, "inplace", None)) for module in model.modules()]
    assert not model.fc.weight.requires_grad
    assert model.first[0].weight.requires_grad
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


class KeepsState(nn.Module):
    """Keeps a state between calls, as recurrent and spiking layers do; what it is for, by name."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.inner, self.kind = make("vgg"), kind
        self.state, self.seen, self.table, self.calls = torch.zeros(1), [], {"last": [None]}, 0

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        if self.kind == "attribute":
            self.state = out
        elif self.kind == "list":
            self.seen.append(out)
        elif self.kind == "nested":
            self.table["last"][0] = out
        elif self.kind == "in place":
            self.state += out.sum()
        elif self.kind == "number":
            self.calls += 1
        elif self.kind == "fails":
            self.state, self.seen = out, [out]
            if float(out.sum()) > 1e9:  # what cannot be recorded
                self.state = out * 2
        return out


@pytest.mark.parametrize("kind", ["attribute", "list", "nested", "in place", "number", "fails"])
def test_recording_leaves_nothing_behind_and_does_not_stand_in_for_what_keeps_a_state(kind):
    model = KeepsState(kind).eval()
    state, seen, table = model.state, model.seen, model.table
    with untouched(model):
        engine = prepare(model, images())
        assert engine.description["engine"] == "plain"
        ours = engine(engine.batch(images()))
    assert torch.equal(ours, plain(model.inner, images()))
    assert model.state is state
    assert state.tolist() == [0.0]
    assert model.seen is seen
    assert seen == []
    assert model.table is table
    assert table == {"last": [None]}
    assert model.calls == 0


def test_torchs_random_stream_is_left_as_it_was():
    model = make("vgg")
    before = torch.random.get_rng_state()
    prepare(model, images())
    assert torch.equal(before, torch.random.get_rng_state())


def test_in_double_precision_an_engine_is_as_good_as_the_network(classifier, images):
    engine = prepare(classifier, images[0])
    moved(classifier, 0.5)
    engine.refresh()
    assert engine.description["engine"] == "folded"
    assert difference(engine(images[0]), plain(classifier, images[0])) < 1e-13
    assert engine(images[0]).dtype == torch.float64


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_low_precision_comes_back_in_float32_and_about_right(family, precision):
    model = make(family)
    engine = prepare(model, images(), precision=precision)
    assert "note" not in engine.description
    moved(model, 0.1)
    engine.refresh()
    x = images(20)
    ours = engine(engine.batch(x))
    assert ours.dtype == torch.float32
    # About ten layers that round to 8 (11) bits: some times 2^-9 (2^-12) each.
    assert float((ours - plain(model, x)).norm() / plain(model, x).norm()) < (
        0.03 if precision == "bfloat16" else 0.004
    )
    assert torch.equal(ours, engine(x))  # whether converted beforehand or not


def test_results_keep_their_structure():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = make("vgg")

        def forward(self, x: Tensor) -> dict[str, Any]:
            out = self.inner(x)
            return {"logits": out, "more": (out.argmax(1), [out.exp()])}

    model = Two().eval()
    for precision in ("float32", "bfloat16"):
        result = prepare(model, images(), precision=precision)(images())
        assert result["logits"].dtype == result["more"][1][0].dtype == torch.float32
        assert result["more"][0].dtype == torch.int64


def test_data_are_converted_once():
    engine = prepare(make("resnet"), images(), precision="bfloat16")
    batch = engine.batch({"x": images().double(), "ids": torch.arange(6), "flat": torch.zeros(6, 2)})
    assert batch["x"].dtype == batch["flat"].dtype == torch.bfloat16
    assert batch["x"].is_contiguous(memory_format=torch.channels_last)
    assert batch["ids"].dtype == torch.int64
    again = engine.batch(batch)
    assert again["x"].data_ptr() == batch["x"].data_ptr()


class Text(nn.Module):
    """No convolution, a mapping of inputs, whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.norm = nn.LayerNorm(16)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 5)

    def forward(self, ids: Tensor, weights: Tensor | None = None) -> Tensor:
        x = self.norm(self.embedding(ids))
        if weights is not None:
            x = x * weights[..., None]
        return self.down(F.gelu(self.up(x))).mean(1)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_inputs_may_be_a_mapping_or_a_tuple(precision):
    model = Text().eval()
    ids, weights = torch.randint(0, 11, (4, 7)), torch.rand(4, 7)
    wanted = plain(model, ids, weights)
    for inputs in ({"ids": ids, "weights": weights}, (ids, weights)):
        engine = prepare(model, inputs, precision=precision)
        assert "note" not in engine.description
        args, kwargs = ((), inputs) if isinstance(inputs, dict) else (inputs, {})
        assert difference(engine(*args, **kwargs), wanted) < (1e-5 if precision == "float32" else 0.03)
    assert difference(prepare(model, ids)(ids), plain(model, ids)) < 1e-5


def test_of_a_whole_batch_targets_stay_as_they_are():
    engine = prepare(make("resnet"), images(), precision="bfloat16")
    soft = torch.rand(6, 10)
    x, y = engine.whole_batch((images(), soft))
    assert x.dtype == torch.bfloat16
    assert y is soft
    batch = engine.whole_batch({"x": images(), "labels": soft, "id": "a"})
    assert batch["x"].dtype == torch.bfloat16
    assert batch["labels"] is soft
    assert batch["id"] == "a"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_loss_may_use_an_engine_like_the_network(precision):
    """As a user's own loss does: inputs not converted, attributes asked for, results written into."""
    model = Text().eval()
    ids, weights = torch.randint(0, 11, (4, 7)), torch.rand(4, 7)

    def loss(network: Any) -> Tensor:
        out = network(ids, weights=weights.double())
        out[:, 0] = 0
        return out.sum(1) + network.down.bias.sum() + float(network.training)

    model = model.double()
    inputs = {"ids": ids, "weights": weights.double()}
    wanted = loss(model).detach()
    engine = prepare(model.float(), inputs, precision=precision)
    assert difference(loss(engine), wanted) < (1e-5 if precision == "float32" else 0.03)


@pytest.mark.parametrize(("family", "plainly"), [("vgg", True), ("resnet", False)])  # the first needs a view
def test_a_network_that_overwrites_its_input_gets_a_copy(family, plainly):
    class Normalizing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = make(family)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.sub_(0.5).div_(0.2))

    model = Normalizing().eval()
    x = images()
    kept = x.clone()
    engine = prepare(model, x)
    assert (engine.description["engine"] == "plain") is plainly
    batch = engine.batch(x)
    first, second = engine(batch), engine(batch)
    assert torch.equal(first, second)
    assert torch.equal(x, kept)
    assert difference(first, plain(model, kept.clone())) < 1e-5


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = make("vgg")

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if float(x.mean()) < 100 else x


class Viewing(nn.Module):
    """Its course depends on data, and it flattens by `view`, which channels-last memory does not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 14 * 14, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.fc(x.view(len(x.tolist()), -1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", [Branching, Viewing])
def test_a_network_that_cannot_be_recorded_runs_as_it_is(model, precision, caplog):
    model = model().eval()
    with caplog.at_level(logging.DEBUG, logger="landscape"):
        engine = prepare(model, images(), precision=precision)
    assert engine.description["engine"] == "plain"
    assert "recorded" in caplog.text
    assert {record.levelname for record in caplog.records} == {"DEBUG"}
    moved(model, 0.1)
    engine.refresh()
    ours = engine(engine.batch(images()))
    assert ours.dtype == torch.float32
    assert difference(ours, plain(model, images())) < (1e-5 if precision == "float32" else 0.03)
    assert (difference(ours, plain(model, images())) > 1e-5) == (precision == "bfloat16")


def test_a_network_in_train_mode_runs_as_it_is():
    model = make("resnet").train()
    assert prepare(model, images()).description["engine"] == "plain"
    half = make("resnet")
    half.blocks[0].bn1.train()
    assert "train" in prepare(half, images()).description["note"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, None])
def test_a_network_of_other_or_mixed_types_runs_as_it_is(dtype):
    model = make("vgg")
    if dtype is None:
        model.classifier.double()
        model.classifier.register_forward_pre_hook(lambda module, args: args[0].double())
    else:
        model = model.to(dtype)
    engine = prepare(model, images())
    assert engine.description["engine"] == "plain"
    assert difference(engine(engine.batch(images())), plain(model, engine.batch(images()))) < 1e-9


def test_where_the_private_operators_are_missing_norms_are_folded_all_the_same(monkeypatch):
    monkeypatch.setattr("landscape.engine.lowering.onednn_fuses", lambda dtype, device: False)
    model = make("resnet")
    engine = prepare(model, images())
    assert engine.description["engine"] == "folded"
    moved(model, 0.5)
    engine.refresh()
    assert difference(engine(images()), plain(model, images())) < 1e-5


@needs_onednn
def test_where_a_private_operator_fails_the_plain_network_runs(monkeypatch):
    def fails(*args: Any) -> Any:
        raise RuntimeError("no such primitive")

    monkeypatch.setattr("landscape.engine.kernels.Convolution.forward", fails)
    engine = prepare(make("resnet"), images())
    assert engine.description["note"] == "RuntimeError: no such primitive"
    assert difference(engine(images()), plain(engine.module, images())) < 1e-6


def test_without_folding_and_fusing_no_memory_is_taken():
    for fold, fuse in ((False, False), (True, True)):
        engine = prepare(make("resnet"), images(), fold=fold, fuse=fuse)
        assert (engine.description["extra_bytes"] > 0) == fold
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    linear = prepare(layers, torch.zeros(3, 4))
    assert linear.description["extra_bytes"] == 0
    assert linear.description["note"] == "there is nothing in it to fold or to fuse"
    assert prepare(layers, torch.zeros(3, 4), precision="bfloat16").description["engine"] == "cast"


def test_what_runs_is_said_in_json():
    for precision in ("float32", "bfloat16"):
        said = json.loads(json.dumps(prepare(make("resnet"), images(), precision=precision).description))
        assert said["precision"] == precision
        assert said["agreement"] < 1e-5
        assert said["layers"]


def test_a_precision_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"float64.*float32, bfloat16, float16"):
        prepare(make("vgg"), images(), precision="float64")


def test_a_compiler_that_fails_is_done_without(monkeypatch):
    def fails(model: nn.Module) -> Any:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch, "compile", fails)
    engine = prepare(make("vgg"), images(), compile=True)
    assert engine.description["engine"] == "plain"
    assert engine.description["note"] == "RuntimeError: no compiler here"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_compiled_network_follows_from_point_to_point(monkeypatch, precision):
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compiler(model, backend="eager"))
    model = as_trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(784, 3)))
    engine = prepare(model, images(), precision=precision, compile=True)
    assert engine.description["engine"] == "compiled"
    moved(model, 0.5)
    engine.refresh()
    assert difference(engine(images()), plain(model, images())) < (1e-5 if precision == "float32" else 0.03)


def test_an_engine_is_asked_for_nothing_twice(monkeypatch):
    """The network is recorded once a precision, and run a handful of times: preparing is no cost."""
    model = make("vgg")
    calls = []
    forward = type(model).forward
    monkeypatch.setattr(type(model), "forward", lambda self, x: calls.append(0) or forward(self, x))
    prepare(model, images())
    assert len(calls) <= 6
