"""One plane for all processes of a job: rank 0 makes it, the others receive its very numbers.

Principal components and coordinates are sums over millions of numbers, and processors of another kind add in another
order: made on each rank, planes and grids would differ in their last digits, and a run on unlike hosts be refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from landscape.comm import Comm, current_comm
from landscape.directions import Direction, Plane

# Bytes in one message: what is pickled at a time, whatever the size of the network.
PIECE = 1 << 24

AnyPlane = TypeVar("AnyPlane", bound=Plane)
Value = TypeVar("Value")


def made_once(make: Callable[[], Value]) -> Value:
    """Return on every rank what a function gives on rank 0, where alone it is called. All ranks have to call this.

    Small values only: they are sent as one message.
    """
    comm = current_comm()
    with comm.together():
        made = make() if comm.rank == 0 else None
        sent: Value = comm.broadcast(made)  # type: ignore[assignment]
    return sent


def plane_made_once(make: Callable[[], AnyPlane]) -> AnyPlane:
    """Return on every rank the plane that a function gives on rank 0, bit for bit; it is called only there.

    All ranks have to call this. Tensors are sent in pieces, so a large network's directions are never pickled as a
    whole.
    """
    comm = current_comm()
    with comm.together():
        plane = make() if comm.rank == 0 else None
        if comm.size == 1:
            assert plane is not None
            return plane
        bare = None if plane is None else dataclasses.replace(plane, directions=tuple(map(_bare, plane.directions)))
        sent = comm.broadcast(bare)
        assert sent is not None
        directions = []
        for number, direction in enumerate(sent.directions):
            own = direction.tensors if plane is None else plane.directions[number].tensors
            tree = {name: _send(comm, tensor) for name, tensor in own.items()}
            directions.append(dataclasses.replace(direction, tensors=tree))
    return dataclasses.replace(sent, directions=tuple(directions))


def _bare(direction: Direction) -> Direction:
    """Return a direction whose tensors have names, shapes and types, but no numbers."""
    tree = {name: tensor.detach().to("meta") for name, tensor in direction.tensors.items()}
    return dataclasses.replace(direction, tensors=tree)


def _send(comm: Comm, tensor: Tensor) -> Tensor:
    """Return rank 0's tensor; the other ranks pass one of its shape and type."""
    flat = tensor.detach().cpu().reshape(-1) if comm.rank == 0 else torch.empty(tensor.numel(), dtype=tensor.dtype)
    content = flat.view(torch.uint8)  # NumPy has no bfloat16
    for start in range(0, len(content), PIECE):
        part = content[start : start + PIECE]
        received = comm.broadcast(part.numpy())
        if comm.rank:
            part.copy_(torch.from_numpy(received))
    return flat.reshape(tensor.shape)
