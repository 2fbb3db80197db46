"""SIGTERM, a closed terminal and Ctrl-C, in the middle of whatever the process is busy with."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import landscape
from landscape.parallel.shutdown import at_shutdown, run_callbacks, run_callbacks_and_print
from landscape.parallel.signals import shutdown_on_signals
from landscape.surface.surface import COMPUTED
from tests.helpers import jobs, tiny_problem

CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
codes = pytest.mark.parametrize(("number", "code"), CODES.items())


@pytest.mark.parametrize(("number", "code"), list(CODES.items())[:2])  # SIGTERM: tests/parallel/test_mpi.py
def test_a_signal_inside_a_long_operation_writes_and_leaves_at_once(tmp_path, number, code):
    checkpoint, path = tiny_problem.save(tmp_path / "net.pt"), tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:deep", "--write-every", "1000")
    begun = tmp_path / "begun"
    with jobs.ended(jobs.start(words, LONG=str(begun))) as job:
        jobs.wait_for_file(begun, job)
        time.sleep(0.2)  # then it is inside one call of a minute, in which Python runs no handler
        began = time.monotonic()
        job.send_signal(number)
        if number == signal.SIGINT:  # a terminal tells the job, and so does a launcher that was told
            time.sleep(0.02)
            job.send_signal(number)
        found, out, err = jobs.finish(job, limit=30)
    assert time.monotonic() - began < 10
    assert found == code
    kept = landscape.read_surface(path)
    done = int((kept.state == COMPUTED).sum())
    assert done == 4  # of the 39 batches before it, 12 were spent at theta*, 6 make a point
    assert f"holds {done} of 81 points" in err
    assert "Traceback" not in err
    assert "wrote" not in out
    assert not path.with_name("s.h5.lock").exists()
    found, _, err = jobs.run(jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:cross_entropy", "--overwrite"))
    assert found == 0, err


HANGING = """
import sys, time
from landscape.parallel.shutdown import at_shutdown
from landscape.parallel.signals import shutdown_on_signals
with at_shutdown(lambda: time.sleep(60)), shutdown_on_signals():
    print("ready", flush=True)
    time.sleep(60)
"""


WAITING = """
import time
from landscape.parallel.signals import shutdown_on_signals
with shutdown_on_signals():
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
        assert jobs.finish(job, limit=30)[0] == code
    assert time.monotonic() - began < 10


PAIRS = """
import signal, sys, time
from landscape.parallel.shutdown import at_shutdown
from landscape.parallel.signals import shutdown_on_signals

def write():
    time.sleep(0.3)
    print("written", flush=True)

with at_shutdown(write), shutdown_on_signals():
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_two_signals_of_one_event_still_write_the_file(pause, second):
    with jobs.ended(jobs.start(["-c", PAIRS])) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        job.send_signal(signal.SIGTERM)
        time.sleep(pause)
        job.send_signal(second)
        code, out, err = jobs.finish(job)
    # Of two that wait together the system hands on the lower number first.
    assert code in (143, 129 if pause == 0 else 143)
    assert "written" in out, err


@pytest.mark.parametrize("number", CODES)
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(number):
    # As under nohup, or in a shell script's background.
    start = f"os.execv({sys.executable!r}, ['python', '-c', {WAITING!r}])"
    script = f"import os, signal\nsignal.signal({int(number)}, signal.SIG_IGN)\n{start}"
    with jobs.ended(jobs.start(["-c", script])) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        job.send_signal(number)
        time.sleep(0.5)
        assert job.poll() is None
        other = signal.SIGTERM if number != signal.SIGTERM else signal.SIGHUP
        job.send_signal(other)
        assert job.wait(timeout=20) == CODES[other]


FORKING = """
import os, signal, sys, time
from landscape.parallel.signals import shutdown_on_signals
with shutdown_on_signals():
    for number in (signal.SIGTERM, signal.SIGINT):
        child = os.fork()
        if child == 0:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(0)
        time.sleep(0.5)
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status), os.WEXITSTATUS(status), flush=True)
    time.sleep(1)
    print("still here", flush=True)
"""


def test_a_signal_to_a_forked_child_ends_the_child_only():
    code, out, err = jobs.run(["-c", FORKING], forked=False)
    assert (code, out.split("\n")[:3]) == (0, ["15 0", "0 7", "still here"]), err


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in CODES]
    with shutdown_on_signals():
        assert not set(before) & {signal.getsignal(number) for number in CODES}
    assert [signal.getsignal(number) for number in CODES] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_calls_what_ends_the_process_with_its_code():
    calls: list[tuple[str, int]] = []
    with shutdown_on_signals(lambda line, code: calls.append((line, code))):
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

    with at_shutdown(lambda: order.append("first")), at_shutdown(failing), at_shutdown(lambda: "kept"):
        assert run_callbacks() == ["kept", "disk full"]
    assert order == ["failing", "first"]
    assert run_callbacks() == []


def test_the_last_line_holds_no_control_characters(capsys):
    with at_shutdown(lambda: "wrote \x1b[2J\x07.h5"):
        run_callbacks_and_print("landscape: terminated")
    assert capsys.readouterr().err.rstrip("\n").isprintable()
