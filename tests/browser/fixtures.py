"""What the page's script must agree on with Python, as JSON files beside this one.

Run this file to write them again after a change of `Scale`, of the camera or of the packing; the tests compare.
"""

from __future__ import annotations

import dataclasses
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from landscape.plot.films.flights import FLIGHTS, flight
from landscape.plot.page.packing import Packer
from landscape.plot.paths.trajectories import paths_of
from landscape.plot.planes.marks import Sheet
from landscape.plot.scale.scale import Scale
from landscape.plot.scale.smoothing import smooth_surface
from landscape.plot.surfaces.camera import VIEWS, Camera, fit_view
from landscape.plot.surfaces.opening import (
    RISE_COST,
    RISES,
    TURN_COST,
    TURNS,
    draped,
    opening_camera,
    share_seen,
    thinned,
)
from landscape.plot.surfaces.scenes import make_scene, shared_box

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, Trajectory

HERE = Path(__file__).parent


def scale_cases() -> list[dict[str, Any]]:
    """Values, what was asked for, and the scale with the heights Python gives."""
    rng = np.random.default_rng(7)
    wide = np.exp(rng.normal(0.0, 4.0, 40)) * 0.01
    samples = {
        "a bowl over four decades": np.geomspace(2e-3, 40.0, 37),
        "one magnitude": np.linspace(1.3, 4.4, 23),
        "many decades": wide,
        "a spike": np.append(np.linspace(0.5, 0.9, 200), 1e9),
        "a small spike": np.append(np.linspace(0.5, 0.9, 200), 12.0),
        "no spike yet": np.append(np.linspace(0.5, 0.9, 200), 7.0),
        "below eps": np.geomspace(1e-9, 3.0, 30),
        "signed, narrow": np.linspace(-3.0, 1.0, 19),
        "signed, wide": np.concatenate([-np.geomspace(1e-3, 1e3, 20), np.geomspace(1e-4, 50.0, 20)]),
        "constant": np.full(5, 0.7),
        "zero": np.zeros(3),
        "two values": np.array([0.4, 1e5]),
        "one magnitude and zeros": np.append(np.linspace(0.5, 1.5, 20), np.zeros(3)),
        "constant but for rounding": 0.7 * (1 + 1e-14 * np.arange(5.0)),
        "less than a decade": np.linspace(320.0, 1890.0, 5),
        "thirteen levels a side": np.array([-4e5, 2.0]),
    }
    asked: list[dict[str, Any]] = [
        {"kind": "auto"},
        {"kind": "linear"},
        {"kind": "asinh"},
        {"kind": "asinh", "eps": 0.25},
        {"kind": "log", "eps": 0.1},
        {"kind": "log"},
        {"kind": "auto", "cap": "auto"},
    ]
    of_one_kind = dict.fromkeys(
        ("a small spike", "no spike yet", "one magnitude and zeros", "constant but for rounding"), asked[0]
    )
    of_one_kind |= {"less than a decade": asked[5], "thirteen levels a side": asked[3]}
    cases = []
    for title, values in samples.items():
        surface = Surface(
            (Axis(np.arange(float(values.size))),), {"train/loss": values}, np.ones(values.shape, np.uint8)
        )
        for options in asked:
            if options["kind"] == "log" and values.min() <= 0:
                continue
            # Of what one kind depends on, that kind is enough.
            if title in of_one_kind and options != of_one_kind[title]:
                continue
            scale = Scale.of(surface, "train/loss", **options)
            probes = np.linspace(scale.low, scale.high, 9)
            cases.append(
                {
                    "title": title,
                    "values": sorted(values.tolist()),
                    "options": {"label": "training loss", **options},
                    "scale": {
                        **vars(scale),
                        "axis_label": scale.axis_label(),
                        "level_texts": [scale.text(level) for level in scale.levels],
                        "tick_texts": [scale.text(tick) for tick in scale.ticks],
                    },
                    "probes": probes.tolist(),
                    "heights": scale.forward(probes).tolist(),
                    "normalized": scale.normalized(probes).tolist(),
                }
            )
    return cases


def packing_cases() -> dict[str, Any]:
    """Arrays of every type, packed, with the digest of their bytes."""
    rng = np.random.default_rng(3)
    odd = rng.normal(size=(7, 5)) * 10.0 ** rng.integers(-300, 300, (7, 5))
    odd[0, 0], odd[1, 2], odd[3, 3], odd[6, 4] = np.nan, np.inf, -np.inf, -0.0
    arrays = [
        odd,
        rng.integers(0, 3, (9, 8, 2)).astype(np.uint8),
        rng.integers(0, 20, (30, 40)) / 20.0,
        rng.integers(0, 300, (60, 40)) / 300.0,
        rng.integers(-(2**62), 2**62, 50),
        rng.normal(size=(4, 33)).astype(np.float32),
        np.zeros((0,)),
        np.full((3, 4), 1e-310),
    ]
    packer = Packer()
    for array in arrays:
        packer.add(array)
    return {
        "index": packer.index,
        "text": packer.text(),
        "sha256": [sha256(array.tobytes()).hexdigest() for array in arrays],
    }


def camera_cases() -> list[dict[str, Any]]:
    """Cameras, and where they put points; the picture's own place is left out, which the page chooses otherwise."""
    points = [[-1.0, -1.0, -0.45], [1.0, 0.6, 1.1], [0.2, -0.3, 0.4], [0.0, 0.0, 0.0]]
    cases = []
    for azimuth, elevation, half in (
        (-52.0, 34.0, (1.0, 1.0)),
        (-90.0, 80.0, (1.0, 0.5)),
        (130.0, 8.0, (0.4, 1.0)),
        (20.0, 3.0, (1.0, 1.0)),
        (0.0, 88.0, (1.0, 0.7)),
    ):
        camera = Camera(azimuth, elevation)
        view = fit_view(camera, points, np.zeros((4, 4)), (600.0, 400.0), half)
        tangents = (view.project(points)[:, :2] - view.centre) / view.scale
        cases.append(
            {
                "azimuth": azimuth,
                "elevation": elevation,
                "half": half,
                "eye": view.eye.tolist(),
                "directions": camera.directions.tolist(),
                "points": points,
                "tangents": tangents.tolist(),
                "depths": view.project(points)[:, 2].tolist(),
            }
        )
    return cases


def smoothing_cases() -> list[dict[str, Any]]:
    """Coarse grids with and without holes, and the finer ones the stills draw."""
    rng = np.random.default_rng(5)
    cases = []
    for nx, ny, holes in ((6, 5, 0), (7, 4, 3), (3, 2, 0), (2, 6, 0)):
        x, y = np.cumsum(rng.uniform(0.2, 1.0, nx)), np.cumsum(rng.uniform(0.2, 1.0, ny))
        values = rng.normal(size=(ny, nx))
        values.ravel()[rng.choice(values.size, holes, replace=False)] = np.nan
        fine, fine_x, fine_y, factor = smooth_surface(values, x, y)
        cases.append(
            {
                "x": x.tolist(),
                "y": y.tolist(),
                "values": _numbers(values),
                "factor": factor,
                "fine_x": fine_x[:: factor // 2].tolist(),
                "fine_y": fine_y[:: factor // 2].tolist(),
                "fine": _numbers(fine[:: factor // 2, :: factor // 2]),
                "every": factor // 2,
            }
        )
    return cases


def flight_cases() -> list[dict[str, Any]]:
    """Ways of the camera, some moments of each."""
    return [
        {"name": name, "t": t, **dataclasses.asdict(flight(name, t, azimuth=-52.0, elevation=34.0))}
        for name in FLIGHTS
        for t in (0.0, 0.1, 0.37, 0.5, 0.83, 1.0)
    ]


def opening_cases() -> dict[str, Any]:
    """Surfaces with runs, as they stand in the scene, and the view from which most of the runs is seen."""
    x, y = np.linspace(-2, 5, 19), np.linspace(-1.5, 3, 13)
    xx, yy = np.meshgrid(x, y)
    ridge = 0.1 + 5 * np.exp(-3 * (xx - 0.4 * yy - 1) ** 2)
    bowl = 0.2 + xx**2 + 2 * yy**2
    bowl[3:5, 4:7] = np.nan
    bent = [[4.5, -1.2], [3.0, 2.0], [0.5, 1.5], [-1.0, 2.5], [-1.5, -1.0]]
    runs = {"behind": [[-1.5, -1.2], [-1.0, 2.8], [-1.6, 0.0]], "around": bent, "out": [[4.0, 2.5], [7.0, 2.0]]}
    cases = []
    for loss, names, cap in ((ridge, ["behind"], None), (ridge, ["around", "out"], 2.0), (bowl, list(runs), None)):
        axes = tuple(Axis(values, "", "random", {}) for values in (x, y))
        steps = {name: np.arange(len(runs[name])) for name in names}
        known = {
            name: Trajectory(np.array(runs[name]), np.zeros(len(each)), np.full(len(each), np.nan), each)
            for name, each in steps.items()
        }
        surface = Surface(axes, {"train/loss": loss}, np.ones(loss.shape, np.uint8), trajectories=known)
        sheet = Sheet.of(surface, "train/loss", Scale.of(surface, "train/loss", cap=cap))
        scene = make_scene(sheet, shared_box([sheet]), interpolate=False)
        laid = [(scene, thinned(draped(scene, path.points))) for path in paths_of(surface)]
        chosen = opening_camera([scene])
        angles = [(azimuth, rise) for azimuth in (-127.0, -52.0, 8.0, 130.0) for rise in (34.0, 50.0)]
        cases.append(
            {
                "x": x.tolist(),
                "y": y.tolist(),
                "half": scene.box.half,
                "heights": _numbers(scene.placed[..., 2]),
                "ceiling": scene.lid,
                "runs": [np.transpose(runs[name]).tolist() for name in names],
                "opening": [chosen.azimuth, chosen.elevation],
                "seen": [[*each, share_seen(laid, Camera(*each))] for each in angles],
            }
        )
    rule = {"turns": TURNS, "rises": RISES, "turn_cost": TURN_COST, "rise_cost": RISE_COST}
    return {"views": VIEWS, "rule": rule, "cases": cases}


def _numbers(array: Any) -> list[float | None]:
    return [None if np.isnan(each) else float(each) for each in array.ravel()]


FIXTURES = {
    "scales.json": scale_cases,
    "packing.json": packing_cases,
    "cameras.json": camera_cases,
    "smoothing.json": smoothing_cases,
    "flights.json": flight_cases,
    "opening.json": opening_cases,
}


def text_of(name: str) -> str:
    """Return the text of a fixture as it should be now."""
    return json.dumps(FIXTURES[name](), indent=0, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    for name in FIXTURES:
        (HERE / name).write_text(text_of(name), encoding="utf-8")
