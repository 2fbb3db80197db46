"""How much memory data may take, and how to tell that there was not enough."""

from __future__ import annotations

import math

import torch

from landscape.engine.control_groups import memory_left

# Share of the free memory that resident data may take, beside weights and activations.
RESIDENT_SHARE = 0.4


def resident_budget(device: torch.device, users: int = 1) -> int:
    """Return the bytes that data may take on a device that so many processes of this host share."""
    if device.type == "cuda":
        sharing = math.ceil(users / max(torch.cuda.device_count(), 1))
        return int(torch.cuda.mem_get_info(device)[0] * RESIDENT_SHARE) // sharing
    return int(_free_memory() * RESIDENT_SHARE) // users


def _free_memory() -> int:
    """Return the bytes that are free on this machine, or that a container or a batch job may still take."""
    left = memory_left()
    return _free_on_machine() if left is None else min(_free_on_machine(), left)


def _free_on_machine() -> int:
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30  # not Linux: what a laptop has free


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on whatever device."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )
