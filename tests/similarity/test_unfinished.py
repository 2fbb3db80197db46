"""A run of similarity that was cut short goes on from its file to the same numbers, and only from its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import landscape
from landscape.errors import EvaluationError, SurfaceMismatch
from landscape.files.similarity_file import read_similarity, read_state, write_similarity
from landscape.similarity.layer_similarity import similarity_cost
from landscape.surface.similarity import Similarity
from tests.helpers.similarities import assert_same

SETTINGS: dict[str, Any] = {
    "batch_size": 20,
    "passes": 3,
    "without_components": 1,
    "without_dominant": 2,
    "procrustes": 2,
}


@pytest.fixture
def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {name: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5)) for name in "ab"}


@pytest.fixture(scope="module")
def data() -> torch.Tensor:
    return torch.randn(70, 6, generator=torch.Generator().manual_seed(1))


def test_from_wherever_it_was_cut_short_a_run_comes_to_the_same_numbers(networks, data, tmp_path):
    path, states = tmp_path / "sim.h5", 0

    def write(found: Similarity, state: Any) -> None:
        nonlocal states
        states += 1
        write_similarity(tmp_path / f"{states}.h5", found, state)

    whole = landscape.similarity(networks, data, **SETTINGS, write=write, write_every=0.0)
    assert len(whole.others) == 6
    # Two networks' components, three times three passes of 4 batches, two batches of Procrustes.
    assert states == 2 + 3 * 12 + 2
    for number in range(1, states + 1, 3):
        path = tmp_path / f"{number}.h5"
        known = read_similarity(path)
        assert not known.complete
        again = 0

        def count(found: Similarity, state: Any) -> None:
            nonlocal again
            again += 1

        found = landscape.similarity(
            networks, data, **SETTINGS, known=(known, read_state(path)), write=count, write_every=0.0
        )
        assert_same(found, whole)
        assert again == states - number, "what was done is measured again"


def test_an_error_keeps_what_was_done_and_says_so(networks, data):
    kept: list[Any] = []

    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = nn.Linear(6, 4), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Breaks.count += 1
            if Breaks.count > Breaks.most:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
            return self.inner(x)

        count, most = 0, 20

    torch.manual_seed(3)
    model = Breaks()
    with pytest.raises(EvaluationError, match="memory ran out") as raised:
        landscape.similarity(model, data, batch_size=20, passes=9, write=lambda *each: kept.append(each))
    assert raised.value.__cause__ is not None
    assert any("batches are kept" in note for note in raised.value.__cause__.__notes__)
    found, (_, arrays) = kept[-1]
    assert arrays["layers.passes"][0] > 0
    Breaks.count, Breaks.most = 0, 10**6
    whole = landscape.similarity(model, data, batch_size=20, passes=9)
    assert_same(landscape.similarity(model, data, batch_size=20, passes=9, known=(found, ({}, arrays))), whole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"passes": 4}, "passes 3 instead of 4"),
        ({"layers": "0"}, "other layers of a"),
        ({"data": 1.0}, "other samples"),
        ({"about": {"a": {"sha256": "1"}}}, "a has other weights"),
        ({"networks": "ax"}, "networks a, b instead of a, x"),
    ],
)
def test_a_file_of_something_else_is_refused_with_what_differs(networks, data, change, words):
    known = landscape.similarity(networks, data, **SETTINGS)
    options: dict[str, Any] = {**SETTINGS, **change}
    shifted = data + options.pop("data", 0.0)
    named = dict(zip(options.pop("networks", "ab"), networks.values(), strict=True))
    with pytest.raises(SurfaceMismatch, match=words):
        landscape.similarity(named, shifted, **options, known=(known, ({}, {})))


def test_gram_matrices_that_do_not_fit_into_memory_lie_on_disk_with_the_same_result(networks, data, monkeypatch):
    from landscape.similarity import hsic, layer_analysis

    wanted = landscape.similarity(networks, data, **SETTINGS)
    rows = wanted.starts[-1]
    monkeypatch.setattr(layer_analysis, "resident_budget", lambda *_: 80 * rows**2 + 1)
    monkeypatch.setattr(hsic, "_COLUMNS", 50)
    assert similarity_cost(networks, data, **SETTINGS).on_disk
    assert_same(landscape.similarity(networks, data, **SETTINGS), wanted, rtol=1e-12)
    monkeypatch.setattr(layer_analysis, "resident_budget", lambda *_: 80 * rows**2 - 1)
    with pytest.raises(EvaluationError, match="choose layers"):
        landscape.similarity(networks, data, **SETTINGS)
