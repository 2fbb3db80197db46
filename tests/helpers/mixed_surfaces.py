"""Surfaces of all kinds, mixed by a seed: what no single test would think of together.

Not by Hypothesis: what is kept of them (`tests.helpers.kept`) has to be of the same surfaces whatever is installed.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np

from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface, Trajectory
from tests.helpers.plot_fixtures import PROBLEM, valley_loss

NAMES = ("train/loss", "train/accuracy", "test/loss", "test/accuracy")
TITLES = ("", "resnet20", "a network\nwith $two$ lines", "one with a title that is longer than its panel is wide")
WAYS = ("random", "random", "random", "checkpoint", "pca", "hessian", "gradient", "input", "local", "", "mixed")


def mixed(seed: int) -> list[Surface]:
    """Return one to three surfaces that may stand in one picture: of one number of axes."""
    chance = Random(seed)
    sides = chance.choice([(11,), (11,), (9, 7), (9, 7), (9, 7), (5, 4, 3)])
    number = 1 if len(sides) > 2 else chance.choice([1, 1, 2, 3])
    repeats = chance.choice([0, 0, 0, 2, 3]) if number == 1 and len(sides) < 3 else 0
    return [_surface(chance, sides, repeats) for _ in range(number)]


def mixed_options(seed: int, surfaces: list[Surface]) -> dict[str, Any]:
    """Return options for a picture of `mixed`; some of them are refused."""
    chance = Random(seed + 1000)
    line, several = len(surfaces[0].directions) == 1, len(surfaces) > 1
    kinds = ["line"] if line else ["contour", "heatmap"] if several else ["contour", "heatmap", "contour", "surface"]
    if surfaces[0].trajectories and not several and chance.random() < 0.4:
        kinds = ["steps"]
    for kind, value in (("convexity", "train/eigenvalue_max"), ("regions", "train/margin")):
        if all(value in each.values for each in surfaces):
            kinds = [kind]
    found: dict[str, Any] = {"kind": chance.choice(kinds)}
    names = [each for each in NAMES if all(each in one.values for one in surfaces)]
    if chance.random() < 0.5 and found["kind"] not in ("convexity", "regions"):
        found["name"] = chance.sample(names, chance.randint(1, len(names))) if line else chance.choice(names)
    of_losses = found["kind"] not in ("steps", "convexity", "regions") and "loss" in str(found.get("name", "loss"))
    some: dict[str, list[Any]] = {
        "independent": [True],
        "columns": [1, 2],
        "headline": ["All of them"],
        "subtitle": [False],
        "size": ["single", (6.0, 4.5)],
        "titles": [[f"panel {k}" for k in range(len(surfaces))]],
    }
    some |= {"scale": ["log", "asinh", "linear"], "cap": [2.0, "auto"], "eps": [0.05]} if of_losses else {}
    some |= {"levels": [[0.3, 1.0, 2.5]]} if of_losses and not line else {}
    some |= {"interpolate": [False], "hillshade": [True]} if found["kind"] == "contour" else {}
    return found | {name: chance.choice(choices) for name, choices in some.items() if chance.random() < 0.2}


def _surface(chance: Random, sides: tuple[int, ...], repeats: int) -> Surface:
    axes = _axes(chance, sides)
    shape = tuple(len(axis) for axis in reversed(axes))
    if repeats:
        shape = (repeats, *shape)
        recipes = [[{"recipe": {**axis.recipe, "seed": 20 + k}} for axis in axes] for k in range(repeats)]
        axes = (*axes, Axis(np.arange(float(repeats)), "seed", "random", {"repeats": recipes}, kind="repeat"))
    sets = chance.choice([("train",), ("train", "test"), ("test", "train"), ("train", "test")])
    state = _state(chance, shape)
    values, stderr, counts, anchored = {}, {}, {}, {}
    for data in sets:
        loss = _loss(chance, axes, shape)
        values[f"{data}/loss"], values[f"{data}/accuracy"] = loss, 1 / (1 + np.abs(loss))
        if chance.random() < 0.5:
            stderr[f"{data}/loss"] = np.abs(loss) * chance.choice([0.01, 0.2]) * (1 + _noise(chance, shape))
            stderr[f"{data}/accuracy"] = 0.02 * _noise(chance, shape)
        if chance.random() < 0.7:
            least = chance.choice([200, 1000])
            counts[data] = np.where(_noise(chance, shape) < 0.2, least, 1000).astype(np.int64)
            if chance.random() < 0.3:
                anchored[data] = np.where(_noise(chance, shape) < 0.5, 0, chance.choice([1, 3])).astype(np.int64)
    values |= _more(chance, shape, axes) if "train/loss" in values and len(shape) == 2 == len(axes) else {}
    for name, each in values.items():
        there = np.where(state == NOT_COMPUTED, np.nan, each)
        values[name] = _holes(chance, there, state, accuracy=name.endswith("accuracy"))
    directions = len([axis for axis in axes if axis.kind != "repeat"])
    return Surface(
        axes,
        values,
        state,
        stderr=stderr,
        counts=counts,
        anchored=anchored,
        cosines=chance.choice([None, 0.8 * np.eye(directions) + 0.2, np.eye(directions)]),
        problem=_problem(chance, sets),
        origin=_origin(chance, sets),
        quality=_quality(chance, values, state),
        trajectories={} if repeats or directions != 2 else _runs(chance),
        title=chance.choice(TITLES),
        path=chance.choice(["/runs/net.h5", "/runs/b/other.h5", ""]),
        digest=chance.choice(["cd" * 32, ""]),
        software="landscape 0.1.0",
    )


def _axes(chance: Random, sides: tuple[int, ...]) -> tuple[Axis, ...]:
    way, move = chance.choice(WAYS), chance.choice(["weights", "states"])
    found = []
    for number, side in enumerate(sides):
        source = chance.choice(["random", "checkpoint"]) if way == "mixed" else way
        low, high = chance.choice([(-1.0, 1.0), (-0.5, 1.5), (-1e-3, 2e-3), (0.0, 40.0), (0.25, 1.0)])
        at = np.linspace(0, 1, side) ** chance.choice([1.0, 1.3])
        label, recipe = _way(chance, source, number)
        recipe = {"source": source, "move": move, "axis": number, **recipe} if source else {}
        length = chance.choice([3.5, math.nan])
        found.append(Axis(low + (high - low) * at, label, source, recipe, length, f"{number}" * 64))
    return tuple(found)


def _way(chance: Random, source: str, number: int) -> tuple[str, dict[str, Any]]:
    """Return what an axis is called and how its direction was made."""
    if source == "random":
        how = {"norm": chance.choice(["filter", "layer", None]), "ignore": chance.choice(["biasbn", None])}
        return f"{'αβγ'[number]}  (random direction {number + 1})", {"seed": chance.randint(0, 9), **how}
    if source == "checkpoint":
        file = f"{'bcd'[number]}.pt"
        differs = chance.choice([[], ["head.bias"]])
        return f"towards {file}", {"path": f"runs/{file}", "sha256": "0", "differs": differs}
    if source == "pca":
        runs = [{"name": name} for name in chance.choice([("run",), ("sgd", "adam")])]
        return f"PC {number + 1} (61.2 % of variance)", {"runs": runs}
    if source in ("hessian", "gradient"):
        measured = {"eigenvalue": 12.5 / (1 + number), "residual": chance.choice([0.001, 0.5])}
        return f"{source} {number + 1}", {"index": chance.choice([0, 2, -1]), "tolerance": 0.01, "measured": measured}
    if source == "input":
        how = {"kind": chance.choice(["sign", "pgd"]), "norm": chance.choice(["linf", "l2"])}
        return f"{how['kind']} {number + 1}", {**how, "around": "example 3", "clip": chance.choice([None, [0, 1]])}
    return chance.choice(["", "along it"]), {}


def _loss(chance: Random, axes: tuple[Axis, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return a loss that is nowhere symmetric, of some size, sign and range."""
    at = [(axis.values - axis.values[0]) / max(float(np.ptp(axis.values)), 1e-300) * 2 - 1 for axis in axes]
    x, *others = np.meshgrid(*reversed(at), indexing="ij")[::-1]
    y = others[0] if others else np.full_like(x, 0.3)
    z = sum((k + 1) * 0.1 * each for k, each in enumerate(others[1:])) if others[1:] else 0.0
    base = valley_loss(x - chance.uniform(-0.3, 0.3), y + z)
    kind = chance.choice(["plain", "plain", "plain", "signed", "tiny", "huge", "flat", "constant"])
    changed = {
        "plain": base,
        "signed": base - 1.0,
        "tiny": 1e-6 * base,
        "huge": 1e5 * base,
        "flat": 2.0 + 0.003 * base,
        "constant": np.full_like(base, 0.7),
    }
    return np.asarray(changed[kind]).reshape(shape)


def _more(chance: Random, shape: tuple[int, ...], axes: tuple[Axis, ...]) -> dict[str, np.ndarray]:
    """Return what else may be measured on a plane: eigenvalues, or over the input classes and margins."""
    if axes[0].source == "input":
        found = {"predicted_class": np.floor(3 * _noise(chance, shape)), "margin": _noise(chance, shape) - 0.4}
        found |= {"clipped_share": np.maximum(_noise(chance, shape) - 0.7, 0.0)} if chance.random() < 0.5 else {}
    elif chance.random() < 0.3:
        least = chance.choice([0.5, 3.0]) * -_noise(chance, shape)
        found = {"eigenvalue_max": 1 + _noise(chance, shape), "eigenvalue_min": least}
        found |= {f"{name}_residual": np.where(_noise(chance, shape) < 0.8, 0.01, 0.9) for name in list(found)}
    else:
        found = {}
    return {f"train/{name}": each for name, each in found.items()}


def _state(chance: Random, shape: tuple[int, ...]) -> np.ndarray:
    noise, state = _noise(chance, shape), np.full(shape, COMPUTED, np.uint8)
    if chance.random() < 0.3:
        state[noise < 0.3] = INTERPOLATED
    if chance.random() < 0.25:
        state[noise > 0.85] = NOT_COMPUTED
    return state


def _holes(chance: Random, values: np.ndarray, state: np.ndarray, *, accuracy: bool) -> np.ndarray:
    """Return values of which some points are infinite, not a number or far above the others."""
    values, noise = values.copy(), _noise(chance, values.shape)
    for hole, share in ((np.nan, 0.15), (np.inf, 0.15), (1e9, 0.1)):
        if chance.random() < share and (np.isnan(hole) or not accuracy):
            values[(noise < 0.12) & (state == COMPUTED)] = hole
    return values


def _problem(chance: Random, sets: tuple[str, ...]) -> dict[str, Any]:
    data = {name: {"reference": f"{name}.npz", "size": chance.choice([1000, 50000]), "samples": 1000} for name in sets}
    found: dict[str, Any] = {**PROBLEM, "data": data, "sample_seed": chance.choice([0, 3])}
    some: dict[str, list[Any]] = {
        "samples": [None],
        "loss": ["mse", "nets.py:own"],
        "batch_norm": ["recompute"],
        "mode": ["train"],
        "weight_decay": [5e-4],
        "include": ["*.weight"],
        "loss_by_batch": [True],
        "model": [{"reference": "nets.py:vgg", "args": {"width": 2}}, {"class": "Net"}],
        "statistics": [
            {"batch_norm": 0, "other": []},
            {"batch_norm": 3, "other": ["mask"], "recomputed_on": "train"},
            {"batch_norm": 2, "by_batch": True},
        ],
        "noise": ["common"],
    }
    return found | {key: chance.choice(choices) for key, choices in some.items() if chance.random() < 0.2}


def _origin(chance: Random, sets: tuple[str, ...]) -> dict[str, Any]:
    values = {f"{data}/{value}": 0.123 * (k + 1) for k, data in enumerate(sets) for value in ("loss", "accuracy")}
    whole = {"checkpoint": chance.choice(["runs/net.pt", "other.pt"]), "sha256": "ab" * 32, "values": values}
    return chance.choice([whole, whole, {**whole, "values": {}}, {}])


def _quality(chance: Random, values: dict[str, np.ndarray], state: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (state == INTERPOLATED).any():
        worst = 0.05 * chance.choice([0.1, 1])
        errors = {name: {"bound": 0.02 * (k + 1), "largest": worst} for k, name in enumerate(values)}
        made = {"held_out": 60, "bounds": chance.choice(["95 % of all points", None])}
        found["interpolation"] = {**made, "errors": chance.choice([errors, {}])}
        found["interpolation_error"] = chance.choice([0.02, None])
    if chance.random() < 0.3:
        found |= {"precision": chance.choice(["bfloat16", "float32"]), "precision_error": chance.choice([0.004, None])}
    if chance.random() < 0.2:
        found["unfinished"] = 4
    if chance.random() < 0.2:
        found |= {"error": 0.05, "standard_error": {"eps": {"train": 0.1, "test": 0.2}, "target": 0.02}}
    return found


def _runs(chance: Random) -> dict[str, Trajectory]:
    found = {}
    for name in chance.sample(["sgd", "adam", "draws"], chance.choice([0, 0, 0, 1, 2])):
        number = chance.randint(2, 6)
        points = np.array([[chance.uniform(-1, 1), chance.uniform(-0.8, 1.2)] for _ in range(number)])
        own = np.array([chance.uniform(0.1, 3) for _ in range(number)])
        words: dict[str, Any] = {
            "unit": chance.choice(["step", "epoch"]),
            "values": {"train/loss": [*map(float, own)]},
            "plane_values": {"train/loss": [*map(float, 1.1 * own)]},
            "loss_name": "train/loss",
            "explained_variance": [0.6, 0.2, 0.1],
        }
        words |= {"unordered": True} if name == "draws" else {"lr_drops": chance.choice([[], [20]])}
        for key in ("values", "plane_values", "explained_variance"):
            if chance.random() < 0.25:
                del words[key]
        if chance.random() < 0.2:
            own[0] = np.inf
        residual = np.array([chance.choice([0.0, chance.uniform(0, 2)]) for _ in range(number)])
        found[name] = Trajectory(points, residual, own, 10 * np.arange(number), words)
    return found


def _noise(chance: Random, shape: tuple[int, ...]) -> np.ndarray:
    return np.array([chance.random() for _ in range(math.prod(shape))]).reshape(shape)
