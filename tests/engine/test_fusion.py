"""Layers are matched where that is right, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from landscape.engine.agreement import AGREEMENT, difference
from landscape.engine.kernels import scales_and_shifts
from landscape.engine.lowering import lower
from landscape.engine.tracing import NotTraceable, trace
from tests.helpers.engine_calls import Written, both, conv, images, lowered, needs_onednn
from tests.helpers.engine_networks import FAMILIES, as_trained, make, moved

FOUND = {
    "resnet": {
        "convolution + norm + relu": 4,
        "convolution + norm": 2,
        "convolution + norm + addition + relu": 3,
    },
    "vgg": {"convolution + norm + relu": 3},
    "densenet": {"convolution": 4, "convolution + norm + relu": 3, "norm + relu": 4},
    "wide": {
        "convolution": 1 + 1,
        "convolution + norm + relu": 3,
        "convolution + addition": 3,
        "norm + relu": 4,
    },
}


@needs_onednn
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_matched_completely(family):
    assert lowered(make(family), images(3)).layers == FOUND[family]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("distance", [0.0, 0.3, 1.0, 10.0, 1000.0])
def test_replaced_layers_give_what_the_network_gives_near_and_far(family, fuse, distance):
    model = make(family)
    program = lowered(model, images(3), fuse=fuse)
    moved(model, distance, seed=3)
    assert difference(*both(model, program, images(5))) < AGREEMENT[torch.float32] / 10


@pytest.mark.parametrize("family", FAMILIES)
def test_in_double_precision_folding_differs_by_its_rounding_alone(family):
    model = make(family).double()
    program = lowered(model, images(3).double())
    moved(model, 1.0)
    assert any("norm" in title for title in program.layers)
    assert difference(*both(model, program, images(3).double())) < 1e-12


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_low_precision_nothing_is_left_in_float32_but_the_head(family, dtype):
    model = make(family)
    program = lowered(model, images(3), dtype=dtype)
    ours, plain = both(model, program, images(8))
    # Rounding to 8 or 11 bits in each of some ten layers: a few times 2^-8, or 2^-11.
    assert float((ours.float() - plain).norm() / plain.norm()) < (0.03 if dtype == torch.bfloat16 else 0.004)
    moved(model, 0.1)
    ours, plain = both(model, program, images(8))
    assert float((ours.float() - plain).norm() / plain.norm()) < (0.05 if dtype == torch.bfloat16 else 0.006)


def test_a_head_that_costs_next_to_nothing_stays_in_float32():
    heavy = lowered(make("vgg"), images(3), dtype=torch.bfloat16)
    layers = [conv(3, 32), conv(32, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5)]
    model = as_trained(nn.Sequential(*layers))
    light = lowered(model, images(3), dtype=torch.bfloat16)
    assert (heavy.precise_head, light.precise_head) == (True, True)
    wide = as_trained(nn.Sequential(conv(), nn.Flatten(), nn.Linear(768, 768)))
    assert not lowered(wide, images(3), dtype=torch.bfloat16).precise_head
    behind = as_trained(nn.Sequential(*layers, nn.LayerNorm(5)))  # a layer with weights behind it: no head
    assert not lowered(behind, images(3), dtype=torch.bfloat16).precise_head
    free = as_trained(nn.Sequential(*layers, nn.Softmax(1)))
    assert lowered(free, images(3), dtype=torch.bfloat16).precise_head
    with torch.inference_mode():
        assert light.run(images(3).bfloat16()).dtype == torch.float32


def test_a_norm_is_not_folded_where_another_reads_what_it_reads():
    model = Written(lambda self, x: self.bn(y := self.conv(x)) + y.abs(), conv=conv(), bn=nn.BatchNorm2d(3))
    program = lowered(model, images(3))
    assert not any("norm" in title for title in program.layers)
    assert difference(*both(model, program, images(3))) < 1e-5


@pytest.mark.parametrize(
    "norm",
    [nn.BatchNorm2d(3, track_running_stats=False), nn.BatchNorm2d(3), nn.InstanceNorm2d(3), nn.GroupNorm(1, 3)],
    ids=["untracked", "in train mode", "instance", "group"],
)
def test_what_depends_on_the_batch_or_the_sample_is_not_folded(norm):
    model = Written(lambda self, x: self.norm(self.conv(x)), conv=conv(), norm=norm)
    norm.train(isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats)
    program = lowered(model, images(3))
    assert not any("norm" in title for title in program.layers)
    assert difference(*both(model, program, images(3))) < 1e-5


def test_a_norm_of_a_sequence_is_no_norm_of_the_layers_outputs():
    # (samples, 4 steps, 4 outputs): a norm of 4 channels takes the steps for channels.
    model = as_trained(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)))
    x = torch.randn(3, 4, 6)
    assert lowered(model, x).layers == {}
    flat = torch.randn(3, 6)
    assert lowered(model, flat).layers == {"linear + norm": 1}
    assert difference(*both(model, lowered(model, flat), flat)) < 1e-6


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), (2, 3, 9)),
        (nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), (2, 3, 5, 5, 5)),
        (nn.Conv2d(4, 8, 3, stride=2, dilation=2, groups=2), nn.BatchNorm2d(8), (2, 4, 9, 9)),
        (nn.Conv2d(4, 4, (3, 1), padding=(1, 0), groups=4, bias=False), nn.BatchNorm2d(4, affine=False), (2, 4, 9, 9)),
        (nn.Conv2d(4, 4, 3, padding="same"), nn.BatchNorm2d(4, eps=0.1), (2, 4, 9, 9)),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), nn.BatchNorm2d(4), (2, 4, 9, 9)),
        (nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), (5, 4)),
    ],
    ids=["1d", "3d", "strided", "depthwise", "same", "parametrized", "linear"],
)
def test_norms_are_folded_into_layers_of_every_kind(layer, norm, shape):
    model = as_trained(nn.Sequential(layer, norm, nn.ReLU()))
    x = torch.randn(shape)
    program = lowered(model, x)
    assert any("norm" in title for title in program.layers)
    moved(model, 0.5)
    assert difference(*both(model, program, x)) < 1e-5


def test_norms_of_all_kinds_are_folded_at_once():
    norms = [nn.BatchNorm2d(3), nn.BatchNorm2d(5, affine=False, eps=0.1), nn.BatchNorm1d(2), nn.BatchNorm2d(1)]
    for norm in norms:
        as_trained(norm)
    for norm, (scale, shift) in zip(norms, scales_and_shifts(norms), strict=True):
        x = torch.randn(4, norm.num_features, *[3] * (2 * isinstance(norm, nn.BatchNorm2d)))
        shape = (-1, *[1] * (x.ndim - 2))
        torch.testing.assert_close(x * scale.view(shape) + shift.view(shape), norm(x).detach())
    assert scales_and_shifts([]) == []


def test_dropout_that_is_on_is_not_left_out():
    model = Written(lambda self, x: self.drop(self.conv(x)), conv=conv(), drop=nn.Dropout(0.5))
    model.drop.train()
    result = lowered(model, images(3)).run(images(3))
    assert 0.3 < float((result == 0).float().mean()) < 0.7


class Standardized(nn.Conv2d):
    """A convolution that normalises its weight first: not what its weight says."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight / self.weight.std(), self.bias, padding=1)


@pytest.mark.parametrize(
    "layer", [Standardized(3, 3, 3, padding=1), conv(padding_mode="circular"), nn.ConvTranspose2d(3, 3, 3)]
)
def test_a_layer_that_does_something_else_with_its_weight_is_left_alone(layer):
    model = as_trained(nn.Sequential(layer, nn.BatchNorm2d(3), nn.ReLU()))
    program = lowered(model, images(3))
    assert not any("convolution" in title for title in program.layers)
    moved(model, 0.5)
    assert difference(*both(model, program, images(3))) < 1e-5


def test_a_layer_used_twice_has_its_weights_once_and_a_norm_each():
    model = Written(
        lambda self, x: self.b1(self.conv(x)) + self.b2(self.conv(self.conv(x))),
        conv=conv(),
        b1=nn.BatchNorm2d(3),
        b2=nn.BatchNorm2d(3),
    )
    program = lowered(model, images(3), fuse=True)
    moved(model, 0.5)
    assert difference(*both(model, program, images(3))) < 1e-5
    again = Written(lambda self, x: self.conv(F.relu(self.conv(F.relu(self.conv(x))))), conv=conv())
    program = lowered(again, images(3))
    assert len(program.weights) <= 1
    assert difference(*both(again, program, images(3))) < 1e-5


class OddlyHeld(nn.Module):
    """Parameters and buffers used by forward itself, a default argument, a list of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("shift", torch.tensor([0.1, 0.2, 0.3]))
        self.more = nn.ParameterList([nn.Parameter(torch.ones(3, 1, 1))])
        self.embedding = nn.Embedding(4, 3)
        self.norm = nn.InstanceNorm2d(3, affine=True, track_running_stats=True)

    def forward(self, x: Tensor, mask: Tensor | None = None, *, gain: float = 2.0) -> dict[str, Any]:
        out = self.norm(self.conv(x)) * self.scale.exp() * gain + self.shift.square()[:, None, None] * self.more[0]
        out = out + self.embedding(torch.arange(2)).sum()
        if mask is not None:
            out = out * mask
        return {"logits": out, "parts": (out.mean(), x.shape[0])}


def test_parameters_and_buffers_that_forward_reads_itself_move_with_the_network():
    model = OddlyHeld().eval()
    program = lowered(model, images(3))
    low = lowered(model, images(3), dtype=torch.bfloat16)
    moved(model, 0.7)
    ours, plain = both(model, program, images(3))
    assert difference(ours, plain) < 1e-6
    assert ours["parts"][1] == 3
    ours, plain = both(model, low, images(3))
    assert difference(ours, plain) < 0.03
    masked = lower(model, (images(3),), {"mask": images(3) > 0}, dtype=torch.float32)
    with torch.inference_mode():
        assert difference(masked.run(images(3), mask=images(3) < 0.5), model(images(3), images(3) < 0.5)) < 1e-6


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class AnyNumber(nn.Module):
    def forward(self, *xs: Tensor) -> Tensor:
        return sum(xs)


def hooked(*, before: bool) -> nn.Module:
    model = nn.Sequential(conv())
    if before:  # as pruning and old weight norms have it
        model[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    else:
        model[0].register_forward_hook(lambda module, args, result: result + 1)
    return model


@pytest.mark.parametrize(
    ("model", "why"),
    [(Branching(), "control flow"), (AnyNumber(), "any number")]
    + [(hooked(before=before), "hooks") for before in (False, True)],
)
def test_what_cannot_be_recorded_says_why(model, why):
    with pytest.raises(NotTraceable, match=why):
        lowered(model.eval(), images(3))


class WithConstants(nn.Module):
    """Has an attribute of its own called as those in which a recording keeps what forward makes."""

    def __init__(self) -> None:
        super().__init__()
        self._tensor_constant0 = torch.tensor(2.0)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.tensor(3.0) + self._tensor_constant0


def test_what_a_recording_leaves_in_a_network_is_taken_out_and_nothing_else():
    model = WithConstants().eval()
    before = set(vars(model))
    traced = trace(model, (images(3),), {})
    assert set(vars(model)) == before
    torch.testing.assert_close(traced(images(3)), images(3) * 3 + 2)


class Random(nn.Module):
    """A network put together at random: each step makes or overwrites one of the results so far."""

    def __init__(self, steps: list[tuple[str, int, int]]) -> None:
        super().__init__()
        torch.manual_seed(len(steps))
        self.steps = steps
        self.layers = nn.ModuleList(
            {"conv": conv, "norm": lambda: nn.BatchNorm2d(3)}.get(kind, nn.Identity)() for kind, _, _ in steps
        )

    def forward(self, x: Tensor) -> Tensor:
        results = [x * 1]
        for (kind, first, second), layer in zip(self.steps, self.layers, strict=True):
            one, two = results[first % len(results)], results[second % len(results)]
            if kind in ("conv", "norm", "identity"):
                results.append(layer(one))
            elif kind == "relu":
                results.append(F.relu(one))
            elif kind == "relu_":
                results.append(F.relu_(one))
            elif kind == "add":
                results.append(one + two)
            elif kind == "add_":
                one += two
                results.append(one)
            elif kind == "view":
                results.append(one.view(one.shape[0], -1).view_as(one))
        return torch.cat([results[-1], results[-2], results[len(results) // 2]], 1)


KINDS = ["conv", "conv", "norm", "norm", "relu", "relu_", "add", "add_", "view", "identity"]


STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=14)


# Mostly chains, in which there is much to match: 0 stands for the latest result.
CHAINS = STEPS.map(lambda steps: [(k, i if a > 12 else a, i if b > 6 else b) for i, (k, a, b) in enumerate(steps)])


@settings(max_examples=60)
@given(CHAINS, st.booleans())
def test_networks_put_together_at_random_give_the_same_when_lowered(steps, fuse):
    model = as_trained(Random(steps))
    x = images(2, side=5)
    program = lowered(model, x, fuse=fuse)
    for distance in (0.0, 0.5):
        moved(model, distance)
        try:
            ours, plain = both(model, program, x)
        except RuntimeError as error:
            # Of a graph that writes through views we leave these as they are, and `prepare` takes the plain network.
            assume("view size is not compatible" not in str(error))
            raise
        assert difference(ours, plain) < 1e-5
