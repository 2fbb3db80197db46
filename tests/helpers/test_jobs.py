"""Jobs that are forked from a process that has loaded torch end as new processes do, and leave none behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.helpers import jobs

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("sys.exit(7)", 7),
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("raise ValueError(sys.argv[1])", 1),
    ],
)
def test_a_forked_job_ends_as_its_process_did(words, code):
    found, out, err = jobs.run(["-c", f"import os, signal, sys; print(sys.argv, flush=True); {words}", "word"])
    assert (found, out) == (code, "['-c', 'word']\n"), err
    assert ("ValueError: word" in err) == (code == 1)


def test_a_forked_job_hears_of_signals_and_dies_with_who_asked_for_it():
    waits = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *given: print("heard", flush=True))
print(os.getpid(), os.environ["WORD"], flush=True)
for _ in range(2): time.sleep(60)
"""
    with jobs.ended(jobs.start(["-c", waits], forked=True, WORD="said")) as job:
        assert job.stdout is not None
        pid, word = job.stdout.readline().split()
        assert word == "said"
        job.send_signal(signal.SIGTERM)
        assert job.stdout.readline() == "heard\n"
        assert Path(f"/proc/{pid}").exists()
        os.kill(job.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, "it goes on though nobody waits for it"
            time.sleep(0.01)
    assert jobs.run(["-c", "print('next')"])[:2] == (0, "next\n"), "others are still forked"


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHONWARNINGS", "OMP_NUM_THREADS"])
def test_variables_that_are_read_at_a_start_are_refused_where_nothing_starts(name):
    with pytest.raises(ValueError, match=f"{name} has no effect.*forked=False"):
        jobs.run(["-c", "pass"], **{name: "1"})
    with jobs.ended(jobs.start(["-S", "-c", f"import os; print(os.environ['{name}'])"], **{name: "1"})) as job:
        assert jobs.finish(job)[1] == "1\n"


def test_a_server_that_never_gets_ready_fails_the_test(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr(jobs, "LIMIT", 0.1)
    with pytest.raises(pytest.fail.Exception, match="did not load torch within"):
        jobs._warm.__wrapped__(str(python))
