"""Reports of all kinds and pictures of them, mixed by a seed, as `tests.helpers.mixed_surfaces` mixes surfaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np
from landscape.plot.comparisons.seed_bands import Band, seed_bands
from landscape.plot.comparisons.seed_values import SeedValues, seed_values
from landscape.plot.comparisons.triangles import Triangle, triangles
from landscape.plot.spectra.run_figures import draw_curvature_run
from landscape.plot.spectra.spectrum_figures import draw_curvature
from matplotlib.figure import Figure

import landscape
from landscape.surface.reports.block_structure import find_block
from landscape.surface.reports.curvature import Curvature, CurvatureRun, FilterCurvature, LayerCurvature, SliceCurvature
from landscape.surface.reports.frequencies import CHANGES, INPUTS, Frequencies
from landscape.surface.reports.gradient_walks import GradientWalks
from landscape.surface.reports.matrix_spectrum import Spectrum
from landscape.surface.reports.populations import Populations
from landscape.surface.reports.robustness import Robustness
from landscape.surface.reports.similarity import NetworkLayers, Similarity

NAN = math.nan


def _uniform(chance: Random, *shape: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    return np.array([chance.uniform(low, high) for _ in range(math.prod(shape))]).reshape(shape)


def _flags(chance: Random, *shape: int, share: float = 0.7) -> np.ndarray:
    return _uniform(chance, *shape) < share


def _one_of(chance: Random, *choices: Any) -> Any:
    return chance.choice(choices)


def similarity(chance: Random) -> Similarity:
    """Return one to three networks of few layers, some called twice, some without a value."""
    networks = []
    for name in "abc"[: _one_of(chance, 1, 2, 2, 3)]:
        number = chance.randint(3, 6)
        layers = ("stem", *(f"stage{1 + k // 2}.{k % 2}" for k in range(number - 2)), "stem")
        calls, group = (*([1] * (number - 1)), 2), _one_of(chance, "", "wide", "deep")
        kinds, sizes = ("Conv2d",) * (number - 1) + ("ReLU",), tuple(chance.randint(4, 9) for _ in layers)
        networks.append(NetworkLayers(name, layers, calls, kinds, sizes, group, {"sha256": name}))
    total = sum(len(each.layers) for each in networks)
    cka = _uniform(chance, total, total)
    cka = (cka + cka.T) / 2
    np.fill_diagonal(cka, 1.0)
    stderr = 0.02 * _uniform(chance, total, total)
    if chance.random() < 0.5:
        lost = chance.randrange(total)
        cka[lost] = cka[:, lost] = NAN
    batches = _one_of(chance, 1, 4)
    share = _uniform(chance, total, low=0.1, high=0.6) if chance.random() < 0.7 else np.full(total, NAN)
    found = Similarity(
        tuple(networks),
        cka,
        stderr if batches > 1 else np.full((total, total), NAN),
        chance.randint(100, 900),
        batches,
        chance.randint(1, 5),
        kernel=_one_of(chance, "linear", "rbf"),
        pc_share=share,
        pc_share_stderr=0.1 * share,
        pc_residual=_uniform(chance, total, high=0.1),
        pc_cosine=np.abs(cka),
        dominant=np.array([[chance.randrange(100) for _ in range(3)] for _ in range(total)]),
        others={"procrustes": _uniform(chance, total, total)} if chance.random() < 0.5 else {},
        complete=chance.random() < 0.8,
        done="2 of 4 batches of layers",
        notes=_one_of(chance, (), ("layer drop of b has no value",)),
        settings={"tokens": "first"} if chance.random() < 0.3 else {},
        problem={"data": "test", "reference": "digits:test"},
        software="landscape 0",
        created="2026-01-01T00:00:00+00:00",
        command="landscape similarity",
    )
    blocks = tuple(find_block(found.between(k, k), share[found.rows(k)]) for k in range(len(networks)))
    return Similarity(**{**vars(found), "blocks": blocks})


def populations(chance: Random) -> Populations:
    """Return two or three groups of unequal sizes, of which not all networks may be done."""
    sizes = {group: chance.randint(2, 4) for group in ("A", "B", "wide")[: _one_of(chance, 2, 2, 3)]}
    number, examples, classes = sum(sizes.values()), 40, _one_of(chance, 2, 4)
    labels = np.array([chance.randrange(classes) for _ in range(examples)])
    right = _flags(chance, number, examples)
    answers = np.where(right, labels, (labels + 1) % classes)
    probabilities = np.full((number, examples, classes), 0.1 / (classes - 1), np.float32)
    np.put_along_axis(probabilities, answers[:, :, None], np.float32(0.9), 2)
    done = np.ones(number, bool)
    done[-1] = chance.random() < 0.7 or sizes[list(sizes)[-1]] < 3
    return Populations(
        tuple(f"{group}/{k}" for group, size in sizes.items() for k in range(size)),
        tuple(group for group, size in sizes.items() for _ in range(size)),
        probabilities,
        labels,
        np.arange(examples)[::-1].copy(),
        done,
        ({},) * number,
        _uniform(chance, 3, 1, 4, 4).astype(np.float32) if chance.random() < 0.6 else None,
        (0, 5, 7),
        {"data": "test", "reference": "digits:test", "fingerprint": "0"},
    )


def robustness(chance: Random) -> Robustness:
    """Return attacks that may be weak, flat or still climbing."""
    n, k = chance.randint(10, 60), chance.randint(1, 3)
    attacks = ("fgsm", "pgd", "margin", *_one_of(chance, (), ("random",), ("transfer",), ("random", "transfer")))
    clean = _flags(chance, n, share=0.9)
    right = np.stack([np.logical_and.accumulate(_flags(chance, k, n) & clean, axis=0) for _ in attacks])
    pgd = right[attacks.index("pgd")]
    weak, flat = _one_of(chance, 0.0, 0.3), _one_of(chance, 0.0, 0.2)
    return Robustness(
        "test",
        _one_of(chance, "linf", "linf", "linf", "l2"),
        np.cumsum(_uniform(chance, k, low=0.01, high=0.1)),
        clean,
        attacks,
        right,
        np.stack([pgd | _flags(chance, k, n, share=weak) & clean, pgd]),
        pgd & _flags(chance, k, n, share=1 - weak),
        np.cumsum(_uniform(chance, k, 4, low=-0.1 if weak else 0.0), axis=1),
        _flags(chance, n, share=flat),
        _flags(chance, n, share=flat) & clean,
        3.0,
        np.arange(n),
        settings={"steps": 3, "restarts": 2, "clip": _one_of(chance, [0.0, 1.0], None)},
        origin={"checkpoint": _one_of(chance, "net.pt", "runs/other.pt")},
    )


def frequencies(chance: Random) -> Frequencies:
    """Return answers at a few cut-offs, with changes by an attack or without."""
    n, k, attacked = chance.randint(10, 60), chance.randint(2, 4), chance.random() < 0.5
    kinds = (*INPUTS, *CHANGES) if attacked else INPUTS
    clean = _flags(chance, n, share=0.9)
    return Frequencies(
        "test",
        np.cumsum(_uniform(chance, k, low=0.5, high=3.0)),
        12.0,
        clean,
        _uniform(chance, n),
        kinds,
        _flags(chance, len(kinds), k, n),
        _uniform(chance, len(kinds), k, n, high=3.0),
        _flags(chance, n, share=0.4) if attacked else np.ones(n, bool),
        np.sort(_uniform(chance, k)),
        np.sort(_uniform(chance, k)) if attacked else np.full(k, NAN),
        np.arange(n),
        settings={"epsilon": 0.1 if attacked else None, "norm": _one_of(chance, "linf", "l2")},
        origin={"checkpoint": "net.pt"},
    )


def walk(chance: Random) -> GradientWalks:
    """Return walks at a few steps, of which one may not be finite, by one rate or several."""
    n, m = chance.randint(3, 6), chance.randint(1, 3)
    losses = _uniform(chance, n, m + 1, low=0.2, high=2.0)
    if chance.random() < 0.5:
        losses[chance.randrange(n), -1] = _one_of(chance, np.inf, NAN)
    return GradientWalks(
        _one_of(chance, "train", "test"),
        _one_of(chance, "sgd", "adam"),
        _one_of(chance, "epoch", "epoch", "epoch", "step"),
        10 * np.arange(n),
        np.where(_flags(chance, n, share=0.5), 0.1, _one_of(chance, 0.1, 0.01)),
        np.cumsum(_uniform(chance, m, low=0.2)),
        losses,
        _one_of(chance, 1.0, 1e-4) * _uniform(chance, n, low=0.1),
        _uniform(chance, n, m, low=0.05),
        problem={"loss": _one_of(chance, "cross_entropy", "mse")},
        settings={"mode": _one_of(chance, "eval", "train"), "samples": 40},
        origin={"run": "sgd", "records": n},
    )


def _spectrum(chance: Random, scale: float) -> Spectrum:
    greatest, least, probes, steps = chance.randint(1, 3), chance.randint(0, 2), chance.randint(1, 4), 5
    values = np.concatenate([_uniform(chance, greatest, low=1, high=9), -_uniform(chance, least, low=0.01, high=3)])
    values = scale * np.sort(values)[::-1]
    weights = _uniform(chance, probes, steps, low=0.01)
    traces = scale * _uniform(chance, probes, low=10, high=30)
    return Spectrum(
        100,
        values,
        np.abs(values) * np.where(_flags(chance, len(values), share=0.8), 1e-3, 0.3),
        scale * _uniform(chance, len(values)) if chance.random() < 0.8 else np.full(len(values), NAN),
        greatest,
        0.01,
        traces,
        _one_of(chance, 0.4, NAN),
        traces**2 / 3,
        traces + 1.0,
        scale * np.sort(_uniform(chance, probes, steps, low=-1, high=9), axis=1),
        weights / weights.sum(1, keepdims=True),
        60,
    )


def curvature(chance: Random) -> Curvature:
    """Return a report of a few layers, with eigenvalues of one end or both, of a slice or none."""
    number = chance.randint(1, 4)
    layers = tuple(
        LayerCurvature(f"layer{k}.weight", 30, 5, chance.uniform(-3, 9), 0.5, chance.uniform(-0.2, 1), 0.05)
        for k in range(number)
    )
    axes = chance.randint(1, 2)
    hessian = _uniform(chance, axes, axes, low=-2, high=5)
    hessian = hessian + hessian.T
    fitted = _one_of(chance, hessian + 0.05, hessian + 3.0, np.full((axes, axes), NAN))
    errors = np.full((axes, axes), 0.1), fitted, np.abs(fitted) / 50
    plane = SliceCurvature(("α", "β")[:axes], hessian, *errors, (0.6, NAN)[:axes])
    data = _one_of(chance, "train", "test")
    return Curvature(
        data,
        chance.randint(100, 900),
        0.2,
        0.01,
        chance.uniform(0.01, 2),
        0.01,
        _one_of(chance, 0.06, 3.0),
        _spectrum(chance, 1.0),
        _spectrum(chance, 0.1),
        layers,
        FilterCurvature(*(np.arange(5.0 * number) * factor for factor in (0.1, 0.01, 0.02, 0.002))),
        *((8.5, _one_of(chance, 0.01, 2.0), 21.0, 1.5) if chance.random() < 0.6 else ()),
        slice=plane if chance.random() < 0.6 else None,
        verdict=_one_of(chance, "Saddle: of a kind.", "Minimum, as far as was looked."),
        problem={"loss": "cross_entropy"},
        origin={"checkpoint": "net.pt"},
        settings={"probes": 4},
        gradient_null_stderr=_one_of(chance, 0.0021, NAN),
        batches=_one_of(chance, 1, 8),
    )


def curvature_run(chance: Random) -> CurvatureRun:
    """Return reports at a few steps, some of which say no learning rate."""
    number = chance.randint(2, 4)
    rates = tuple(_one_of(chance, 0.1, 0.05, NAN) for _ in range(number))
    reports = tuple(curvature(chance) for _ in range(number))
    reports = tuple(Curvature(**{**vars(each), "data": "train", "slice": None}) for each in reports)
    name, unit = _one_of(chance, "sgd", "adam"), _one_of(chance, "epoch", "step")
    return CurvatureRun(name, unit, tuple(range(0, 5 * number, 5)), rates, reports)


def _bands(chance: Random) -> Figure:
    x = np.cumsum(_uniform(chance, 7, low=0.2))
    bands = []
    for name in ("a", "b", "c")[: chance.randint(1, 3)]:
        middle = _one_of(chance, 1.0, 0.01) * _uniform(chance, 7, low=0.2, high=3)
        seeds = middle * _uniform(chance, 4, 1, low=0.8, high=1.2)
        bands.append(Band(name, x, middle, 0.8 * middle, 1.3 * middle, seeds))
    return seed_bands(bands, x="epoch", y=_one_of(chance, "loss", "accuracy"), title="t", caption="c")


def _values(chance: Random) -> Figure:
    rows = []
    for name in ("a", "b", "wide")[: chance.randint(1, 3)]:
        numbers = _uniform(chance, chance.randint(1, 5), low=-1, high=4)
        low, high = _one_of(chance, (numbers.mean() - 1, numbers.mean() + 1.5), (NAN, NAN))
        hollow = _uniform(chance, chance.randint(0, 2), low=-2, high=7)
        rows.append(SeedValues(name, numbers, float(numbers.mean()), low, high, hollow))
    return seed_values(rows, x="width", title="t", caption="c")


def _triangles(chance: Random) -> Figure:
    found = []
    for name in ("a", "b")[: chance.randint(1, 2)]:
        scores, apart = _uniform(chance, 3, low=0.1, high=0.9), _one_of(chance, 0.1, NAN)
        found.append(Triangle(name, scores, scores - apart, scores + apart))
    return triangles(found, ("stability", "plasticity", "robustness"), title="t", caption="c")


def _look(chance: Random) -> dict[str, Any]:
    some = {"headline": "All of them", "caption": False, "size": _one_of(chance, "single", (7.0, 4.0))}
    return {name: each for name, each in some.items() if chance.random() < 0.25}


def _several(make: Callable[[Random], Any], draw: Callable[..., Figure]) -> Callable[[Random], Figure]:
    def figure(chance: Random) -> Figure:
        reports = [make(chance) for _ in range(chance.randint(1, 2))]
        labels = {"labels": ["one", "the other"][: len(reports)]} if chance.random() < 0.4 else {}
        return draw(reports, **labels, **_look(chance))

    return figure


def _curvatures(chance: Random) -> Figure:
    return draw_curvature({name: curvature(chance) for name in ("train", "test")[: chance.randint(1, 2)]})


def _similarity_map(chance: Random) -> Figure:
    found = similarity(chance)
    names = [each.name for each in found.networks]
    ways: list[dict[str, Any]] = [{}, {}, {"values": "stderr"}, {"values": "pc_cosine"}, {"values": "overlap"}]
    ways += [{"values": name} for name in found.others] + [{"networks": names[-1:]}]
    ways += [{"against": names[0]}] if len(names) > 1 else []
    return landscape.plot.similarity(found, **chance.choice(ways), **_look(chance))


DRAWN: Mapping[str, Callable[[Random], Figure]] = {
    "similarity": _similarity_map,
    "predictions": lambda chance: landscape.plot.predictions(populations(chance), **_look(chance)),
    "robustness": _several(robustness, landscape.plot.robustness),
    "frequencies": _several(frequencies, landscape.plot.frequencies),
    "walk": _several(walk, landscape.plot.walk),
    "curvature": _curvatures,
    "curvature run": lambda chance: draw_curvature_run({"train": curvature_run(chance)}),
    "bands": _bands,
    "values": _values,
    "triangles": _triangles,
}
MADE: Mapping[str, Callable[[Random], Any]] = {
    "similarity": similarity,
    "predictions": populations,
    "robustness": robustness,
    "frequencies": frequencies,
    "walk": walk,
    "curvature": curvature,
    "curvature run": curvature_run,
}
