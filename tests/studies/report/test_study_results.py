"""What a study's verdicts say of networks that did not train, and of what they take for granted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from landscape.studies.report.study_results import _with_given, _with_untrained
from landscape.studies.statistics.verdicts import judge
from landscape.studies.study import NOT_RESOLVED, Hypothesis, Relation

NUMBERS = {"plain": {0: 1.0, 1: 1.2, 2: 1.1}, "skip": {0: 2.0, 1: 2.3, 2: 2.2}}


def hypothesis(**changes: Any) -> Hypothesis:
    relation = Relation({"plain": 1.0, "skip": -1.0}, "<", text="plain < skip")
    return Hypothesis("span", "without shortcuts it is less", value="walk/span", relations=(relation,), **changes)


@pytest.mark.parametrize(
    ("changes", "untrained", "said"),
    [
        ({"untrained": True}, {("plain", 0), ("plain", 2), ("wide", 1)}, "did not train: 2 of without shortcuts."),
        ({"untrained": True}, {("wide", 1)}, ""),
        ({}, {("plain", 0)}, ""),
    ],
)
def test_a_verdict_says_that_networks_in_it_did_not_train(changes, untrained, said):
    titles = {"plain": "without shortcuts", "wide": "wide"}
    study = SimpleNamespace(variant=lambda name: SimpleNamespace(shown=titles[name]))
    given = hypothesis(**changes)
    verdict = judge(given, NUMBERS)
    found = _with_untrained(SimpleNamespace(untrained=frozenset(untrained), study=study), given, verdict)
    assert found.verdict == verdict.verdict
    assert found.text.removeprefix(verdict.text).strip() == (f"In it are networks that {said}" if said else "")


@pytest.mark.parametrize(
    ("given", "equal", "said"),
    [
        ("equal", "reproduced", ""),
        ("equal", "not reproduced", "It is asked given 'equal', which was not reproduced."),
        ("equal", "not resolved", "It is asked given 'equal', which was not resolved."),
        ("even", "reproduced", "It is asked given 'even', which was not asked."),
        ("", "not reproduced", ""),
    ],
)
def test_a_verdict_says_that_what_it_takes_for_granted_was_not_shown(given, equal, said):
    asked = (Hypothesis("equal", "both are equally accurate"), hypothesis(given=given))
    verdict = judge(asked[1], NUMBERS)
    found = _with_given(asked, (replace(verdict, verdict=equal), verdict), asked[1], verdict)
    assert found.verdict == verdict.verdict
    assert found.text.removeprefix(verdict.text).strip() == said
    unmet = said.removeprefix("It is asked given ").replace(", which", "").removesuffix(".")
    assert found.unmet == unmet
    assert found.shown == (f"{verdict.verdict}, but {unmet}" if said else verdict.verdict)
    assert replace(found, verdict=NOT_RESOLVED).shown == NOT_RESOLVED  # which claims nothing
