"""What a report says in numbers and words, of a study whose outcomes are given: every figure by hand, or by SciPy."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from landscape.files.strict_json import plain_json
from landscape.studies.report.report import _table, results_of
from landscape.studies.report.report_page import disagreements, number_text, page_text
from landscape.studies.report.study_results import StudyResult, collect, own_intervals
from landscape.studies.study import Hypothesis, Measurement, Recipe, Relation, Study, TrainedNetwork, Variant
from landscape.studies.tasks.task_folders import Outcome
from landscape.studies.tasks.tasks import StudyData, Task

RECIPE = Recipe(network="code.py:network")
SEEDS = (3, 5, 7, 8)
# The network wide/8 did not train, plain/5 could not be measured, and "both" is one number of all of them.
ACCURACY = {("plain", seed): 0.9 + seed / 100 for seed in SEEDS} | {("wide", seed): 0.95 for seed in SEEDS[:3]}
ACCURACY |= {("wide", 8): 0.3}
SPAN = {("plain", 3): 1.0, ("plain", 5): math.inf, ("plain", 7): 1.5, ("plain", 8): 1.25}
SPAN |= {("wide", 3): 4.0, ("wide", 5): 4.75, ("wide", 7): 4.55, ("wide", 8): 100.0}


def less(name: str, text: str = "plain < wide", **more) -> Hypothesis:
    relation = Relation({"plain": 1.0, "wide": -1.0}, "<" if "<" in text else ">", text=text)
    given = {"value": "line/span", "relations": (relation,), "expect": text, "about": "width", **more}
    return Hypothesis(name, f"the statement of {name}", "a paper", **given)


HYPOTHESES = (
    less("less"),
    less("more", "plain > wide", given="none"),
    less("accurate", value="training/train_accuracy", untrained=True, about=""),
    Hypothesis("own", "of all", "", "both/share", (Relation({"all": 1.0}, ">", 0.5),), interval="own", about="share"),
)


def result(smoke: bool = False) -> StudyResult:
    variants = (Variant("plain", RECIPE, "without <shortcuts>"), Variant("wide", RECIPE))
    line, both = Measurement("line", "code.py:line"), Measurement("both", "code.py:both", per="study")
    study = Study(
        "s", "is it so?", variants, (line, both), HYPOTHESES, SEEDS, {"train": "digits:train"}, {"train": 1000},
        least_accuracy=0.5, direction_seed=4, title="A study", notes="noted",
    )  # fmt: skip
    networks = {at: TrainedNetwork(at[0], at[0], at[1], RECIPE, Path("x")) for at in ACCURACY}
    data = StudyData.of(study)
    tasks, outcomes = [], {}

    def add(name: str, of: tuple, measurement: Measurement | None, outcome: Outcome) -> None:
        tasks.append(Task(name, name, name.replace("/", "-"), of, data, measurement))
        outcomes[tasks[-1].folder] = outcome

    for (variant, seed), network in networks.items():
        values = {"train_accuracy": ACCURACY[variant, seed]}
        about = {"host": "a" if variant == "plain" else "b"}
        add(f"train/{variant}/{seed}", (network,), None, Outcome("done", values, 60.0 * seed, about=about))
    for (variant, seed), network in networks.items():
        outcome = Outcome("done", {"span": SPAN[variant, seed]}, 1.5, about={"host": "a"})
        add(f"line/{variant}/{seed}", (network,), line, outcome)
    shares = {"share": 0.75, "share_low": 0.65, "share_high": 0.8}
    add("both", tuple(networks.values()), both, Outcome("done", shares, 2.0, about={"host": "a"}))
    add("extra", tuple(networks.values()), both, Outcome("failed", seconds=0.5, error="<no room>", details="line 1"))
    add("later", tuple(networks.values()), both, Outcome("open", error="it needs extra, which failed"))
    return collect(study, Path("out"), tasks, outcomes, command="landscape study s.toml -o out", smoke=smoke)


def interval(*numbers: float) -> tuple[float, float, float]:
    half = float(stats.t.ppf(0.975, len(numbers) - 1) * stats.sem(numbers))
    return float(np.mean(numbers)), float(np.mean(numbers)) - half, float(np.mean(numbers)) + half


def test_what_other_programs_read_has_every_number_under_its_variant_and_seed():
    found = result()
    told = json.loads(plain_json(results_of(found)))
    assert not told["complete"]
    assert told["failed"] == [{"task": "extra", "error": "<no room>"}]
    assert told["missing"] == ["later"]
    assert told["seconds"] == pytest.approx(2 * 60 * sum(SEEDS) + 8 * 1.5 + 2.0 + 0.5)
    assert told["untrained"] == [["wide", 8]]
    assert (told["seeds"], told["samples"], told["miniature"]) == (list(SEEDS), {"train": 1000}, False)
    spans = {variant: {str(seed): SPAN[variant, seed] for seed in SEEDS} for variant in ("plain", "wide")}
    spans["plain"]["5"] = None  # JSON knows no infinity
    assert told["values"]["line/span"] == spans
    assert told["values"]["both/share"] == {"all": {"-1": 0.75}}
    # Means are of networks that trained, of training itself of all of them; without what is not finite.
    for value, variant, numbers in (
        ("line/span", "plain", (1.0, 1.5, 1.25)),
        ("line/span", "wide", (4.0, 4.75, 4.55)),
        ("training/train_accuracy", "wide", (0.95, 0.95, 0.95, 0.3)),
    ):
        each = told["means"][value][variant]
        assert (each["mean"], *each["interval"]) == pytest.approx(interval(*numbers)), (value, variant)
        assert each["seeds"] == len(numbers)
    keys = {"name", "verdict", "estimate", "interval", "seeds", "p", "p_corrected", "resolvable", "text", "unmet"}
    for asked, said, verdict in zip(HYPOTHESES, told["hypotheses"], found.verdicts, strict=True):
        assert {key: said[key] for key in keys} == json.loads(plain_json({key: getattr(verdict, key) for key in keys}))
        assert said["seeds_needed"] == (verdict.seeds_needed or None)
        assert [said[key] for key in ("statement", "source", "value", "expect")] == [
            asked.statement, asked.source, asked.value, asked.expect
        ]  # fmt: skip
    assert [each["verdict"] for each in told["hypotheses"]] == [
        "reproduced", "not reproduced", "not resolved", "not resolved"
    ]  # fmt: skip
    assert told["hypotheses"][0]["estimate"] == pytest.approx(np.mean([1.0 - 4.0, 1.5 - 4.55]))  # seeds of both
    assert told["hypotheses"][1]["unmet"] == "'none' was not asked"
    assert told["hypotheses"][3]["text"].startswith("Not resolved: the number is of networks some of which did not")


@pytest.mark.parametrize(
    ("extra", "later", "complete"),
    [("failed", "open", False), ("failed", "done", False), ("done", "open", False), ("done", "done", True)],
)
def test_a_study_is_complete_when_nothing_failed_and_nothing_is_left(extra, later, complete):
    found = result()
    outcomes = {**found.outcomes, "extra": Outcome(extra), "later": Outcome(later)}
    told = results_of(replace(found, outcomes=outcomes))
    assert told["complete"] is complete
    assert (len(told["failed"]), len(told["missing"])) == (extra == "failed", later == "open")


def test_the_table_has_a_line_a_number():
    rows = list(csv.reader(io.StringIO(_table(result()))))
    trained = {at: "no" if at == ("wide", 8) else "yes" for at in ACCURACY}
    wanted = [
        [value, variant, str(seed), repr(numbers[variant, seed]), trained[variant, seed]]
        for value, numbers in (("training/train_accuracy", ACCURACY), ("line/span", SPAN))
        for variant in ("plain", "wide")
        for seed in SEEDS
    ]
    wanted += [[f"both/{name}", "all", "", text, "yes"] for name, text in (
        ("share", "0.75"), ("share_low", "0.65"), ("share_high", "0.8"))]  # fmt: skip
    assert rows == [["value", "variant", "seed", "number", "trained"], *wanted]


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    """Return the cells of the first table behind a heading, by the text of its rows' first cells, without tags."""
    table = page[page.index(heading) :].partition("</table>")[0]
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        first, *cells = (re.sub("<[^>]*>", "", each) for each in re.split(r"</th>|</td>", row)[:-1])
        found[first] = cells
    return found


def test_the_page_says_the_same_numbers_and_what_each_task_took():
    found = result()
    page = page_text(found, results_of(found), [])
    numbers = rows_of(page, "<h2>All numbers</h2>")
    assert numbers[""] == ["without &lt;shortcuts&gt;", "wide", "all together"]

    def cell(*given: float) -> str:
        mean, low, high = interval(*given)
        return f"{number_text(mean)} [{number_text(low)}, {number_text(high)}] ({len(given)})"

    assert numbers["line/span"] == [cell(1.0, 1.5, 1.25) + "1 not finite", cell(4.0, 4.75, 4.55), "&ndash;"]
    assert numbers["training/train_accuracy"][1] == cell(0.95, 0.95, 0.95, 0.3)
    assert numbers["both/share"] == ["&ndash;", "&ndash;", "0.750 (1)"]
    assert list(numbers)[1] == "training/train_accuracy"  # of training first
    costs = rows_of(page, "<h2>Cost</h2>")
    assert costs["train"] == ["8", "46.0 min", "8.0 min"]
    assert costs["line"] == ["8", "12 s", "1.5 s"]
    assert costs["both"] == ["1", "2 s", "2 s"]
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))
    assert "1 of 19 tasks failed (below, with the reason)" in text
    assert "1 of 19 tasks are not done" in text
    assert "&lt;no room&gt;" in page
    assert "Seeds 3, 5, 7, 8 Seed of directions and samples 4 " in text
    assert "Data train: digits:train; of them 1,000 of train " in text
    assert " Machines a, b Notes noted " in text
    # Each task by itself, and all of it.
    assert page.count("--again --only") == 19
    assert "landscape study s.toml -o out --again --only line/wide/8</pre>" in page
    assert "A miniature" not in page
    assert "A miniature" in page_text(result(smoke=True), results_of(found), [])


def test_a_badge_is_of_the_verdict_unless_what_it_takes_for_granted_was_not_shown():
    found = result()
    page = page_text(found, results_of(found), [])
    badges = dict(re.findall(r'<li id="(\w+)"><span class="badge (\w+)">', page))
    assert badges == {"less": "yes", "more": "open", "accurate": "open", "own": "open"}
    for asked, verdict in zip(HYPOTHESES, found.verdicts, strict=True):
        text = re.sub("<[^>]*>", "", page[page.index(f'id="{asked.name}"') :].partition("</li>")[0])
        assert f"{verdict.shown} {asked.statement}" in text.replace("&#x27;", "'")
        together = f"For all questions of this study together p = {verdict.p_corrected:.2g}."
        assert (together in text) == (math.isfinite(verdict.p) and verdict.p_corrected != verdict.p)


def test_verdicts_on_one_thing_are_said_to_differ_where_they_do():
    found = result()
    (said,) = disagreements(found)
    assert said == (
        "Measures of width do not agree: the statement of less: reproduced; the statement of more: not reproduced."
    )
    one, other, *rest = found.verdicts
    assert disagreements(replace(found, verdicts=(one, replace(other, verdict=one.verdict), *rest))) == []


def test_an_interval_of_its_own_has_its_own_ends_and_the_seeds_of_all_networks():
    found = own_intervals(result(), "both/share")
    assert list(found) == ["all"]
    assert found["all"].interval == (0.65, 0.8)
    assert (found["all"].estimate, found["all"].seeds) == (0.75, 4)
    assert own_intervals(result(), "line/span") == {}


def test_numbers_have_three_digits_that_say_something():
    shown = {0.0: "0", 1.0: "1.00", 0.123456: "0.123", 12.345: "12.3", 123.45: "123", 1234.5: "1,230"}
    shown |= {999_999.0: "1,000,000", 1e6: "1.00e+06", -0.05: "-0.0500", 1e-4: "0.000100", 9.9e-5: "9.90e-05"}
    shown |= {math.inf: "inf", -math.inf: "-inf", math.nan: "unknown"}
    assert {number: number_text(number) for number in shown} == shown
