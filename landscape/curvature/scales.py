r"""D: the length that filter normalisation gives each weight on average, \|theta_f\| / sqrt(n_f) for all of filter f.

A random direction d of a picture is D u with u of independent, equally spread filters, so that E[d d'] = D D' and
E[d' H d] = trace(D H D), exactly (Li et al. 2018, section 4, gives d; the trace follows).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from landscape.directions.filters import Filters


def normalising_scale(
    tensors: Mapping[str, Tensor], filters: Mapping[str, Filters], *, ignore: str = "biasbn"
) -> dict[str, Tensor]:
    """Return the diagonal of D, in tensors like the weights, float64; the weights of a filter share one number.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The weights.
    filters : mapping of str to Filters
        How each falls into filters.
    ignore : {"biasbn", "none"}
        "biasbn": 0 for tensors of fewer than two dimensions, which random directions leave alone; "none": their
        weights' absolute values, by which random directions move them.
    """
    found = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2:
            weights = tensor.detach().double()
            found[name] = torch.zeros_like(weights) if ignore == "biasbn" else weights.abs()
            continue
        rows = filters[name].rows(tensor.detach().double())
        lengths = torch.linalg.vector_norm(rows, dim=1) / math.sqrt(rows.shape[1])
        found[name] = filters[name].spread(lengths, tensor.shape).expand(tensor.shape)
    return found
