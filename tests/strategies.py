"""What Hypothesis draws: trees of tensors of the same names and shapes."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from landscape.params import Filters

SHAPES = st.lists(st.integers(1, 4), min_size=0, max_size=4).map(tuple)


@st.composite
def pairs_of_trees(draw: st.DrawFn) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Filters]]:
    """Draw a direction, weights (some of them zero), and how they fall into filters."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    direction, weights, filters = {}, {}, {}
    for number in range(draw(st.integers(1, 3))):
        shape = draw(SHAPES)
        name = f"layer{number}.weight"
        scale = 10.0 ** draw(st.integers(-6, 6))
        direction[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
        weights[name] = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) >= 2 and draw(st.booleans()):
            weights[name][0] = 0.0
        filters[name] = Filters(len(shape) >= 2 and draw(st.booleans()))
    return direction, weights, filters
