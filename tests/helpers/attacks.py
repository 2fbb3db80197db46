"""Small results of attacks and of filters, for files and pictures."""

from __future__ import annotations

import numpy as np

from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies
from landscape.surface.reports.robustness import Robustness


def robust() -> Robustness:
    """Return attacks of two strengths on three samples."""
    right = np.ones((2, 2, 3), bool)
    right[1, 1] = False
    flags = np.array([True, True, False])
    return Robustness(
        "test",
        "linf",
        np.array([0.1, 0.2]),
        flags,
        ("fgsm", "pgd"),
        right,
        right[1:],
        right[1],
        np.ones((2, 4)),
        ~flags,
        ~flags,
        1.0,
        np.arange(3),
        settings={"steps": 3, "restarts": 2, "clip": [0.0, 1.0]},
        origin={"checkpoint": "net.pt"},
    )


def filtered(*, attacked: bool = False) -> Frequencies:
    """Return answers at three cut-offs for three images; ``attacked`` also with changes by an attack of size 0.1."""
    kinds = (*INPUTS, *CHANGES) if attacked else INPUTS
    right = np.ones((len(kinds), 3, 3), bool)
    right[0, 0] = False
    if attacked:
        right[2, 1:, 0] = right[3, :2, :2] = False
    flags, share = np.array([True, True, False]), np.array([0.0, 0.5, 1.0])
    left = np.array([False, True, False]) if attacked else flags
    parts = (kinds, right, np.ones(right.shape), left, share, np.full(3, np.nan), np.arange(3))
    settings = {"epsilon": 0.1 if attacked else None, "norm": "linf"}
    return Frequencies("test", np.array([0.0, 1.0, 2.0]), 2.0, flags, np.ones(3), *parts, settings=settings)
