"""Criteria (output, target) give their own value over all samples, whatever the batches; what is unclear is refused."""

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

import landscape
from landscape.errors import ProblemError, UsageError
from landscape.problem.losses.losses import Loss, resolve_loss

N = 12


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whole(number: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(0, number, shape, generator=torch.Generator().manual_seed(seed))


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


WEIGHT = torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64)
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


def test_a_criterion_that_fails_says_on_what():
    with pytest.raises(ProblemError, match=r"outputs float64 12 x 3 and targets float64 12"):
        over_batches(resolve_loss(nn.CrossEntropyLoss()), draw(N, 3), draw(N), [N])


def test_a_criterions_own_tensors_follow_the_output_and_stay_where_they_were():
    criterion = nn.CrossEntropyLoss(weight=WEIGHT.float())
    loss = resolve_loss(criterion)
    assert loss(lambda x: x, (draw(N, 3), whole(3, N)))["loss"].dtype == torch.float64
    assert loss(lambda x: x, (draw(N, 3).bfloat16(), whole(3, N)))["loss"].dtype == torch.float32
    assert criterion.weight.dtype == torch.float32


# What is called with (output, target), and what with (model, batch)?


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


# A number a batch: is it the mean of its samples?


def scalar(reduce: Any) -> Loss:
    return resolve_loss(lambda model, batch: reduce(model(batch[0]), batch[1]))


@pytest.mark.parametrize(
    ("reduce", "text"),
    [
        (F.cross_entropy, None),
        (lambda o, t: F.cross_entropy(o, t, reduction="sum"), "a sum"),
        (lambda o, t: F.cross_entropy(o, t, weight=WEIGHT), "whose mean it is not"),
        (lambda o, t: torch.cdist(o, o).mean(), "whose mean it is not"),
        (lambda o, t: o.sum() * float("nan"), None),
        (lambda o, t: F.cross_entropy(o, t, reduction="none"), None),
    ],
)
def test_a_number_a_batch_that_is_no_mean_over_its_samples_is_refused(reduce, text):
    loss, batch = scalar(reduce), (draw(N, 3), whole(3, N))
    if text is None:
        loss.require_mean(lambda x: x, batch)
        return
    with pytest.raises(ProblemError, match=text):
        loss.require_mean(lambda x: x, batch)


def test_a_criterion_that_gives_a_number_a_batch_is_asked_the_same():
    loss = resolve_loss(lambda output, target: (output - target).square().sum())
    with pytest.raises(ProblemError, match="a sum"):
        loss.require_mean(lambda x: x, (draw(N, 3), draw(N, 3, seed=1)))


def dice(output: Tensor, target: Tensor) -> Tensor:
    chance = output.sigmoid()
    return 1 - 2 * (chance * target).sum() / (chance.sum() + target.sum())


def root(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().mean().sqrt()


def test_what_is_a_mean_at_one_cut_by_chance_is_refused():
    # The two halves are alike, so that their mean is the whole's.
    output, target = torch.zeros(N, 1), torch.tensor([1.0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])[:, None]
    with pytest.raises(ProblemError, match="first 4 and the rest"):
        scalar(dice).require_mean(lambda x: x, (output, target))


def test_what_is_a_mean_only_where_all_samples_are_alike_is_refused_and_the_network_left_as_it_was():
    network = nn.Linear(3, 1)
    nn.init.zeros_(network.weight), nn.init.zeros_(network.bias)
    data = draw(N, 3).float(), torch.ones(N, 1)
    plane = landscape.random_plane(network, norm="none", ignore="none", dimensions=1)
    with pytest.raises(ProblemError, match="at weights nearby"):
        landscape.evaluate(network, data, plane, x="0:1:2", loss=root)
    assert not any(tensor.any() for tensor in network.state_dict().values())
    surface = landscape.evaluate(network, data, plane, x="0:1:2", loss=lambda output, target: root(output, target) ** 2)
    assert surface["train/loss"][0] == 1.0


# By name.


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


@pytest.mark.parametrize("as_criterion", [False, True])
def test_ctc_takes_flat_and_padded_targets_and_divides_by_their_lengths(as_criterion):
    output, lengths = draw(9, 3, 5).log_softmax(2), torch.tensor([2, 3, 1])
    padded = whole(4, 3, 3) + 1
    flat = torch.cat([row[:n] for row, n in zip(padded, lengths, strict=True)])
    given = torch.tensor([9, 9, 8])
    wanted = F.ctc_loss(output, padded, given, lengths)
    loss = resolve_loss(nn.CTCLoss() if as_criterion else "ctc")
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


# What could be read in two ways.

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
    for other in (rows * 1.1, rows - rows.mean() * 2, rows[:, :1].expand_as(rows) * 0):
        with pytest.raises(ProblemError, match="no class probabilities"):
            loss(lambda x: x, (logits, other), check=True)


@pytest.mark.parametrize("name", ["mse", "l1", "smooth_l1", "huber", "bce_with_logits", "kl_div"])
def test_shapes_that_would_be_broadcast_are_never(name):
    for output, target in ((draw(N, 2), draw(N)), (draw(N, 1, 3), draw(N, 3)), (draw(N, N), draw(N))):
        with pytest.raises(ProblemError, match="the same shape"):
            resolve_loss(name)(lambda x: x, (output, target.abs().clamp(0, 1)), check=True)


def test_targets_and_outputs_of_another_range_are_refused():
    with pytest.raises(ProblemError, match="targets from 0 to 1, there are 0 to 2"):
        resolve_loss("bce_with_logits")(lambda x: x, (draw(3), torch.arange(3)), check=True)
    for name in ("nll", "kl_div"):
        target = whole(3, N) if name == "nll" else draw(N, 3).softmax(1)
        with pytest.raises(ProblemError, match=r"log_softmax.*cross_entropy"):
            resolve_loss(name)(lambda x: x, (draw(N, 3), target), check=True)
    impossible = (torch.tensor([[0.0, -np.inf]]), torch.tensor([1]))
    assert resolve_loss("nll")(lambda x: x, impossible, check=True)["loss"].item() == np.inf
