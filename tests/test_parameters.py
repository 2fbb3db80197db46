"""Every parameter of what measures, called from Python, reaches it: it changes the numbers, or is known not to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import landscape
from landscape.curvature import analysis
from landscape.curvature.analysis import measure_curvature
from landscape.similarity.layer_similarity import measure_similarity
from landscape.similarity.similarity_settings import Settings
from tests.helpers import kept_problem
from tests.helpers.kept_problem import brier, data, margin, network, train

SOME = {"samples": 40}
OF_A_MATRIX: dict[str, tuple[dict[str, Any], Any]] = {
    "loss": ({}, brier),
    "samples": ({}, 40),
    "sample_seed": (SOME, 3),
    "include": ({}, "^7"),
    "exclude": ({}, "^7"),
    "ignore": ({}, "biasbn"),
}
# Which parameters change the numbers: what else is given, and what the parameter then is.
CHANGE: dict[str, dict[str, tuple[dict[str, Any], Any]]] = {
    "evaluate": {
        "x": ({}, "-1:1:4"),
        "y": ({}, "-1:1:2"),
        "z": ({"y": "-1:1:2"}, "-1:1:2"),
        "loss": ({}, brier),
        "metrics": ({}, [margin]),
        "samples": ({}, 40),
        "anchors": (SOME | {"anchors": "none"}, 3),
        "standard_error": ({"anchors": "none"}, 0.2),
        "tolerance": ({"x": "-1:1:21", "y": "-1:1:17", "samples": 40, "anchors": "none"}, 1.0),
        "error": ({}, 0.3),
        "sample_seed": (SOME | {"anchors": "none"}, 3),
        "batch_norm": ({}, "recompute"),
        "batch_norm_data": ({"batch_norm": "recompute"}, "test"),
        "mode": ({}, "train"),
        "noise": ({"mode": "train", "noise": "common"}, "fresh"),
        "weight_decay": ({}, 0.1),
        "repeats": ({}, 2),
        "directions": ({}, "gradient"),
    },
    "hessian": {
        **OF_A_MATRIX,
        "kind": ({}, "gauss_newton"),
        "normalised": ({}, True),
    },
    "curvature": {
        **OF_A_MATRIX,
        "batch_size": ({}, 17),  # errors from samples are told from batches
        "gauss_newton": ({}, False),
        "eigenvalues": ({}, 2),
        "tolerance": ({}, 0.5),
        "most": ({}, 3),
        "probes": ({}, 3),
        "steps": ({}, 3),
        "seed": ({}, 5),
    },
    "similarity": {
        "layers": ({}, "^7"),
        "samples": ({}, 40),
        "sample_seed": (SOME, 3),
        "batch_size": ({}, 20),
        "passes": ({}, 2),
        "kernel": ({}, "rbf"),
        "rbf_width": ({"kernel": "rbf"}, 0.5),
        "components": ({}, False),
        "without_components": ({}, 1),
        "without_dominant": ({}, 2),
        "procrustes": ({}, 1),
    },
    "measure_run_walk": {
        "rate": ({}, 0.3),
        "multiples": ({}, (0.5, 3.0)),
        "loss": ({}, brier),
        "samples": ({}, 40),
        "sample_seed": (SOME, 3),
        "mode": ({}, "train"),
    },
    "predictions": {
        "samples": ({}, 40),
        "sample_seed": (SOME, 3),
        "half": ({}, True),
    },
    "robustness": {
        "epsilons": ({}, [0.1, 0.7]),
        "norm": ({}, "l2"),
        "loss": ({}, brier),
        "steps": ({}, 1),
        "restarts": ({}, 1),
        "random": ({}, 2),
        "clip": ({}, (-8.0, 8.0)),
        "samples": ({}, 40),
        "sample_seed": (SOME, 3),
        "seed": ({}, 5),
        "batch_size": ({}, 17),  # a batch has random starts of its own
    },
    "frequencies": {
        "cutoffs": ({}, [1, 2]),
        "epsilon": ({}, 0.7),
        "norm": ({}, "l2"),
        "steps": ({}, 1),
        "clip": ({}, (-7.43, 7.02)),
        "loss": ({}, brier),
        "samples": ({}, 40),
        "sample_seed": (SOME, 3),
        "batch_size": ({}, 17),
    },
    "evaluate_runs": {
        "x": ({}, "-1:2:3"),
        "y": ({}, "-1:2:3"),
        "points": ({}, 3),
        "margin": ({}, 0.5),
        "settings": ({}, {"loss": brier}),
    },
}
# Which change no number but the last places of it: what is given, and the value.
SAME: dict[str, dict[str, tuple[dict[str, Any], Any]]] = {
    "evaluate": {
        "batch_size": ({}, 17),
        "device": ({}, "cpu"),
        "low_memory": ({}, True),
        "path": ({}, "surface.h5"),
        "save_directions": ({"path": "saved.h5"}, True),
        "overwrite": ({"path": "again.h5"}, True),
        "write_every": ({"path": "written.h5"}, 0.01),
        "progress": ({}, False),
        "checkpoint": ({}, "a.pt"),
        "description": ({}, {"title": "ours"}),
        "command": ({}, "landscape"),
        "precision_tolerance": ({}, 0.5),
        "precision": ({}, "float32"),  # these weights are double, and stay so
    },
    "hessian": {"batch_size": ({}, 17)},
    "curvature": {"memory": ({}, 2.0**30)},
    "measure_run_walk": {"batch_size": ({}, 17), "progress": ({}, None)},
    "predictions": {"batch_size": ({}, 17), "progress": ({}, None)},
    "robustness": {"progress": ({}, None)},
    "frequencies": {"progress": ({}, None)},
    "evaluate_runs": {"path": ({}, "runs.h5"), "overwrite": ({"path": "runs-again.h5"}, True), "progress": ({}, False)},
}
# What is measured, and what tests of their own are about.
OTHERS = {
    "evaluate": {"model", "data", "plane", "compile", "trajectories", "quantities"},
    "hessian": {"model", "data"},
    "curvature": {"model", "data", "settings", "plane", "surface", "comm", "progress"},
    "similarity": {
        "networks",
        "data",
        "groups",
        "about",
        "settings",
        "progress",
        "known",
        "write",
        "write_every",
        "scratch",
        "tokens",
    },
    "measure_run_walk": {"model", "data", "run"},
    "predictions": {"groups", "data", "about", "outputs", "known", "write"},
    "robustness": {"model", "data", "transfer"},
    "frequencies": {"model", "data", "seed"},  # the seed starts an attack that ends at the same place
    "evaluate_runs": {"model", "data", "runs", "plane"},
}
# Of results: what says how it was made.
_ABOUT = ("problem", "settings", "origin", "software", "created", "command", "quality", "path", "title", "networks")


def numbers_of(result: Any) -> list[Any]:
    """Return all numbers of a result, in the order of their names."""
    if isinstance(result, torch.Tensor | np.ndarray):
        return np.asarray(result, dtype=float).ravel().tolist() if np.asarray(result).dtype.kind in "fiub" else []
    if isinstance(result, dict):
        return [number for name in sorted(result) for number in numbers_of(result[name])]
    if isinstance(result, list | tuple):
        return [number for each in result for number in numbers_of(each)]
    if isinstance(result, int | float | np.number):
        return [float(result)]
    fields = getattr(result, "__dataclass_fields__", {})
    return [number for name in sorted(fields) if name not in _ABOUT for number in numbers_of(getattr(result, name))]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """Return what calls a function of `landscape` with parameters, and gives its numbers."""
    folder = tmp_path_factory.mktemp("parameters")
    for seed, name in enumerate("ab"):
        train(folder / name, seed)
    nets = {}
    for name in "ab":
        nets[name] = network()
        nets[name].load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    model, run = nets["a"], landscape.find_run(folder / "a")
    samples, few = {"train": kept_problem.many(), "test": kept_problem.held_out()}, {"train": data()}
    operator = np.linspace(-1, 1, sum(each.numel() for each in model.parameters()))

    def surface(**more: Any) -> Any:
        dimensions = 1 + len({"y", "z"} & set(more))
        plane = None if "directions" in more else landscape.random_plane(model, seed=2, dimensions=dimensions)
        return landscape.evaluate(model, samples, plane, **{"x": "-1:1:3", "progress": False, **more})

    def product(**more: Any) -> Any:
        matrix = landscape.hessian(model, few, **more)
        return matrix @ operator[: matrix.shape[0]]

    def runs(settings: dict[str, Any] | None = None, **more: Any) -> Any:
        how = {"points": 2, "progress": False, **more, **(settings or {})}
        return landscape.evaluate_runs(model, few, [run], **how)

    functions: dict[str, Callable[..., Any]] = {
        "evaluate": surface,
        "hessian": product,
        "curvature": lambda **more: landscape.curvature(
            model, few, **{"eigenvalues": 1, "probes": 2, "steps": 4, "most": 30, **more}
        ),
        "similarity": lambda **more: landscape.similarity(nets, few, **{"batch_size": 32, "passes": 1, **more}),
        "measure_run_walk": lambda **more: landscape.measure_run_walk(model, few, run, **{"rate": 0.1, **more}),
        "predictions": lambda **more: landscape.predictions({"both": nets}, few, **more),
        "robustness": lambda **more: landscape.robustness(model, few, **{"epsilons": [0.1, 0.5], "steps": 3, **more}),
        "frequencies": lambda **more: landscape.frequencies(model, few, **{"epsilon": 0.3, "steps": 3, **more}),
        "evaluate_runs": runs,
    }
    kept: dict[str, list[Any]] = {}

    def call(name: str, **more: Any) -> list[Any]:
        key = repr((name, more))
        if key not in kept:
            torch.manual_seed(0)
            kept[key] = numbers_of(functions[name](**more))
        return kept[key]

    return call


@pytest.mark.parametrize(
    ("name", "parameter", "changes"),
    [
        (name, one, changes)
        for changes, table in ((True, CHANGE), (False, SAME))
        for name in table
        for one in table[name]
    ],
)
def test_a_parameter_reaches_what_it_is_about(name, parameter, changes, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    beside, value = (CHANGE if changes else SAME)[name][parameter]
    before, after = call(name, **beside), call(name, **{**beside, parameter: value})
    assert before
    alike = len(before) == len(after) and np.allclose(before, after, rtol=1e-6, atol=1e-9, equal_nan=True)
    assert alike is not changes


@pytest.mark.parametrize("name", OTHERS)
def test_every_parameter_is_tried(name):
    behind = {"curvature": (measure_curvature, analysis.Settings), "similarity": (measure_similarity, Settings)}
    functions = behind.get(name) or [getattr(landscape, name)]
    found = {each for function in functions for each in inspect.signature(function).parameters}
    assert found - {"numbers", "options"} == OTHERS[name] | set(CHANGE[name]) | set(SAME.get(name, {}))


@pytest.mark.parametrize("name", [name for name in SAME if "progress" in SAME[name]])
def test_a_function_is_told_how_far_it_is_until_all_is_done(name, call):
    told: list[tuple[float, float]] = []
    more = {"samples": 40, "anchors": "none"} if name == "evaluate" else {}
    call(name, progress=lambda done, total: told.append((done, total)), **more)
    done = [each for each, _ in told]
    assert len({total for _, total in told}) == 1
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1] >= 1
