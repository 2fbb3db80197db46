"""Tasks of a study: done once, found again, redone where something they depend on has changed."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import re
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import landscape
from landscape.cli import main
from landscape.errors import SurfaceMismatch, UsageError
from landscape.studies.study_files import read_study
from landscape.studies.tasks import tasks
from landscape.studies.tasks.executors import Workers
from tests.helpers import tiny_study

pytestmark = pytest.mark.usefixtures("coarse_pictures")


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time, and are the same in all of these tests: the first draws them."""
    if "pictures" not in request.node.name:
        monkeypatch.setattr("landscape.studies.report.report.draw_pictures", lambda result: [])


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trace"
    path.touch()
    monkeypatch.setenv(tiny_study.TRACE, str(path))
    return path


def lines_of(trace: Path) -> list[str]:
    """Return what was done since the last call."""
    lines = trace.read_text().splitlines()
    trace.write_text("")
    return sorted(lines)


def run(path: Path, folder: Path, **options: object) -> landscape.studies.report.study_results.StudyResult:  # type: ignore[name-defined]
    return landscape.study(path, folder, executor="here", **options)  # type: ignore[arg-type]


def test_a_study_ends_in_numbers_verdicts_pictures_and_a_report(tmp_path):
    result = run(tiny_study.write(tmp_path), tmp_path / "out")
    assert not result.failed
    assert not result.missing
    # 3 x 2 + 2 + 2 x 2 + 2 weights, and so on.
    assert result.values["line/weights"] == {
        "narrow": dict.fromkeys((0, 1, 2), 14.0),
        "wide": dict.fromkeys((0, 1, 2), 32.0),
    }
    one, two = (result.values["training/train_loss"][name] for name in ("narrow", "wide"))
    assert result.values["both/difference"]["all"] == {seed: one[seed] - two[seed] for seed in (0, 1, 2)}
    assert result.values["both/loss"]["wide"] == two
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [each["name"] for each in told["hypotheses"]] == ["sizes", "together"]
    for each in told["hypotheses"]:
        assert set(each) >= {"name", "verdict", "estimate", "interval", "seeds"}
    assert told["hypotheses"][0]["estimate"] == 18.0
    assert told["hypotheses"][1]["text"].endswith(" It is asked given 'sizes', which was not resolved.")
    assert told["complete"]
    rows = (tmp_path / "out" / "results.csv").read_text().splitlines()
    assert "line/weights,wide,2,32.0,yes" in rows
    page = result.page.read_text()
    assert "no picture" not in page
    assert {"line-train-loss.pdf", "line-weights.pdf", "training-train-loss.pdf", "line-rise-y.pdf"} <= {
        each.name for each in (tmp_path / "out" / "pictures").iterdir()
    }
    assert "Tiny &lt;b&gt;study&lt;/b&gt;" in page
    assert not {"<b>", "<i>", "<u>"} & set(re.findall(r"<[^/!][^> ]*>", page))


def test_what_is_done_is_found_again_and_a_change_redoes_what_depends_on_it(tmp_path, trace):
    out = tmp_path / "out"
    run(tiny_study.write(tmp_path), out)
    assert len(lines_of(trace)) == 15
    run(tiny_study.write(tmp_path, title=("2 <i>units</i>", "two units"), said=("A wide", "Any wide")), out)
    assert lines_of(trace) == []
    wider = ("width = 5 }", "width = 6 }")
    run(tiny_study.write(tmp_path, wider=wider), out)
    both, lines = [f"both {s}" for s in range(3)], [f"line wide {s}" for s in range(3)]
    assert lines_of(trace) == [*both, *lines, *(f"train 6 {s}" for s in range(3))]
    argument = ('line"\n', 'line"\narguments = { points = 3 }\n')
    run(tiny_study.write(tmp_path, wider=wider, argument=argument), out)
    assert lines_of(trace) == sorted(f"line {v} {s}" for v in ("narrow", "wide") for s in range(3))
    run(tiny_study.write(tmp_path, wider=wider, argument=argument, seeds=("[0, 1, 2]", "[0, 1, 2, 3]")), out)
    assert lines_of(trace) == ["both 3", "line narrow 3", "line wide 3", "train 2 3", "train 6 3"]


def test_a_tasks_key_follows_all_that_can_change_its_result_and_nothing_else(tmp_path):
    study = read_study(tiny_study.write(tmp_path))

    def keys(study):
        return {task.name: task.key for task in tasks.plan_tasks(study)}

    before = keys(study)

    def redone(**changes):
        after = keys(dataclasses.replace(study, **changes))
        return {name.partition("/")[0] for name in after if before.get(name) != after[name]}

    assert not redone(name="a", question="b", title="c", source="d", notes="e", minutes=9.0, hypotheses=(), path="f")
    assert not redone(least_accuracy=0.9)
    assert redone(direction_seed=1) == {"line", "both"}
    assert redone(samples={"test": 10}) == {"train", "line", "both"}
    line, both = study.measurements
    for change in (
        {"arguments": {"points": 3}},
        {"measure": "weights"},
        {"variants": ("wide", "narrow"), "per": "seed"},
    ):
        assert redone(measurements=(dataclasses.replace(line, **change), both)) == {"line"}
    narrow, wide = study.variants
    for field in dataclasses.fields(narrow.recipe):
        value = getattr(narrow.recipe, field.name)
        other = {str: "torch.nn:Linear", bool: not value}.get(type(value)) or ({"a": 1} if value == {} else None)
        other = other or ({**value, "a": 1} if isinstance(value, dict) else value + 1)
        recipe = dataclasses.replace(narrow.recipe, **{field.name: other})
        assert redone(variants=(dataclasses.replace(narrow, recipe=recipe), wide)) == {"train", "line", "both"}, field
    assert not redone(variants=(dataclasses.replace(narrow, title="small"), wide))


def test_what_is_damaged_or_made_of_other_weights_is_done_again(tmp_path, trace):
    out, path = tmp_path / "out", tiny_study.write(tmp_path)
    result = run(path, out)
    before = result.values
    lines_of(trace)
    folder = {task.name: out / task.folder for task in result.tasks}
    (folder["line/wide/1"] / "line.h5").unlink()
    (folder["both/seed/2"] / "done.json").write_text("{")
    with open(folder["train/narrow/0"] / "final.pt", "ab") as file:
        file.write(b"\0")
    assert run(path, out).values == before
    assert lines_of(trace) == ["both 2", "line wide 1", "train 2 0"]
    # The same weights again: what was measured of them stands. Of others it does not.
    done = folder["train/narrow/0"] / "done.json"
    told = json.loads(done.read_text())
    told["files"]["final.pt"]["sha256"] = "0" * 64
    done.write_text(json.dumps(told))
    run(path, out)
    assert lines_of(trace) == ["both 0", "line narrow 0"]


def test_a_task_that_fails_is_reported_and_the_others_go_on(tmp_path, trace, capsys):
    failing = tiny_study.write(tmp_path, options=("width = 2 }", "width = 2 }\nrecipe = { options = { fails = 1 } }"))
    result = run(failing, tmp_path / "out")
    assert [task.name for task in result.failed] == ["train/narrow/1"]
    assert [task.name for task in result.missing] == ["line/narrow/1", "both/seed/1"]
    assert result.values["line/weights"] == {"narrow": {0: 14.0, 2: 14.0}, "wide": dict.fromkeys((0, 1, 2), 32.0)}
    page = result.page.read_text()
    assert "no &lt;such&gt; luck" in page
    assert "<such>" not in page
    assert "train/narrow/1" in page
    assert not json.loads((tmp_path / "out" / "results.json").read_text())["complete"]
    with pytest.MonkeyPatch.context() as patch:  # the command ends with what it was given
        patch.setattr("landscape.studies.study_runs.study", lambda *arguments, **options: result)
        assert main(["study", str(failing), "-o", str(tmp_path / "out")]) == 1
    assert "failed: train/narrow/1: " in capsys.readouterr().out
    lines_of(trace)
    run(failing, tmp_path / "out")  # a failure is tried again, and nothing else
    assert lines_of(trace) == ["train 2 1"]


def test_code_that_has_changed_does_its_tasks_again(tmp_path, trace):
    place = str(Path(tiny_study.__file__).resolve())
    code = tmp_path / "code.py"
    code.write_text("from tests.helpers.tiny_study import *\nfrom tests.helpers.tiny_study import both\n")
    own = (f'"{place}:both"', f'"{code}:both"')
    path = tiny_study.write(tmp_path, own=own)
    run(path, tmp_path / "out", only=["both/seed/0"])
    lines_of(trace)
    code.write_text(code.read_text() + "# another line\n")
    run(path, tmp_path / "out", only=["both/seed/0"])
    assert lines_of(trace) == ["both 0"]
    moved = code.rename(tmp_path / "elsewhere.py")  # the same code of another name is another task; a folder is not
    (tmp_path / "sub").mkdir()
    moved.rename(tmp_path / "sub" / "code.py")
    path = tiny_study.write(tmp_path, own=(own[0], f'"{tmp_path}/sub/code.py:both"'))
    run(path, tmp_path / "out", only=["both/seed/0"])
    assert lines_of(trace) == []


@pytest.mark.parametrize("name", ["network", "training", "loss"])
def test_each_code_of_a_recipe_that_has_changed_makes_other_tasks(tmp_path, name):
    study, code, keys = read_study(tiny_study.write(tmp_path)), tmp_path / "code.py", []
    recipe = dataclasses.replace(study.variants[0].recipe, **{name: f"{code}:made"})
    study = dataclasses.replace(
        study, variants=(dataclasses.replace(study.variants[0], recipe=recipe),), measurements=()
    )
    for text in ("# one", "# one", "# other"):
        code.write_text(text)
        keys.append(tasks.plan_tasks(study)[0].key)
    assert keys[0] == keys[1] != keys[2]


def test_other_samples_or_fewer_are_another_task(tmp_path, trace):
    x, y = tiny_study.data()
    np.savez(tmp_path / "a.npz", x=x.numpy(), y=y.numpy())
    one = tiny_study.write(tmp_path)
    for text in ("", "[samples]\ntrain = 10\n"):
        one.write_text(re.sub(r'(train|test) = "[^"]*:data"', r'\1 = "npz:a.npz"', one.read_text()) + text)
        run(one, tmp_path / "out", only=["train/wide/0"])
        assert lines_of(trace) == ["train 5 0"]
    x[0, 0] += 1e-3
    np.savez(tmp_path / "a.npz", x=x.numpy(), y=y.numpy())
    tasks._opened.cache_clear()
    run(one, tmp_path / "out", only=["train/wide/0"])
    assert lines_of(trace) == ["train 5 0"]
    tasks._opened.cache_clear()


def test_a_network_that_diverged_did_not_train(tmp_path):
    rate = ("learning_rate = 0.5", "learning_rate = 0.5\noptions = { accuracy = nan }")
    result = run(tiny_study.write(tmp_path, rate=rate), tmp_path / "out", only=["train"])
    assert len(result.untrained) == 6
    assert json.loads((tmp_path / "out" / "results.json").read_text())["values"]["training/train_accuracy"] == {
        name: {"0": None, "1": None, "2": None} for name in ("narrow", "wide")
    }


def test_a_number_s_own_interval_goes_into_verdict_and_pictures(tmp_path):
    code = tmp_path / "code.py"
    code.write_text("def all_at_once(context):\n    return {'x': 2.0, 'x_low': 1.5, 'x_high': 3.5}\n")
    place = str(Path(tiny_study.__file__).resolve())
    changes = {
        "measure": (f'"{place}:both"\nper = "seed"', f'"{code}:all_at_once"\nper = "study"'),
        "value": ('correlate = ["line/weights", "training/train_loss"]', 'value = "both/x"\ninterval = "own"'),
        "expect": ('"< 0"', '"1 < all"'),
    }
    result = run(tiny_study.write(tmp_path, **changes), tmp_path / "out")
    verdict = result.verdicts[1]
    assert (verdict.verdict, verdict.estimate, verdict.interval, verdict.seeds) == ("reproduced", 2.0, (1.5, 3.5), 3)
    assert "the measurement's own interval of 3 seeds" in result.page.read_text().replace("&#x27;", "'")
    assert (tmp_path / "out" / "pictures" / "both-x.pdf").exists()
    rate = ("learning_rate = 0.5", "learning_rate = 0.5\noptions = { accuracy = nan }")
    untrained = run(tiny_study.write(tmp_path, **changes, rate=rate), tmp_path / "other", pages=False).verdicts[1]
    assert (untrained.verdict, "some of which did not train (narrow/0" in untrained.text) == ("not resolved", True)


def test_only_does_a_task_and_what_it_needs(tmp_path, trace):
    path = tiny_study.write(tmp_path)
    result = run(path, tmp_path / "out", only=["line/wide/1"])
    assert lines_of(trace) == ["line wide 1", "train 5 1"]
    assert len(result.missing) == 13
    run(path, tmp_path / "out", only=["line/*/1"])
    assert lines_of(trace) == ["line narrow 1", "train 2 1"]
    run(path, tmp_path / "out", only=["line/wide/1"], again=True)
    assert lines_of(trace) == ["line wide 1"]
    with pytest.raises(UsageError, match="did you mean line/wide"):
        run(path, tmp_path / "out", only=["line/wid"])


def test_a_folder_of_another_study_is_refused(tmp_path):
    path = tiny_study.write(tmp_path)
    run(path, tmp_path / "out", only=["train/wide/0"])
    other = path.rename(tmp_path / "other.toml")
    with pytest.raises(SurfaceMismatch, match=r"holds the study 'tiny'.*not 'other'"):
        run(other, tmp_path / "out")


def test_a_miniature_has_a_folder_of_its_own_and_says_what_it_is(tmp_path, capsys):
    path = tiny_study.write(tmp_path)
    result = run(path, tmp_path / "out", smoke=True)
    assert result.folder == tmp_path / "out" / "smoke"
    assert {seed for seeds in result.values["line/weights"].values() for seed in seeds} == {7, 8}
    assert "its numbers and verdicts mean nothing" in result.page.read_text()
    words = ["study", str(path), "-o", str(tmp_path / "out"), "--executor", "here", "--no-pages"]
    for more, said in (["--smoke"], 1), ([], 0):
        assert main([*words, *more]) == 0
        told = capsys.readouterr().out
        assert told.count("its numbers and verdicts mean nothing") == said
        assert "index.html" not in told
    assert read_study(path).variants[0].recipe.epochs == 3


def test_a_network_that_did_not_train_is_shown_and_left_out(tmp_path):
    path = tiny_study.write(tmp_path, least=("least_accuracy = 0.2", "least_accuracy = 1.1"))
    result = run(path, tmp_path / "out", only=["line"])
    assert len(result.untrained) == 6
    assert result.numbers("line/weights") == {}
    assert [each.verdict for each in result.verdicts] == ["not resolved", "not resolved"]
    assert "Did not train" in result.page.read_text()


def test_a_plan_says_what_is_in_no_figure_before_the_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny_study.write(tmp_path, took=("least_accuracy = 0.2", "least_accuracy = 0.2\nminutes = 7"))
    words = ["study", str(path), "-o", "out"]
    told = "the whole study took 7 minutes on two cores when it was made"
    assert main([*words, "--dry-run"]) == 0
    *_, took, left_out = capsys.readouterr().out.splitlines()
    assert took == told
    assert left_out.startswith("15 of the 15 that are left are of kinds that were not timed yet (train, line, both)")
    assert main([*words, "--executor", "here", "--only", "line/wide/0", "--no-pages"]) == 0
    capsys.readouterr()
    assert main([*words, "--dry-run"]) == 0
    *_, left_out, figure = capsys.readouterr().out.splitlines()
    assert left_out.startswith(
        "3 of the 13 that are left are of kinds that were not timed yet (both) and are in no fig"
    )
    assert figure.startswith("the other 10 alone: ")
    assert main([*words, "--dry-run", "--only", "line", "--jobs", "3"]) == 0
    assert re.search(r"^about .* of work, .* with 3 tasks at a time$", capsys.readouterr().out.splitlines()[-1])
    # A miniature takes another time, which nobody measured.
    assert main([*words, "--dry-run", "--smoke"]) == 0
    assert "minutes" not in capsys.readouterr().out


def test_the_command_plans_runs_and_says_what_it_found(tmp_path, capsys, monkeypatch):
    path = tiny_study.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["study", str(path), "-o", "out", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "open    line/narrow/0" in out
    assert "15 tasks, 0 of them done" in out
    other = ["--data", "train=digits:test", "--data", "test=digits:train", "--smoke"]
    assert main(["study", str(path), "-o", "out", "--commands", *other]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith(f"landscape study {path} {' '.join(other)} -o out --jobs 1 --no-pages --only ")
    assert main(["study", str(path), "-o", "out", "--executor", "here"]) == 0
    out = capsys.readouterr().out
    assert "open out/index.html" in out
    assert "A wide network has more weights" in out
    assert main(["study", str(path), "-o", "out", "--commands", "--only", "line"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["study", str(path), "-o", "out", "--dry-run"]) == 0
    assert "15 tasks, 15 of them done" in capsys.readouterr().out


def test_the_command_hands_on_all_it_is_told(tmp_path, monkeypatch):
    path, seen = tiny_study.write(tmp_path), []
    monkeypatch.setattr("landscape.studies.study_runs.study", lambda *given, **how: seen.append((given, how)))
    monkeypatch.chdir(tmp_path)
    words = ["study", str(path), "--data", "train=digits:test", "--data", "test=digits:train", "--smoke", "-o", "out"]
    more = ["--only", "line", "--only", "both", "--again", "--jobs", "3", "--executor", "here", "--no-pages"]
    assert main([*words, *more]) == main(["study", str(path)]) == 0
    (given, how), (plain, usual) = seen
    assert (given, plain) == ((str(path), "out"), (str(path), "study-tiny"))
    assert how.pop("command") == f"landscape {' '.join(words)}"
    assert usual.pop("command") == f"landscape study {path} -o study-tiny"
    assert callable(how.pop("progress"))
    assert callable(usual.pop("progress"))
    assert how == {
        "data": ["train=digits:test", "test=digits:train"], "smoke": True, "only": ["line", "both"], "again": True,
        "jobs": 3, "executor": "here", "pages": False,
    }  # fmt: skip
    nothing = {"data": [], "smoke": False, "only": [], "again": False}
    assert usual == {**nothing, "jobs": 0, "executor": "", "pages": True}


SURFACES = """
question = "Is what many processes measured found?"
seeds = [0]
recipe = { network = "landscape.studies.study_networks:perceptron", epochs = 1, arguments = { depth = 1, width = 4 } }
variants.a = {}
measurements.plane = { measure = "plane", arguments = { x = "-1:1:3", y = "-1:1:3", samples = 64 } }
measurements.line = { measure = "line", arguments = { x = "-8:8:5", repeats = 2, norm = "model", data = ["train"] } }
measurements.map = { measure = "plane", arguments = { x = "-1:1:3", y = "-1:1:3", samples = 8, convexity = true } }
"""


def in_a_shell(line):
    """Return the words of each command of a line but mkdir's, as a shell hands them over; each is said to succeed."""
    stubs = "mpiexec() { printf '%s\\n' mpiexec \"$@\" ''; }; landscape() { printf '%s\\n' landscape \"$@\" ''; }; "
    told = subprocess.run(["sh", "-c", stubs + line], capture_output=True, text=True, check=True).stdout
    return [each.split("\n") for each in told.removesuffix("\n\n").split("\n\n")]


def test_ranks_that_help_no_task_are_said_to_and_unknown_data_is_the_task_s_to_report(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for data, samples, alone in [("absent", "", 1), ("train", "samples = { train = 50, test = 50 }\n", 3)]:
        changed = SURFACES.replace('["train"]', f'["{data}"]').replace(", convexity = true", "")
        Path("own.toml").write_text(samples + changed)
        assert main(["study", "own.toml", "-o", "out", "--commands", "--ranks", "3"]) == 0
        lines, told = capsys.readouterr()
        assert lines.count("mpiexec -n 3") == 3 - alone
        assert len(lines.splitlines()) == 4
        assert f"{alone} of 3 lines and planes are left to one process" in told
    assert main(["study", "own.toml", "-o", "out", "--commands", "--ranks", "3", "--only", "train"]) == 0
    assert "--ranks 3 changes nothing" in capsys.readouterr().err


def test_a_command_for_many_processes_asks_for_what_the_task_itself_would(tmp_path):
    from landscape.commands.study_commands import command_of
    from landscape.studies.study import Measurement

    how = {"x": "-2:2:5", "repeats": 3, "norm": "model", "samples": 7}
    changes = {"direction_seed": 9, "normalize": "0.3/0.2", "measurements": (Measurement("wide", "line", how),)}
    changes["data"] = {"train": "digits:train", "test": "digits:test"}
    study = dataclasses.replace(read_study(tiny_study.write(tmp_path)), **changes)
    task = next(each for each in tasks.plan_tasks(study) if each.name == "wide/narrow/1")
    command = command_of(task, tmp_path, "landscape study tiny.toml", 4)
    for words in ("mpiexec -n 4 landscape evaluate", "--x=-2:2:5", "--repeats 3", "--norm model", "--samples 7",
                  "--normalize 0.3/0.2", "--data train=digits:train --data test=digits:test",
                  "--seed 9 --sample-seed 9", "--loss cross_entropy", "--only wide/narrow/1"):  # fmt: skip
        assert words in command, words
    assert f"-o {tmp_path / task.folder / 'line.h5'}" in command


def test_a_surface_that_an_mpi_run_of_its_own_left_is_taken(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text(SURFACES)
    study = ["study", "own.toml", "-o", "the out"]
    assert main([*study, "--executor", "here", "--only", "train"]) == 0
    capsys.readouterr()
    assert main([*study, "--commands", "--ranks", "3"]) == 0
    lines, told = capsys.readouterr()
    assert told.startswith("landscape: --ranks 3: 1 of 3 lines and planes are left to one process")
    calls = [in_a_shell(line) for line in lines.splitlines()]
    assert [each[-1][-1] for each in calls] == ["plane/a/0", "line/a/0", "map/a/0"]
    runs = [each[0] for each in calls if len(each) == 2]
    assert [words[:5] for words in runs] == [["mpiexec", "-n", "3", "landscape", "evaluate"]] * 2
    assert [Path(words[-1]).name for words in runs] == ["plane.h5", "line.h5"]
    for words in runs:
        assert main(words[4:]) == 0  # one process measures what three do
    for *_, words in calls:
        assert main([*words[1:], "--executor", "here"]) == 0
    found, alone = run(Path("own.toml"), Path("the out")), run(Path("own.toml"), Path("alone"))
    # A surface that the study measures itself has no command.
    assert all(landscape.read_surface(words[-1]).command.startswith("landscape") for words in runs)
    assert not any(landscape.read_surface(path).command for path in Path("alone").glob("tasks/*/*.h5"))
    assert found.values.keys() == alone.values.keys()
    for name, each in alone.values.items():
        assert found.values[name]["a"] == pytest.approx(each["a"], rel=1e-12, nan_ok=True), name
    assert main([*study, "--ranks", "3"]) == 2
    assert "--ranks is for --commands" in capsys.readouterr().err


class Fragile(Executor):
    """Does tasks that it was asked for a few times; one that kills its worker takes all along."""

    def __init__(self) -> None:
        self._waiting: dict[Future[Any], Callable[[], Any]] = {}
        self._asked: collections.Counter[Future[Any]] = collections.Counter()

    def submit(self, function: Callable[..., Any], task: Any, /, *rest: Any) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        self._waiting[future] = lambda: function(task, *rest)
        if task.name == "train/narrow/1":
            for each in self._waiting:
                each.set_exception(BrokenExecutor("a process ended"))
            self._waiting.clear()
        return future

    def wait(self, futures: Iterable[Future[Any]], **how: Any) -> Any:
        """Do one of those that were asked for long enough for others to be handed in beside them."""
        self._asked.update(list(futures))
        due = next((each for each in self._waiting if self._asked[each] > 4), None)
        if due is not None:
            due.set_result(self._waiting.pop(due)())
        return wait(futures, **how)


def test_a_task_is_not_blamed_for_the_one_beside_it_that_ends_its_worker(tmp_path, monkeypatch):
    executor = Fragile()
    workers = Workers(executor, 9, 0, renew=Fragile)
    monkeypatch.setattr("landscape.studies.study_runs.wait", executor.wait)
    monkeypatch.setattr("landscape.studies.study_runs.open_workers", lambda *_: contextlib.nullcontext(workers))
    monkeypatch.setattr("landscape.studies.study_runs.LOOK_EVERY", 0.0)  # all are tried again at once, in order
    result = landscape.study(tiny_study.write(tmp_path), tmp_path / "out")
    assert [task.name for task in result.failed] == ["train/narrow/1"]
