"""Vectors in a file: the same numbers as in memory, and a file that nobody has to delete."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.curvature import rows as rows_module
from landscape.curvature.analysis import Settings, most_vectors
from landscape.curvature.cost import estimate_curvature_cost
from landscape.curvature.lanczos import extreme_eigenpairs
from landscape.curvature.rows import Room, Rows
from landscape.errors import StoreError


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where temporary files are put; blocks of few columns, the last one short."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(rows_module, "_BLOCK", 30)
    return tmp_path


def open_files(folder: Path) -> list[str]:
    gc.collect()
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [found for link in links if os.path.islink(link) and (found := os.readlink(link)).startswith(str(folder))]


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_done_with_rows_is_what_it_says(folder: Path, on_disk: bool, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    whole = np.linalg.qr(rng.standard_normal((23, 4)))[0].T.astype(np.float32 if dtype == torch.float32 else float)
    vector, factors = rng.standard_normal(23), rng.standard_normal(4)
    found = Rows(5, torch.empty(23, dtype=dtype), on_disk=on_disk)
    for number, row in enumerate(whole):
        found[number] = torch.from_numpy(row).double()
    found[4] = torch.full((23,), 7.0)
    assert found.on_disk == on_disk
    np.testing.assert_array_equal(found[-1], np.full(23, 7.0))
    exact = whole.astype(np.float64)
    np.testing.assert_allclose(found.inner_products(torch.from_numpy(vector), 4), exact @ vector, atol=1e-14)
    np.testing.assert_allclose(found.combined(torch.from_numpy(factors)), factors @ exact, atol=1e-14)
    np.testing.assert_allclose(found.combined(torch.ones(4).double(), squared=True), (exact**2).sum(0), atol=1e-14)
    left = torch.from_numpy(vector.copy())
    along = found.orthogonalise(left, 4)
    precise = 1e-6 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(along, exact @ vector, atol=precise)
    np.testing.assert_allclose(left, vector - (exact @ vector) @ exact, atol=precise)
    np.testing.assert_allclose(exact @ left.numpy(), 0, atol=1e-12)
    mixes = rng.standard_normal((4, 2))
    found.mix(mixes)
    kept = found.first(2)
    np.testing.assert_allclose(torch.stack(list(kept)), mixes.T @ exact, rtol=10 * torch.finfo(dtype).eps, atol=precise)


def test_a_report_with_vectors_on_disk_is_that_of_vectors_in_memory(folder: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    data = torch.randn(23, 5), torch.arange(23) % 3
    options = {"eigenvalues": 2, "probes": 2, "steps": 3, "batch_size": 9, "tolerance": 1e-3}
    settings = Settings(eigenvalues=2, probes=2, steps=3, tolerance=1e-3)
    many = landscape.curvature(model, data, **options)
    few = landscape.curvature(model, data, **options, memory=12.0)
    for name in ("raw", "normalised"):
        one, other = getattr(few, name), getattr(many, name)
        np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, rtol=1e-3)
        np.testing.assert_allclose(one.traces, other.traces, rtol=1e-3)
        np.testing.assert_allclose(one.nodes, other.nodes, rtol=1e-2)
    assert few.gauss_newton_greatest == pytest.approx(many.gauss_newton_greatest, rel=1e-4)
    cost = estimate_curvature_cost(model, data, settings=settings, batch_size=9, memory=12.0)
    assert (cost.basis_bytes, cost.disk_bytes) == (0, 57 * 4 * (32 + 3))
    whole = estimate_curvature_cost(model, data, settings=settings, batch_size=9)
    # In memory float64: what Lanczos' method keeps, or four eigenvectors beside a probe's vectors, if that is more.
    assert (whole.basis_bytes, whole.disk_bytes) == (57 * 8 * max(most_vectors(settings), 4 + 3), 0)
    steps = Settings(eigenvalues=2, probes=2, steps=150, tolerance=1e-3)
    longer = estimate_curvature_cost(model, data, settings=steps, batch_size=9)
    assert longer.basis_bytes == 57 * 8 * max(most_vectors(steps), 4 + 150)
    assert open_files(folder) == []


@pytest.mark.parametrize("module", ["point", "convexity_map"])
def test_batches_graphs_and_vectors_share_the_memory_that_may_be_used(module: str, monkeypatch) -> None:
    code, budget, taken = importlib.import_module(f"landscape.curvature.{module}"), 10**6, {}
    monkeypatch.setattr(code, "resident_budget", lambda *_: budget)
    for name in ("SampledLoss", "Products"):
        own = getattr(code, name)

        def made(*given, own=own, name=name, **named):
            taken[name] = named["budget"]
            return own(*given, **named)

        monkeypatch.setattr(code, name, made)
    model, data = nn.Linear(40, 30), (torch.randn(23, 40), torch.arange(23) % 3)
    if module == "convexity_map":
        pairs = code.extreme_eigenpairs
        size = 1200

        def found(*given, basis, **named):
            taken["vectors"] = 8 * size * basis
            return pairs(*given, basis=basis, **named)

        monkeypatch.setattr(code, "extreme_eigenpairs", found)
        landscape.evaluate(model, data, x="0:1:2", quantities={"curvature": {"products": 30}})
    else:
        with code.at_weights(model, data) as point:
            taken["vectors"] = 8 * 1230 * point.room(point.products()).held
    assert set(taken) == {"SampledLoss", "Products", "vectors"}
    assert sum(taken.values()) < budget
    assert min(taken.values()) > 0.09 * budget


def test_the_file_has_no_name_and_goes_when_the_work_is_cut_short(folder: Path) -> None:
    def cut_short(vector: Tensor) -> Tensor:
        assert len(open_files(folder)) == 1
        assert list(folder.iterdir()) == [], "what has no name goes with the process, however that ends"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extreme_eigenpairs(cut_short, torch.ones(100), rows=Rows(15, torch.ones(100), on_disk=True))
    assert open_files(folder) == []


def test_a_full_disk_is_told_before_anything_is_computed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int, first: int, total: int) -> None:
        assert first == 0
        assert total >= 13 * 1000 * 4  # all of it, or the work ends at some later product
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match=r"No space left.*TMPDIR.*--memory"):
        Room(0, torch.empty(()), 1000).rows(13, 20)
    assert open_files(folder) == []
