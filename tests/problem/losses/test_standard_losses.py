"""Losses by name are PyTorch's, and what they could read in two ways is refused with both named."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from landscape.errors import ProblemError
from landscape.problem.losses.losses import resolve_loss
from tests.helpers.drawn_tensors import N, draw, whole


@pytest.mark.parametrize(
    ("name", "output", "target", "wanted"),
    [
        ("nll", draw(N, 3).log_softmax(1), whole(3, N), F.nll_loss),
        (
            "bce_with_logits",
            draw(N, 1),
            whole(2, N),
            lambda o, t: F.binary_cross_entropy_with_logits(o[:, 0], t.double()),
        ),
        (
            "bce_with_logits",
            draw(N, 4),
            whole(2, N, 4).bool(),
            lambda o, t: F.binary_cross_entropy_with_logits(o, t.double()),
        ),
        ("l1", draw(N), draw(N, 1, seed=1), lambda o, t: F.l1_loss(o, t[:, 0])),
        ("smooth_l1", draw(N, 2), draw(N, 2, seed=1) * 3, F.smooth_l1_loss),
        ("huber", draw(N, 2), draw(N, 2, seed=1) * 3, F.huber_loss),
        (
            "kl_div",
            draw(N, 3).log_softmax(1),
            draw(N, 3, seed=2).softmax(1),
            functools.partial(F.kl_div, reduction="batchmean"),
        ),
    ],
)
def test_losses_by_name_are_pytorchs(name, output, target, wanted):
    values = resolve_loss(name)(lambda x: x, (output, target), check=True)
    torch.testing.assert_close(values["loss"].mean(), wanted(output, target))
    assert values["loss"].shape == (N,)
    assert ("accuracy" in values) == (name == "nll")


@pytest.mark.parametrize("reduction", [None, "mean", "none"])
def test_ctc_takes_flat_and_padded_targets_and_divides_by_their_lengths(reduction):
    output, lengths = draw(9, 3, 5).log_softmax(2), torch.tensor([2, 3, 0])  # nothing is said in the last
    padded, given, options = whole(4, 3, 3) + 1, torch.tensor([9, 9, 8]), {}
    if reduction is not None:  # the criterion's own blank, and no infinity where there is less time than is said
        padded, given, options = padded - 1, torch.tensor([9, 2, 8]), {"blank": 4, "zero_infinity": True}
    flat = torch.cat([row[:n] for row, n in zip(padded, lengths, strict=True)])
    wanted = F.ctc_loss(output, padded, given, lengths, reduction=reduction or "mean", **options).mean()
    loss = resolve_loss("ctc" if reduction is None else nn.CTCLoss(reduction=reduction, **options))
    for batch in ((output, padded, given, lengths), (output, (flat, given, lengths))):
        values = loss(lambda x: x, batch, number=3)["loss"]
        torch.testing.assert_close(values.mean(), wanted)
    with pytest.raises(ProblemError, match="log-probabilities"):
        loss(lambda x: x, (draw(9, 3, 5), padded, given, lengths))
    with pytest.raises(ProblemError, match=r"shape \(time, 3, classes\)"):
        loss(lambda x: x, (output.transpose(0, 1), padded, given, lengths))


def test_a_network_whose_output_carries_its_loss_is_asked_for_it():
    class Answer(dict):  # type: ignore[type-arg]
        loss = torch.tensor(2.5)

    class Net(nn.Module):
        def forward(self, ids: Tensor, labels: Tensor) -> Any:
            assert labels is not None
            return Answer()

    ids = whole(9, N, 3)
    loss = resolve_loss("output")
    assert loss(Net(), {"ids": ids, "labels": ids})["loss"].item() == 2.5
    assert loss(Net(), ({"ids": ids}, ids))["loss"].item() == 2.5
    with pytest.raises(ProblemError, match="without one"):
        loss(lambda ids, labels: {"logits": 1}, {"ids": ids, "labels": ids})


UNCLEAR = {
    "one output, labels": (draw(N, 1), torch.zeros(N, dtype=torch.long), "bce_with_logits.*mse"),
    "one output, a column of floats": (draw(N, 1), torch.ones(N, 1), "bce_with_logits.*mse"),
    "no dimension of classes": (draw(N), torch.ones(N), "bce_with_logits.*mse"),
    "a mask of one channel": (draw(N, 1, 2, 2), torch.zeros(N, 2, 2, dtype=torch.long), "bce_with_logits"),
    "a float mask of one channel": (draw(N, 1, 2, 2), torch.zeros(N, 1, 2, 2), "bce_with_logits"),
    "a sequence of one output": (draw(N, 5, 1), torch.zeros(N, 5, dtype=torch.long), "bce_with_logits"),
    "real values": (draw(N, 4), draw(N, 4, seed=1), "bce_with_logits.*mse"),
    "several labels a sample": (draw(N, 3), torch.ones(N, 3), "bce_with_logits"),
    "float masks at positions": (draw(N, 3, 4), torch.ones(N, 3, 4), "bce_with_logits"),
    "labels in floating point": (draw(N, 3), whole(3, N).double(), r"y\.long.*mse"),
    "a float mask": (draw(N, 3, 2, 2), whole(3, N, 2, 2).double(), r"y\.long"),
    "one-hot integers": (draw(N, 3), F.one_hot(whole(3, N)), r"argmax.*bce_with_logits"),
    "one-hot sequences": (draw(N, 3, 4), torch.ones(N, 3, 4, dtype=torch.long), "argmax"),
    "square": (draw(N, 4, 4), whole(4, N, 4), "fit both"),
    "complex": (torch.complex(draw(N, 3), draw(N, 3)), whole(3, N), "complex"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_cross_entropy_could_take_in_two_ways_is_refused_with_both_named(kind):
    output, target, text = UNCLEAR[kind]
    with pytest.raises(ProblemError, match=text):
        resolve_loss("cross_entropy")(lambda x: x, (output, target), check=True)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_probabilities_are_told_from_numbers_by_their_rows(seed, classes):
    loss, logits = resolve_loss("cross_entropy"), draw(4, classes, seed=seed)
    rows = draw(4, classes, seed=seed + 1).softmax(1)
    values = loss(lambda x: x, (logits, rows), check=True)["loss"]
    torch.testing.assert_close(values, -(rows * logits.log_softmax(1)).sum(1))
    torch.testing.assert_close(loss(lambda x: x, (logits[..., None], rows[..., None]), check=True)["loss"], values)
    for other in (rows * 1.1, rows - rows.mean() * 2, rows[:, :1].expand_as(rows) * 0):
        with pytest.raises(ProblemError, match="no class probabilities"):
            loss(lambda x: x, (logits, other), check=True)


@pytest.mark.parametrize("name", ["mse", "l1", "smooth_l1", "huber", "bce_with_logits", "kl_div"])
def test_shapes_that_would_be_broadcast_are_never(name):
    for output, target in ((draw(N, 2), draw(N)), (draw(N, 1, 3), draw(N, 3)), (draw(N, N), draw(N))):
        with pytest.raises(ProblemError, match=r"the same shape.*; write a loss of your own"):
            resolve_loss(name)(lambda x: x, (output, target.abs().clamp(0, 1)), check=True)
    with pytest.raises(ProblemError, match=r"the same shape.*; cross_entropy takes class numbers"):
        resolve_loss(name)(lambda x: x, (draw(N, 3), whole(3, N)), check=True)


def test_targets_and_outputs_of_another_range_are_refused():
    with pytest.raises(ProblemError, match="targets from 0 to 1, there are 0 to 2"):
        resolve_loss("bce_with_logits")(lambda x: x, (draw(3), torch.arange(3)), check=True)
    for name in ("nll", "kl_div"):
        target = whole(3, N) if name == "nll" else draw(N, 3).softmax(1)
        with pytest.raises(ProblemError, match=r"log_softmax.*cross_entropy"):
            resolve_loss(name)(lambda x: x, (draw(N, 3), target), check=True)
    impossible = (torch.tensor([[0.0, -np.inf]]), torch.tensor([1]))
    assert resolve_loss("nll")(lambda x: x, impossible, check=True)["loss"].item() == np.inf
