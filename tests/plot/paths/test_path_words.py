"""What captions and corners say of runs whose order is known, of samples in none, and of both."""

from __future__ import annotations

import dataclasses

import numpy as np
from landscape.plot.paths.path_words import path_lines, path_notes, records_of, runs_notes, tick_words

from tests.helpers.runs_on_planes import principal_surface, run_on


def test_of_runs_with_and_without_an_order_only_those_with_one_have_ends_and_steps():
    sgd = run_on([[0.0, 0.0], [2.0, 1.0], [9.0, 2.0]], own=[1.0, 2.0, 3.0], residual=[0.0, 1.0, 0.0])
    draws = run_on([[3.0, -1.0], [1.0, 1.0]], own=[1.0, np.nan], unordered=True)
    surface = principal_surface({"sgd": sgd, "draws": draws})
    notes = path_notes(surface, "train/loss")
    assert notes[0] == (
        "Path: sgd, step 0 (circle) to 20 (star); dots: draws: 2 samples, in no order, projected onto the plane; "
        "paler: earlier"
    )
    assert notes[1].startswith("The steps and samples lie up to 1 off the plane")
    far = dataclasses.replace(draws, residual=np.array([0.5, 3.0]))
    farther = path_notes(principal_surface({"sgd": sgd, "draws": far}), "train/loss")[1]
    assert farther.startswith("The steps and samples lie up to 3 off the plane")
    assert notes[-1].endswith("of 1 of 5 steps and samples is not finite")
    assert "1 of 5 steps and samples outside the picture" in path_lines(surface)
    adam = dataclasses.replace(surface, trajectories={"sgd": sgd, "adam": sgd, "draws": draws})
    assert path_notes(adam, "train/loss")[0].startswith("Paths: sgd, adam, each from circle to star; dots: draws")
    both = runs_notes([surface, surface], "train/loss")
    said = (
        "Paths: recorded steps of training runs, from circle to star; dots: samples, in no order, projected onto each"
    )
    assert both == [f"{said} plane; paler: earlier"]
    loose = dataclasses.replace(surface, trajectories={"draws": draws})
    assert runs_notes([loose, loose], "train/loss") == ["Dots: samples, projected onto each plane"]
    assert records_of([sgd, sgd]) == "steps"
    fell = dataclasses.replace(sgd, attributes={**sgd.attributes, "lr_drops": [10]})
    assert tick_words([fell, draws], [], "step") == tick_words([draws, fell], [], "step") == "the learning rate fell"
    assert not tick_words([sgd, draws], [], "step")
