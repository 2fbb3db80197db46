"""How many tasks an executor is given at a time and with how many threads, and what a task may return."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from landscape.errors import ProblemError, UsageError
from landscape.studies.tasks import executors, task_work
from landscape.studies.tasks.executors import open_workers
from landscape.studies.tasks.tasks import chosen_tasks, is_named, split_number

OWN = """
from concurrent.futures import ThreadPoolExecutor
def three():
    return ThreadPoolExecutor(3)
class Endless:
    def submit(self, *given):
        pass
def endless():
    return Endless()
"""


def workers(kind, jobs=0):
    with open_workers(kind, jobs) as found:
        return found.number, found.threads, found.what


def test_as_many_tasks_run_at_a_time_as_are_asked_for_or_as_an_executor_has_workers(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(OWN)
    three, endless = f"{tmp_path / 'own.py'}:three", f"{tmp_path / 'own.py'}:endless"
    with ThreadPoolExecutor(5) as pool:
        assert workers(pool) == (5, 0, "an executor of the caller's")
        assert workers(pool, 2)[0] == 2
    assert workers(three) == (3, 0, three)
    assert workers(three, 2)[0] == 2
    assert workers(endless)[0] > 10**6
    assert workers(endless, 4)[0] == 4
    assert workers("here", 7) == (1, 0, "this process")
    monkeypatch.setattr(executors, "cores", lambda: 9)
    for jobs, number, threads in ((0, 9, 1), (1, 1, 9), (2, 2, 4), (20, 20, 1)):  # shares of the machine's threads
        assert workers("processes", jobs) == (number, threads, f"{number} processes")
    for kind, jobs, said in (("", -1, "at least 1 task"), ("threads", 0, "there are processes, here, mpi")):
        with pytest.raises(UsageError, match=said):
            workers(kind, jobs)


def test_a_task_returns_numbers_under_names_that_a_study_knows():
    numbers = task_work._numbers
    given = {"a": 1, "b": np.float32(0.5), "c": torch.tensor(2.0), "d": np.array([3.0]), "e": math.nan}
    assert numbers(given, "m") == {"a": 1.0, "b": 0.5, "c": 2.0, "d": 3.0, "e": pytest.approx(math.nan, nan_ok=True)}
    for wrong in ({"a": "1"}, {"a": True}, {"a": None}, {3: 1.0}, {"a": [1.0]}):
        with pytest.raises(ProblemError, match="a number was wanted"):
            numbers(wrong, "m")
    with pytest.raises(ProblemError, match="m returned a list; a dict of numbers by name was wanted"):
        numbers([1.0], "m")


def task(variant="wide", seed=3):
    return SimpleNamespace(measurement=SimpleNamespace(measure="m"), variant=variant, seed=seed)


@pytest.mark.parametrize(
    ("text", "of", "found"),
    [
        ("span", task(), ("span", "wide", 3)),
        ("narrow/span", task(), ("span", "narrow", 3)),
        ("span@7", task(), ("span", "wide", 7)),
        ("all/x.y_2@0", task("all", None), ("x.y_2", "all", 0)),
        ("span", task("all", None), ("span", "all", -1)),
        ("other/span", task(), None),
        ("span@x", task(), None),
        ("a b", task(), None),
        ("", task(), None),
        ("wide/narrow/span", task(), None),
    ],
)
def test_a_number_belongs_to_what_its_name_says_and_else_to_its_task(text, of, found):
    if found is not None:
        assert split_number(text, ("wide", "narrow"), of) == found
        return
    with pytest.raises(ProblemError, match="m returned a number called"):
        split_number(text, ("wide", "narrow"), of)


def test_a_name_that_a_study_does_not_know_fails_its_task(tmp_path, monkeypatch):
    monkeypatch.setattr(task_work, "in_folder", lambda task, output: task)
    monkeypatch.setattr(task_work, "_values", lambda task, folder, output: {"span": 1.0, "other/span": 2.0})
    monkeypatch.setattr(task_work, "write_done", lambda *given: "done")
    monkeypatch.setattr(task_work, "write_failed", lambda task, output, error: str(error))
    of = SimpleNamespace(**vars(task()), folder="tasks/x")
    assert "called 'other/span'" in task_work._worked(of, Path(tmp_path), ("wide",), task_work.Place())
    assert task_work._worked(of, Path(tmp_path), ("wide", "other"), task_work.Place()) == "done"


def test_only_what_is_named_part_by_part_is_chosen_with_what_it_needs():
    def named(name, *needs):
        return SimpleNamespace(name=name, folder=f"tasks/{name}", needs=tuple(f"tasks/{each}" for each in needs))

    tasks = [named(f"train/{v}/{s}") for v in ("a", "ab") for s in (0, 1)]
    tasks += [named(f"line/{v}/{s}", f"train/{v}/{s}") for v in ("a", "ab") for s in (0, 1)]
    tasks += [named("both", "train/a/0", "train/ab/0")]

    def chosen(*only):
        return [each.name for each in chosen_tasks(tasks, only)]

    assert chosen() == [each.name for each in tasks]
    assert chosen("line/a") == ["train/a/0", "train/a/1", "line/a/0", "line/a/1"]
    assert chosen("line/*/1") == ["train/a/1", "train/ab/1", "line/a/1", "line/ab/1"]
    assert chosen("both/") == ["train/a/0", "train/ab/0", "both"]
    assert [each.name for each in tasks if is_named(each, ["both", "line/ab"])] == ["line/ab/0", "line/ab/1", "both"]
    for wrong in ("both/x", "line/b", "lin", "line/a/0/x"):
        with pytest.raises(UsageError, match="is the name of no task"):
            chosen(wrong)
