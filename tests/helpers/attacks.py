"""Small results of attacks and of filters, for files and pictures."""

from __future__ import annotations

import numpy as np

from landscape.surface.reports.frequencies import Frequencies
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


def filtered() -> Frequencies:
    """Return answers at three cut-offs for three images."""
    right = np.ones((2, 3, 3), bool)
    right[0, 0] = False
    flags, share = np.array([True, True, False]), np.array([0.0, 0.5, 1.0])
    parts = (("low", "high"), right, np.ones((2, 3, 3)), flags, share, np.full(3, np.nan), np.arange(3))
    return Frequencies("test", np.array([0.0, 1.0, 2.0]), 2.0, flags, np.ones(3), *parts, settings={"epsilon": None})
