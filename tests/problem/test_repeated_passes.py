"""Networks whose answers are none of a sample's own: refused, or said, wherever answers are counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.repeated_passes import among_themselves, depends_on_others, require_repeatable

N = 30


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X, Y = draw(N, 1, 4, 4), torch.arange(N) % 3


class Net(nn.Module):
    """Calls one function on its way."""

    def __init__(self, change: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.change, self.body = change, nn.Linear(16, 3)
        self.kept: Tensor | None = None
        self.register_buffer("mean", torch.zeros(16))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(self.change(self, x.flatten(1)))
        return found


def noisy(net: Net, x: Tensor) -> Tensor:
    return x + 0.1 * torch.randn_like(x)


def drifting(net: Net, x: Tensor, by: float = 0.1) -> Tensor:
    net.mean.lerp_(x.mean(0).detach() + 10, by)
    return x - net.mean


def keeping(net: Net, x: Tensor) -> Tensor:
    x = x if net.kept is None else x + net.kept
    net.kept = x.detach().mean(0)
    return x


def centred(net: Net, x: Tensor) -> Tensor:
    return x - x.mean(0)


MEASURES: dict[str, Callable[..., Any]] = {
    "similarity": lambda net, x=X: landscape.similarity(net, (x, Y)),
    "predictions": lambda net, x=X: landscape.predictions({"a": [net]}, (x, Y)),
    "robustness": lambda net, x=X: landscape.robustness(net, (x, Y), epsilons=[0.1], steps=2),
    "frequencies": lambda net, x=X: landscape.frequencies(net, (x, Y)),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (noisy, "it draws random numbers"),
        (drifting, r"depends on those before \(it changes the buffer mean \(Net\)\)"),
        (keeping, r"depends on those before \(by random numbers or attributes\)"),
    ],
)
def test_a_network_that_answers_otherwise_when_asked_again_is_refused(
    measure: Callable[[nn.Module], Any], change: Callable[[Net, Tensor], Tensor], why: str
) -> None:
    net = Net(change)
    with pytest.raises(EvaluationError, match=f"gives another output each time it is asked, in eval mode: .*{why}"):
        measure(net)
    assert not net.mean.any()
    assert net.kept is None
    measure(Net(lambda net, x: x))


@pytest.mark.parametrize("name", ["robustness", "frequencies"])
def test_attacks_on_examples_that_depend_on_each_other_are_refused(name: str) -> None:
    for change in (centred, lambda net, x: x - x[:1]):
        with pytest.raises(EvaluationError, match="depends on its place in a batch or on the others there"):
            MEASURES[name](Net(change))


def test_predictions_that_depend_on_who_shares_a_batch_say_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        landscape.predictions({"a": [Net(lambda net, x: x)]}, (X, Y), batch_size=8)
        assert not caplog.messages
        for size in (8, 2):
            caplog.clear()
            landscape.predictions({"a": [Net(centred), Net(lambda net, x: x - x[:1])]}, (X, Y), batch_size=size)
            for each, said in zip(("a/0", "a/1"), caplog.messages, strict=True):
                assert said.startswith(
                    f"{each}: answers depend on a sample's place in a batch, or on which others share it"
                )
                assert said.endswith(f"the batch size, {size}")


@pytest.mark.parametrize("name", ["robustness", "frequencies", "predictions"])
def test_a_network_that_takes_samples_in_one_order_is_asked_in_no_other(name: str) -> None:
    class Packed(nn.GRU):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x.flatten(1, 2), lengths, batch_first=True)
            last: Tensor = super().forward(packed)[1][-1]
            return last

    lengths = torch.arange(N, 0, -1) % 4 + 1
    inputs = X, lengths.sort(descending=True).values
    with pytest.raises(RuntimeError, match="sorted"):
        Packed(4, 3, batch_first=True)(X, lengths)
    MEASURES[name](Packed(4, 3, batch_first=True), inputs)


def slow(net: Net, x: Tensor) -> Tensor:
    return drifting(net, x, 4e-6)


def test_what_a_batch_leaves_in_a_buffer_is_not_there_for_the_next() -> None:
    """A drift that two passes do not show moves the last of many batches."""
    x = X.repeat(5, 1, 1, 1)
    data = (x, Y.repeat(5))
    steady = Net(lambda net, x: x)
    wanted = landscape.predictions({"a": [steady]}, data, batch_size=1).probabilities[0]
    found = landscape.predictions({"a": [Net(slow)]}, data, batch_size=1).probabilities[0]
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    bent = {"a": Net(lambda net, x: torch.tanh(3 * x)), "b": Net(lambda net, x: torch.tanh(3 * slow(net, x)))}
    cka = landscape.similarity(bent, x, passes=10, batch_size=4, components=False).cka
    np.testing.assert_allclose(cka, 1.0, atol=1e-7)


def test_an_output_that_has_not_a_row_a_sample_is_no_prediction() -> None:
    class Rows(nn.Linear):
        def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
            super().__init__(16, 3)
            self.change = change

        def forward(self, x: Tensor) -> Tensor:
            return self.change(super().forward(x.flatten(1)))

    one, twice = Rows(lambda out: out.mean(0, keepdim=True)), Rows(lambda out: torch.cat([out, out]))
    for net, rows in ((one, 1), (twice, 60)):
        with pytest.raises(ProblemError, match=f"returns float32 {rows} x 3 for 30 samples"):
            landscape.predictions({"a": [net]}, (X, Y))
        with pytest.raises(UsageError, match=rf"not outputs of shape \({rows}, 3\)"):
            landscape.robustness(net, (X, Y), epsilons=[0.1])


def test_probabilities_of_a_coarse_network_are_told_from_logits() -> None:
    """In bfloat16 they add up to 1 within 0.4 %, and a softmax of them would be flat."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Softmax(1)).bfloat16()
    nn.init.normal_(net[1].weight, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert float((net(X.bfloat16()).double().sum(1) - 1).abs().max()) > 1e-3
    with pytest.raises(UsageError, match="rows that add up to 1"):
        landscape.predictions({"a": [net]}, (X, Y))
    found = landscape.predictions({"a": [net]}, (X, Y), outputs="probabilities")
    np.testing.assert_allclose(found.probabilities[0], net(X.bfloat16()).detach().float().numpy())


def test_repeatability_is_of_every_output() -> None:
    net = Net(lambda net, x: x)
    passes = iter([[torch.ones(2)], [torch.ones(2), torch.ones(2)], [torch.ones(2)], [torch.ones(3)]])
    for _ in range(2):
        with pytest.raises(EvaluationError, match="n gives another output"):
            require_repeatable(net, lambda: next(passes), "n", "so")
    same = [torch.tensor([1.0, torch.nan])]
    assert require_repeatable(net, lambda: same, "n", "so") is same


def test_another_batch_may_round_otherwise_and_no_more() -> None:
    whole = draw(8, 3)
    assert among_themselves(8) == [7, 6, 5, 4, 7, 6, 5, 4]
    assert among_themselves(5) == [4, 3, 4, 3, 2]

    assert among_themselves(5, in_place=True) == [0, 1, 0, 1, 2]

    def again(output: Tensor) -> Tensor:
        return output[among_themselves(len(output))]

    def depends(output: Tensor, other: Tensor) -> bool:
        return depends_on_others(output, other, among_themselves(len(output)))

    most = float(whole[4:].abs().max())
    assert not depends(whole, again(whole) + 0.009 * most)
    assert depends(whole, again(whole) + 0.011 * most)
    assert not depends(whole.bfloat16(), (again(whole) + 0.05 * most).bfloat16())
    assert depends(whole, whole[:, :2])
    other = again(whole)
    other[4:] = 9.0  # whose outputs are not compared
    assert not depends(whole, other)
    whole[6, 1] = torch.nan
    assert not depends(whole, again(whole))
    assert depends(whole, again(whole).nan_to_num())
    votes = (10 * draw(6, 3)).long()
    assert not depends(votes, again(votes))
    assert depends(votes, again(votes) + 1)


@pytest.mark.parametrize("number", [2, 3, 6])
def test_a_last_batch_of_a_few_samples_is_asked_as_it_will_be(number: int, caplog: pytest.LogCaptureFixture) -> None:
    """A squeeze, or a norm over the batch, is another thing for a single sample."""
    data = (X[: 4 + number], Y[: 4 + number])
    squeezed = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    squeezed.register_forward_hook(lambda module, given, output: output.squeeze())
    landscape.robustness(squeezed, data, epsilons=[0.1], steps=1, batch_size=4)
    with caplog.at_level(logging.WARNING):
        landscape.predictions({"a": [squeezed]}, data, batch_size=number)
    assert not caplog.messages
    normed = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(EvaluationError, match="depends on its place in a batch or on the others there"):
        landscape.robustness(normed, (X[:number], Y[:number]), epsilons=[0.1], steps=1)


@pytest.mark.parametrize("votes", [lambda x: (5 * x).round().long(), lambda x: x == x.amax(1, keepdim=True)])
def test_whole_numbers_are_answers_too(votes: Callable[[Tensor], Tensor]) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    net.register_forward_hook(lambda module, given, output: votes(output))
    outputs = "logits" if votes(torch.zeros(1, 3)).dtype == torch.long else "probabilities"
    with torch.no_grad():
        net[1].bias += torch.tensor([0.0, 1e-3, 2e-3])  # no ties
    found = landscape.predictions({"a": [net]}, (X, Y), outputs=outputs).probabilities[0]
    np.testing.assert_array_equal(found.argmax(1), net(X).int().argmax(1).numpy())
