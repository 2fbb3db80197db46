"""Losses give one value a sample, the same as torch's own, and say what is wrong with what they were given."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from landscape.errors import ProblemError, UsageError
from landscape.problem.losses.losses import fit_precision, resolve_loss


class Says(nn.Module):
    """A network whose output is known beforehand, whatever it is given."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Any) -> Any:
        return self.output


def measure(
    output: Any, target: Any, loss: Any = "cross_entropy", check: bool = True, **options: Any
) -> dict[str, Tensor]:
    number = len(target)
    return resolve_loss(loss, **options)(Says(output), (torch.zeros(number, 1), target), check=check)


def test_cross_entropy_of_known_probabilities_is_their_logarithm():
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], dtype=torch.float64).log()
    values = measure(logits, torch.tensor([0, 2]))
    torch.testing.assert_close(values["loss"], torch.tensor([math.log(2), math.log(10)], dtype=torch.float64))
    assert values["accuracy"].tolist() == [1.0, 0.0]


@given(
    shape=st.lists(st.integers(1, 3), max_size=2),
    classes=st.integers(2, 4),
    number=st.integers(1, 4),
    seed=st.integers(0, 99),
    last=st.booleans(),
)
def test_cross_entropy_averages_each_samples_positions_that_count(shape, classes, number, seed, last):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(number, classes, *shape, generator=generator, dtype=torch.float64)
    target = torch.randint(0, classes, (number, *shape), generator=generator)
    if shape:
        target[torch.rand(target.shape, generator=generator) < 0.3] = -100
        target[(slice(None), *[0] * len(shape))] = 0  # at least one position counts
    given_logits = logits.movedim(1, -1) if last else logits
    ambiguous = len(shape) > 0 and (number, *given_logits.shape[2:]) == tuple(given_logits.shape[:-1])
    if ambiguous:
        with pytest.raises(ProblemError, match="fit both"):
            measure(given_logits, target)
        return
    values = measure(given_logits, target)
    for row in range(number):
        assert values["loss"][row].item() == pytest.approx(
            F.cross_entropy(logits[row : row + 1], target[row : row + 1]).item()
        )
        counted = target[row] != -100
        right = (logits[row].argmax(0) == target[row])[counted].double().mean()
        assert values["accuracy"][row].item() == pytest.approx(right.item())


def test_probabilities_of_every_position_have_their_classes_along_dimension_1():
    generator = torch.Generator().manual_seed(0)
    logits, other = torch.randn(2, 6, 3, 5, 4, generator=generator, dtype=torch.float64)
    target = torch.softmax(other, 1)
    values = measure(logits, target)
    torch.testing.assert_close(values["loss"], -(target * logits.log_softmax(1)).sum(1).flatten(1).mean(1))
    right = [
        [logits[n, :, i, j].argmax() == target[n, :, i, j].argmax() for i in range(5) for j in range(4)]
        for n in range(6)
    ]
    torch.testing.assert_close(values["accuracy"], torch.tensor(right).double().mean(1))


def test_a_column_of_labels_and_bytes_for_labels_are_taken():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0])
    expected = F.cross_entropy(logits, labels, reduction="none")
    assert torch.equal(measure(logits, labels[:, None])["loss"], expected)
    assert torch.equal(measure(logits, labels.to(torch.uint8))["loss"], expected)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_values_of_a_network_in_half_precision_are_formed_in_float32(precision):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).to(precision)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    values = measure(logits, labels)
    assert values["loss"].dtype == torch.float32
    assert torch.equal(values["loss"], F.cross_entropy(logits.float(), labels, reduction="none"))
    assert measure(logits.double(), labels)["loss"].dtype == torch.float64


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (torch.zeros(4), torch.zeros(4, dtype=torch.long)),  # one number a sample
        (torch.zeros(4, 3), torch.zeros(4, 2, dtype=torch.long)),
        (torch.zeros(4, 3, 5), torch.zeros(4, 7, dtype=torch.long)),
    ],
)
def test_logits_and_targets_that_do_not_belong_together_are_an_error(output, target):
    with pytest.raises(ProblemError, match="cross_entropy needs"):
        measure(output, target)


def test_a_label_that_is_no_class_is_an_error():
    with pytest.raises(ProblemError, match="a target is 3, but the network tells 3 classes apart, 0 to 2"):
        measure(torch.zeros(2, 3), torch.tensor([0, 3]))
    with pytest.raises(ProblemError, match="a target is -1"):
        measure(torch.zeros(2, 3), torch.tensor([0, -1]))


def test_a_sample_without_any_target_is_an_error_and_not_a_loss_of_nothing():
    with pytest.raises(ProblemError, match="no target that counts"):
        measure(torch.zeros(2, 3, 4), torch.tensor([[0, 0, 0, 0], [-100] * 4]))
    with pytest.raises(ProblemError, match="no target that counts"):
        measure(torch.zeros(2, 3), torch.tensor([0, -100]))


def test_a_language_model_asked_for_its_own_input_is_an_error():
    tokens = torch.tensor([[1, 2, 0, 1], [0, 1, 2, 2]])
    loss = resolve_loss("cross_entropy")
    model = Says(torch.zeros(2, 4, 3))
    masked = tokens.clone()
    masked[:, 0] = -100
    for labels in (tokens, masked):
        with pytest.raises(ProblemError, match="shift them by one"):
            loss(model, {"x": torch.zeros(2, 1), "input_ids": tokens, "labels": labels}, check=True)
    with pytest.raises(ProblemError, match="shift them by one"):
        loss(model, (tokens, tokens), check=True)
    assert loss(model, (tokens, tokens.roll(1, 1)), check=True)["loss"].shape == (2,)


def test_mse_is_the_mean_of_a_samples_squared_errors():
    values = measure(torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([[1, 0], [3, 2]]), "mse")
    assert values["loss"].tolist() == [2.0, 4.5]
    assert set(values) == {"loss"}


def test_mse_never_compares_every_sample_with_every_other():
    output, target = torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 1.0])
    assert measure(output, target, "mse")["loss"].tolist() == [0.0, 4.0]
    assert measure(output[:, 0], target[:, None], "mse")["loss"].tolist() == [0.0, 4.0]


def test_inputs_take_the_networks_precision():
    model = nn.Linear(2, 3).half()
    inputs = {"a": torch.zeros(4, 2, dtype=torch.float64), "ids": torch.zeros(4, dtype=torch.long)}
    fitted = fit_precision(inputs, model)
    assert fitted["a"].dtype == torch.float16
    assert fitted["ids"].dtype == torch.long
    assert inputs["a"].dtype == torch.float64


def own_loss(model: nn.Module, batch: Any) -> Tensor:
    return (model(batch[0]) - batch[1]).abs()


def test_a_loss_of_ones_own_gives_one_value_a_sample():
    loss = resolve_loss(own_loss)
    assert loss.name == "own_loss"
    values = loss(Says(torch.tensor([1.0, 3.0])), (torch.zeros(2), torch.zeros(2)))
    assert values["loss"].tolist() == [1.0, 3.0]


def test_a_loss_of_ones_own_brings_its_metrics_along():
    def loss(model: Any, batch: Any) -> dict[str, Any]:
        return {"loss": torch.ones(2), "right": torch.tensor([True, False]), "spread": 0.5}

    values = resolve_loss(loss)(Says(None), torch.zeros(2))
    assert values["right"].tolist() == [1.0, 0.0]
    assert values["spread"].shape == ()
    assert values["spread"].item() == 0.5


def test_a_scalar_loss_is_the_mean_over_the_batch():
    weight = nn.Parameter(torch.tensor(2.0))
    values = resolve_loss(lambda model, batch: (weight * batch).mean())(Says(None), torch.ones(4))
    assert values["loss"].shape == ()
    assert resolve_loss(lambda model, batch: 1.5)(Says(None), torch.ones(4))["loss"].item() == 1.5


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (torch.zeros(3), r"shape \(3,\) for 'loss'; wanted one value a sample, shape \(4,\)"),
        (torch.zeros(4, 1), r"shape \(4, 1\)"),
        ({"accuracy": torch.zeros(4)}, "without 'loss'"),
        ({"loss": torch.zeros(4), "a b": torch.zeros(4)}, "cannot be the name of a metric"),
        ({"loss": torch.zeros(4), "loss_stderr": torch.zeros(4)}, "cannot be the name of a metric"),
        ({"loss": torch.zeros(4), "count": torch.zeros(4)}, "cannot be the name of a metric"),
        (None, "returned a NoneType"),
        ("text", "returned a str"),
        (torch.zeros(4, dtype=torch.complex64), "complex"),
    ],
)
def test_a_loss_that_gives_something_else_is_an_error(result, text):
    with pytest.raises(ProblemError, match=text):
        resolve_loss(lambda model, batch: result)(Says(None), torch.zeros(4))


def test_a_metric_of_ones_own_comes_beside_a_built_in_loss(tmp_path):
    file = tmp_path / "metrics_of_mine.py"
    file.write_text("def top(output, batch):\n    return output.max(1).values\n")
    loss = resolve_loss("cross_entropy", [f"{file}:top"])
    assert loss.metrics == ("accuracy", "top")
    values = loss(Says(torch.tensor([[0.0, 7.0]])), (torch.zeros(1), torch.tensor([0])))
    assert values["top"].tolist() == [7.0]


def test_names_of_losses_and_metrics_that_cannot_be_are_errors():
    def accuracy(output: Any, batch: Any) -> Tensor:
        return torch.zeros(1)

    with pytest.raises(UsageError, match="already"):
        resolve_loss("cross_entropy", [accuracy])
    with pytest.raises(UsageError, match="already"):
        resolve_loss("mse", [accuracy, accuracy])
    with pytest.raises(UsageError, match="no loss 'hinge'; built in are cross_entropy, mse, nll, bce"):
        resolve_loss("hinge")
    with pytest.raises(UsageError, match="built-in loss"):
        resolve_loss(own_loss, [accuracy])
    with pytest.raises(ProblemError, match="cannot be called"):
        resolve_loss("cross_entropy", ["math:pi"])
    assert resolve_loss("mse", [accuracy]).metrics == ("accuracy",)
