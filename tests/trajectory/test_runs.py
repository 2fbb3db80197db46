"""Finding a run's checkpoints, their order and their steps."""

import json
import math
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from landscape.errors import CheckpointError, UsageError
from landscape.problem.checkpoints.checkpoint import load_checkpoint
from landscape.trajectory.principal_plane import describe_run
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.runs import find_run, find_runs


def network(value=0.0):
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.fill_(value)
        model.bias.fill_(-value)
    return model


def save(path, value, **more):
    state = network(value).state_dict()
    torch.save({"state_dict": state, **more} if more else state, path)


def steps_and_values(run):
    """Each record's step, and the number its weights are filled with."""
    return [(record.step, float(record.tensors["weight"][0, 0])) for record in run.records]


def test_a_recorded_run_is_read_in_the_order_of_its_steps(tmp_path):
    with Recorder(tmp_path, model := network()) as recorder:
        for step, value in ((0, 0.0), (9, 1.0), (100, 2.0)):
            with torch.no_grad():
                model.weight.fill_(value)
            recorder.record(step, loss=value / 2)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(0, 0.0), (9, 1.0), (100, 2.0)]
    assert [record.loss for record in run.records] == [0.0, 0.5, 1.0]
    assert (run.name, run.unit) == (tmp_path.name, "step")


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (["epoch2.pt", "epoch10.pt", "epoch100.pt"], "epoch"),
        (["net-Epoch_2.pt", "net-Epoch_10.pt", "net-EPOCHS_100.pt"], "epoch"),
        (["model_2.t7", "model_10.t7", "model_100.t7"], "step"),
        (["epoch=0-step=2.ckpt", "epoch=0-step=10.ckpt", "epoch=1-step=100.ckpt"], "step"),
        (["resnet20-iter2.pth", "resnet20-iter10.pth", "resnet20-iter100.pth"], "step"),
    ],
)
def test_steps_are_taken_from_numbers_in_names(tmp_path, names, unit):
    for value, name in enumerate(names):
        save(tmp_path / name, value)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(2, 0.0), (10, 1.0), (100, 2.0)]
    assert run.unit == unit


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["ckpt_1_acc0.50.pt", "ckpt_2_acc0.71.pt", "ckpt_10_acc0.93.pt"], [1, 2, 10]),
        (["ckpt_1_loss0.71.pt", "ckpt_2_loss0.50.pt", "ckpt_10_loss0.93.pt", "ckpt_11_loss0.93.pt"], [1, 2, 10, 11]),
        (["acc0.93_net_2.pt", "acc0.50_net_10.pt"], [2, 10]),
        (["ckpt_1_acc0.5.pt", "ckpt_2_acc1.pt", "ckpt_3_acc0.25.pt"], [1, 2, 3]),
        (["net20_3_lr1e-3.pt", "net20_5_lr1e-2.pt"], [3, 5]),
        (["net20.pt", "net20_3.pt", "net20_30.pt"], [None, 3, 30]),
        (["acc0.5_net_2.pt", "acc1_net_10.pt"], [2, 10]),
        (["ckpt_0.5_start.pt", "ckpt_3.pt", "ckpt_30.pt"], [None, 3, 30]),
        (["b2_iter100.pt", "b1_iter300.pt"], [100, 300]),  # a word says what the number is
        (["ckpt_0_start.pt", "ckpt_3.pt", "ckpt_30.pt"], [0, 3, 30]),
        (["epoch1_step80.pt", "epoch2_step80.pt"], [1, 2]),
        (["epoch1_step80.pt", "epoch2_step40.pt"], [1, 2]),
        (["acc100_net_1.pt", "acc99_net_2.pt"], [1, 2]),
        (["net_1_Loss=7.pt", "net_2_Loss=5.pt"], [1, 2]),
        (["ckpt_1000_reward_250.pt", "ckpt_2000_reward_90.pt"], [1000, 2000]),
        (["model_1_f1_85.pt", "model_2_f1_81.pt"], [1, 2]),
        (["net_1_top1_93.pt", "net_2_top1_91.pt"], [1, 2]),
        (["model_2024-01-31_1.pt", "model_2024-02-01_2.pt"], [1, 2]),
        (["colr10_b2.pt", "colr20_b3.pt"], [10, 20]),
        (["step10_epoch2.pt", "step20_epoch1.pt"], [2, 1]),  # steps begin again with each epoch
        (["net_1.pt", "net_2.pt", "net_7_epoch3.pt", "net_7_epoch4.pt"], [1, 2, 3, 4]),
        (["seed1.pt", "seed2.pt"], [1, 2]),  # nothing else tells them apart
        (["b1_20240101_5.pt", "b1_20240102_10.pt"], [20240101, 20240102]),  # two ways to the same order
    ],
)
def test_steps_are_what_grows_and_never_a_decimal(tmp_path, names, steps):
    for value, name in enumerate(names):
        save(tmp_path / name, value)
    expected = sorted((step, float(value)) for value, step in enumerate(steps) if step is not None)
    assert steps_and_values(find_run(tmp_path)) == expected


@pytest.mark.parametrize("names", [["a99_net_2.pt", "a100_net_1.pt"], ["net_1_53.pt", "net_2_71.pt", "net_3_70.pt"]])
def test_names_that_two_numbers_order_in_two_ways_are_refused_with_both(tmp_path, names):
    for value, name in enumerate(names):
        save(tmp_path / name, value)
    told = r"a99_net_2 and a100_net_1 .* as 99 and 100, or as 2 and 1; write step or epoch before .* \(step99\)"
    told += r"|net_2_71 and net_3_70 .* as 2 and 3, or as 71 and 70;"
    with pytest.raises(UsageError, match=told):
        find_run(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["ckpt_1_100.pt", "ckpt_1_200.pt", "ckpt_2_100.pt"],
        ["epoch1_iter100.pt", "epoch1_iter200.pt", "epoch2_iter100.pt"],
        ["net20.1.pt", "net20.2.pt", "net20.10.pt"],
        ["epoch0.5.pt", "epoch1.5.pt", "epoch2.5.pt"],
        ["epoch3.pt", "best.pt", "last.pt"],  # one step orders nothing
    ],
)
def test_files_that_no_number_tells_apart_are_counted_in_natural_order(tmp_path, names):
    for value, name in enumerate(names):
        save(tmp_path / name, value)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert run.unit == "record"


@pytest.mark.parametrize("key", ["global_step", "step"])
def test_steps_in_the_files_come_before_those_in_names(tmp_path, key):
    still = {each: 0 for each in ("global_step", "step") if each != key}  # what never grows counts nothing
    for number, (epoch, batch) in enumerate([(3, 700), (1, 300), (2, 500)]):
        save(tmp_path / f"run7-{number}.pt", batch, info={"epoch": epoch, key: torch.tensor(batch)}, **still)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(300, 300.0), (500, 500.0), (700, 700.0)]
    assert run.unit == "step"


def test_steps_are_whole_numbers_that_all_files_say(tmp_path):
    for number, (epoch, batch) in enumerate([(3, 700), (1, 300), (2, 500)]):
        others = {"step": batch + 0.5, "steps": 2**60 + batch, "iteration": number > 0}
        save(tmp_path / f"run7-{number}.pt", batch, epoch=epoch, **others, **({"global_step": batch} if number else {}))
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(1, 300.0), (2, 500.0), (3, 700.0)]
    assert run.unit == "epoch"


def test_of_several_numbers_of_one_name_in_a_file_the_outermost_counts(tmp_path):
    for number in (3, 1, 2):
        inner = {"step": 9 - number, "lr": 0.5, "deeper": {"step": 7, "loss": 7.0, "lr": 7.0}, "loss": 0.25}
        save(tmp_path / f"{number}.pt", number, inner=inner, step=number, lr=0.1)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert [(record.loss, record.learning_rate) for record in run.records] == [(0.25, 0.1)] * 3


def test_files_without_any_number_come_in_the_order_of_their_names(tmp_path):
    for value, name in enumerate(["a.pt", "b.pt"]):
        save(tmp_path / name, value)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(0, 0.0), (1, 1.0)]
    assert run.unit == "record"


def test_copies_of_numbered_checkpoints_are_left_out_and_named(tmp_path, caplog):
    for epoch in (1, 2):
        save(tmp_path / f"epoch{epoch}.pt", epoch, epoch=epoch)
    save(tmp_path / "best.pt", 1.0, epoch=1)
    run = find_run(tmp_path)
    assert [record.path.name for record in run.records] == ["epoch1.pt", "epoch2.pt"]
    assert "best.pt is left out: it is of epoch 1" in caplog.text


def test_a_file_of_no_known_step_is_left_out_and_named(tmp_path, caplog):
    for name in ("epoch1.pt", "epoch2.pt", "last.pt"):
        save(tmp_path / name, 1.0)
    assert len(find_run(tmp_path).records) == 2
    assert "last.pt is left out: neither it nor its name" in caplog.text


def test_patterns_and_lists_of_files_are_runs_too(tmp_path):
    for epoch in range(4):
        save(tmp_path / f"epoch{epoch}.pt", epoch)
    assert len(find_run(str(tmp_path / "epoch[12].pt")).records) == 2
    assert len(find_run([tmp_path / "epoch0.pt", tmp_path / "epoch3.pt", tmp_path / "epoch3.pt"]).records) == 2


def test_networks_in_folders_of_a_trainer_are_found(tmp_path):
    for step in (500, 1000):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file(dict(network(step).state_dict()), folder / "model.safetensors")
        torch.save({"state": {}}, folder / "optimizer.pt")
    assert steps_and_values(find_run(tmp_path)) == [(500, 500.0), (1000, 1000.0)]


@pytest.mark.parametrize("expanded", [True, False], ids=["by the shell", "here"])
@pytest.mark.parametrize("pattern", ["checkpoint-*", "checkpoint-*/model.safetensors"])
def test_a_trainers_folders_are_one_run_called_after_the_folder_above(tmp_path, pattern, expanded):
    for name in ("out", "other"):
        for step in (500, 1000):
            folder = tmp_path / name / f"checkpoint-{step}"
            folder.mkdir(parents=True)
            save_file(dict(network(step).state_dict()), folder / "model.safetensors")
            torch.save({"state": {}}, folder / "optimizer.pt")
    sources = [tmp_path / name / pattern for name in ("out", "other")]
    if expanded:
        sources = [path for name in ("out", "other") for path in sorted((tmp_path / name).glob(pattern))]
    runs = find_runs(sources)
    assert [run.name for run in runs] == ["out", "other"]
    for run in runs:
        assert steps_and_values(run) == [(500, 500.0), (1000, 1000.0)]
        # What a file says of the run, too.
        assert describe_run(run)["folder"] == str(tmp_path / run.name)


def pretrained(folder, step):
    """Write what save_pretrained writes of a network in two shards."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    tensors = dict(network(step).state_dict())
    shards = {name: f"model-{number:05}-of-00002.safetensors" for number, name in enumerate(tensors, 1)}
    for name, file in shards.items():
        save_file({name: tensors[name]}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))


def distributed(folder, step):
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one process
        dcp.save({"model": network(step).state_dict()}, checkpoint_id=folder, no_dist=True)


@pytest.mark.parametrize("write", [pretrained, distributed])
def test_a_folder_that_is_a_network_is_one_checkpoint_whatever_it_is_called(tmp_path, write):
    folders = [tmp_path / "nets" / f"net{step}" for step in (9, 10)]
    for folder, step in zip(folders, (9, 10), strict=True):
        write(folder, step)
    for sources in (folders, [tmp_path / "nets"], [str(tmp_path / "nets" / "net*")]):
        (run,) = find_runs(sources)
        assert (run.name, steps_and_values(run)) == ("nets", [(9, 9.0), (10, 10.0)])


def test_the_last_network_beside_a_trainers_folders_is_not_taken_for_the_run(tmp_path):
    pretrained(tmp_path / "out", 3)
    for step in (1, 2):
        pretrained(tmp_path / "out" / f"checkpoint-{step}", step)
    assert steps_and_values(find_run(tmp_path / "out")) == [(1, 1.0), (2, 2.0)]


def test_a_training_folder_with_a_configuration_of_its_own_is_no_network_but_a_run(tmp_path):
    (tmp_path / "config.json").write_text('{"lr": 0.1}')
    save_file(dict(network(80).state_dict()), tmp_path / "model.safetensors")
    for epoch in (40, 80):
        save(tmp_path / f"epoch{epoch}.pt", epoch)
    assert steps_and_values(find_run(tmp_path)) == [(40, 40.0), (80, 80.0)]


def test_of_two_forms_in_a_folder_a_run_and_a_checkpoint_take_the_one_that_transformers_takes(tmp_path):
    for step in (1, 2):
        pretrained(tmp_path / f"net{step}", step)
        save_file(dict(network(10 + step).state_dict()), tmp_path / f"net{step}" / "model.safetensors")
    assert steps_and_values(find_run(tmp_path)) == [(1, 11.0), (2, 12.0)]
    assert float(load_checkpoint(tmp_path / "net2").tensors["weight"][0, 0]) == 12


def test_what_a_trainer_keeps_beside_a_network_is_no_other(tmp_path):
    for step in (1, 2):
        pretrained(tmp_path / f"net{step}", step)
        for name in ("optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state.pth", "rng_state_0.pth"):
            torch.save({"state": {}}, tmp_path / f"net{step}" / name)
    assert steps_and_values(find_run([tmp_path / "net1", tmp_path / "net2"])) == [(1, 1.0), (2, 2.0)]


def test_several_folders_are_several_runs_and_files_of_one_folder_are_one(tmp_path):
    for folder in ("sgd", "adam", "other/adam"):
        (tmp_path / folder).mkdir(parents=True)
        for step in (1, 2):
            save(tmp_path / folder / f"step{step}.pt", step)
    files = [tmp_path / "sgd" / f"step{step}.pt" for step in (1, 2)]
    runs = find_runs([*files, tmp_path / "adam"])
    assert [(run.name, len(run.records)) for run in runs] == [("sgd", 2), ("adam", 2)]
    alike = find_runs([tmp_path / "adam", str(tmp_path / "other/adam/*.pt")])
    assert [run.name for run in alike] == [f"{tmp_path.name} adam", "other adam"]


def test_files_that_cannot_be_mapped_are_read_all_the_same(tmp_path):
    turned = torch.arange(6.0).view(2, 3).T  # does not lie in the order of its numbers
    for step in (1, 2):
        tensors = {**network(step).state_dict(), "turned": turned * step}
        torch.save(tensors, tmp_path / f"step{step}.t7", _use_new_zipfile_serialization=False)
    run = find_run(tmp_path)
    assert steps_and_values(run) == [(1, 1.0), (2, 2.0)]
    assert all(torch.equal(each.tensors["turned"], turned * each.step) for each in run.records)


@pytest.mark.parametrize(
    "form",
    [
        lambda state, step: [state, step],
        lambda state, step: {"state_dict": state, 0: step, "info": {"step": step, 1: 2}},
    ],
    ids=["a list", "names that are no text"],
)
def test_files_of_any_form_that_a_checkpoint_has_make_a_run(tmp_path, form):
    for step in (1, 2):
        torch.save(form(network(step).state_dict(), step), tmp_path / f"epoch{step}.pt")
    assert steps_and_values(find_run(tmp_path)) == [(1, 1.0), (2, 2.0)]


def test_whole_networks_that_are_trusted_make_a_run(tmp_path):
    for step in (1, 2):
        torch.save(network(step), tmp_path / f"epoch{step}.pt")
    assert steps_and_values(find_run(tmp_path, trust=True)) == [(1, 1.0), (2, 2.0)]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.second = nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight


@pytest.mark.parametrize("prefix", ["", "module.", "model._orig_mod."])
def test_tensors_are_found_under_the_networks_own_names(tmp_path, prefix):
    for step in (1, 2):
        torch.save(
            {f"{prefix}second.weight": torch.eye(2) * step, "epoch": torch.tensor(step)}, tmp_path / f"{step}.pt"
        )
    run = find_run(tmp_path)
    assert [float(tree["first.weight"][0, 0]) for tree in run.fitted(Tied(), ["first.weight"])] == [1.0, 2.0]


def test_a_record_of_a_tied_network_fills_all_its_names(tmp_path):
    with Recorder(tmp_path, Tied()) as recorder:
        recorder.record(0)
        recorder.record(1)
    record = find_run(tmp_path).records[0]
    assert torch.equal(record.tensors["second.weight"], record.tensors["first.weight"])


def test_records_of_another_network_are_refused_by_tensor(tmp_path):
    for step in (1, 2):
        save(tmp_path / f"{step}.pt", 0.0)
    run = find_run(tmp_path)
    with pytest.raises(CheckpointError, match=r"1\.pt is not .* network: weight is \(2, 2\) in the file, \(3, 2\)"):
        run.fitted(nn.Linear(2, 3), ["weight"])
    with pytest.raises(CheckpointError, match=r"0\.weight is not there in the file"):
        run.fitted(nn.Sequential(nn.Conv2d(2, 2, 1)), ["0.weight"])


def test_what_is_not_a_run_is_refused(tmp_path):
    save(tmp_path / "only.pt", 0.0)
    empty = tmp_path / "empty"
    empty.mkdir()
    for source, message in [
        (tmp_path, r"at least two checkpoints, .* gives one: .*only\.pt"),
        ([], "nothing gives none"),
        (empty, "has no checkpoints in it"),
        (tmp_path / "missing", "there is no .*missing"),
        (tmp_path / "*.ckpt", "no file matches"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            find_run(source)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x10\0\0\0\0\0\0\0{broken", b"PK\x03\x04cut off"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    save(tmp_path / "1.pt", 0.0)
    (tmp_path / "2.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"2\.pt"):
        find_run(tmp_path)


def test_a_loss_nobody_logged_is_not_a_number(tmp_path):
    save(tmp_path / "1.pt", 0.0, metrics=1)
    save(tmp_path / "2.pt", 0.0, info={"train_loss": 0.5})
    losses = [record.loss for record in find_run(tmp_path).records]
    assert math.isnan(losses[0])
    assert losses[1] == 0.5


def test_an_ensemble_is_all_its_files_whatever_steps_they_name(tmp_path):
    """Of a run two files of one step are copies; of an ensemble they are two members."""
    for name, epoch in (("seed1", 10), ("seed2", 10), ("best", 7)):
        torch.save({"model": {"w": torch.ones(2)}, "epoch": epoch}, tmp_path / f"{name}.pt")
    assert len(find_run(tmp_path).records) == 2
    ensemble = find_run(tmp_path, unordered=True)
    assert sorted(record.path.name for record in ensemble.records) == ["best.pt", "seed1.pt", "seed2.pt"]
    assert (ensemble.unordered, ensemble.unit) == (True, "sample")
