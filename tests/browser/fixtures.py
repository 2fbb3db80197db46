"""What the page's script must agree on with Python, as JSON files beside this one.

Run this file to write them again after a change of `Scale`, of the camera or of the packing; the tests compare.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from landscape.plot.packing import Packer
from landscape.plot.scale import Scale

from landscape.grid import Axis
from landscape.surface import Surface

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
        "below eps": np.geomspace(1e-9, 3.0, 30),
        "signed, narrow": np.linspace(-3.0, 1.0, 19),
        "signed, wide": np.concatenate([-np.geomspace(1e-3, 1e3, 20), np.geomspace(1e-4, 50.0, 20)]),
        "constant": np.full(5, 0.7),
        "zero": np.zeros(3),
        "two values": np.array([0.4, 1e5]),
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
    cases = []
    for title, values in samples.items():
        surface = Surface(
            (Axis(np.arange(float(values.size))),), {"train/loss": values}, np.ones(values.shape, np.uint8)
        )
        for options in asked:
            if options["kind"] == "log" and values.min() <= 0:
                continue
            scale = Scale.of(surface, "train/loss", **options)
            probes = np.linspace(scale.low, scale.high, 9)
            cases.append(
                {
                    "title": title,
                    "values": sorted(values.tolist()),
                    "options": {"label": "training loss", **options},
                    "scale": scale.to_dict(),
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


FIXTURES = {"scales.json": scale_cases, "packing.json": packing_cases}


def text_of(name: str) -> str:
    """Return the text of a fixture as it should be now."""
    return json.dumps(FIXTURES[name](), indent=0, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    for name in FIXTURES:
        (HERE / name).write_text(text_of(name), encoding="utf-8")
