"""The studies that ship, each in a miniature of its miniature: one variant or two, one seed, a few samples.

What is asked is that its tasks can be done, that every number a hypothesis is about comes out, and that the report is
there; never what the verdict is.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

import landscape
from landscape.studies.study import TRAINING, Study
from landscape.studies.study_files import read_study, shipped
from landscape.studies.study_tables import OVERRIDES
from landscape.studies.tasks.task_work import find_measure
from tests.helpers.kept import assert_kept

SHIPPED = shipped()
# Sizes of networks and data that are made smaller, where a study names them.
SMALL = {"blocks": 1, "width": 4, "layers": 2, "depth": 2, "units": 8, "hidden": 8}


def small(study: Study) -> Study:
    """Return a study of the first variant, and of what else one of its measurements takes together."""
    together = [name for each in study.measurements if each.per != "network" for name in each.variants[:2]]
    names = dict.fromkeys([study.variants[0].name, *together])
    variants = []
    for variant in (study.variant(name) for name in names):
        recipe = variant.recipe
        # Of four fully connected units with dropout none may be left that does anything.
        sizes = SMALL | ({"width": 16} if recipe.network.endswith(":perceptron") else {})
        arguments = {
            key: min(value, sizes[key]) if key in sizes and isinstance(value, int) else value
            for key, value in recipe.arguments.items()
        }
        variants.append(
            dataclasses.replace(variant, recipe=dataclasses.replace(recipe, arguments=arguments, samples=0))
        )
    measurements = [
        dataclasses.replace(each, variants=tuple(name for name in each.variants if name in names))
        for each in study.measurements
    ]
    return dataclasses.replace(
        study,
        variants=tuple(variants),
        measurements=tuple(measurements),
        hypotheses=(),
        # A population is two networks at least.
        seeds=study.seeds[: 2 if any(each.measure == "populations" for each in study.measurements) else 1],
        samples={"train": 48, "test": 24},
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_says_what_it_asks_and_from_where(name: str) -> None:
    for part in ({}, {"smoke": True}, {"data": ["cifar10:ROOT"]}):
        study = read_study(SHIPPED[name], **part)  # type: ignore[arg-type]
        assert study.question.endswith("?")
        assert study.source
        assert study.hypotheses
        assert len(study.seeds) > 1
        for each in study.measurements:
            find_measure(each.measure)
        for hypothesis in study.hypotheses:
            assert hypothesis.statement
            assert hypothesis.source
    assert "smoke" in OVERRIDES


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_pictures")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_runs_in_miniature(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    if name != "trajectory-shape":  # one of them draws its pictures, others take far longer
        monkeypatch.setattr("landscape.studies.report.report.draw_pictures", lambda result: [])
    whole = read_study(SHIPPED[name], smoke=True)
    result: Any = landscape.study(small(whole), tmp_path / "out", executor="here")
    assert not result.failed, [result.outcomes[task.folder].details for task in result.failed]
    assert not result.missing
    for hypothesis in whole.hypotheses:
        for value in hypothesis.values:
            measured = {name for name in result.values if name.partition("/")[0] == value.partition("/")[0]}
            assert value in result.values, (hypothesis.name, value, sorted(measured))
    trained = [key for key in result.values if key.partition("/")[0] == TRAINING]
    assert trained
    assert all(isinstance(n, float) for by in result.values.values() for seeds in by.values() for n in seeds.values())
    assert not all(math.isnan(n) for key in trained for n in result.values[key][whole.variants[0].name].values())
    page = result.page.read_text()
    assert "no picture" not in page
    assert "All numbers" in page
    # What it measures, of whom, and which files each task leaves; its numbers are those of miniatures.
    found = {f"value {key}": {group: len(seeds) for group, seeds in by.items()} for key, by in result.values.items()}
    found |= {f"task {task.name}": sorted(result.outcomes[task.folder].files) for task in result.tasks}
    assert_kept(f"said/shipped-{name}", found, write=pytestconfig.getoption("keep"))
