"""What a task writes into its folder is whole, whenever it is read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from landscape.errors import UsageError
from landscape.studies.study import Recipe, TrainedNetwork
from landscape.studies.tasks.task_folders import (
    FAILED,
    PROGRESS,
    read_outcome,
    write_done,
    write_failed,
    write_progress,
)
from landscape.studies.tasks.tasks import StudyData, Task


def test_how_far_a_task_is_is_never_half_written(tmp_path, monkeypatch):
    write_progress(tmp_path, 3, 10)
    assert json.loads((tmp_path / PROGRESS).read_text()) == {"done": 3, "total": 10}
    replace, seen = os.replace, []

    def watched(source, target):
        seen.append(json.loads((tmp_path / PROGRESS).read_text())["done"])  # the old one, until there is a new one
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_progress(tmp_path, 4, 10)
    assert seen == [3]
    assert json.loads((tmp_path / PROGRESS).read_text()) == {"done": 4, "total": 10}
    assert [each.name for each in tmp_path.iterdir()] == [PROGRESS]
    write_progress(tmp_path / "gone", 5, 10)  # a folder that was deleted meanwhile ends no task


def test_what_is_known_of_a_task_is_of_its_key_and_a_failure_of_this_run(tmp_path):
    network = TrainedNetwork("a", "a", 0, Recipe(network="code.py:net"), Path("x"))
    task = Task("train/a/0", "key", "tasks/train-a-0", (network,), StudyData((("train", "digits:train"),)))
    (tmp_path / task.folder).mkdir(parents=True)
    assert read_outcome(task, tmp_path).state == "open"
    write_failed(task, tmp_path, UsageError("no such luck"))
    failed = read_outcome(task, tmp_path)
    assert (failed.state, failed.error) == ("failed", "no such luck")
    now = (tmp_path / task.folder / FAILED).stat().st_mtime
    assert read_outcome(task, tmp_path, since=now).state == "failed"
    assert read_outcome(task, tmp_path, since=now + 1).state == "open"
    assert read_outcome(replace(task, key="another"), tmp_path).state == "open"
    write_done(task, tmp_path, {"loss": 0.5}, 1.25, 2)
    done = read_outcome(task, tmp_path, since=now + 1)
    assert (done.state, done.values, done.seconds, done.about["threads"]) == ("done", {"loss": 0.5}, 1.25, 2)
    assert read_outcome(replace(task, key="another"), tmp_path).state == "open"
