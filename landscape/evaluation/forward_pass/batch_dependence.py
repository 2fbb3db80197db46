"""Whether the loss of a sample goes by which others share its batch: then it goes by the batch size, too."""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.sample_values import Chunk
from landscape.problem.params import normalised_by_batch
from landscape.problem.repeated_passes import among_themselves, depends_on_others

logger = logging.getLogger(__name__)

# Samples of each data set that are asked for among others.
FEW = 8


def goes_by_batch(objective: Objective) -> bool:
    """Whether the loss of a sample depends on its place in a batch or the others there, in eval mode; says so if so."""
    if objective.mode != "eval":
        return False
    if layers := normalised_by_batch(objective.model):
        logger.warning(
            "no running statistics are kept in %s (track_running_stats=False): each batch is normalised by its own "
            "samples, so that the loss depends on the batch size, %d here",
            ", ".join(layers[:3]),
            objective.batch_size,
        )
    elif any(_differs_among_others(objective, name) for name in objective.data):
        logger.warning(
            "the loss of a sample depends on its place in a batch, or on which others share it, in eval mode, and so "
            "on the batch size, %d here",
            objective.batch_size,
        )
    else:
        return False
    return True


def _differs_among_others(objective: Objective, name: str) -> bool:
    """Whether a few samples of a data set have losses of their own, and others elsewhere, with others beside them.

    A `collate_fn` that puts a batch in an order of its own counts: no loss is known to be of a sample then.

    Not seen is what goes by the batch's size alone, with noise also what goes by its first sample, and what is below a
    hundredth of the largest loss. A loss that gives a mean is asked elsewhere whether it is one.
    """
    order = objective.orders[name][: min(FEW, objective.batch_size)]
    # Of noise each place in a batch has its own.
    others = among_themselves(len(order), in_place=objective.noise is not None)

    def measured(chosen: NDArray[np.int64]) -> tuple[bool, torch.Tensor]:
        batch = objective.ready(objective.data[name].fetch(chosen))
        found = objective.measure([Chunk(name, 0, len(order), [batch])])
        return found.per_sample[name, "loss"], torch.from_numpy(found.values[name, "loss"])

    try:
        known, one = measured(order)
        return known and depends_on_others(one, measured(order[others])[1], others)
    except (Exception, SystemExit) as error:  # a network that takes batches of one size only, say
        logger.debug("whether losses go by their batch could not be asked: %s", error)
        return False
