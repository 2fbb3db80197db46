"""Surfaces for the tests of pictures: never symmetric, so that a transposed or flipped picture cannot pass.

``valley`` is what the tests read: tilted, shifted, anisotropic, with more columns than rows and uneven steps, and
its loss is a formula, so that a contour's vertices can be put back into it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from landscape.plot.surfaces.scenes import SurfaceImage
from matplotlib.backends.backend_agg import FigureCanvasAgg

from landscape.surface.grid import Axis, Floats
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface

ORIGIN = {"checkpoint": "runs/net.pt", "sha256": "ab" * 32, "values": {"train/loss": 0.41, "train/accuracy": 0.85}}
PROBLEM = {
    "model": {"reference": "nets.py:resnet20", "args": {}, "class": "ResNet"},
    "data": {"train": {"reference": "cifar10:data", "size": 50000, "samples": 1000}},
    "loss": "cross_entropy",
    "metrics": {"train": ["loss", "accuracy"]},
    "move": "weights",
    "include": None,
    "exclude": None,
    "samples": 1000,
    "sample_seed": 3,
    "batch_norm": "frozen",
    "mode": "eval",
    "weight_decay": 0.0,
    "normalize": None,
}


def uneven(low: float, high: float, number: int) -> Floats:
    """Return increasing values whose steps grow by half from one end to the other, 0 among them."""
    t = np.linspace(0.0, 1.0, number)
    values = low + (high - low) * (t + 0.2 * t**2) / 1.2
    values[np.argmin(np.abs(values))] = 0.0
    return values


def valley_loss(x: Any, y: Any) -> Any:
    """Return a loss of some four decades: a bent, tilted valley whose lowest point is near (0.28, -0.18)."""
    u = 0.9 * (x - 0.3) + 0.5 * (y + 0.2)
    v = -0.5 * (x - 0.3) + 0.9 * (y + 0.2) - 0.35 * u**2
    return 0.02 + np.expm1(1.2 * u**2 + 6.0 * np.sqrt(0.05 + v**2) - 6.0 * np.sqrt(0.05)) + 0.1 * (1 + u) ** 2


def random_axis(values: Floats, axis: int, seed: int = 7) -> Axis:
    """Return an axis along a filter-normalised random direction."""
    label = f"{'αβγ'[axis]}  (random direction {axis + 1})"
    recipe = {"source": "random", "seed": seed, "axis": axis, "norm": "filter", "ignore": "biasbn", "move": "weights"}
    return Axis(values, label, "random", {**recipe, "orthogonal": False}, 3.5, f"{axis}" * 64)


def surface_of(values: dict[str, Floats], *axes: Axis, **fields: Any) -> Surface:
    shape = tuple(len(axis) for axis in reversed(axes))
    known: dict[str, Any] = {
        "state": np.full(shape, COMPUTED, np.uint8),
        "counts": {"train": np.full(shape, 1000, np.int64)},
        "problem": PROBLEM,
        "origin": ORIGIN,
        "title": "resnet20",
        "path": "net.h5",
        "digest": "cd" * 32,
        "software": "landscape 0.1.0",
        "cosines": np.array([[1.0, 0.0123], [0.0123, 1.0]]) if len(axes) == 2 else None,
    }
    return Surface(axes, values, **{**known, **fields})


def valley(nx: int = 31, ny: int = 23) -> Surface:
    """Return the plain valley: every point computed and finite."""
    x, y = uneven(-1.0, 1.2, nx), uneven(-0.8, 0.9, ny)
    loss = valley_loss(*np.meshgrid(x, y))
    accuracy = 1 / (1 + loss)
    return surface_of({"train/loss": loss, "train/accuracy": accuracy}, random_axis(x, 0), random_axis(y, 1))


def damaged_valley() -> Surface:
    """Return the valley with a block of NaN, one infinity and one huge value, all away from the middle."""
    surface = valley()
    loss = surface["train/loss"].copy()
    loss[2:5, 3:7] = np.nan
    loss[18, 26] = np.inf
    loss[20, 4] = 1e12
    return dataclasses.replace(surface, values={**surface.values, "train/loss": loss})


def half_finished_valley() -> Surface:
    """Return the valley as a killed run leaves it: a coarse grid whole, part of the next."""
    from landscape.surface.grid import visiting_order

    surface = valley()
    state = np.full(surface.shape, NOT_COMPUTED, np.uint8)
    state.flat[visiting_order(surface.axes)[: state.size // 2]] = COMPUTED
    values = {name: np.where(state == COMPUTED, array, np.nan) for name, array in surface.values.items()}
    return dataclasses.replace(surface, values=values, state=state)


def network(rough: float, rise: float, seed: int, side: int = 51, title: str = "") -> Surface:
    """Return what filter-normalised planes of real networks look like: a basin, and chaos around it where rough."""
    generator = np.random.default_rng(seed)
    x = np.linspace(-1, 1, side)
    xx, yy = np.meshgrid(x, x)
    u, v = xx - 0.03, yy + 0.02
    radius = np.sqrt(1.15 * u**2 + 0.9 * v**2 + 0.25 * u * v)
    waves = np.zeros_like(xx)
    for _ in range(60):
        kx, ky = generator.normal(0, 5.5, 2)
        waves += generator.normal() / (1 + np.hypot(kx, ky)) * np.sin(kx * xx + ky * yy + generator.uniform(0, 6.3))
    height = np.log(0.06) + rise * radius**1.25 + rough * waves * np.tanh(2.5 * radius)
    loss = np.exp(height)
    axes = random_axis(x, 0, seed), random_axis(x, 1, seed)
    return surface_of({"train/loss": loss, "train/accuracy": 1 / (1 + loss)}, *axes, title=title, path=f"{title}.h5")


def line_surface(number: int = 41, **fields: Any) -> Surface:
    """Return a line with train and test, loss and accuracy, and standard errors."""
    x = uneven(-0.9, 1.1, number)
    train = 0.05 + 2.1 * (x - 0.1) ** 2 + 0.4 * (x - 0.1) ** 3
    test = 0.3 + 2.4 * (x - 0.05) ** 2 + 0.5 * x**3
    values = {
        "train/loss": train,
        "train/accuracy": 1 / (1 + train),
        "test/loss": test,
        "test/accuracy": 0.95 / (1 + test),
    }
    problem = {**PROBLEM, "data": {**PROBLEM["data"], "test": {"reference": "t", "size": 10000, "samples": 500}}}
    known: dict[str, Any] = {
        "problem": problem,
        "stderr": {"train/loss": 0.05 * train + 0.02, "test/loss": 0.07 * test + 0.03},
        "counts": {"train": np.full(number, 1000, np.int64), "test": np.full(number, 500, np.int64)},
    }
    return surface_of(values, random_axis(x, 0), **{**known, **fields})


def interpolation(number: int = 29) -> Surface:
    """Return the way from one network to another, over a barrier."""
    x = np.linspace(-0.2, 1.2, number)
    bump = 1.6 * np.exp(-(((x - 0.55) / 0.22) ** 2))
    train, test = 0.1 + 0.15 * x + bump + 0.8 * x**2 * (x - 1) ** 2, 0.4 + 0.1 * x + 1.1 * bump
    axis = Axis(
        x, "towards b.pt", "checkpoint", {"source": "checkpoint", "path": "runs/b.pt", "sha256": "0", "move": "states"}
    )
    values = {
        "train/loss": train,
        "train/accuracy": 1 / (1 + train),
        "test/loss": test,
        "test/accuracy": 0.9 / (1 + test),
    }
    return surface_of(values, axis, problem={**PROBLEM, "move": "states"})


def repeated(surface: Surface, number: int = 5) -> Surface:
    """Return a surface of several seeds: the given one, turned and stretched a little for each."""
    shifts = np.linspace(-0.5, 0.6, number)
    waves = np.sin(np.arange(surface.shape[-1]) / 5)
    if len(surface.axes) > 1:
        waves = waves + np.linspace(-1, 2, surface.shape[-2])[:, None]
    factors = [np.exp(0.4 * shift * waves) for shift in shifts]
    values = {
        name: np.stack([array ** (1 / each) if name.endswith("accuracy") else array * each for each in factors])
        for name, array in surface.values.items()
    }
    repeats = [[{"recipe": {**axis.recipe, "seed": 10 + k}} for axis in surface.axes] for k in range(number)]
    axis = Axis(np.arange(number, dtype=float), "seed", "random", {"repeats": repeats}, kind="repeat")
    state = np.full((number, *surface.shape), COMPUTED, np.uint8)
    return Surface(
        (*surface.axes, axis), values, state, problem=PROBLEM, origin=ORIGIN, title="resnet20", path="seeds.h5"
    )


def pixel_at(ax: Any, x: float, y: float) -> Floats:
    """Return the RGB in [0, 1] that a reader sees at a place in the data's coordinates."""
    canvas = FigureCanvasAgg(ax.get_figure(root=True))
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())
    column, row = ax.transData.transform((x, y))
    return np.asarray(image[image.shape[0] - 1 - int(row), int(column), :3] / 255.0)


def corners_of(ax: Any, texts: Any, *, drawn: bool = False) -> list[Floats]:
    """Return the corners, in pixels and in their order, of the rectangles that texts cover, turned as they are.

    A figure that is ``drawn`` already is not drawn for it.
    """
    found = []
    renderer = FigureCanvasAgg(ax.get_figure(root=True)).get_renderer()
    for text, box in zip(texts, boxes_of(ax, texts, drawn=drawn), strict=True):
        turn = text.get_rotation()
        text.set_rotation(0)
        plain = text.get_window_extent(renderer)
        text.set_rotation(turn)
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (plain.width / 2, plain.height / 2)
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        found.append(middle + half @ np.array([[c, s], [-s, c]]))
    return found


def overlap(one: Floats, other: Floats) -> float:
    """Return by how much two rectangles lie on each other, along the direction in which it is least; negative apart."""
    sides = np.concatenate([np.diff(one[:3], axis=0), np.diff(other[:3], axis=0)])
    sides = sides / np.hypot(*sides.T)[:, None]
    first, second = one @ sides.T, other @ sides.T
    return float((np.minimum(first.max(axis=0), second.max(axis=0)) - np.maximum(first.min(0), second.min(0))).min())


def put_texts(figure: Any) -> None:
    """Go through a figure as if it were drawn, so that texts are where they will be; no pixel is made, nor a solid."""
    solids = [each for ax in figure.axes for each in ax.get_children() if isinstance(each, SurfaceImage)]
    for solid in solids:
        solid.set_visible(False)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    for solid in solids:
        solid.set_visible(True)


def boxes_of(ax: Any, texts: Any, *, drawn: bool = False) -> list[Any]:
    """Return the boxes, in pixels, that texts cover."""
    figure = ax.get_figure(root=True)
    if not drawn:
        put_texts(figure)
    canvas = FigureCanvasAgg(figure)
    return [text.get_window_extent(canvas.get_renderer()) for text in texts]


def noisy(number: int, seed: int) -> Surface:
    """A smooth surface whose values have all their bits: what a mean of many single precision losses looks like."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, number)
    loss = np.exp(3 * (x[None, :] ** 2 + 0.7 * x[:, None] ** 2)) * (1 + 1e-4 * rng.normal(size=(number, number)))
    accuracy = np.round(1000 / (1 + loss)) / 1000
    values = {"train/loss": loss, "train/accuracy": accuracy}
    return surface_of(
        values, random_axis(x, 0), random_axis(x, 1), stderr={name: 0.01 * array for name, array in values.items()}
    )


def patchy() -> Surface:
    """Return a plane of which some points were interpolated, and whose error is known."""
    base = noisy(9, 0)
    state = base.state.copy()
    state[2:4] = INTERPOLATED
    return dataclasses.replace(base, state=state, quality={"interpolation": {"held_out": 60}})


def seeded(*seeds: int) -> Surface:
    """A plane in several random planes, the loss of each a multiple of the first one's."""
    plane = valley(6, 5)
    recipes = [[{"recipe": {**axis.recipe, "seed": seed}} for axis in plane.axes] for seed in seeds]
    return Surface(
        (*plane.axes, Axis(np.arange(float(len(seeds))), "seed", kind="repeat", recipe={"repeats": recipes})),
        {"train/loss": np.stack([plane["train/loss"] * (k + 1) for k in range(len(seeds))])},
        np.ones((len(seeds), 5, 6), np.uint8),
        title="net",
    )
