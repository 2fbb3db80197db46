"""Eigenvalues and quadratures against matrices whose spectrum is given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.curvature.lanczos import extreme_eigenpairs, lanczos_quadrature


def matrix(eigenvalues: list[float], seed: int = 0) -> Callable[[Tensor], Tensor]:
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    whole = torch.from_numpy(turn @ np.diag(eigenvalues) @ turn.T)
    return lambda vector: (whole @ vector.double()).to(vector.dtype)


def start(size: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(size))


BULK = list(np.linspace(-1, 1, 194))


@pytest.mark.parametrize("basis", [60, 12])  # restarted many times with so few
def test_both_ends_come_out_descending_and_within_their_residuals(basis: int) -> None:
    multiply = matrix([*BULK, 30, 20, 10, 5, 3, -4])
    found = extreme_eigenpairs(multiply, start(200), greatest=3, least=2, tolerance=1e-5, basis=basis, most=400)
    np.testing.assert_allclose(found.values, [30, 20, 10, -1, -4], rtol=1e-6)
    true = [float((multiply(v) - value * v).norm()) for v, value in zip(found.vectors, found.values, strict=True)]
    np.testing.assert_allclose(true, found.residuals, atol=1e-10)
    assert found.converged(1e-5).all()
    vectors = torch.stack(list(found.vectors))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(5), atol=1e-12)


def test_a_far_greatest_eigenvalue_spoils_neither_the_other_end_nor_the_basis():
    found = extreme_eigenpairs(matrix([*np.linspace(-1, 1, 99), 1e9]), start(100), greatest=1, least=3, tolerance=1e-4)
    np.testing.assert_allclose(found.values[1:], np.linspace(-1, 1, 99)[[2, 1, 0]], atol=1e-4)
    vectors = torch.stack(list(found.vectors))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(4), atol=1e-10)


def test_what_has_not_converged_in_the_products_allowed_says_so() -> None:
    found = extreme_eigenpairs(matrix([*BULK, 30]), start(195), greatest=1, least=1, tolerance=1e-6, most=6)
    assert found.products == 6
    assert found.converged(1e-3).tolist() == [True, False]
    assert found.residuals[1] > 0.01


def test_a_residual_is_measured_by_its_own_eigenvalue_and_none_is_below_the_products_rounding() -> None:
    found = extreme_eigenpairs(
        matrix([*BULK, 30]), start(195), greatest=1, least=1, tolerance=1e-6, most=400, rounding=1e-3
    )
    np.testing.assert_allclose(found.residuals, 0.03, rtol=1e-3)
    assert found.converged(2e-3).tolist() == [True, False]


@pytest.mark.parametrize("unit", [1e-14, 1e14])
def test_eigenvalues_are_found_whatever_unit_they_are_in(unit: float) -> None:
    whole = matrix([*BULK, 30, 20, -4])
    found = extreme_eigenpairs(lambda v: whole(v) * unit, start(197), greatest=2, least=1, tolerance=1e-6, most=400)
    np.testing.assert_allclose(found.values / unit, [30, 20, -4], rtol=1e-6)
    quadrature, plain = (lanczos_quadrature(each, start(197), 6) for each in (lambda v: whole(v) * unit, whole))
    np.testing.assert_allclose(quadrature.nodes / unit, plain.nodes, rtol=1e-9)
    np.testing.assert_allclose(quadrature.weights, plain.weights, rtol=1e-9)


def test_after_fewer_products_than_eigenvalues_nothing_is_of_an_end_that_was_not_reached() -> None:
    found = extreme_eigenpairs(matrix(BULK), start(194), greatest=5, least=5, most=2)
    assert len(found.values) == len(found.residuals) == found.greatest == 2


@pytest.mark.parametrize("values", [[2.0], [2.0, -1.0], [3.0, 3.0, 3.0], [0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 0.0]])
def test_small_and_degenerate_matrices_give_all_their_eigenvalues(values: list[float]) -> None:
    greatest = (len(values) + 1) // 2
    found = extreme_eigenpairs(
        matrix(values), start(len(values)), greatest=greatest, least=len(values) - greatest, tolerance=1e-9
    )
    np.testing.assert_allclose(found.values, sorted(values, reverse=True), atol=1e-9)


def test_more_eigenvalues_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="2 greatest and 1 least eigenvalues of 2"):
        extreme_eigenpairs(matrix([1, 2]), start(2), greatest=2, least=1)


def test_a_basis_in_float32_gives_eigenvalues_to_its_rounding() -> None:
    found = extreme_eigenpairs(matrix([*BULK, 30, 20]), start(196).float(), greatest=2, least=1, tolerance=1e-3)
    np.testing.assert_allclose(found.values, [30, 20, -1], rtol=1e-4)


def test_a_quadrature_has_the_moments_of_its_start() -> None:
    multiply, probe = matrix([*BULK, 7]), start(195)
    found = lanczos_quadrature(multiply, probe, 6)
    unit, power = probe / probe.norm(), probe / probe.norm()
    for degree in range(12):  # 2 x 6 - 1 = 11 and the 0th
        moment = float(unit @ power)
        assert found.weights @ found.nodes**degree == pytest.approx(moment, rel=1e-9), degree
        power = multiply(power)
    np.testing.assert_allclose(found.image, multiply(unit))


def test_a_quadrature_of_few_eigenvalues_ends_early() -> None:
    found = lanczos_quadrature(matrix([2, 2, 5, 5]), start(4), 10)
    np.testing.assert_allclose(found.nodes, [2, 5])
    assert found.weights.sum() == pytest.approx(1)
