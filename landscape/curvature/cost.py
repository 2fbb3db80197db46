"""What a report of curvature will take: products, time and memory, from two products that are made to find out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from landscape.curvature.analysis import LARGEST_BASIS, Settings
from landscape.curvature.point import at_weights


@dataclass(frozen=True)
class CurvatureCost:
    """Of one data set at one network."""

    weights: int  # n, of the matrix
    samples: int
    products: int  # at most, without those of the Gauss-Newton matrix
    seconds_per_product: float  # once graphs are kept
    batches: int
    kept: int  # of their graphs
    graph_bytes: int  # of one batch
    basis_bytes: int  # of vectors that Lanczos' method keeps, at most

    @property
    def seconds(self) -> float:
        """At most."""
        return self.products * self.seconds_per_product


def estimate_curvature_cost(
    model: nn.Module, data: Any, *, settings: Settings, gauss_newton: bool = True, **options: Any
) -> CurvatureCost:
    """Make two products, the first of which builds graphs, and say what a whole report takes.

    Parameters
    ----------
    model, data, settings, gauss_newton, options
        As for `landscape.curvature.analysis.measure_curvature`.
    """
    with at_weights(model, data, **options) as point:
        products = point.products()
        vector = torch.ones(products.size, dtype=products.dtype, device=products.device)
        products(vector)
        start = time.perf_counter()
        products(vector)
        seconds = time.perf_counter() - start
        basis = point.basis(products.size)
        wide = basis >= 2 * settings.eigenvalues + 2
        vectors = (
            min(LARGEST_BASIS, basis) if wide else max(2 * settings.eigenvalues + 3, min(LARGEST_BASIS, 2 * basis))
        )
        size = 8 if wide else torch.finfo(products.dtype).bits // 8
        return CurvatureCost(
            products.size,
            point.sampled.samples,
            settings.products,
            seconds,
            len(point.sampled),
            products.kept,
            products.graph_bytes,
            min(vectors + 1, products.size + 1) * products.size * size,
        )
