"""A run of similarity that was cut short goes on from its file to the same numbers, and only from its own."""

from __future__ import annotations

import dataclasses
import errno
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import EvaluationError, StoreError, SurfaceMismatch
from landscape.files.reports.similarity_file import read_similarity, read_state, write_similarity
from landscape.similarity.layer_similarity import similarity_cost
from landscape.surface.reports.similarity import Similarity
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
    # Two networks' components, three times three passes of 4 batches, two batches of Procrustes; and all.
    assert states == 2 + 3 * 12 + 2 + 1
    for number in range(1, states, 3):
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

        count, most = 0, 26

    torch.manual_seed(3)
    model = Breaks()
    with pytest.raises(EvaluationError, match="memory ran out") as raised:
        landscape.similarity(model, data, batch_size=20, passes=9, write=lambda *each: kept.append(each))
    (note,) = raised.value.__notes__
    assert "batches are kept, the same command goes on from there" in note
    found, state = kept[-1]
    arrays = state[1]
    assert arrays["layers.passes"][0] > 0
    Breaks.count, Breaks.most = 0, 10**6
    whole = landscape.similarity(model, data, batch_size=20, passes=9)
    assert_same(landscape.similarity(model, data, batch_size=20, passes=9, known=(found, state)), whole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"passes": 2}, "passes 3 instead of 2"),
        ({"passes": 4}, "does not hold the sums"),
        ({"layers": "0"}, "other layers of a"),
        ({"data": 1.0}, r"comparison \(other samples, or in another order\)"),
        ({"known": {"normalize": "0.5/0.2"}}, r"comparison \(normalize '0.5/0.2' instead of None\)"),
        ({"about": {"b": {"sha256": "1", "model": {}}}}, r"comparison \(b has other weights; b has another model\)"),
        ({"networks": "ax"}, "networks a, b instead of a, x"),
    ],
)
def test_a_file_of_something_else_is_refused_with_what_differs(networks, data, change, words):
    known = landscape.similarity(networks, data, **SETTINGS)
    options: dict[str, Any] = {**SETTINGS, **change}
    known = dataclasses.replace(known, problem={**known.problem, **options.pop("known", {})})
    shifted = data + options.pop("data", 0.0)
    named = dict(zip(options.pop("networks", "ab"), networks.values(), strict=True))
    with pytest.raises(SurfaceMismatch, match=words):
        landscape.similarity(named, shifted, **options, known=(known, ({}, {})))


@pytest.mark.parametrize("version", [2, None])
@pytest.mark.parametrize("complete", [True, False])
def test_sums_of_another_version_are_not_added_to(networks, data, version, complete):
    """Their Gram matrices are other ones: a mean of both would be neither's."""
    kept: list[Any] = []
    options: dict[str, Any] = {"batch_size": 20, "components": False}
    landscape.similarity(networks, data, passes=2, **options, write=lambda *each: kept.append(each), write_every=0.0)
    found, (_, arrays) = kept[-1 if complete else 1]
    assert found.complete is complete
    state = {} if version is None else {"version": version}
    with pytest.raises(SurfaceMismatch, match=rf"sums of version {version}, .*--overwrite it, or write"):
        landscape.similarity(networks, data, passes=3 if complete else 2, **options, known=(found, (state, arrays)))


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


@pytest.mark.parametrize("more", [{}, {"without_components": 1}, {"without_dominant": 2}], ids=str)
def test_passes_that_are_added_to_a_complete_file_give_what_all_at_once_give(networks, data, tmp_path, more):
    """To the last digit, also where the addition was cut short; and nothing that is done is measured again."""
    path = tmp_path / "sim.h5"
    options: dict[str, Any] = {"batch_size": 20, "procrustes": 2, **more, "write_every": 0.0}

    def write(found: Similarity, state: Any) -> None:
        write_similarity(path, found, state)
        calls.append(found)
        if len(calls) == stop:
            raise KeyboardInterrupt

    def known() -> Any:
        state = read_state(path)
        assert state is not None
        return read_similarity(path), state

    whole = landscape.similarity(networks, data, passes=5, **options)
    calls: list[Similarity] = []
    stop = 0
    landscape.similarity(networks, data, passes=2, write=write, **options)
    assert read_similarity(path).complete
    calls, stop = [], 6
    with pytest.raises(KeyboardInterrupt):
        landscape.similarity(networks, data, passes=5, known=known(), write=write, **options)
    assert [(each.passes, each.complete) for each in (calls[0], calls[-1])] == [(2, False), (3, False)]
    np.testing.assert_equal(calls[-1].pc_share, whole.pc_share)
    cost = similarity_cost(networks, data, passes=5, known=known(), **{k: options[k] for k in options if k[:2] != "wr"})
    parts = 1 + len(more)
    assert (cost.batches, cost.done) == (parts * 20 + 2, parts * 8 + 6 + 2)
    calls, stop = [], 0
    found = landscape.similarity(networks, data, passes=5, known=known(), write=write, **options)
    assert len(calls) == parts * 12 - 6 + 1
    for result in (found, read_similarity(path)):
        assert_same(result, whole)
    assert found.blocks == whole.blocks


def test_gram_matrices_on_disk_outlive_a_run_that_was_cut_short(networks, data, tmp_path, monkeypatch):
    """Networks of a batch that are done are not called again for it, but for another network's file they are."""
    from landscape.similarity import layer_analysis

    calls: list[str] = []
    for name, network in networks.items():
        network.register_forward_hook(lambda module, inputs, output, name=name: calls.append(name))
    about = {name: {"sha256": name} for name in networks}
    settings: dict[str, Any] = {"batch_size": 20, "passes": 2, "components": False}
    whole = landscape.similarity(networks, data, about=about, **settings)
    monkeypatch.setattr(layer_analysis, "resident_budget", lambda *_: 80 * whole.starts[-1] ** 2 + 1)
    scratch = str(tmp_path / "sim.h5.grams")
    calls.clear()
    every = 0

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal every
        every += len(inputs[0]) > 10
        if every == 3:  # the scale, the first batch, and the second of the second network
            raise KeyboardInterrupt

    hook = networks["b"].register_forward_hook(end)
    with pytest.raises(KeyboardInterrupt):
        landscape.similarity(networks, data, about=about, scratch=scratch, **settings)
    hook.remove()
    assert [each.name for each in tmp_path.iterdir()] == ["sim.h5.grams.layers-0-1"]
    calls.clear()
    found = landscape.similarity(networks, data, about=about, scratch=scratch, **settings)
    assert_same(found, whole, rtol=1e-12)
    assert (calls.count("b") - calls.count("a"), list(tmp_path.iterdir())) == (1, [])
    other = {**about, "a": {"sha256": "another"}}
    hook, every = networks["b"].register_forward_hook(end), 0
    with pytest.raises(KeyboardInterrupt):
        landscape.similarity(networks, data, about=about, scratch=scratch, **settings)
    hook.remove()
    calls.clear()
    landscape.similarity(networks, data, about=other, scratch=scratch, **settings)
    assert calls.count("a") == calls.count("b")


def test_rows_are_noted_as_done_once_they_are_on_the_disk(monkeypatch, tmp_path):
    from landscape.similarity.gram_file import GramFile

    file, seen = GramFile(str(tmp_path / "grams"), "a", 4, 3), []

    def flush(*parts: np.ndarray) -> None:
        seen.append((parts[0].shape, file.has(slice(1, 3))))

    monkeypatch.setattr(GramFile, "_flush", staticmethod(flush))
    file.vectors[1:3] = 7.0
    file.finish(slice(1, 3))
    assert seen == [((4, 3), False), ((4,), True)]
    assert not file.has(slice(0, 3))
    file.close()


def test_a_disk_without_room_for_gram_matrices_is_an_error_before_they_are_made(networks, data, monkeypatch, tmp_path):
    from landscape.similarity import gram_file, layer_analysis

    rows = landscape.similarity(networks, data, **SETTINGS).starts[-1]
    monkeypatch.setattr(layer_analysis, "resident_budget", lambda *_: 80 * rows**2 + 1)

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gram_file.os, "posix_fallocate", full)
    with pytest.raises(StoreError, match=r"cannot be put into .*No space left on device.*choose fewer layers"):
        landscape.similarity(networks, data, **SETTINGS)


class Square(nn.Module):
    """Even features of an input, which odd ones say nothing about."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return squares."""
        return x**2


@pytest.mark.usefixtures("coarse_pictures")
def test_an_addition_that_is_cut_short_leaves_the_result_of_the_passes_before(tmp_path, capsys):
    """Six rotations are a block by construction, alike in all seeds, and the square after them is not in it."""
    torch.manual_seed(0)
    turns = [nn.utils.parametrizations.orthogonal(nn.Linear(6, 6, bias=False)) for _ in range(12)]
    networks = {"a": nn.Sequential(nn.Flatten(), *turns[:6], Square()), "b": nn.Sequential(nn.Flatten(), *turns[6:])}
    data = torch.randn(400, 1, 2, 3, generator=torch.Generator().manual_seed(1))
    path = tmp_path / "sim.h5"

    def write(found: Similarity, state: Any) -> None:
        write_similarity(path, found, state)
        if found.passes == stop:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"batch_size": 100, "write": write, "write_every": 0.0, "layers": r"^\d$"}
    stop = 0
    with pytest.raises(KeyboardInterrupt):
        landscape.similarity(networks, data, passes=2, **options)
    assert main(["info", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no pass is done yet" in said
    assert "not yet" in said
    assert "none" not in said
    stop = -1
    two = landscape.similarity(networks, data, passes=2, **options)
    block, none = two.blocks
    assert none is None
    assert block is not None
    assert (block.first, block.last) == (0, 6)
    assert abs(block.outside) < 0.1
    np.testing.assert_allclose([block.inside, block.shared["b"]], 1.0, atol=1e-5)
    for more in ({}, {"without_components": 1}):
        stop = -1
        landscape.similarity(networks, data, passes=2, **more, **options)
        stop = 3
        state = read_state(path)
        assert state is not None
        with pytest.raises(KeyboardInterrupt):
            landscape.similarity(networks, data, passes=5, known=(read_similarity(path), state), **more, **options)
        left = read_similarity(path)
        assert (left.complete, left.passes) == (False, 3)
        assert left.blocks == landscape.similarity(networks, data, batch_size=100, passes=3, layers=r"^\d$").blocks
        np.testing.assert_array_equal(left.images, two.images)
        np.testing.assert_array_equal(left.pc_share, two.pc_share)
        state = read_state(path)
        assert state is not None
        known = (left, state)
        again = landscape.similarity(networks, data, batch_size=100, passes=3, layers=r"^\d$", known=known, **more)
        assert (again.complete, again.done) == (True, "")
        np.testing.assert_array_equal(again.cka, left.cka)
        with pytest.raises(SurfaceMismatch, match="passes 5 instead of 2"):
            landscape.similarity(networks, data, batch_size=100, passes=2, layers=r"^\d$", known=known, **more)
        assert main(["info", str(path)]) == 0
        assert "shown is what 3 whole passes of 5 gave" in " ".join(capsys.readouterr().out.split())
        assert main(["plot", str(path), "-o", str(tmp_path / "sim.pdf")]) == 0
        assert "Not finished: shown is 3 passes of 5." in " ".join(capsys.readouterr().out.split())
