"""What every report says of itself, in plain values."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np

from landscape.commands.reports.plain_facts import about, made, numbers

REPORT = SimpleNamespace(
    problem={"loss": "mse"}, settings={"samples": 3}, origin={"run": "a"}, software="landscape 1", created="2026",
    command="x",
)  # fmt: skip


def test_a_report_says_how_it_was_made_and_of_what():
    assert about(REPORT) == vars(REPORT)
    assert about(REPORT, {"sha256": "ab"}) == {**vars(REPORT), "origin": {"sha256": "ab"}}
    assert about(REPORT, {})["origin"] == {}
    assert made(about(REPORT)) == ("made", "2026 by landscape 1")
    assert made({"created": "", "software": "landscape 1"}) == ("made", "landscape 1")
    assert made({"created": "2026", "software": ""}) == ("made", "2026")


def test_numbers_that_json_does_not_know_are_none_however_deep_they_lie():
    given = {"a": np.array([[1.0, np.inf]]), "b": ({"c": (np.nan, 2)}, [-np.inf, "x"]), "d": 0.5, "e": np.arange(2)}
    assert numbers(given) == {"a": [[1.0, None]], "b": [{"c": [None, 2]}, [None, "x"]], "d": 0.5, "e": [0, 1]}
    json.dumps(numbers(given), allow_nan=False)
