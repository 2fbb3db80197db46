"""Studies in several processes: killed, two at a time, under MPI, on a user's own executor."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

import landscape
from landscape.errors import ClusterError, ProblemError, UsageError
from landscape.studies.study_files import read_study
from landscape.studies.tasks.executors import open_workers
from landscape.studies.tasks.task_folders import read_outcome, write_done
from landscape.studies.tasks.tasks import plan_tasks
from tests.helpers import jobs, tiny_study
from tests.helpers.document_examples import code_of

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("LANDSCAPE_KILLS", "2"))
TASKS = 15


def command(path: Path, out: Path, *more: str) -> list[str | Path]:
    return ["-m", "landscape", "study", path, "-o", out, "--no-pages", *more]


def values_of(out: Path) -> dict[str, object]:
    told = json.loads((out / "results.json").read_text())
    assert told["complete"], told["failed"] + told["missing"]
    return told["values"]


def weights_of(out: Path) -> dict[str, str]:
    """Return the digest of each network's weights."""
    done = [json.loads(each.read_text()) for each in (out / "tasks").glob("train-*/done.json")]
    return {each["task"]: each["files"]["final.pt"]["sha256"] for each in done}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    landscape.study(tiny_study.write(folder), folder / "out", executor="here", pages=False)
    return folder / "out"


def wait_for_tasks(out: Path, number: int, job: object) -> int:
    deadline = time.monotonic() + jobs.LIMIT
    while time.monotonic() < deadline:
        done = len(list((out / "tasks").glob("*/done.json")))
        if done >= number:
            return done
        assert job.poll() is None, job.communicate()  # type: ignore[attr-defined]
        time.sleep(0.01)
    pytest.fail(f"{number} tasks were not done in time")


def test_a_study_killed_at_random_moments_goes_on_and_does_nothing_twice(whole, tmp_path):
    chance = random.Random(KILLS)
    study, trace = tiny_study.write(tmp_path), tmp_path / "trace"
    out, files, done = tmp_path / "out0", 0, 0
    slow = {"STUDY_TRACE": str(trace), "STUDY_SECONDS": "0.05"}
    for kill in range(KILLS):
        how = ("here", "processes")[kill % 2]
        words = command(study, out, "--executor", how, "--jobs", "2")
        with jobs.ended(jobs.start(words, forked=True, **slow)) as job:
            done = wait_for_tasks(out, done + 1, job)
            time.sleep(chance.random() * 0.4)
            jobs.end(job)
            jobs.finish(job)
        finished = {each.parent.name for each in (out / "tasks").glob("*/done.json")}
        if len(finished) > 0.6 * TASKS or kill == KILLS - 1:
            trace.write_text("")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(tiny_study.TRACE, str(trace))
                landscape.study(study, out, executor="here", pages=False)
            assert len(trace.read_text().splitlines()) == TASKS - len(finished)
            assert values_of(out) == values_of(whole)
            assert weights_of(out) == weights_of(whole)
            files += 1
            out, done = tmp_path / f"out{files}", 0


def test_two_jobs_on_one_folder_share_the_tasks(whole, tmp_path):
    study, trace, out = tiny_study.write(tmp_path), tmp_path / "trace", tmp_path / "out"
    words = command(study, out, "--executor", "here")
    with (
        jobs.ended(jobs.start(words, forked=True, STUDY_TRACE=str(trace), STUDY_SECONDS="0.1")) as one,
        jobs.ended(jobs.start(words, forked=True, STUDY_TRACE=str(trace), STUDY_SECONDS="0.1")) as other,
    ):
        for job in (one, other):
            code, _, err = jobs.finish(job)
            assert code == 0, err
    done = trace.read_text().splitlines()
    assert len(done) == len(set(done)) == TASKS
    assert values_of(out) == values_of(whole)


def test_a_lock_that_another_job_tries_is_no_file_of_a_task(tmp_path):
    task = plan_tasks(read_study(tiny_study.write(tmp_path)))[0]
    tried = tmp_path / task.folder / "task.lock.token"
    tried.parent.mkdir(parents=True)
    tried.touch()
    write_done(task, tmp_path, {}, 1.0, 1)
    tried.unlink()
    assert read_outcome(task, tmp_path).state == "done"


def test_processes_and_mpi_give_the_same_files(whole, tmp_path):
    study = tiny_study.write(tmp_path)
    code, _, err = jobs.run(command(study, tmp_path / "mpi"), mpi="mpich", ranks=3, EVERY_RANK_WRITES="1")
    assert code == 0, err
    code, out, err = jobs.run(command(study, tmp_path / "processes", "--jobs", "2"))
    assert code == 0, err
    assert "results.json" in out
    for folder in ("mpi", "processes"):
        assert values_of(tmp_path / folder) == values_of(whole)
        assert weights_of(tmp_path / folder) == weights_of(whole)
        same = [each.name for each in (tmp_path / folder / "tasks").iterdir()]
        assert sorted(same) == sorted(each.name for each in (whole / "tasks").iterdir())


def test_workers_end_with_the_study_and_a_dead_one_is_no_end_of_it(tmp_path):
    study = tiny_study.write(tmp_path, options=("width = 2 }", "width = 2 }\nrecipe = { options = { dies = 1 } }"))
    out, trace = tmp_path / "out", tmp_path / "trace"
    words = command(study, out, "--jobs", "2")
    code, said, _ = jobs.run(words, STUDY_TRACE=str(trace))
    assert code == 1
    assert "failed: train/narrow/1: its worker process was ended twice" in said
    told = json.loads((out / "results.json").read_text())
    assert told["missing"] == ["line/narrow/1", "both/seed/1"]
    assert "train/narrow/0" in weights_of(out)
    assert trace.read_text().splitlines().count("train 2 1") == 2
    slow = command(tiny_study.write(tmp_path), tmp_path / "killed", "--jobs", "2")
    with jobs.ended(jobs.start(slow, STUDY_TRACE=str(trace), STUDY_SECONDS="60")) as job:
        deadline = time.monotonic() + jobs.LIMIT
        while not (workers := children_of(job.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        while not list((tmp_path / "killed" / "tasks").glob("*/task.lock")) and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = children_of(job.pid)
        assert len(workers) >= 2
        os.kill(job.pid, signal.SIGKILL)
        deadline = time.monotonic() + 40  # their task alone would take 60
        while any(map(is_running, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = [pid for pid in workers if is_running(pid)]
        for pid in left:  # they would hold the pipes that the job's end is waited for on
            os.kill(pid, signal.SIGKILL)
        assert not left


def children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := read(folder / "stat")) and stat.rpartition(")")[2].split()[1] == str(pid):
            found.append(int(folder.name))
    return found


def is_running(pid: int) -> bool:
    stat = read(Path(f"/proc/{pid}/stat"))
    return bool(stat) and stat.rpartition(")")[2].split()[0] != "Z"


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


OWN = """
from concurrent.futures import ThreadPoolExecutor

asked = []

class Own(ThreadPoolExecutor):
    def submit(self, function, *arguments):
        asked.append(arguments[0].name)
        return super().submit(function, *arguments)

def own():
    return Own(max_workers=1)

def none():
    return 5
"""


def test_a_users_own_executor_does_the_tasks(whole, tmp_path):
    (tmp_path / "pool.py").write_text(OWN)
    pool = f"{tmp_path / 'pool.py'}:own"
    landscape.study(tiny_study.write(tmp_path), tmp_path / "out", executor=pool, pages=False)
    assert values_of(tmp_path / "out") == values_of(whole)
    from landscape.problem.references import resolve

    assert len(resolve(f"{tmp_path / 'pool.py'}:asked", what="list", call=False)) == TASKS
    with (
        pytest.raises(ProblemError, match="returned a int, which has no 'submit'"),
        open_workers(f"{tmp_path / 'pool.py'}:none"),
    ):
        pass


def test_the_pool_of_the_docs_is_an_executor():
    (block,) = code_of(jobs.ROOT / "docs" / "studies.md", "py")
    space: dict[str, object] = {}
    exec(block, space)
    with open_workers(space["own"]()) as workers:  # type: ignore[operator]
        assert workers is not None
        assert workers.number == 4


def test_an_executor_that_there_is_not_is_refused(monkeypatch):
    for wrong, error in (("threads", "there are processes, here, mpi"), ("nowhere.py:x", "does not exist")):
        with pytest.raises((UsageError, ProblemError), match=error), open_workers(wrong):
            pass
    with pytest.raises(UsageError, match="--jobs -1"), open_workers("here", -1):
        pass
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("PMI_SIZE", "4")
    with pytest.raises(UsageError, match="each would do the whole study"), open_workers("here"):
        pass
    with pytest.raises(ClusterError, match="started 4 processes, but MPI connects 1"), open_workers("mpi"):
        pass
