"""How many points may be anchors, by what the full passes of all data sets cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from landscape.errors import UsageError
from landscape.evaluation.anchors.choice import anchored_data, most_anchors

NUMBERS, SIZES = {"train": 640, "test": 320}, {"train": 6400, "test": 32_000}


@pytest.mark.parametrize(
    ("points", "asked", "most"),
    [
        (1000, "auto", 12),  # 480,000 images are half of what the points take, and a full pass is 37,440 beside
        (10_000, "auto", 40),  # a slope takes 8 of the 320 samples there are of one set
        (1000, 7, 7),
        (1000, 99, 40),
        (10, "auto", 1),  # the star at least
    ],
)
def test_full_passes_take_no_more_than_half_of_what_all_points_take(points, asked, most):
    assert most_anchors(points, NUMBERS, SIZES, asked) == most


def test_where_a_point_has_as_many_samples_as_it_needs_a_full_pass_costs_nothing_beforehand():
    assert most_anchors(10, SIZES, SIZES, "auto") == 800


def chosen(
    anchors: Any = "auto", *, points: int = 1000, used: int = 640, beside: int = 100, stored: Any = None, **more: Any
) -> Any:
    """Return which data have anchors: of 6,400 samples each point has so many, of 100 others as a rule all."""
    sizes, per_sample = {"train": 6400, "test": 100}, more.pop("per_sample", True)
    weighs, noise, streamed = more.pop("weighs", False), more.pop("noise", None), more.pop("streamed", False)
    by_batch = more.pop("by_batch", False)
    objective = SimpleNamespace(
        sizes={"train": used, "test": beside},
        data={name: SimpleNamespace(size=size, streamed=streamed) for name, size in sizes.items()},
        loss=SimpleNamespace(weighs=weighs),
        noise=noise,
    )
    settings = SimpleNamespace(**{"anchors": anchors, "standard_error": None, "error": None, **more})
    setup = SimpleNamespace(settings=settings, stored=stored, axes=[range(points)])
    samples = SimpleNamespace(per_sample={("train", "loss"): per_sample, ("train", "own"): False})
    return anchored_data(setup, objective, SimpleNamespace(samples=samples, by_batch=by_batch))


def test_of_their_own_accord_data_have_anchors_where_it_pays_and_nothing_speaks_against_it():
    assert chosen() == {"train": 6400}
    assert chosen("none") == {}
    assert chosen(used=6400) == {}  # nothing is left out
    # Five full passes of 5,760 more are no more than half of what the points take, 640 and 100 each, from 78 points on.
    assert (chosen(points=77), chosen(points=78)) == ({}, {"train": 6400})
    assert (chosen(used=39, points=10**6), chosen(used=40, points=10**6)) == ({}, {"train": 6400})  # 8 a slope
    assert chosen(used=39, beside=40) == chosen(used=40, beside=39) == {}  # of each
    assert chosen(beside=40) == {"train": 6400, "test": 100}
    for against in (
        {"noise": "common"}, {"per_sample": False}, {"weighs": True}, {"streamed": True}, {"by_batch": True}
    ):  # fmt: skip
        assert chosen(**against) == {}
    assert chosen(error=0.02, used=6400) == {"train": 6400}  # of few samples all are measured


def test_asked_for_anchors_are_had_or_refused_with_the_reason():
    assert chosen(5, points=1) == {"train": 6400}
    assert chosen(5, noise="common") == {"train": 6400}
    assert chosen(5, used=6400) == {}
    assert chosen(5, used=6400, standard_error=0.1) == {"train": 6400, "test": 100}
    for against, why in (({"per_sample": False}, "one value a sample"), ({"weighs": True}, "by their class"),
                         ({"streamed": True}, "of the stream 'train'"),
                         ({"by_batch": True}, "place in a batch")):  # fmt: skip
        with pytest.raises(UsageError, match=f"--anchors 5 .*{why}"):
            chosen(5, **against)


def test_a_file_goes_on_as_it_was_begun():
    begun = SimpleNamespace(anchored={"train": None}, state=np.zeros(3, np.uint8))
    plain = SimpleNamespace(anchored={}, state=np.ones(3, np.uint8))
    assert chosen(stored=begun, points=1) == {"train": 6400}
    assert chosen(stored=begun, used=6400) == {}
    assert chosen(stored=begun, used=6400, standard_error=0.1) == {"train": 6400}
    assert chosen(stored=plain) == {}
    assert chosen(stored=SimpleNamespace(anchored={}, state=np.zeros(3, np.uint8))) == {"train": 6400}
