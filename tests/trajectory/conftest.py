"""What the tests of this room share."""

import pytest

from landscape.trajectory.runs import find_run
from tests.helpers.trained_run import at_end, data, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two runs from the same start."""
    folder = tmp_path_factory.mktemp("runs")
    for name, lr in (("fast", 0.5), ("slow", 0.05)):
        train(folder / name, lr=lr, steps=13, every=2)
    return folder


@pytest.fixture
def problem(folder):
    """The network at the end of the fast run, the data, the run."""
    run = find_run(folder / "fast")
    return at_end(run), data(), run
