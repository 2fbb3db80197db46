"""SIGTERM and Ctrl-C, in the middle of whatever the process is busy with."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import jobs
import pytest
import tiny_problem

import landscape
from landscape.leaving import before_leaving, prepare_to_leave
from landscape.signals import leaving_on_signals
from landscape.surface import COMPUTED

codes = pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])


@codes
def test_a_signal_inside_a_long_operation_writes_and_leaves_at_once(tmp_path, number, code):
    checkpoint, path = tiny_problem.save(tmp_path / "net.pt"), tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:deep", "--write-every", "1000")
    with jobs.ended(jobs.start(words)) as job:
        jobs.wait_for_points(path, 1, job)
        time.sleep(3)  # the next batch is a minute's work in one call, in which Python runs no handler
        began = time.monotonic()
        job.send_signal(number)
        found, out, err = jobs.finish(job)
    assert time.monotonic() - began < 10
    assert found == code
    kept = landscape.read_surface(path)
    done = int((kept.state == COMPUTED).sum())
    assert done == 2  # of the 39 batches before it, 24 were spent at theta*, 6 make a point
    assert f"holds {done} of 81 points" in err
    assert "Traceback" not in err
    assert "wrote" not in out
    assert not path.with_name("s.h5.lock").exists()
    found, _, err = jobs.run(jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:cross_entropy", "--overwrite"))
    assert found == 0, err


HANGING = """
import sys, time
from landscape.leaving import before_leaving
from landscape.signals import leaving_on_signals
with before_leaving(lambda: time.sleep(60)), leaving_on_signals():
    print("ready", flush=True)
    time.sleep(60)
"""


WAITING = """
import time
from landscape.signals import leaving_on_signals
with leaving_on_signals():
    print("ready", flush=True)
    time.sleep(60)
"""


@codes
def test_a_signal_leaves_though_nobody_reads_the_last_line(number, code):
    # As when a terminal is closed, or the script that started the command is gone.
    with jobs.ended(jobs.start(["-c", WAITING])) as job:
        assert job.stdout is not None
        assert job.stderr is not None
        assert job.stdout.readline() == "ready\n"
        job.stderr.close()
        job.send_signal(number)
        assert job.wait(timeout=20) == code


@codes
def test_the_second_signal_leaves_at_once_though_the_file_system_hangs(number, code):
    with jobs.ended(jobs.start(["-c", HANGING])) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        job.send_signal(number)
        time.sleep(1)
        assert job.poll() is None
        began = time.monotonic()
        job.send_signal(number)
        assert jobs.finish(job)[0] == code
    assert time.monotonic() - began < 10


FORKING = """
import os, signal, sys, time
from landscape.signals import leaving_on_signals
with leaving_on_signals():
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.5)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status), flush=True)
    time.sleep(1)
    print("still here", flush=True)
"""


def test_a_signal_to_a_forked_child_ends_the_child_only():
    code, out, err = jobs.run(["-c", FORKING])
    assert (code, out.split("\n")[:2]) == (0, ["15", "still here"]), err


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with leaving_on_signals():
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_calls_what_ends_the_process_with_its_code():
    calls: list[tuple[str, int]] = []
    with leaving_on_signals(lambda line, code: calls.append((line, code))):
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 10
        while not calls and time.monotonic() < deadline:
            time.sleep(0.01)
    assert calls == [("landscape: terminated", 143)]


def test_what_is_to_be_done_before_leaving_is_done_newest_first_whatever_fails(tmp_path: Path):
    order = []

    def failing() -> str:
        order.append("failing")
        raise OSError("disk full")

    with before_leaving(lambda: order.append("first")), before_leaving(failing), before_leaving(lambda: "kept"):
        assert prepare_to_leave() == ["kept", "disk full"]
    assert order == ["failing", "first"]
    assert prepare_to_leave() == []
