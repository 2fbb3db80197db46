"""JSON that every reader takes, and that loses no float."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from landscape.files.strict_json import from_json, plain_json, to_json
from tests.helpers.comparisons import same
from tests.helpers.strategies import DOCUMENTS


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")


@given(DOCUMENTS)
def test_what_is_written_comes_back_exactly(document):
    assert same(from_json(to_json(document)), document)


@given(DOCUMENTS)
def test_it_is_strict_json(document):
    json.loads(to_json(document), parse_constant=refuse)
    json.loads(plain_json(document), parse_constant=refuse)


@pytest.mark.parametrize("document", [{"$number": "nan"}, {"$$number": 1}, {"$": {"$number": [1]}}])
def test_what_looks_like_our_encoding_is_not_taken_for_it(document):
    assert from_json(to_json(document)) == document


def test_values_of_numpy_and_paths_are_written_as_plain_ones():
    document = {"a": np.float32(0.5), "b": np.arange(3), "c": np.bool_(True), "d": (1, np.inf), "e": Path("x/y")}
    assert from_json(to_json(document)) == {"a": 0.5, "b": [0, 1, 2], "c": True, "d": [1, math.inf], "e": "x/y"}


def test_for_programs_what_is_not_finite_is_null():
    assert json.loads(plain_json({"$x": [math.nan, 1.5, -math.inf]})) == {"$x": [None, 1.5, None]}


@pytest.mark.parametrize("value", [b"bytes", {1: 2}, {"x": object()}, 1j, {1, 2}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(TypeError):
        to_json(value)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", "[" * 100_000, '{"$number": "many"}'])
def test_text_that_is_no_strict_json_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)


def test_a_lone_surrogate_survives_as_utf_8():
    # File names that are not UTF-8 reach Python as such.
    data = to_json({"path": "net\udcff.pt"}).encode("utf-8", "backslashreplace")
    assert from_json(data.decode()) == {"path": "net\udcff.pt"}
