"""Recording a run: what a record holds, when it is written, and what survives."""

import itertools
import json
import math
import os
import textwrap
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import landscape
from landscape.errors import StoreError
from landscape.trajectory import recorder as recorder_module
from landscape.trajectory.recorder import Recorder, log_steps
from landscape.trajectory.runs import find_run
from tests.helpers import jobs


class Tied(nn.Module):
    """Two names for one weight, a buffer of the state and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.decoder = nn.Linear(3, 3)
        self.decoder.weight = self.encoder.weight
        self.register_buffer("table", torch.ones(2), persistent=False)


def metadata_of(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_record_holds_parameters_once_and_the_buffers_of_the_state(tmp_path):
    model = Tied()
    with Recorder(tmp_path, model) as recorder:
        path = recorder.record(7, loss=torch.tensor(0.25, requires_grad=True), lr=0.1, phase="warm-up")
    tensors, metadata = load_file(path), metadata_of(path)
    assert set(tensors) == set(model.state_dict()) - {"decoder.weight"}
    for name, tensor in tensors.items():
        assert torch.equal(tensor, model.state_dict()[name])
    assert json.loads(metadata["tied"]) == {"decoder.weight": "encoder.weight"}
    assert (metadata["step"], float(metadata["loss"]), float(metadata["lr"])) == ("7", 0.25, 0.1)
    assert metadata["phase"] == "warm-up"


def test_a_record_is_of_the_moment_it_was_asked_for(tmp_path, monkeypatch):
    model = nn.Linear(2, 2)
    held, write = threading.Event(), recorder_module._write

    def late(*arguments):
        held.wait(10)
        write(*arguments)

    monkeypatch.setattr(recorder_module, "_write", late)
    with Recorder(tmp_path, model) as recorder:
        before = model.weight.detach().clone()
        path = recorder.record(0)
        with torch.no_grad():
            model.weight.zero_()
        assert names_in(tmp_path) == []
        held.set()
    assert torch.equal(load_file(path)["weight"], before)


def test_recording_goes_on_after_close(tmp_path):
    recorder = Recorder(tmp_path, nn.Linear(2, 2))
    for step in (1, 2):
        recorder.record(step)
        recorder.close()
    assert names_in(tmp_path) == ["step-00000001.safetensors", "step-00000002.safetensors"]


def test_only_due_steps_are_recorded(tmp_path):
    with Recorder(tmp_path / "every", nn.Linear(2, 2), every=20) as recorder:
        written = [step for step in range(50) if recorder.record(step)]
        assert recorder.record(49, always=True)
    assert written == [0, 20, 40]
    with Recorder(tmp_path / "log", nn.Linear(2, 2), log_points=4, steps=1000) as recorder:
        assert [step for step in range(1001) if recorder.record(step)] == [0, 1, 10, 100, 1000]


@given(st.integers(2, 60).flatmap(lambda points: st.tuples(st.just(points), st.integers(points, 10**6))))
def test_steps_in_log_time_are_as_many_as_asked_and_end_at_the_end(case):
    points, last = case
    steps = log_steps(points, last)
    assert len(steps) == points
    assert (steps[0], steps[-1]) == (1, last)
    assert all(before < after for before, after in itertools.pairwise(steps))


def test_a_loss_on_the_device_is_left_alone_when_the_step_is_not_due(tmp_path):
    class Untouchable(torch.Tensor):
        def __float__(self):
            raise AssertionError("read")

    with Recorder(tmp_path, nn.Linear(2, 2), every=2) as recorder:
        assert recorder.record(1, loss=torch.tensor(1.0).as_subclass(Untouchable)) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_recorded_as_it_is(tmp_path, value):
    with Recorder(tmp_path, nn.Linear(2, 2)) as recorder:
        path = recorder.record(0, loss=value)
    assert float(metadata_of(path)["loss"]) == pytest.approx(value, nan_ok=True)


def test_half_precision_rounds_parameters_but_not_buffers_nor_what_would_overflow(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        model[1].running_var.fill_(1e-9)
        model[2].weight[0, 0] = 1e5
    with Recorder(tmp_path, model, dtype="float16") as recorder:
        path = recorder.record(0)
    tensors = load_file(path)
    assert tensors["0.weight"].dtype == torch.float16
    # Half a unit in the last of float16's 11 bits.
    torch.testing.assert_close(tensors["0.weight"].float(), model[0].weight.detach(), rtol=2**-11, atol=2**-25)
    assert torch.equal(tensors["1.running_var"], model[1].running_var)
    assert tensors["1.num_batches_tracked"].dtype == torch.int64
    assert torch.equal(tensors["2.weight"], model[2].weight.detach())


def test_weights_that_are_already_infinite_do_not_change_the_type(tmp_path):
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight[0, 0] = math.inf
    with Recorder(tmp_path, model, dtype="float16") as recorder:
        path = recorder.record(0)
    assert load_file(path)["weight"].dtype == torch.float16


def test_a_run_that_starts_again_goes_on_and_keeps_what_it_no_longer_continues(tmp_path, caplog):
    model = nn.Linear(2, 2)
    with Recorder(tmp_path, model) as recorder:
        for step in (0, 10, 20, 30):
            recorder.record(step)
    with Recorder(tmp_path, model) as recorder:
        recorder.record(20)
        recorder.record(25)
    expected = ["earlier-1", *(f"step-{step:08d}.safetensors" for step in (0, 10, 20, 25))]
    assert names_in(tmp_path) == expected
    assert names_in(tmp_path / "earlier-1") == [f"step-{step:08d}.safetensors" for step in (20, 30)]
    assert "moved 2 later records" in caplog.text


def test_a_folder_of_another_network_is_refused_by_the_first_tensor_that_differs(tmp_path):
    with Recorder(tmp_path, nn.Linear(2, 3)) as recorder:
        recorder.record(0)
    with pytest.raises(StoreError, match=r"weight is \(3, 2\) in step-00000000.safetensors, \(3, 4\) in this one"):
        Recorder(tmp_path, nn.Linear(4, 3))
    with pytest.raises(StoreError, match=r"bias is .* not there in this one"):
        Recorder(tmp_path, nn.Linear(2, 3, bias=False))


def test_steps_that_do_not_grow_are_refused(tmp_path):
    with Recorder(tmp_path, nn.Linear(2, 2)) as recorder:
        recorder.record(937)
        with pytest.raises(ValueError, match="step 0 came after step 937"):
            recorder.record(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "float8"}, "one of float32, float16"),
        ({"every": 0}, "at least 1"),
        ({"every": 2, "log_points": 3, "steps": 9}, "not both"),
        ({"log_points": 3}, "need each other"),
        ({"log_points": 3, "steps": 2}, "as many steps"),
    ],
)
def test_a_bad_setting_is_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        Recorder(tmp_path, nn.Linear(2, 2), **settings)


def test_a_name_the_record_itself_uses_is_refused(tmp_path):
    with Recorder(tmp_path, nn.Linear(2, 2)) as recorder, pytest.raises(ValueError, match="tied cannot be"):
        recorder.record(0, tied=1.0)


def test_a_folder_that_cannot_be_made_is_an_error_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot record into"):
        Recorder(tmp_path / "file" / "run", nn.Linear(2, 2))


def test_a_record_that_cannot_be_written_is_said_with_the_next_one(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with Recorder(tmp_path, nn.Linear(2, 2)) as recorder:
        recorder.record(0)
        recorder._wait()
        monkeypatch.setattr(recorder_module, "save_file", full)
        recorder.record(1)
        with pytest.raises(StoreError, match=r"step-00000001.*No space left.*earlier records are whole"):
            recorder.record(2)
    assert names_in(tmp_path) == ["step-00000000.safetensors"]


@pytest.mark.parametrize("settings", [{"every": 5}, {"log_points": 4, "steps": 1000}])
@given(jumps=st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_what_was_due_in_between_is_due(tmp_path_factory, settings, jumps):
    recorder = Recorder(tmp_path_factory.getbasetemp() / "due", nn.Linear(2, 2), **settings)
    steps = [-1, *itertools.accumulate(jumps)]
    for before, step in itertools.pairwise(steps):
        assert recorder.due_between(before, step) == any(recorder.due(each) for each in range(before + 1, step + 1))


def test_half_written_records_of_killed_trainings_are_cleared_away(tmp_path):
    old, new = (tmp_path / f".writing-host-{number}" for number in (1, 2))
    for folder in (old, new):
        folder.mkdir()
        (folder / "step-00000001.safetensors").write_bytes(b"half")
    os.utime(old, (0, 0))
    Recorder(tmp_path, nn.Linear(2, 2))
    assert names_in(tmp_path) == [new.name]  # which another training may be writing now


def test_a_program_that_ends_without_closing_loses_nothing(tmp_path):
    script = """
        import sys; from torch import nn; from landscape.trajectory.recorder import Recorder
        recorder = Recorder(sys.argv[1], nn.Linear(300, 300))
        for step in range(3): recorder.record(step)
    """
    code, _, err = jobs.run(["-c", textwrap.dedent(script), tmp_path], forked=False)
    assert code == 0, err
    assert len(names_in(tmp_path)) == 3


# Trains nothing: each record is filled with its own step, so that a mixed or torn one shows. One process that
# imported torch forks the runs, each into a folder of its own, and kills it at a random moment of its recording.
KILLED = """
    import os, random, signal, sys, time
    import torch
    from torch import nn
    from landscape.trajectory.recorder import Recorder

    torch.set_num_threads(1)
    root, runs = sys.argv[1], int(sys.argv[2])
    random.seed(0)
    for run in range(runs):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            model = nn.Linear(200, 200)
            recorder = Recorder(f"{root}/{run:02d}", model)
            step = 0
            while True:
                with torch.no_grad():
                    for parameter in model.parameters():
                        parameter.fill_(step)
                recorder.record(step)
                os.write(writing, step.to_bytes(4, "little"))
                step += 1
        os.close(writing)
        asked = b"".join(os.read(reading, 4) for record in range(random.randint(1, 6)))
        time.sleep(random.uniform(0.0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while part := os.read(reading, 1 << 16):
            asked += part
        os.close(reading)
        print(run, int.from_bytes(asked[-4:], "little"), flush=True)
"""


@pytest.mark.slow
def test_a_kill_during_a_record_never_loses_an_earlier_one(tmp_path):
    code, out, err = jobs.run(["-c", textwrap.dedent(KILLED), tmp_path, "50"])
    assert code == 0, err
    ends = [tuple(map(int, line.split())) for line in out.splitlines()]
    assert len(ends) == 50
    halves = 0
    for run, last in ends:
        folder = tmp_path / f"{run:02d}"
        records = sorted(folder.glob("*.safetensors"))
        # The last that record() returned for may be lost, none before it.
        assert len(records) >= last
        for step, path in enumerate(records):
            tensors = load_file(path)
            assert metadata_of(path)["step"] == str(step)
            assert all(bool((tensor == step).all()) for tensor in tensors.values())
        halves += len(list(folder.glob(".writing-*")))
    # Kills that all came between two records would prove nothing.
    assert halves > 5


def test_the_documented_loop_records_first_and_last_weights_each_with_its_own_loss(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "trajectories.md").read_text()
    block = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model, criterion = nn.Linear(3, 2), nn.MSELoss()
    first = model.weight.detach().clone()
    batch = torch.randn(5, 3), torch.randn(5, 2)
    space = {
        "landscape": landscape,
        "model": model,
        "criterion": criterion,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "batches": [batch] * 40,
        "rate": 0.1,
    }
    exec(block, space)
    run = find_run(tmp_path / "run")
    assert [record.step for record in run.records] == [0, 20, 40]
    assert torch.equal(run.records[0].tensors["weight"], first)
    assert torch.equal(run.records[-1].tensors["weight"], model.weight)
    for record in run.records[:-1]:
        output = nn.functional.linear(batch[0], record.tensors["weight"], record.tensors["bias"])
        assert record.loss == pytest.approx(float(criterion(output, batch[1])), rel=1e-5)
