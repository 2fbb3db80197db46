"""What a file keeps of anchors fits together, or is refused."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.surface.anchors import Anchors

RIGHT = {
    "points": np.array([-1, 4]),
    "samples": {"loss": np.zeros((2, 5))},
    "means": {"loss": np.zeros(2)},
    "log_means": {"loss": np.zeros(2)},
    "sketches": {"loss": np.zeros((9, 3), np.float32)},
    "kept_points": np.array([1, 2, 3]),
    "kept": {"loss": np.zeros((3, 5))},
}


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("samples", np.zeros((3, 5)), "have values of loss"),
        ("samples", np.zeros(2), "have values of loss"),
        ("means", np.zeros(3), "have values of loss"),
        ("means", None, "have values of loss"),
        ("log_means", np.zeros(3), "have logarithms of loss"),
        ("log_means", np.zeros((2, 1)), "have logarithms of loss"),
        ("sketches", np.zeros(9), "have sketches of loss"),
        ("kept", np.zeros((2, 5)), "keep values of loss"),
        ("kept", np.zeros(3), "keep values of loss"),
    ],
)
def test_anchors_whose_arrays_do_not_go_together_are_refused(name, wrong, said):
    assert Anchors(size=10, **RIGHT).size == 10
    with pytest.raises(ValueError, match=said):
        Anchors(size=10, **{**RIGHT, name: {} if wrong is None else {"loss": wrong}})
