"""What a study asks a measure for, and the network's own loss, reach what measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from landscape.studies.measures.measures import MEASURES
from landscape.studies.study import Context
from tests.helpers import kept_problem

# What measures in the end.
FUNCTIONS = (
    "landscape.evaluation.evaluate.evaluate",
    "landscape.trajectory.run_surface.evaluate_runs",
    "landscape.curvature.analysis.measure_curvature",
    "landscape.inputs.robustness.robustness",
    "landscape.inputs.frequencies.frequencies",
    "landscape.inputs.input_space.input_problem",
    "landscape.similarity.layer_similarity.measure_similarity",
    "landscape.similarity.class_probabilities.predictions",
)
LOSS = f"{Path(kept_problem.__file__)}:brier"
ATTACK = {"norm": "l2", "steps": 3, "clip": (-1.0, 2.0)}
# Of each measure: which networks, what is asked for, and what that is called where it arrives (by default the same).
ASKED: dict[str, tuple[slice, dict[str, Any], dict[str, Any]]] = {
    "line": (slice(1), {"x": "-1:1:5", "repeats": 2}, {}),
    "worst_lines": (slice(1), {"x": "-1:1:5"}, {}),
    "plane": (slice(1), {"x": "-1:1:3", "y": "-2:2:5"}, {}),
    "curvature": (slice(1), {}, {}),
    "between": (slice(2), {"x": "-1:2:7"}, {}),
    "path": (slice(1), {"surface": True, "points": 3}, {"points": 3, "surface": None}),
    "paths": (slice(1), {"points": 3, "margin": 0.4}, {}),
    "local": (slice(1), {"points": 5}, {"points": None}),
    "film": (slice(1), {"x": "-1:1:3"}, {}),
    "noise": (slice(1), {"x": "-1:1:3"}, {}),
    "noise_film": (slice(1), {"x": "-1:1:3"}, {}),
    "sharpening": (slice(1), {}, {}),
    "forgetting": (slice(2, 3), {}, {}),
    "triangle": (slice(2, 3), ATTACK | {"epsilon": 0.3}, {"epsilon": None, "epsilons": (0.3,)}),
    "attacks": (slice(1), ATTACK | {"epsilons": (0.2, 0.4), "restarts": 2}, {}),
    "frequencies": (slice(1), ATTACK | {"cutoffs": (1.0, 2.0), "epsilon": 0.3}, {}),
    "input_plane": (slice(1), {"axes": ("pgd", "random"), "norm": "l2", "epsilon": 0.3, "clip": (-1.0, 2.0)}, {}),
    "block": (slice(1), {"batch_size": 10, "passes": 3, "layers": "0"}, {"loss": None}),
    "populations": (slice(2), {"batch_size": 10, "outputs": "probabilities"}, {"loss": None}),
}


class ArrivedError(Exception):
    """Raised by what stands for a function that measures: with what it was given."""


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_reaches_what_measures(name, networks, data, tmp_path, monkeypatch):
    which, asked, arrived = ASKED[name]

    def arrive(*given: Any, **options: Any) -> None:
        raise ArrivedError(options)

    for place in FUNCTIONS:
        monkeypatch.setattr(place, arrive)
    asked = {**asked, "samples": 17, "data": ["test"] if name in ("line", "plane", "between") else "test"}
    chosen = tuple(replace(each, recipe=replace(each.recipe, loss=LOSS)) for each in networks[which])
    if name == "populations":
        chosen = tuple(replace(each, variant=variant) for variant in "ab" for each in chosen)
    with pytest.raises(ArrivedError) as caught:
        MEASURES[name](Context(chosen, data, asked, tmp_path, seed=23))
    (options,) = caught.value.args
    expected = {**asked, "data": None, "loss": LOSS, "sample_seed": 23, **arrived}
    for key, value in expected.items():
        if value is not None:
            found = options[key]
            assert (tuple(found) if isinstance(value, tuple) else found) == value, key
