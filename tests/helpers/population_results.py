"""Predictions of populations without a network."""

from __future__ import annotations

import numpy as np

from landscape.surface.reports.populations import Populations


def populations(networks: int = 6, examples: int = 200, classes: int = 4, shift: float = 0.0) -> Populations:
    """Return two groups, A and B: the second is right more often by ``shift`` about every other example, else less."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, examples)
    base = rng.beta(2, 1, examples)
    change = np.where(np.arange(examples) % 2, shift, -shift)
    right = [rng.random((networks, examples)) < np.clip(base + sign * change, 0, 1) for sign in (0, 1)]
    answers = np.where(np.concatenate(right), labels, (labels + 1) % classes)
    probabilities = np.full((2 * networks, examples, classes), 0.1 / (classes - 1), np.float32)
    np.put_along_axis(probabilities, answers[:, :, None], np.float32(0.9), 2)
    return Populations(
        tuple(f"{group}/{k}" for group in "AB" for k in range(networks)),
        ("A",) * networks + ("B",) * networks,
        probabilities,
        labels,
        np.arange(examples)[::-1].copy(),
        np.ones(2 * networks, dtype=bool),
        ({},) * (2 * networks),
        rng.random((3, 1, 4, 4), dtype=np.float32),
        (0, 5, 7),
        {"data": "test", "reference": "digits:test", "fingerprint": "0"},
    )
