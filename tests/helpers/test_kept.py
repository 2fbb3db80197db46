"""What differs from what is kept is found wherever it is, and rounding is not."""

from __future__ import annotations

import pytest

from tests.helpers import kept
from tests.helpers.kept import assert_kept, first_difference

WAS = {"a": [1.0, {"b": "text", "c": None}], "d": [True, 1e-9, float("nan")]}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (WAS, None),
        ({"a": [1.0005, {"b": "text", "c": None}], "d": [True, 0.0, float("nan")]}, None),
        ({"a": [1.002, {"b": "text", "c": None}], "d": WAS["d"]}, "/a/0: 1.0 is kept, 1.002 found"),
        ({"a": [1.0, {"b": "Text", "c": None}], "d": WAS["d"]}, "/a/1/b: 'text' is kept, 'Text' found"),
        ({"a": [1.0, {"b": "text"}], "d": WAS["d"]}, "/a/1: ['c'] are gone, [] new"),
        ({"a": [1.0], "d": WAS["d"]}, "/a: 2 are kept, 1 found"),
        ({"a": WAS["a"], "d": [False, 1e-9, float("nan")]}, "/d/0: True is kept, False found"),
        ({"a": WAS["a"], "d": [True, 1e-9, 1.0]}, "/d/2: nan is kept, 1.0 found"),
        ({"a": WAS["a"], "d": [1, 1e-9, float("nan")]}, "/d/0: True is kept, 1 found"),
        ({"a": WAS["a"], "d": [True, 1e-5, float("nan")]}, "/d/1: 1e-09 is kept, 1e-05 found"),
    ],
)
def test_the_first_difference_is_named_with_its_place(found, said):
    difference = first_difference(WAS, found, 1e-3, 1e-6)
    assert (difference is None) if said is None else difference.startswith(said)


def test_texts_may_stand_three_points_elsewhere_and_nothing_else_may():
    assert first_difference({"points": [10.0]}, {"points": [12.9]}, 1e-3, 1e-6) is None
    assert first_difference({"points": [10.0]}, {"points": [13.1]}, 1e-3, 1e-6) is not None
    assert first_difference({"size": [10.0]}, {"size": [12.9]}, 1e-3, 1e-6) is not None


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ("loss 0.124 to 2e-05 of 7 points", True),
        ("loss 0.125 to 2e-05 of 7 points", False),
        ("loss 0.123 to 2e-05 of 8 points", False),
        ("loss 0.123 to 4e-05 of 7 points", False),
        ("loss 0.123 up to 2e-05 of 7 points", False),
    ],
)
def test_texts_may_differ_in_the_last_place_of_a_fraction(found, same):
    assert (first_difference("loss 0.123 to 2e-05 of 7 points", found, 1e-3, 1e-6) is None) is same


def test_what_is_written_is_what_is_compared_with(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    assert_kept("folder/name", {"x": [1, "α"], "y": (2.5,)}, write=True)
    assert_kept("folder/name", {"x": [1, "α"], "y": (2.5,)}, write=False)
    with pytest.raises(AssertionError, match=r"folder/name: /y/0: 2\.5 is kept, 2\.6 found; --keep writes it anew"):
        assert_kept("folder/name", {"x": [1, "α"], "y": (2.6,)}, write=False)
