"""What a surface's file says about where it came from: problem, origin, software."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape import __version__
from landscape.datasets import describe_data, fingerprint
from landscape.forward import Forward, describe_forward
from landscape.losses import Loss
from landscape.objective import Objective

# Samples of each data set that are fingerprinted: enough to notice another set or another preprocessing, while
# a large data set is not read twice.
FINGERPRINT_SAMPLES = 1024


def software() -> str:
    """Return the versions a value may depend on."""
    python = platform.python_version()
    return f"landscape {__version__}, torch {torch.__version__}, numpy {np.__version__}, Python {python}"


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe_problem(
    objective: Objective,
    loss: Loss,
    model: Mapping[str, Any],
    metrics: Mapping[str, Sequence[str]],
    **settings: Any,
) -> dict[str, Any]:
    """Return the JSON description of what is measured, ``Surface.problem``."""
    return {
        "model": dict(model),
        "data": {name: describe_data(each, objective.sizes[name]) for name, each in objective.data.items()},
        "loss": loss.name,
        "metrics": {name: list(members) for name, members in metrics.items()},
        **settings,
    }


def origin_of(sha256: str, objective: Objective, checkpoint: str, values: Mapping[str, float]) -> dict[str, Any]:
    """Return the JSON description of theta*, ``Surface.origin``: digest of all states, values, data fingerprints."""
    counted = {name: min(number, FINGERPRINT_SAMPLES) for name, number in objective.sizes.items()}
    return {
        "checkpoint": checkpoint,
        "sha256": sha256,
        "values": dict(values),
        "fingerprints": fingerprints(objective, counted),
        "fingerprint_samples": counted,
    }


def fingerprints(objective: Objective, counted: Mapping[str, int]) -> dict[str, str]:
    """Return the digests of the first so many samples of each data set."""
    return {
        name: fingerprint(objective.data[name], objective.orders[name][:number])
        for name, number in counted.items()
        if name in objective.data
    }


def describe_quality(model: nn.Module, objective: Objective, forward: Forward) -> dict[str, Any]:
    """Return the JSON description of how it is computed, ``Surface.quality``."""
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()}
    device = objective.device
    own = "mixed" if len(dtypes) > 1 else str(dtypes.pop() if dtypes else torch.float32).removeprefix("torch.")
    return {
        **describe_forward(forward, own, objective.engine),
        "batch_size": objective.batch_size,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
