"""An engine that gives something else than the network, anywhere on the way, is not used."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from landscape.engine import lowering
from landscape.engine.agreement import difference, elsewhere
from landscape.engine.kernels import CANARIES, HIDES_NAN, Guard
from landscape.engine.prepare import prepare
from tests.helpers.engine_calls import images, needs_onednn, plain, state_of
from tests.helpers.engine_networks import FAMILIES, make


def test_results_that_are_not_finite_differ():
    plainly = torch.tensor([1.0, torch.nan])
    assert difference(plainly, plainly) == 0
    assert difference(torch.tensor([1.0, 2.0]), plainly) == difference(plainly[:1], plainly) == torch.inf
    # The worst of several counts, over what the plain network gives.
    one, far = torch.tensor([1.0, 4.0]), torch.tensor([1.0, 6.0])
    for ours, wanted in (((far, one), 0.5), ((one, far), 0.5), ((one, one), 0.0)):
        assert difference({"a": ours[0], "b": [ours[1]]}, {"a": one, "b": [one]}) == wanted
    # Of complex results both parts count.
    assert difference(torch.tensor([2 + 1j]), torch.tensor([2 - 1j])) == 1.0


@pytest.mark.parametrize("factor", [0.0, 1.01])
def test_an_engine_that_gives_something_else_is_not_used(monkeypatch, factor):
    right = lowering.scales_and_shifts
    monkeypatch.setattr(lowering, "scales_and_shifts", lambda norms: [(s * factor, t) for s, t in right(norms)])
    engine = prepare(make("resnet"), images())
    assert engine.description["engine"] == "plain"
    assert "differ" in engine.description["note"]


def test_an_engine_that_is_right_at_the_first_point_only_is_not_used(monkeypatch):
    first: dict[Any, Any] = {}
    right = lowering.scales_and_shifts
    monkeypatch.setattr(lowering, "scales_and_shifts", lambda norms: first.setdefault(norms[0], right(norms)))
    engine = prepare(make("vgg"), images())
    assert engine.description["engine"] == "plain"
    assert "differ" in engine.description["note"]


@pytest.mark.parametrize("found", [(1e-7, 3e-6), (3e-6, 1e-7)])
def test_what_is_stated_is_the_larger_difference_of_both_points(monkeypatch, found):
    differences = iter(found)
    monkeypatch.setattr("landscape.engine.prepare._difference", lambda *_: next(differences))
    engine = prepare(make("vgg"), images())
    assert engine.description["agreement"] == 3e-6


def test_the_other_point_is_elsewhere_and_the_way_back_is_exact():
    model = make("resnet")
    before = state_of(model)
    away = {}
    with contextlib.suppress(KeyError), elsewhere(model):
        away = state_of(model)
        raise KeyError("whatever happens there")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    for name, tensor in away.items():
        if tensor.is_floating_point():
            assert not torch.equal(tensor, before[name]), name
    assert all((tensor > 0).all() for name, tensor in away.items() if "running_var" in name)


@needs_onednn
@pytest.mark.parametrize("name", sorted(HIDES_NAN))
def test_fused_activations_do_hide_nan(name):
    """Why there is a guard. Should this fail one day, so that none hides NaN any more, the guard can go."""
    x = torch.full((1, 16, 4, 4), torch.nan).contiguous(memory_format=torch.channels_last)
    scalars = [0.0, 6.0] if name == "hardtanh" else []
    weight = torch.randn(16, 16, 1, 1)
    y = torch.ops.mkldnn._convolution_pointwise(x, weight, None, [0, 0], [1, 1], [1, 1], 1, name, scalars, "")
    assert not y.isnan().any()
    plainly = {"relu": F.relu, "hardtanh": F.relu6, "hardsigmoid": F.hardsigmoid}[name]
    assert plainly(x).isnan().all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_nan_in_any_tensor_of_the_network_is_nan_in_the_loss(family, precision, bad):
    model = make(family)
    engine = prepare(model, images(), precision=precision)
    batch = engine.batch(images())
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        kept = tensor.clone()
        tensor.view(-1)[0] = bad
        engine.refresh()
        finite = plain(model, images()).isfinite()
        # An infinite variance divides to 0, which is as finite as can be.
        assert torch.equal(engine(batch).isfinite(), finite), name
        tensor.copy_(kept)
    engine.refresh()
    assert engine(batch).isfinite().all()


@needs_onednn
@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_that_overflows_gives_nan_where_the_plain_one_does(family):
    model = make(family)
    engine = prepare(model, images())
    batch = engine.batch(images())
    start = state_of(model)
    outcomes = set()
    for exponent in range(2, 14):
        model.load_state_dict(start)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim == 4 or "weight" in name:
                    parameter.mul_(10.0**exponent)
        engine.refresh()
        for _ in range(2):
            ours, wanted = engine(batch), plain(model, images())
            assert torch.equal(ours.isnan(), wanted.isnan()), exponent
            assert torch.equal(ours.isinf(), wanted.isinf()), exponent
        outcomes.add(bool(wanted.isfinite().all()))
    assert outcomes == {True, False}  # else the range of exponents shows nothing


def test_a_guard_looks_at_a_few_samples_and_alarms_beyond_a_limit_and_at_what_is_no_number():
    x = torch.zeros(CANARIES + 1, 3)
    x[0, 1], x[CANARIES - 1, 0], x[CANARIES, 2] = -12.0, 5.0, 1e9
    for given, seen in ((x, 13.0), (x.bfloat16(), 13.0), (x.half(), 12.0)):  # of float16 the largest, not the length
        guard = Guard()
        guard.look_at(given)
        guard.look_at(given / 2)
        assert not guard.alarmed(seen)
        assert not guard.alarmed(0.0), "what was seen is forgotten"
        guard.look_at(given)
        guard.look_at(given / 2)
        assert guard.alarmed(0.99 * seen)
        guard.look_at(torch.full_like(given, torch.nan))
        assert guard.alarmed(1e30)


@needs_onednn
@pytest.mark.parametrize(("precision", "factor"), [("float32", 1e20), ("bfloat16", 1e20), ("float16", 1e4)])
def test_only_at_points_far_out_the_plain_network_runs(precision, factor):
    model = make("resnet")
    engine = prepare(model, images(), precision=precision)
    calls = []
    model.register_forward_hook(lambda *_: calls.append(0))
    for scale, runs in ((1.0, 0), (factor, 2), (1 / factor, 0)):
        with torch.no_grad():
            model.first[1].weight.mul_(scale)
        engine.refresh()
        for _ in range(2):
            result = engine(engine.batch(images()))
        assert len(calls) == runs
        calls.clear()
        if runs:  # and not in low precision: here float16 would give NaN
            assert difference(result, plain(model, images())) < 0.02
        calls.clear()


@needs_onednn
def test_samples_of_zeros_are_measured_like_any_others():
    model, x = make("resnet"), images(CANARIES + 8)
    x[:CANARIES] = 0
    engine = prepare(model, x)
    assert engine.description["engine"] == "fused"
    engine.refresh()
    assert difference(engine(engine.batch(x)), plain(model, x)) < 1e-4


@needs_onednn
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_a_bad_sample_behind_those_that_are_looked_at_is_found(value):
    model = make("resnet")
    engine = prepare(model, images())
    x = images(CANARIES + 8)
    x[-1, 0, 0, 0] = value
    batch = engine.batch(x)
    engine.refresh()
    ours, wanted = engine(batch), plain(model, x)
    assert torch.equal(ours.isfinite(), wanted.isfinite())
    if not torch.isfinite(torch.tensor(value)):
        assert not wanted.isfinite().all()
