"""Reports of curvature without a network."""

from __future__ import annotations

import numpy as np

from landscape.surface.reports.curvature import Curvature, CurvatureRun, FilterCurvature, LayerCurvature, SliceCurvature
from landscape.surface.reports.matrix_spectrum import Spectrum


def spectrum(seed: int = 0, size: int = 100, scale: float = 1.0) -> Spectrum:
    """Return three greatest, two least eigenvalues and four probes of six steps, the last least one not converged."""
    rng = np.random.default_rng(seed)
    values = scale * np.array([9.0, 4.0, 2.0, -0.5, -0.8])
    nodes = scale * np.sort(np.concatenate([rng.uniform(-0.8, 0.5, (4, 4)), rng.uniform(1, 9, (4, 2))], axis=1))
    weights = rng.dirichlet(np.array([5.0, 20, 20, 5, 0.2, 0.1]), 4)
    nodes[3, -1] = weights[3, -1] = np.nan  # ended early
    weights[3] /= np.nansum(weights[3])
    traces = scale * (20 + rng.standard_normal(4))
    residuals = scale * np.array([1e-3, 1e-3, 1e-3, 0.004, 0.2])
    errors = scale * np.full(5, 0.3)
    return Spectrum(
        size, values, residuals, errors, 3, 0.01, traces, 0.4, traces**2 / 3, traces + 1.0, nodes, weights, 60
    )


def curvature(seed: int = 0, data: str = "train") -> Curvature:
    """Return a report of a network of three layers."""
    layers = tuple(LayerCurvature(f"layer{k}.weight", 30, 5, 5.0 + k, 0.5, 0.4 * k, 0.05) for k in range(3))
    return Curvature(
        data,
        500,
        0.2,
        0.01,
        0.05,
        0.01,
        0.06,
        spectrum(seed),
        spectrum(seed + 1, scale=0.1),
        layers,
        FilterCurvature(*(np.arange(15.0) * factor for factor in (0.1, 0.01, 0.02, 0.002))),
        8.5,
        0.01,
        21.0,
        1.5,
        SliceCurvature(("α", "β"), *(np.array([[4.0, b], [b, 1.0]]) for b in (-0.5, 0.1, -0.4, 0.2)), (0.6, 0.1)),
        "Saddle: of a kind.",
        {"loss": "cross_entropy"},
        {"checkpoint": "net.pt"},
        {"probes": 4},
        gradient_null_stderr=0.0021,
        batches=8,
    )


def curvature_run() -> CurvatureRun:
    """Return reports at three steps of a run, the last of which says no learning rate."""
    return CurvatureRun("sgd", "epoch", (0, 5, 10), (0.1, 0.1, np.nan), tuple(curvature(k) for k in range(3)))
