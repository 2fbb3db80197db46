"""What a study found: the numbers by variant and seed, which networks did not train, and the verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from landscape.studies.statistics.contrasts import OwnInterval
from landscape.studies.statistics.verdicts import judge, judge_correlation, judge_own, judge_together
from landscape.studies.study import ALL, NOT_RESOLVED, REPRODUCED, TRAINING, Hypothesis, Study, Verdict
from landscape.studies.tasks.task_folders import Outcome
from landscape.studies.tasks.tasks import Task, split_number

TRAIN_ACCURACY = f"{TRAINING}/train_accuracy"

# The seed of what is of several seeds, see `landscape.studies.tasks.tasks.split_number`.
TOGETHER = -1

Numbers = Mapping[str, Mapping[int, float]]  # variant -> seed -> number; seed -1: of several seeds


@dataclass(frozen=True)
class StudyResult:
    """A study and what came of it so far."""

    study: Study
    folder: Path
    tasks: tuple[Task, ...]
    outcomes: Mapping[str, Outcome]  # folder of a task -> what became of it
    values: Mapping[str, Numbers]  # "MEASUREMENT/NUMBER" -> variant -> seed -> number
    untrained: frozenset[tuple[str, int]]  # (variant, seed) of networks that did not train
    verdicts: tuple[Verdict, ...]
    command: str = ""
    smoke: bool = False
    notes: tuple[str, ...] = field(default=())  # what a reader has to know before the verdicts

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / "index.html"

    @property
    def failed(self) -> tuple[Task, ...]:
        """The tasks that failed."""
        return tuple(task for task in self.tasks if self.outcomes[task.folder].state == "failed")

    @property
    def missing(self) -> tuple[Task, ...]:
        """The tasks that were not done, or could not be."""
        return tuple(task for task in self.tasks if self.outcomes[task.folder].state == "open")

    def numbers(self, value: str, *, untrained: bool = False) -> dict[str, dict[int, float]]:
        """Return a number by variant and seed, as a rule without networks that did not train.

        Parameters
        ----------
        value : str
            ``"MEASUREMENT/NUMBER"``.
        untrained : bool
            With those as well.
        """
        found: dict[str, dict[int, float]] = {}
        for variant, seeds in self.values.get(value, {}).items():
            kept = {
                seed: number for seed, number in seeds.items() if untrained or (variant, seed) not in self.untrained
            }
            if kept:
                found[variant] = kept
        return found


def collect(
    study: Study,
    folder: Path,
    tasks: Sequence[Task],
    outcomes: Mapping[str, Outcome],
    *,
    command: str = "",
    smoke: bool = False,
) -> StudyResult:
    """Put together what the tasks found, and judge each hypothesis.

    Parameters
    ----------
    study : Study
    folder : Path
    tasks : sequence of Task
        All of the study.
    outcomes : mapping
        Folder of a task -> what became of it; for each task.
    command, smoke
        For the report.
    """
    values: dict[str, dict[str, dict[int, float]]] = {}
    names = [each.name for each in study.variants]
    for task in tasks:
        measured = task.measurement.name if task.measurement else TRAINING
        for text, number in outcomes[task.folder].values.items():
            name, variant, seed = split_number(text, names, task)
            values.setdefault(f"{measured}/{name}", {}).setdefault(variant, {})[seed] = number
    untrained = frozenset(
        (variant, seed)
        for variant, seeds in values.get(TRAIN_ACCURACY, {}).items()
        for seed, accuracy in seeds.items()
        if not accuracy >= study.least_accuracy  # NaN: it diverged
    )
    result = StudyResult(
        study, folder, tuple(tasks), dict(outcomes), values, untrained, (), command, smoke, _notes(study, untrained)
    )
    verdicts = judge_together([partial(_judged, result, each) for each in study.hypotheses])
    told = [_with_untrained(result, *each) for each in zip(study.hypotheses, verdicts, strict=True)]
    told = [_with_given(study.hypotheses, verdicts, *each) for each in zip(study.hypotheses, told, strict=True)]
    return StudyResult(**{**vars(result), "verdicts": tuple(told)})


def own_intervals(result: StudyResult, value: str) -> dict[str, OwnInterval]:
    """Return a number of all seeds together with the interval it was measured with, by variant; NaN where it has none.

    Parameters
    ----------
    result : StudyResult
    value : str
        ``"MEASUREMENT/NUMBER"``; the interval's ends are ``NUMBER_low`` and ``NUMBER_high``.
    """
    measurement = value.partition("/")[0]
    seeds = {
        each.seed
        for task in result.tasks
        if task.measurement and task.measurement.name == measurement
        for each in task.networks
    }
    ends = [result.values.get(f"{value}_{end}", {}) for end in ("low", "high")]
    found = {}
    for variant, numbers in result.values.get(value, {}).items():
        if set(numbers) == {TOGETHER}:
            low, high = (each.get(variant, {}).get(TOGETHER, math.nan) for each in ends)
            found[variant] = OwnInterval(numbers[TOGETHER], low, high, len(seeds))
    return found


def _judged_own(result: StudyResult, hypothesis: Hypothesis) -> Verdict:
    """Judge by an interval of its own, unless networks are in it that are in no claim."""
    verdict = judge_own(hypothesis, own_intervals(result, hypothesis.value))
    measurement = hypothesis.value.partition("/")[0]
    measured = {
        (each.variant, each.seed)
        for task in result.tasks
        if task.measurement and task.measurement.name == measurement
        for each in task.networks
    }
    spoilt = sorted(measured & result.untrained)
    if not spoilt or hypothesis.untrained:
        return verdict
    text = (
        f"Not resolved: the number is of networks some of which did not train "
        f"({', '.join(f'{variant}/{seed}' for variant, seed in spoilt)}); train them longer, or set untrained = true."
    )
    return replace(verdict, verdict=NOT_RESOLVED, p=math.nan, p_corrected=math.nan, text=text)


def _with_untrained(result: StudyResult, hypothesis: Hypothesis, verdict: Verdict) -> Verdict:
    """Say of a verdict in which networks that did not train count which these are: it may be about them alone."""
    if not hypothesis.untrained:
        return verdict
    about = {variant for relation in hypothesis.relations for variant in relation.weights}
    among = [variant for variant, _ in sorted(result.untrained) if variant in about or not about or ALL in about]
    if not among:
        return verdict
    shown = ", ".join(f"{among.count(each)} of {result.study.variant(each).shown}" for each in dict.fromkeys(among))
    return replace(verdict, text=f"{verdict.text} In it are networks that did not train: {shown}.")


def _with_given(
    hypotheses: Sequence[Hypothesis], verdicts: Sequence[Verdict], hypothesis: Hypothesis, verdict: Verdict
) -> Verdict:
    """Say of a verdict that the comparison is not the one that was meant: what it takes for granted was not shown."""
    if not hypothesis.given:
        return verdict
    shown = {asked.name: found.verdict for asked, found in zip(hypotheses, verdicts, strict=True)}
    state = shown.get(hypothesis.given, "not asked")
    if state == REPRODUCED:
        return verdict
    text = f"{verdict.text} It is asked given {hypothesis.given!r}, which was {state}."
    return replace(verdict, text=text, unmet=f"{hypothesis.given!r} was {state}")


def _judged(result: StudyResult, hypothesis: Hypothesis, questions: int) -> Verdict:
    if hypothesis.interval == "own":
        return _judged_own(result, hypothesis)
    if not hypothesis.correlate:
        return judge(hypothesis, result.numbers(hypothesis.value, untrained=hypothesis.untrained), questions)
    first, second = (result.numbers(value, untrained=hypothesis.untrained) for value in hypothesis.correlate)
    pairs = {
        variant: {seed: (number, second[variant][seed]) for seed, number in seeds.items() if seed in second[variant]}
        for variant, seeds in first.items()
        if variant in second and variant != ALL
    }
    finite = {
        variant: {seed: both for seed, both in seeds.items() if all(map(math.isfinite, both))}
        for variant, seeds in pairs.items()
    }
    return judge_correlation(hypothesis, {variant: seeds for variant, seeds in finite.items() if seeds})


def _notes(study: Study, untrained: frozenset[tuple[str, int]]) -> tuple[str, ...]:
    notes = []
    if untrained:
        shown = ", ".join(f"{study.variant(variant).shown} (seed {seed})" for variant, seed in sorted(untrained))
        notes.append(
            f"Did not train, to less than {100 * study.least_accuracy:g} % of the training set: {shown}. They are "
            "shown, and left out of claims about flatness."
        )
    return tuple(notes)
