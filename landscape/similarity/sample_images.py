"""Images of some samples, where these are images, for a result that shows them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import ProblemError
from landscape.problem.batches import split_inputs_targets
from landscape.similarity.shuffled_batches import Samples
from landscape.surface.reports.similarity import Similarity


def with_images(found: Similarity, samples: Samples, numbers: NDArray[np.int64]) -> Similarity:
    """Return a result with images of samples and their classes; as it is where samples are no images.

    Parameters
    ----------
    found : Similarity
    samples : Samples
    numbers : ndarray of int
        Which ones, as the data set numbers them.
    """
    place = {int(number): place for place, number in enumerate(samples.order)}
    batch = samples.fetch(np.array([place[int(number)] for number in numbers]), torch.device("cpu"))
    inputs, targets = batch, None
    if not isinstance(batch, Tensor):
        try:
            inputs, targets = split_inputs_targets(batch)
        except ProblemError:  # inputs of a kind of their own: there is nothing that could be drawn
            return found
    if not isinstance(inputs, Tensor) or inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
        return found
    labels: tuple[int, ...] = ()
    if isinstance(targets, Tensor) and targets.ndim == 1 and not targets.is_floating_point():
        labels = tuple(int(target) for target in targets)
    images = inputs.float().numpy().astype(np.float32)
    return replace(found, images=images, pictured=tuple(int(number) for number in numbers), labels=labels)
