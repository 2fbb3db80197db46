"""Similarity of representations, and populations of networks: do two networks learn the same thing?

Knows networks and samples (`landscape.problem`). Is given several networks and one data set; hands on
`landscape.surface.reports.similarity.Similarity` and `landscape.surface.reports.populations.Populations`.

The room is called as the function that users want, ``landscape.similarity({"a": a, "b": b}, data)``, for the reason
that `landscape.curvature` says.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from landscape.similarity.layer_similarity import measure_similarity

        return measure_similarity(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
