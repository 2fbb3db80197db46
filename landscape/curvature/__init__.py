"""Second derivatives of the loss at one point: products, spectrum, traces, and what of them a slice shows.

Knows a network, its tensors and its samples (`landscape.problem`) and how filters scale (`landscape.directions`).
Hands on `landscape.surface.reports.curvature.Curvature`: numbers, each with its error.

The room is called as the function that users want: ``landscape.curvature(model, data)``. Python binds a subpackage's
name in its package as soon as any of its modules is imported, which would hide a function of that name.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from landscape.curvature.analysis import measure_curvature

        return measure_curvature(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
