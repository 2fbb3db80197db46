"""What a surface may say: each key that others rely on holds what it should, and nothing else is refused."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files.content import check_content
from landscape.surface.grid import LARGEST, Axis
from landscape.surface.surface import Surface, Trajectory

SHAPE = (2, 3)
COUNTS = np.array([[5, 5, 0], [5, 5, 5]])


def surface(**changes: Any) -> Surface:
    """Return a plane with a hole and a run of four steps."""
    run = Trajectory(np.zeros((4, 2)), np.zeros(4), np.zeros(4), np.arange(4), {})
    given = {
        "axes": (Axis(np.array([-1.0, 0.0, 1.0])), Axis(np.array([0.0, 2.0]))),
        "values": {"train/loss": np.ones(SHAPE)},
        "state": np.array([[1, 1, 0], [1, 2, 1]], dtype=np.uint8),
        "counts": {"train": COUNTS},
        "cosines": np.eye(2),
        "trajectories": {"sgd": run},
        **changes,
    }
    return Surface(**given)


def of(key: str, **values: Any) -> list[tuple[str, str, Any]]:
    """Return (mapping, key, value) of each value."""
    return [(key, name, value) for name, each in values.items() for value in each]


RIGHT = [
    *of("problem", model=[{}, {"a": 3}], data=[{"train": {"size": 4, "samples": 0}}], metrics=[{"train": ["loss"]}]),
    *of(
        "problem", samples=[None, 0, 7], sample_seed=[None, -3], weight_decay=[None, 0.1, 3, math.inf], move=[None, ""]
    ),
    *of("problem", quantities=[{"curvature": {}}], unknown=[object, 3]),
    *of("origin", checkpoint=[None, "a"], values=[{"train/loss": math.nan}], fingerprint_samples=[{"train": 3}]),
    *of("quality", precision_error=[None, 0.1], batch_size=[None, 1], unfinished=[0, None], error=[0.1]),
    *of("quality", standard_error=[{"target": 0.1, "eps": {"train": 1.0}}], interpolation=[{}, None]),
    *of("quality", anchors=[None, {"points": [0, 4], "rounds": 2, "settled": True}]),
]
WRONG = [
    *of("problem", model=["net", None], data=[{"train": {"size": 0}}, {"train": {"samples": -1}}, {"train": 3}, []]),
    *of("problem", metrics=[{"train": "loss"}, {"train": [3]}, []], quantities=[{"curvature": 3}]),
    *of("problem", samples=[-1, 0.5, True, "3", 2**53 + 1], sample_seed=[0.5, "0", False], weight_decay=["x", True]),
    *of("problem", move=[3], include=[[]], exclude=[1], batch_norm=[1], batch_norm_data=[1], mode=[True]),
    *of("origin", checkpoint=[3], sha256=[b"x"], values=[{"train/loss": "1"}, [1.0]], fingerprints=[{"train": 3}]),
    *of("origin", fingerprint_samples=[{"train": -1}, {"train": 0.5}]),
    *of("quality", precision=[3], precision_error=["x"], batch_size=[0, -1, 1.5], threads=[0], ranks=[0, "2"]),
    *of("quality", interpolation=[[]], interpolation_error=["x"], unfinished=[-1, True], error=["x", True]),
    *of("quality", standard_error=[3, {"target": "x"}, {"eps": {"train": "x"}}, {"eps": 1.0}]),
    *of("quality", anchors=[{"points": [-1]}, {"points": [0.5]}, {"rounds": -1}, {"settled": 1}, []]),
]
RUNS_RIGHT = of(
    "run", lr_drops=[[3]], explained_variance=[[0.5, 0.4], [1.0]], values=[{"loss": [1.0, None, 3, math.nan]}],
    samples=[{"train": 3}], total_variance=[2.0], unordered=[True], other=[object],
)  # fmt: skip
RUNS_WRONG = of(
    "run", lr_drops=[[0.5], 3], explained_variance=[[1.1], [-0.1], ["x"], 0.5], values=[{"loss": [1.0]}, [], {"a": 3}],
    plane_values=[{"loss": [1.0] * 5}], samples=[{"train": -1}], total_variance=["x"], unordered=[1], name=[3],
    folder=[3], unit=[None], loss_name=[3], steps=[["a"]],
)  # fmt: skip
RECIPES_RIGHT = of(
    "recipe", source=["pca"], seed=[None, 3], axis=[0], components=[1], seeds=[[1]], path=[None, "x"], differs=[["a"]],
    runs=[[{"name": "sgd", "steps": [1]}]], networks=[[{"at": [0.0, LARGEST], "path": None}]], other=[object],
)  # fmt: skip
RECIPES_WRONG = of(
    "recipe", source=[3, None], seed=[0.5], axis=[-1, None], components=[0], seeds=[[0.5], 3], path=[3], norm=[3],
    ignore=[1], differs=["a", [3]], runs=[{}, [{"name": 3}], [{"steps": [0.5]}], [{"unit": 3}], [3]],
    networks=[[{"at": [2 * LARGEST]}], [{"at": 0.0}], [{"at": [math.nan]}], [{"key": 3}], [{"differs": [3]}], {}],
)  # fmt: skip


def told(where: str, key: str, value: Any) -> Surface:
    if where == "run":
        run = surface().trajectories["sgd"]
        return surface(trajectories={"sgd": dataclasses.replace(run, attributes={key: value})})
    if where == "recipe":
        x, y = surface().axes
        return surface(axes=(x, dataclasses.replace(y, recipe={key: value})))
    return surface(**{where: {key: value}})


@pytest.mark.parametrize("given", [*RIGHT, *RUNS_RIGHT, *RECIPES_RIGHT], ids=repr)
def test_what_a_file_may_say_is_taken(given):
    check_content(told(*given))


@pytest.mark.parametrize("given", [*WRONG, *RUNS_WRONG, *RECIPES_WRONG], ids=repr)
def test_what_a_file_may_not_say_is_refused_by_its_name(given):
    where, key, _ = given
    place = "axis 1" if where == "recipe" else where
    with pytest.raises(FormatError, match=f"^its {place} says something impossible of {key}$"):
        check_content(told(*given))


def with_run(**parts: Any) -> Surface:
    return surface(trajectories={"sgd": dataclasses.replace(surface().trajectories["sgd"], **parts)})


def counted(place: tuple[int, int], number: int) -> Surface:
    counts = COUNTS.copy()
    counts[place] = number
    return surface(counts={"train": counts})


def numbered(*values: float, **axis: Any) -> Surface:
    return surface(axes=(Axis(np.array(values), **axis), surface().axes[1]))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: counted((0, 0), 0), "counts of train"),  # a point that was computed of nothing
        (lambda: counted((0, 2), -1), "counts of train"),
        (lambda: counted((1, 0), 2**53 + 1), "counts of train"),
        (lambda: with_run(coordinates=np.full((4, 2), 2 * LARGEST)), "coordinates or distances"),
        (lambda: with_run(coordinates=np.full((4, 2), np.nan)), "coordinates or distances"),
        (lambda: with_run(residual=np.full(4, -1.0)), "coordinates or distances"),
        (lambda: with_run(residual=np.full(4, np.nan)), "coordinates or distances"),
        (lambda: with_run(coordinates=np.zeros((4, 3))), "3 coordinates on 2 axes"),
        (lambda: with_run(coordinates=np.zeros((4, 0))), "0 coordinates on 2 axes"),
        (lambda: with_run(step=np.full(4, 2**53 + 1)), "no numbers of steps"),
        (lambda: surface(cosines=np.eye(3)), "cosines are of 3 directions, its axes are 2"),
        (lambda: numbered(0.0, 1.0, 2.0, length=-1.0), "axis 0 has a length"),
        (lambda: numbered(0.0, 1.0, 2.0, length=2 * LARGEST), "axis 0 has a length"),
        (lambda: numbered(0.0, 1.0, 2.0, kind="time"), "axis 0 is of an unknown kind"),
        (lambda: numbered(0.0, 1.0, 2 * LARGEST), "axis 0 goes beyond"),
        (lambda: numbered(0.0, 0.5 / LARGEST, 1.0), "less than"),
        (lambda: numbered(0.0, 1.0, 2.0, kind="repeat"), "axes are not directions"),
    ],
)
def test_what_does_not_fit_together_is_refused(made, words):
    with pytest.raises(FormatError, match=words):
        check_content(made())


def test_what_is_at_the_edge_fits():
    check_content(counted((1, 1), 0))  # interpolated: of no samples
    check_content(counted((1, 0), 2**53))
    check_content(with_run(coordinates=np.full((4, 1), LARGEST), residual=np.full(4, LARGEST)))
    check_content(numbered(0.0, 1.0, LARGEST, length=math.nan))
    check_content(surface(cosines=None, counts={}))


def repeated(**recipe: Any) -> Surface:
    repeats = Axis(np.arange(2.0), kind="repeat", recipe=recipe)
    x = surface().axes[0]
    return surface(
        axes=(x, repeats), values={}, state=np.zeros((2, 3), np.uint8), counts={}, cosines=None, trajectories={}
    )


@pytest.mark.parametrize(
    ("recipe", "right"),
    [
        ({"repeats": [[{"recipe": {}, "length": 1.0, "label": "x", "source": "", "sha256": ""}], [{}]]}, True),
        ({"cosines": [[[1.0]], None], "seeds": [0, 1]}, True),
        ({"cosines": None}, True),
        ({"repeats": [[{}]]}, False),  # of one of two
        ({"repeats": [[{}, {}], [{}, {}]]}, False),  # two directions of one
        ({"repeats": [[{"other": 1}], [{}]]}, False),
        ({"repeats": [[{"length": -1.0}], [{}]]}, False),
        ({"repeats": [[{"recipe": {"seed": "x"}}], [{}]]}, False),
        ({"repeats": [[{"label": 3}], [{}]]}, False),
        ({"cosines": [[[1.0]]]}, False),
        ({"cosines": [[[1.0, 0.0]], None]}, False),
        ({"seeds": [0]}, False),
        ({"seeds": [0, 0.5]}, False),
    ],
)
def test_repetitions_say_as_much_of_each_as_there_are(recipe, right):
    if right:
        check_content(repeated(**recipe))
        return
    (key,) = recipe
    with pytest.raises(FormatError, match=f"says something impossible of {key}$"):
        check_content(repeated(**recipe))
