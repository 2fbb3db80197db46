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

from landscape.directions.construct import Plane
from landscape.parallel.comm import current_comm
from landscape.parallel.serial import Comm

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
        # Names, shapes and types first, without numbers.
        sent = comm.broadcast(plane and _with_tensors(plane, lambda tensor: tensor.detach().to("meta")))
        assert sent is not None
        return _with_tensors(plane or sent, lambda tensor: _send(comm, tensor))


def _with_tensors(plane: AnyPlane, make: Callable[[Tensor], Tensor]) -> AnyPlane:
    """Return a plane with other tensors, made in order."""
    trees = [{name: make(tensor) for name, tensor in each.tensors.items()} for each in plane.directions]
    pairs = zip(plane.directions, trees, strict=True)
    return dataclasses.replace(plane, directions=tuple(dataclasses.replace(each, tensors=tree) for each, tree in pairs))


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
