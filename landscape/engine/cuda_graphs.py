"""CUDA graphs of a forward pass: the GPU's work recorded once for each shape of input, then played back.

A small network's forward pass is some hundred short kernels, and launching each costs more than running it. What is
recorded reads and writes fixed memory: inputs are copied there, and weights have to stay where they are, as
`landscape.engine.lowering` sees to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from landscape.problem.batches import map_tensors, tensors_in

# A run has two shapes of batch for each data set, the whole and the last; each recording holds memory of its own.
MOST_RECORDINGS = 16
# What is done once only, such as choosing algorithms, has to be over before recording begins.
WARM_UP_RUNS = 3


class CudaGraph:
    """A function of tensors on a GPU, recorded on its first call with inputs of a shape."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._recordings: dict[Any, tuple[torch.cuda.CUDAGraph, list[Tensor], Any]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, in memory of its own."""
        leaves = _leaves((args, kwargs))
        key = tuple((each.shape, each.stride(), each.dtype, each.device) for each in leaves)
        if key not in self._recordings:
            if len(self._recordings) == MOST_RECORDINGS:
                return self._run(*args, **kwargs)
            self._recordings[key] = self._record(args, kwargs)
        graph, places, result = self._recordings[key]
        for place, leaf in zip(places, leaves, strict=True):
            place.copy_(leaf, non_blocking=True)
        graph.replay()
        return map_tensors(torch.clone, result)

    def _record(self, args: Any, kwargs: Any) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Any]:
        fixed_args, fixed_kwargs = map_tensors(torch.clone, args), map_tensors(torch.clone, kwargs)
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UP_RUNS):
                self._run(*fixed_args, **fixed_kwargs)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._run(*fixed_args, **fixed_kwargs)
        return graph, _leaves((fixed_args, fixed_kwargs)), result


def _leaves(structure: Any) -> list[Tensor]:
    return [each for each in tensors_in(structure) if isinstance(each, Tensor)]
