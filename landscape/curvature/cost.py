"""What a report of curvature will take: products, time, memory and disk, from two products made to find out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from landscape.curvature.analysis import Settings, most_vectors
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
    basis_bytes: int  # of vectors that Lanczos' method keeps in memory, at most
    disk_bytes: int  # of those that it keeps in a file, at most
    product_bytes: int  # of vectors that are there while a product is made, beside graphs

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
        if point.comm.rank:
            told: CurvatureCost = point.assist()
            return told
        products = point.products()
        vector = torch.ones(products.size, dtype=products.dtype, device=products.device)
        products(vector)
        start = time.perf_counter()
        products(vector)
        seconds = time.perf_counter() - start
        room = point.room(products)
        pairs = min(2 * settings.eigenvalues, products.size)
        plans = room.plan(pairs + 3, most_vectors(settings)), room.plan(settings.steps, settings.steps)
        (first, second), (first_file, second_file) = (
            [count * room.size * dtype.itemsize if on_disk == which else 0 for count, dtype, on_disk in plans]
            for which in (False, True)
        )
        found = first * pairs // plans[0][0]  # the eigenvectors stay while probes are measured
        cost = CurvatureCost(
            products.size,
            point.sampled.samples,
            settings.products,
            seconds,
            len(point.sampled),
            products.kept,
            products.graph_bytes,
            max(first, found + second),
            first_file + second_file,
            # Sums, the product and a probe, float64; the vector, its scaled copy, first and second derivatives.
            products.size * (3 * 8 + 4 * products.dtype.itemsize),
        )
        point.comm.broadcast(("end", cost))
        return cost
