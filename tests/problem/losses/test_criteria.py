"""Criteria (output, target) give their own value over all samples, whatever the batches; what is unclear is refused."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import landscape
from landscape.errors import ProblemError, UsageError
from landscape.problem.losses.losses import Loss, resolve_loss
from tests.helpers.drawn_tensors import WEIGHT, N, draw, whole


def over_batches(loss: Loss, output: Tensor, target: Any, sizes: list[int]) -> Tensor:
    """Return each sample's value, measured in batches of these sizes, as a run has them: by their mean weight."""
    values, weights, start = [], [], 0
    for size in sizes:
        part = slice(start, start + size)
        values.append(loss(lambda x: x, (output[part], target[part]), check=True)["loss"])
        if loss.weighs:
            weights.append(loss.weights((output[part], target[part])))
        start += size
    found = torch.cat(values)
    return found / torch.cat(weights).mean() if weights else found


CASES: dict[str, tuple[Any, Tensor, Tensor]] = {
    "cross entropy": (nn.CrossEntropyLoss(), draw(N, 3), whole(3, N)),
    "class weights": (nn.CrossEntropyLoss(weight=WEIGHT), draw(N, 3), whole(3, N)),
    "smoothed": (nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.2), draw(N, 3), whole(3, N)),
    "left out": (nn.CrossEntropyLoss(ignore_index=1), draw(N, 3), whole(3, N)),
    "left out at positions": (nn.CrossEntropyLoss(weight=WEIGHT, ignore_index=2), draw(N, 3, 4), whole(3, N, 4)),
    "a square that torch reads its own way": (nn.CrossEntropyLoss(), draw(N, 3, 3), whole(3, N, 3)),
    "probabilities": (nn.CrossEntropyLoss(weight=WEIGHT), draw(N, 3), draw(N, 3, seed=2).softmax(1)),
    "probabilities at positions": (nn.CrossEntropyLoss(), draw(N, 3, 4), draw(N, 3, 4, seed=2).softmax(1)),
    "function": (F.cross_entropy, draw(N, 3), whole(3, N)),
    "bound function": (functools.partial(F.nll_loss, weight=WEIGHT), draw(N, 3).log_softmax(1), whole(3, N)),
    "nll": (nn.NLLLoss(weight=WEIGHT), draw(N, 3).log_softmax(1), whole(3, N)),
    "small labels": (nn.CrossEntropyLoss(), draw(N, 3), whole(3, N).to(torch.uint8)),
    "bce": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)), draw(N, 1), whole(2, N, 1).double()),
    "integer masks": (nn.BCEWithLogitsLoss(), draw(N, 1, 2, 2), whole(2, N, 1, 2, 2)),
    "bce function": (F.binary_cross_entropy, draw(N).sigmoid(), whole(2, N).double()),
    "huber": (nn.HuberLoss(delta=0.3), draw(N, 2), draw(N, 2, seed=3)),
    "l1": (F.l1_loss, draw(N, 2), draw(N, 2, seed=3)),
    "kl": (nn.KLDivLoss(reduction="batchmean"), draw(N, 3).log_softmax(1), draw(N, 3, seed=2).softmax(1)),
    "kl of elements": (nn.KLDivLoss(reduction="none"), draw(N, 3).log_softmax(1), draw(N, 3, seed=2).softmax(1)),
    "margin": (nn.MultiMarginLoss(), draw(N, 3), whole(3, N)),
    "labels of several": (nn.MultiLabelSoftMarginLoss(), draw(N, 3), whole(2, N, 3).double()),
    "poisson": (nn.PoissonNLLLoss(), draw(N, 2), whole(5, N, 2).double()),
    "values a sample": (nn.MSELoss(reduction="none"), draw(N, 2), draw(N, 2, seed=3)),
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("sizes", [[N], [5, 5, 2], [1] * N])
def test_a_criterion_gives_its_own_value_over_all_samples_whatever_the_batches(kind, sizes):
    criterion, output, target = CASES[kind]
    floating = target.double() if kind == "integer masks" else target.long() if kind == "small labels" else target
    values = over_batches(resolve_loss(criterion), output, target, sizes)
    assert values.shape == (N,)
    torch.testing.assert_close(values.mean(), criterion(output, floating).mean())


class Focal(nn.Module):
    """A user's own, with a reduction."""

    def __init__(self, reduction: str = "mean", weighted: bool = False) -> None:
        super().__init__()
        self.reduction, self.weighted = reduction, weighted

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        entropy = F.cross_entropy(inputs, targets, reduction="none")
        values = (1 - (-entropy).exp()) ** 2 * entropy
        if self.reduction == "none":
            return values
        return (
            values.sum()
            if self.reduction == "sum"
            else (values * WEIGHT[targets]).sum() / WEIGHT[targets].sum()
            if (self.weighted)
            else values.mean()
        )


def test_more_samples_of_a_weighted_criterion_continue_a_file(tmp_path):
    """Its mean is over the samples' weights, which more samples change."""
    model, data = nn.Linear(4, 3).double().eval(), (draw(40, 4), whole(3, 40))
    plane = landscape.random_plane(model, dimensions=1)
    how = {"x": [-1.0, 0.0, 2.0], "loss": nn.CrossEntropyLoss(weight=WEIGHT), "batch_size": 8}
    for samples in (13, 40):
        extended = landscape.evaluate(model, data, plane, path=tmp_path / "net.h5", samples=samples, **how)
    fresh = landscape.evaluate(model, data, plane, samples=40, **how)
    for part in ("values", "stderr", "paired_stderr"):
        found, wanted = getattr(extended, part)["train/loss"], getattr(fresh, part)["train/loss"]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-14)
    assert extended.origin["values"]["train/loss"] == pytest.approx(fresh.origin["values"]["train/loss"], rel=1e-9)


def test_a_criterion_of_ones_own_with_a_reduction_gives_values_and_is_left_alone():
    criterion = Focal()
    values = over_batches(resolve_loss(criterion), draw(N, 3), whole(3, N), [7, 5])
    torch.testing.assert_close(values.mean(), criterion(draw(N, 3), whole(3, N)))
    assert values.shape == (N,)
    assert criterion.reduction == "mean"
    lost = draw(N, 3)
    lost[2] = torch.nan  # as a network gives that diverged: its mean is no number, and neither is ours
    assert over_batches(resolve_loss(criterion), lost, whole(3, N), [7, 5]).isnan().nonzero().tolist() == [[2]]


def test_a_criterion_whose_mean_weighs_in_a_way_that_cannot_be_known_is_refused():
    with pytest.raises(ProblemError, match="what it divides by is not known"):
        over_batches(resolve_loss(Focal(weighted=True)), draw(N, 3), whole(3, N), [N])


@pytest.mark.parametrize(
    "criterion",
    [
        nn.MSELoss(reduction="sum"),
        nn.CrossEntropyLoss(reduction="sum"),
        functools.partial(F.mse_loss, reduction="sum"),
        functools.partial(F.mse_loss, size_average=False),
        Focal("sum"),
    ],
)
def test_a_criterion_that_adds_up_is_refused_since_its_number_grows_with_the_data(criterion):
    with pytest.raises(UsageError, match="grows with how many samples"):
        resolve_loss(criterion)


def test_values_of_every_sample_with_every_other_are_refused():
    def squared(output: Tensor, target: Tensor) -> Tensor:
        return (output - target) ** 2

    for output, target in ((draw(N, 1), draw(N)), (draw(N), draw(N, 1))):
        with pytest.raises(ProblemError, match=r"same shape|are their shapes meant"):
            over_batches(resolve_loss(squared), output, target, [N])
        # PyTorch's own broadcasts with a warning: the column is meant.
        values = over_batches(resolve_loss(nn.MSELoss()), output, target, [N])
        torch.testing.assert_close(values, (output.flatten() - target.flatten()).square())
    torch.testing.assert_close(over_batches(resolve_loss(squared), draw(N, 2), draw(N, 2, seed=1), [N]).shape, (N,))


def test_a_criterion_given_one_output_or_a_label_that_is_no_class_is_refused():
    for output, target in ((draw(N, 1), torch.zeros(N, dtype=torch.long)), (draw(N, 1), torch.ones(N, 1).double())):
        with pytest.raises(ProblemError, match=r"BCEWithLogitsLoss.*MSELoss"):
            over_batches(resolve_loss(nn.CrossEntropyLoss()), output, target, [N])
    with pytest.raises(ProblemError, match="a target is 255"):
        over_batches(resolve_loss(F.cross_entropy), draw(2, 3), torch.tensor([255, 0]), [2])
    loss = resolve_loss(nn.CrossEntropyLoss(ignore_index=255))
    assert over_batches(loss, draw(2, 3), torch.tensor([255, 0]), [2])[0] == 0


def test_a_criterion_of_ones_own_gets_targets_of_any_kind_as_they_are():
    def boxes(output: Tensor, target: dict[str, Tensor]) -> Tensor:
        return (output - target["boxes"]).abs().mean(1) * target["sizes"]

    target = {"boxes": draw(N, 2, seed=1), "sizes": whole(4, N)}
    values = resolve_loss(boxes)(lambda x: x, (draw(N, 2), target), check=True)["loss"]
    torch.testing.assert_close(values, boxes(draw(N, 2), target))


def test_a_criterion_that_fails_says_on_what():
    with pytest.raises(ProblemError, match=r"outputs float64 12 x 3 and targets float64 12"):
        over_batches(resolve_loss(nn.CrossEntropyLoss()), draw(N, 3), draw(N), [N])


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_criterions_own_tensors_follow_the_output_and_stay_where_they_were(reduction):
    criterion = nn.CrossEntropyLoss(weight=WEIGHT.float(), reduction=reduction)
    loss, kept = resolve_loss(criterion), criterion.weight
    for output, wanted in ((draw(N, 3), torch.float64), (draw(N, 3).bfloat16(), torch.float32)):
        assert loss(lambda x: x, (output, whole(3, N)))["loss"].dtype == wanted
        assert criterion.weight is kept
        assert criterion.reduction == reduction
