"""What a task writes into its folder is whole, whenever it is read."""

from __future__ import annotations

import json
import os

from landscape.studies.tasks.task_folders import PROGRESS, write_progress


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
