"""One job writes a file at a time: others are told who does, and what the dead leave behind is taken over once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from landscape.errors import StoreError
from landscape.files import locks
from landscape.files.locks import Lock

HOLD = """
import sys, time
from landscape.files.locks import Lock
with Lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock, and wait until it does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def note_of(path: Path) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((path.parent / f"{path.name}.lock").read_text())
    return note


def leave(path: Path, age: float = 0.0, **note: Any) -> Path:
    """Put a lock of somebody else's there, last heard of ``age`` seconds ago."""
    lock = path.parent / f"{path.name}.lock"
    other = {"host": "elsewhere", "pid": 4711, "heartbeat": 10.0, "token": "theirs", "started": "yesterday", **note}
    lock.write_text(json.dumps(other))
    os.utime(lock, (time.time() - age,) * 2)
    return lock


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_names_host_process_and_start_and_goes_when_released(tmp_path):
    with Lock(tmp_path / "net.h5", heartbeat=5) as lock:
        note = note_of(tmp_path / "net.h5")
        assert note["pid"] == os.getpid()
        assert note["host"]
        assert note["heartbeat"] == 5
        assert note["started"].endswith("+00:00")
        lock.check()
        assert files_in(tmp_path) == ["net.h5.lock"]
    assert files_in(tmp_path) == []


def test_a_second_job_is_refused_with_host_and_process_of_the_first(tmp_path):
    path = tmp_path / "net.h5"
    first = holder(path)
    try:
        with pytest.raises(StoreError, match=rf"process {first.pid} on {note_of(path)['host']}"), Lock(path):
            pytest.fail("two hold it")
        assert note_of(path)["pid"] == first.pid
    finally:
        end(first)


def test_the_same_process_cannot_hold_it_twice(tmp_path):
    with Lock(tmp_path / "net.h5"):
        with pytest.raises(StoreError, match=f"process {os.getpid()}"), Lock(tmp_path / "net.h5"):
            pytest.fail("held twice")
        with Lock(tmp_path / "other.h5"):
            pass
    with Lock(tmp_path / "net.h5"):
        pass


@pytest.mark.parametrize("reaped", [True, False], ids=["gone", "zombie"])
def test_a_lock_whose_process_was_killed_is_taken_over(tmp_path, reaped):
    path = tmp_path / "net.h5"
    first = holder(path)
    first.kill()
    if reaped:
        first.wait(10)
    else:  # ended, but its parent has not asked for the exit code: it still has a number
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    with Lock(path):
        assert note_of(path)["pid"] == os.getpid()
    end(first)
    assert files_in(tmp_path) == []


def test_a_stopped_process_keeps_its_lock_however_long_it_is_silent(tmp_path):
    path = tmp_path / "net.h5"
    first = holder(path)
    try:
        first.send_signal(signal.SIGSTOP)
        os.utime(f"{path}.lock", (time.time() - 1000,) * 2)
        with pytest.raises(StoreError, match=r"silent for 1\d\d\d s"), Lock(path):
            pytest.fail("it was taken from a living process")
    finally:
        end(first)


def test_the_heartbeat_of_the_holder_counts_not_ours(tmp_path):
    leave(tmp_path / "net.h5", age=100, heartbeat=60.0)
    with pytest.raises(StoreError, match="elsewhere"), Lock(tmp_path / "net.h5", heartbeat=1):
        pytest.fail("its heartbeat is slow, not missing")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"pid": "x"}', '{"pid": 1e400}', "[" * 99999, "\x1b[2J"])
def test_a_lock_that_says_nothing_counts_while_it_is_young(tmp_path, text):
    path = tmp_path / "net.h5"
    (tmp_path / "net.h5.lock").write_text(text)
    with pytest.raises(StoreError, match=r"net\.h5") as raised, Lock(path):
        pytest.fail("it may be half written")
    assert "\x1b" not in str(raised.value)
    os.utime(f"{path}.lock", (time.time() - 1000,) * 2)
    with Lock(path):
        pass


def test_signs_of_life_are_given_also_after_a_file_server_did_not_answer(tmp_path, monkeypatch):
    asked = threading.Semaphore(0)

    def stale(path):
        asked.release()
        raise OSError(errno.ESTALE, "Stale file handle")

    with Lock(tmp_path / "net.h5", heartbeat=0.02) as lock:
        with monkeypatch.context() as patch:
            patch.setattr("landscape.files.locks._read_note", stale)
            patch.setattr(os, "utime", stale)
            lock.check()
            assert all(asked.acquire(timeout=20) for _ in range(5))  # by this, and by two heartbeats that also write
        os.utime(lock.path, (0, 0))
        deadline = time.monotonic() + 20
        while lock.path.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not any(thread.name.startswith("heartbeat") for thread in threading.enumerate())


@pytest.mark.parametrize("fate", ["removed", "taken over"])
def test_a_lock_that_was_lost_is_noticed_and_left_alone(tmp_path, fate):
    path = tmp_path / "net.h5"
    with Lock(path) as lock:
        if fate == "removed":
            lock.path.unlink()
        else:
            leave(path)
        with pytest.raises(StoreError, match="was lost"):
            lock.check()
    assert files_in(tmp_path) == ([] if fate == "removed" else ["net.h5.lock"])
    if fate == "taken over":
        assert note_of(path)["token"] == "theirs"


def test_a_folder_that_is_gone_is_named_with_what_is_kept(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with Lock(folder / "net.h5") as lock:
        folder.rename(tmp_path / "moved")
        with pytest.raises(StoreError, match=r"folder .*out is gone, .* goes on from the last write"):
            lock.check()


def test_the_heartbeat_notices_a_loss_by_itself(tmp_path):
    with Lock(tmp_path / "net.h5", heartbeat=0.02) as lock:
        content = lock.path.read_text()
        leave(tmp_path / "net.h5")
        assert lock._thread is not None
        lock._thread.join(20)
        lock.path.write_text(content)  # even if it looks right again, somebody else may have written meanwhile
        with pytest.raises(StoreError, match="was lost"):
            lock.check()


KILLED = """
import fcntl, random, sys, time
from landscape.errors import StoreError
from landscape.files.locks import Lock
path, witness = sys.argv[1:]
with open(witness, "w") as file:
    while True:
        try:
            with Lock(path):
                # The system's own lock, given up at death: it is free, or two hold ours.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                print("held", flush=True)
                time.sleep(random.random() * 0.005)
                fcntl.flock(file, fcntl.LOCK_UN)
        except StoreError:
            time.sleep(random.random() * 0.005)
"""


def test_processes_killed_at_any_moment_never_leave_two_holders(tmp_path):
    """Seconds here; run it for minutes where the code changed."""
    chance = random.Random(0)
    path, witness = tmp_path / "net.h5", tmp_path / "witness"

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, str(path), str(witness)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    racers = [start() for _ in range(4)]
    assert racers[0].stdout is not None
    held = racers[0].stdout.readline().count("held")
    for _ in range(12):
        time.sleep(0.1 + 0.1 * chance.random())
        racer = racers.pop(0)
        assert racer.poll() is None, racer.communicate()[1]
        racer.kill()
        held += racer.communicate(timeout=30)[0].count("held")
        racers.append(start())
    for racer in racers:
        racer.kill()
        held += racer.communicate(timeout=30)[0].count("held")
    assert held > 0
    with Lock(path):
        pass


def test_a_lock_is_also_taken_where_there_are_no_links(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(locks, "SETTLE", 0.1)
    path = tmp_path / "net.h5"
    with Lock(path), pytest.raises(StoreError, match=f"process {os.getpid()}"), Lock(path):
        pytest.fail("held twice")
    assert files_in(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    for path in (tmp_path / "missing" / "net.h5", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match="cannot be written"), Lock(path):
            pytest.fail("there is no such folder")


def test_a_link_and_the_file_it_leads_to_have_one_lock(tmp_path):
    (tmp_path / "link.h5").symlink_to("net.h5")
    with Lock(tmp_path / "link.h5"), pytest.raises(StoreError, match="is being written"), Lock(tmp_path / "net.h5"):
        pytest.fail("the same file has two locks")


def no_flock(*_: object) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


@pytest.mark.parametrize("where", ["host", "boot", "no flock"])
def test_a_process_that_cannot_be_looked_at_is_judged_by_its_heartbeat(tmp_path, monkeypatch, where):
    monkeypatch.setattr(locks, "SETTLE", 0.1)
    path = tmp_path / "net.h5"
    with Lock(path):
        note = note_of(path)
    if where == "no flock":
        monkeypatch.setattr(fcntl, "flock", no_flock)
    leave(path, age=25, **{**note, where: "another"})
    with pytest.raises(StoreError, match=f"process {os.getpid()} on"), Lock(path):
        pytest.fail("two heartbeats missed are not three")
    leave(path, age=35, **{**note, where: "another"})
    with Lock(path) as lock:
        lock.check()
        assert note_of(path)["token"] != note["token"]
        if where == "no flock":
            with pytest.raises(StoreError, match=f"process {os.getpid()} on"), Lock(path):
                pytest.fail("held twice")
    assert files_in(tmp_path) == []


def test_of_two_hosts_that_take_over_one_stale_lock_the_last_one_has_it(tmp_path, monkeypatch):
    path = leave(tmp_path / "net.h5", age=1000)
    really = time.sleep

    def meanwhile(seconds: float) -> None:
        if seconds == locks.SETTLE and note_of(tmp_path / "net.h5")["pid"] == os.getpid():
            leave(tmp_path / "net.h5", host="another")
        really(0.0)

    monkeypatch.setattr(time, "sleep", meanwhile)
    with pytest.raises(StoreError, match="process 4711 on another"), Lock(tmp_path / "net.h5"):
        pytest.fail("the other one has it")
    assert json.loads(path.read_text())["host"] == "another"


FORK = """
import os, sys, time
from landscape.files.locks import Lock
with Lock(sys.argv[1]) as lock:
    if os.fork() == 0:
        lock.release()
        print("forked", flush=True)
        time.sleep(60)
    else:
        os.wait() if len(sys.argv) > 2 else time.sleep(60)
"""


def test_a_fork_of_the_holder_neither_releases_its_lock_nor_keeps_it_when_the_holder_is_killed(tmp_path):
    path = tmp_path / "net.h5"
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(path)], stdout=subprocess.PIPE, start_new_session=True
    ) as it:
        assert it.stdout is not None
        it.stdout.readline()
        with pytest.raises(StoreError, match=f"process {it.pid}"), Lock(path):
            pytest.fail("held twice")
        it.kill()
        it.wait(10)
        with Lock(path):  # as a loader's worker, which outlives its parent for seconds
            pass
        os.killpg(it.pid, signal.SIGKILL)


RACE = """
import os, sys, time
from landscape.errors import StoreError
from landscape.files.locks import Lock
path, folder, start = sys.argv[1], sys.argv[2], float(sys.argv[3])
time.sleep(max(0.0, start - 0.02 - time.time()))
while time.time() < start:
    pass
try:
    with Lock(path):
        # Whoever holds it makes this folder; a second holder could not.
        os.mkdir(folder)
        time.sleep(0.3)
        os.rmdir(folder)
    print("held")
except StoreError:
    print("refused")
"""


@pytest.mark.parametrize("stale", [True, False], ids=["stale", "none"])
def test_of_several_that_want_a_lock_at_once_one_takes_it(tmp_path, stale):
    path = tmp_path / "net.h5"
    with Lock(path):
        here = note_of(path)
    for attempt in range(3):
        if stale:
            leave(path, **here)
        start = time.time() + 1.0
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(path), str(tmp_path / f"held{attempt}"), str(start)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(5)
        ]
        said = [racer.communicate(timeout=60) for racer in racers]
        assert [errors for _, errors in said] == [""] * 5
        assert "held\n" in [out for out, _ in said]
        assert files_in(tmp_path) == []
