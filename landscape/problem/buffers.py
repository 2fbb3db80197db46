"""Buffers that a forward pass writes into, put back after it: no pass depends on those before.

An observer of ranges, say, goes on observing in eval mode: at weights far away it sees larger numbers, by which
everything measured after them would be rounded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from landscape.problem.attributes import kept_copy


class Buffers:
    """The buffers of a network."""

    def __init__(self, model: nn.Module) -> None:
        found: dict[int, tuple[str, Tensor]] = {}
        for path, module in model.named_modules():
            for name, each in module._buffers.items():
                if each is not None and not (each.is_meta or each.is_inference()):
                    whole = f"the buffer {path}{'.' if path else ''}{name} ({type(module).__name__})"
                    found.setdefault(id(each), (whole, each))
        self._names = [name for name, _ in found.values()]
        self._live = [each for _, each in found.values()]
        self._written: set[int] = set()

    @property
    def written(self) -> list[str]:
        """Which of them a pass within `kept` has written into, in words."""
        return [self._names[k] for k in sorted(self._written)]

    @contextmanager
    def kept(self, but: Collection[int] = (), *, unseen: bool = False) -> Iterator[None]:
        """Put what is written into meanwhile back to what it was before, but for buffers of these ids.

        ``unseen``: also what is written without a trace, as batch norm writes its running statistics in training mode.
        """
        versions = [each._version for each in self._live]
        before = [kept_copy(each.detach()) for each in self._live]
        try:
            yield
        finally:
            with torch.no_grad():
                for k, each in enumerate(self._live):
                    if id(each) in but:
                        continue
                    if each._version != versions[k]:
                        self._written.add(k)
                    if unseen or each._version != versions[k]:
                        each.copy_(before[k])
