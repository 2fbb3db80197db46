"""What a loss of one's own is called with is told by its arguments and annotations, or refused with both named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.losses.losses import resolve_loss


def outputs(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().mean(1)


def models(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return outputs(model(batch[0]), batch[1])


class Callable:
    def __call__(self, y_pred: Any, y_true: Any) -> Any:
        return outputs(y_pred, y_true)


class Unnamed(nn.Module):
    def forward(self, a: Any, b: Any) -> Any:
        return outputs(a, b)


class WithModel(nn.Module):
    def forward(self, model: Any, batch: Any) -> Any:
        return models(model, batch)


@pytest.mark.parametrize(
    ("loss", "criterion"),
    [
        (outputs, True),
        (models, False),
        (Callable(), True),
        (Unnamed(), True),
        (WithModel(), False),
        (nn.MSELoss, True),
        (lambda logits, batch: 0, None),
        (lambda p, q: p, None),
        (lambda *everything: 0, None),
        (lambda model, target: 0, None),
        (lambda target, output: 0, None),
        (lambda anchor, positive, negative: 0, None),
        (lambda net, xy: 0, False),
        (lambda pred, y, scale=1.0: 0, True),
        (lambda a, b: 0, None),
    ],
)
def test_which_form_a_loss_has_is_told_by_its_arguments_or_refused_with_both_named(loss, criterion):
    if criterion is None:
        with pytest.raises(UsageError, match=r"\(output, target\)"):
            resolve_loss(loss)
        return
    found = resolve_loss(loss)
    assert (found.measure is not None, found.own is None) == (criterion, criterion)


def test_annotations_tell_where_names_do_not():
    def annotated(p: Tensor, q: Tensor) -> Tensor:
        return outputs(p, q)

    def network(p: nn.Module, q: Any) -> Tensor:
        return models(p, q)

    assert resolve_loss(annotated).own is None
    assert resolve_loss(network).own is network


def test_a_criterion_comes_by_reference_and_with_metrics(tmp_path):
    (tmp_path / "criteria_of_mine.py").write_text(
        "import torch\nweighted = torch.nn.CrossEntropyLoss(torch.tensor([1.0, 2.0]))\n"
        "def top(output, batch):\n    return output.max(1).values\n"
    )
    batch = (torch.tensor([[0.0, 7.0]]), torch.tensor([0]))
    for reference in (
        "torch.nn:CrossEntropyLoss",
        "torch.nn.functional:cross_entropy",
        f"{tmp_path}/criteria_of_mine.py:weighted",
    ):
        loss = resolve_loss(reference, [f"{tmp_path}/criteria_of_mine.py:top"])
        values = loss(lambda x: x, batch)
        assert (loss.name, values["top"].item()) == (reference, 7.0)
        assert values["loss"].item() == pytest.approx(7.0009, abs=1e-4)
    with pytest.raises(ProblemError, match=r"GaussianNLLLoss failed|TypeError"):
        resolve_loss("torch.nn:GaussianNLLLoss")(lambda x: x, batch)
    with pytest.raises(ProblemError, match=r"torch\.nn:Linear\(\) failed"):
        resolve_loss("torch.nn:Linear")


def test_what_a_loss_cannot_do_without_beyond_two_is_refused_and_what_it_can_is_left():
    def three(output, target, weight):
        return weight * nn.functional.cross_entropy(output, target, reduction="none")

    def optional(output, target, weight=2.0):
        return three(output, target, weight)

    with pytest.raises(UsageError, match="wants output, target, weight; a loss is called with two"):
        resolve_loss(three)
    batch = torch.randn(4, 3), torch.arange(4) % 3
    values = resolve_loss(optional)(nn.Identity(), batch)["loss"]
    torch.testing.assert_close(values, 2 * nn.functional.cross_entropy(*batch, reduction="none"))
