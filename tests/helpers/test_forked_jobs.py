"""Jobs that are forked end with the command's own exit code, with what went wrong in their words, and when killed."""

from __future__ import annotations

import signal
import time

import pytest

from tests.helpers import jobs
from tests.helpers.forked_jobs import ForkedJob, fork_server

pytestmark = pytest.mark.slow
BREAKS = """
import landscape.cli

main = landscape.cli.main

def broken(words):
    if words == ["break"]:
        raise ValueError("nothing here")
    return main(words)

landscape.cli.main = broken
"""


def ended(job: ForkedJob) -> int | None:
    deadline = time.monotonic() + jobs.LIMIT
    while job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return job.poll()


def test_a_job_tells_its_exit_code_and_what_nobody_expected(tmp_path, monkeypatch):
    (tmp_path / "breaking_main.py").write_text(BREAKS)
    monkeypatch.setattr("tests.helpers.forked_jobs.ROOT", f"{jobs.ROOT}:{tmp_path}")
    with fork_server(tmp_path, "breaking_main") as forks:
        right, wrong, broken = (forks.start(words) for words in (["--version"], ["info", "none.h5"], ["break"]))
        assert [ended(each) for each in (right, wrong, broken)] == [0, 1, 70]
        assert "ValueError: nothing here" in broken.communicate()
        killed = forks.start(["info", "none.h5"])
        killed.kill()
        assert killed.poll() in (1, -signal.SIGKILL)
