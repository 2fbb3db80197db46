"""What Hypothesis draws: trees of tensors of the same names and shapes, surfaces."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from landscape.directions.filters import Filters
from landscape.errors import FormatError
from landscape.files.content import check_content
from landscape.surface.grid import Axis, grid_shape
from landscape.surface.surface import Surface, Trajectory

SHAPES = st.lists(st.integers(1, 4), min_size=0, max_size=4).map(tuple)


def layouts(dimensions: int) -> st.SearchStrategy[Filters]:
    """Draw how a tensor may fall into filters: rows, transposed and in groups, stacked either way round."""
    if dimensions < 2:
        return st.just(Filters())
    known = [Filters(), Filters((1,)), Filters((1,), 2), Filters((1,), 3)]
    return st.sampled_from([*known, Filters((0, 1)), Filters((0, 2))] if dimensions > 2 else known)


@st.composite
def pairs_of_trees(draw: st.DrawFn) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Filters]]:
    """Draw a direction, weights (some of them zero), and how they fall into filters."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    direction, weights, filters = {}, {}, {}
    for number in range(draw(st.integers(1, 3))):
        shape = draw(SHAPES)
        filters[name := f"layer{number}.weight"] = filter_layout = draw(layouts(len(shape)))
        shape = (shape[0] * filter_layout.groups, *shape[1:]) if shape else shape
        dtype = draw(st.sampled_from([torch.float64, torch.float64, torch.complex128]))
        scale = 10.0 ** draw(st.integers(-6, 6))
        direction[name] = torch.randn(shape, generator=generator, dtype=dtype)
        weights[name] = scale * torch.randn(shape, generator=generator, dtype=dtype)
        if len(shape) >= 2 and draw(st.booleans()):
            weights[name][0] = 0.0
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
    values = draw(
        st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 6)), min_size=1, max_size=4, unique=True).map(sorted)
    )
    return Axis(
        np.array(values),
        label=draw(TEXTS),
        source=draw(TEXTS),
        recipe=draw(DOCUMENTS),
        length=draw(st.floats(0, 1e6) | st.just(float("nan"))),
        sha256=draw(TEXTS),
    )


def repetitions(number: int, directions: int) -> Axis:
    """Return the axis of repetitions of some directions."""
    recipe = {
        "repeats": [[{"length": 10.0 * k + d} for d in range(directions)] for k in range(number)],
        "cosines": [np.eye(directions).tolist()] * number,
        "seeds": list(range(number)),
    }
    return Axis(np.arange(float(number)), source="repeat", recipe=recipe, kind="repeat")


@st.composite
def surfaces(draw: st.DrawFn) -> Surface:
    """Draw a surface with something in every field, and no order or symmetry in it."""
    axes = tuple(draw(st.lists(axes_of_surfaces(), min_size=1, max_size=3)))
    directions = len(axes)
    if draw(st.booleans()):
        axes += (repetitions(draw(st.integers(1, 3)), directions),)
    shape = grid_shape(axes)
    names = st.builds("{}/{}".format, NAMES, METRICS)
    counts = arrays(np.int64, shape, elements=st.integers(1, 2**53))
    steps = draw(st.integers(0, 3))
    surface = Surface(
        axes,
        values=draw(st.dictionaries(names, floats_of(shape), max_size=4)),
        state=draw(arrays(np.uint8, shape, elements=st.integers(0, 2))),
        stderr=draw(st.dictionaries(names, floats_of(shape), max_size=2)),
        paired_stderr=draw(st.dictionaries(names, floats_of(shape), max_size=2)),
        counts=draw(st.dictionaries(NAMES, counts, max_size=2)),
        cosines=draw(st.none() | floats_of((directions, directions))),
        problem=draw(DOCUMENTS),
        origin=draw(DOCUMENTS),
        quality=draw(DOCUMENTS),
        trajectories={
            name: Trajectory(
                draw(arrays(np.float64, (steps, directions), elements=st.floats(-1e9, 1e9))),
                draw(arrays(np.float64, (steps,), elements=st.floats(0, 1e9))),
                draw(floats_of((steps,))),
                draw(arrays(np.int64, (steps,), elements=st.integers(-(2**53), 2**53))),
                draw(DOCUMENTS),
            )
            for name in draw(st.lists(st.text(min_size=1, max_size=8), max_size=2, unique=True))
        },
        title=draw(TEXTS),
        software=draw(TEXTS),
        created=draw(TEXTS),
        command=draw(TEXTS),
    )
    try:
        check_content(surface)
    except FormatError:  # names that mean something, found in our own code, with values that make no sense
        reject()
    return surface
