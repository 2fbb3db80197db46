"""CIFAR-10's own files with random images."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from landscape.problem.data.archives import CIFAR_TRAIN


def images(number: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (number, 3072), dtype=np.uint8)


def cifar(folder: Path, number: int = 4) -> Path:
    """Write batches as the authors' are: a dict of bytes, an array of rows, a list of labels."""
    folder.mkdir(parents=True)
    for seed, name in enumerate((*CIFAR_TRAIN, "test_batch")):
        batch = {
            b"batch_label": b"one",
            b"labels": [seed] * number,
            b"data": images(number, seed),
            b"filenames": [b"a"],
        }
        (folder / name).write_bytes(pickle.dumps(batch, 2))
    return folder
