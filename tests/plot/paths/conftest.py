"""What the tests of this room share."""

import dataclasses

import pytest

from tests.helpers.runs_on_planes import BENT, SHARES, principal_surface, run_on


@pytest.fixture
def one():
    run = run_on(BENT, residual=[2, 1, 1, 0.5, 0], own=[3, 2, 1.5, 1.2, 1.1], explained_variance=SHARES, lr_drops=[25])
    return principal_surface({"sgd": run})


@pytest.fixture
def two(one):
    other = run_on([(4.0, 0.5), (3.0, -1.0), (9.0, -1.0)], first=5, explained_variance=SHARES)
    return dataclasses.replace(one, trajectories={**one.trajectories, "adam": other})
