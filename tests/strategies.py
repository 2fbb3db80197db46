"""What Hypothesis draws: trees of tensors of the same names and shapes, surfaces."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from landscape.grid import Axis, grid_shape
from landscape.params import Filters
from landscape.surface import Surface, Trajectory

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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.text(max_size=8), JSON, max_size=3)
NAMES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,7}", fullmatch=True)
METRICS = NAMES.filter(lambda name: name != "count" and not name.endswith(("_stderr", "_paired")))
# No NUL and no lone surrogate: those come back as backslash escapes.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def floats_of(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, shape, elements=st.floats(allow_nan=True, allow_infinity=True))


@st.composite
def axes_of_surfaces(draw: st.DrawFn) -> Axis:
    values = draw(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4, unique=True).map(sorted))
    return Axis(
        np.array(values),
        label=draw(TEXTS),
        source=draw(TEXTS),
        recipe=draw(DOCUMENTS),
        length=draw(st.floats()),
        sha256=draw(TEXTS),
        kind=draw(st.sampled_from(["direction", "repeat"])),
    )


@st.composite
def surfaces(draw: st.DrawFn) -> Surface:
    """Draw a surface with something in every field, and no order or symmetry in it."""
    axes = tuple(draw(st.lists(axes_of_surfaces(), min_size=1, max_size=4)))
    shape = grid_shape(axes)
    names = st.builds("{}/{}".format, NAMES, METRICS)
    counts = arrays(np.int64, shape, elements=st.integers(0, 2**62))
    steps = draw(st.integers(0, 3))
    return Surface(
        axes,
        values=draw(st.dictionaries(names, floats_of(shape), max_size=4)),
        state=draw(arrays(np.uint8, shape, elements=st.integers(0, 2))),
        stderr=draw(st.dictionaries(names, floats_of(shape), max_size=2)),
        paired_stderr=draw(st.dictionaries(names, floats_of(shape), max_size=2)),
        counts=draw(st.dictionaries(NAMES, counts, max_size=2)),
        cosines=draw(st.none() | floats_of((len(axes), len(axes)))),
        problem=draw(DOCUMENTS),
        origin=draw(DOCUMENTS),
        quality=draw(DOCUMENTS),
        trajectories={
            name: Trajectory(
                draw(floats_of((steps, len(axes)))),
                draw(floats_of((steps,))),
                draw(floats_of((steps,))),
                draw(arrays(np.int64, (steps,))),
                draw(DOCUMENTS),
            )
            for name in draw(st.lists(st.text(min_size=1, max_size=8), max_size=2, unique=True))
        },
        title=draw(TEXTS),
        software=draw(TEXTS),
        created=draw(TEXTS),
        command=draw(TEXTS),
    )
