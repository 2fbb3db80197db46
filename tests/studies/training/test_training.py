"""The built-in training: the same again, also after a kill; its parts against closed forms and torch."""

from __future__ import annotations

import csv
import dataclasses
import math

import pytest
import torch
from torch import nn

from landscape.errors import UsageError
from landscape.inputs.attacks import pgd
from landscape.problem.checkpoints.checkpoint import load_checkpoint
from landscape.problem.data.datasets import as_data
from landscape.problem.data.sources import digits
from landscape.studies.study import SCHEDULES, Recipe
from landscape.studies.training import trainer
from landscape.studies.training.augmentation import augment
from landscape.studies.training.learning_rates import rate_factor
from landscape.studies.training.sharpness_aware import sharpness_aware_gradient
from landscape.studies.training.task_sequences import TaskSequence, forgetting_of
from landscape.studies.training.training_files import recipe_digest, write_table
from landscape.trajectory.gradient_walk import gradient_walk

SMALL = Recipe(
    network="landscape.studies.study_networks:residual",
    arguments={"blocks": 1, "width": 2, "dropout": 0.2},
    batch_size=16,
    epochs=4,
    augmentation="shift_flip",
    schedule="cosine",
    weight_decay=1e-3,
    checkpoints=-3,
    walk=3,
)


@pytest.fixture(scope="module")
def data():
    x, y = digits("train")
    return {"train": as_data((x[:70], y[:70]), "train"), "test": as_data((x[100:150], y[100:150]), "test")}


def table(path):
    with open(path) as file:
        return list(csv.DictReader(file))


class Quadratic(nn.Module):
    """w' A w / 2 of the batch's own A, a buffer that counts passes, and noise."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))
        self.register_buffer("passes", torch.zeros(()))


A = torch.tensor([[3.0, 1.0], [1.0, 2.0]])


def test_training_is_the_same_again_and_after_being_killed(data, tmp_path, monkeypatch):
    state = torch.get_rng_state()
    for name in "ab":
        (tmp_path / name).mkdir()
    numbers = trainer.train(SMALL, 3, data, tmp_path / "a")
    monkeypatch.setattr(trainer, "SAVE_EVERY", 0.0)

    def killed(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(SMALL, 3, data, tmp_path / "b", killed)
    assert (tmp_path / "b/resume.pt").exists()
    torch.rand(5)  # what the process did in between
    told = []
    again = trainer.train(SMALL, 3, data, tmp_path / "b", lambda done, total: told.append((done, total)))
    assert told == [(2, 4), (3, 4), (4, 4)]  # it did go on
    assert again == numbers
    one, other = (load_checkpoint(tmp_path / name / "final.pt").tensors for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (tmp_path / "a/walk.csv").read_text() == (tmp_path / "b/walk.csv").read_text()
    rows = [[row | {"seconds": ""} for row in table(tmp_path / name / "history.csv")] for name in "ab"]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4
    steps = [[path.name for path in sorted((tmp_path / name / "checkpoints").glob("step-*"))] for name in "ab"]
    assert steps[0] == steps[1] == [f"step-{step:08d}.safetensors" for step in (0, 3, 6, 9, 12, 15, 16)]
    assert not (tmp_path / "b/resume.pt").exists()
    torch.set_rng_state(state)


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_or_foreign_state_is_begun_again(data, tmp_path, monkeypatch, damage):
    recipe = Recipe(network=SMALL.network, arguments={"blocks": 1, "width": 2}, epochs=1)
    for name in "ab":
        (tmp_path / name).mkdir()
    whole = trainer.train(recipe, 0, data, tmp_path / "a")
    if damage is None:
        monkeypatch.setattr(trainer, "SAVE_EVERY", 0.0)
        trainer.train(SMALL, 0, data, tmp_path / "b")
        trainer._Training(SMALL, 0, data, tmp_path / "b").save()
    else:
        (tmp_path / "b/resume.pt").write_bytes(damage)
    assert trainer.train(recipe, 0, data, tmp_path / "b") == whole


def test_the_numbers_are_those_of_the_weights_that_were_written(data, tmp_path):
    state = torch.get_rng_state()
    numbers = trainer.train(SMALL, 1, data, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    model = trainer.build(SMALL, 99)
    model.load_state_dict(load_checkpoint(tmp_path / "final.pt").tensors)
    x, y = data["test"].fetch(range(50))
    output = model.eval()(x)
    assert numbers["test_loss"] == pytest.approx(float(nn.functional.cross_entropy(output, y).detach()), rel=1e-5)
    assert numbers["test_error"] == pytest.approx(float((output.argmax(1) != y).double().mean()))
    last = table(tmp_path / "history.csv")[-1]
    assert float(last["test_loss"]) == pytest.approx(numbers["test_loss"])  # with dropout and batch norm at rest
    start = dict(trainer.build(SMALL, 1).named_parameters())
    moved = sum(float((p - start[n]).detach().square().sum()) for n, p in model.named_parameters())
    assert numbers["distance"] == pytest.approx(math.sqrt(moved), rel=1e-5)
    assert numbers["steps"] == 16


def test_a_training_that_diverges_ends_and_says_so(data, tmp_path):
    recipe = Recipe(network="landscape.studies.study_networks:perceptron", arguments={"depth": 2, "width": 8})
    numbers = trainer.train(
        Recipe(**{**vars(recipe), "learning_rate": 1e20, "loss": "cross_entropy"}), 0, data, tmp_path
    )
    assert numbers["diverged"] == 1
    assert numbers["steps"] < 20


@pytest.mark.parametrize(
    ("changes", "optimizer"),
    [
        ({"momentum": 0.0}, lambda weights: torch.optim.SGD(weights, 0.3)),
        ({}, lambda weights: torch.optim.SGD(weights, 0.3, momentum=0.9)),
        (
            {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
            lambda weights: torch.optim.SGD(weights, 0.3, momentum=0.8, nesterov=True, weight_decay=0.1),
        ),
        (
            {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.3},
            lambda weights: torch.optim.Adam(weights, 0.01, weight_decay=0.3),
        ),
        (
            {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.3},
            lambda weights: torch.optim.AdamW(weights, 0.01, weight_decay=0.3),
        ),
    ],
)
def test_training_is_torchs_own_optimizer_with_all_that_a_recipe_says(data, tmp_path, changes, optimizer):
    recipe = Recipe(
        **{
            "network": "landscape.studies.study_networks:perceptron",
            "arguments": {"depth": 1, "width": 4},
            "learning_rate": 0.3,
            "batch_size": 70,
            "epochs": 3,
            **changes,
        }
    )
    numbers = trainer.train(recipe, 0, data, tmp_path)
    model, before = trainer.build(recipe, 0), trainer.build(recipe, 0).state_dict()
    x, y = data["train"].fetch(range(70))
    theirs = optimizer(model.parameters())
    for _ in range(3):
        theirs.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        theirs.step()
    after = model.state_dict()
    for name, tensor in load_checkpoint(tmp_path / "final.pt").tensors.items():
        torch.testing.assert_close(tensor, after[name], atol=1e-5, rtol=1e-5)
    for name, vectors in {"distance": [after[n] - before[n] for n in after], "weight_norm": after.values()}.items():
        assert numbers[name] == pytest.approx(float(torch.cat([each.flatten() for each in vectors]).norm()), rel=1e-4)


def test_a_row_is_of_all_batches_of_an_epoch_at_the_rate_of_its_last_step(data, tmp_path):
    recipe = Recipe(
        network="landscape.studies.study_networks:perceptron",
        arguments={"depth": 1, "width": 4},
        learning_rate=1e-9,  # the weights stay: all batches are of the same network
        batch_size=10,
        epochs=4,
        schedule="step",
        warmup=2,
    )
    trainer.train(recipe, 0, data, tmp_path)
    rows = table(tmp_path / "history.csv")
    # Seven batches an epoch; the rate rises over fourteen, and falls to a tenth half way, to a hundredth at three
    # quarters.
    rates = [1e-9 * each for each in (7 / 14, 1.0, 0.1, 0.01)]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(rates)
    assert [(float(row["epoch"]), float(row["step"])) for row in rows] == [(k, 7.0 * k) for k in (1, 2, 3, 4)]
    model = trainer.build(recipe, 0)
    for part in ("train", "test"):
        x, y = data[part].fetch(range(data[part].size))
        with torch.no_grad():
            out = model(x)
        loss, right = float(nn.functional.cross_entropy(out, y)), float((out.argmax(1) == y).double().mean())
        for row in rows:
            assert float(row[f"{part}_loss"]) == pytest.approx(loss, rel=1e-5)
            assert float(row[f"{part}_accuracy"]) == pytest.approx(right)


def test_a_training_takes_the_memory_of_its_samples_and_of_four_copies_of_its_weights(data):
    recipe = Recipe(
        network="landscape.studies.study_networks:perceptron", arguments={"depth": 1, "width": 4}, batch_size=10
    )
    weights = 64 * 4 + 4 + 4 * 10 + 10
    samples = (70 + 50) * (64 * 4 + 8)  # float32, and a label of 8 bytes
    assert trainer.estimate(recipe, data)["bytes"] == samples + 4 * 4 * weights


def test_recipes_that_make_no_sense_are_refused(data, tmp_path):
    for change, said in [
        ({"optimizer": "sdg"}, "no optimizer 'sdg'"),
        ({"schedule": "cosin"}, "no schedule"),
        ({"epochs": -1}, "epochs is -1"),
        ({"augmentation": "flip"}, "no augmentation"),
        ({"attack": {"eps": 1}}, "norm and epsilon"),
        ({"tasks": {"kind": "rotate"}}, "rotated or permuted"),
    ]:
        with pytest.raises(UsageError, match=said):
            trainer.train(Recipe(**{**vars(SMALL), **change}), 0, data, tmp_path)


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_schedules_are_those_of_torch(schedule):
    weight = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=0.3)
    make = torch.optim.lr_scheduler
    if schedule == "cosine":
        theirs = make.CosineAnnealingLR(optimizer, 50)
    else:
        theirs = make.OneCycleLR(optimizer, 0.3, total_steps=51, pct_start=6 / 51, cycle_momentum=False)
    for step in range(50):
        assert 0.3 * rate_factor(schedule, step, 50) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_the_rate_falls_in_steps_and_rises_in_a_warm_up():
    assert [rate_factor("step", step, 8) for step in (0, 3, 4, 5, 6, 7)] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    assert [rate_factor("constant", step, 8, 4) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    for schedule in SCHEDULES:
        for step in (0, 2, 30):  # with one cycle also after its own rise
            warm = min(1.0, (step + 1) / 40) * rate_factor(schedule, step, 50)
            assert rate_factor(schedule, step, 50, 40) == pytest.approx(warm)


def test_sharpness_aware_gradients_are_those_at_the_edge_of_the_ball():
    model = Quadratic([3.0, -4.0])
    value = sharpness_aware_gradient(model, lambda: model.w @ A @ model.w / 2, 0.5)
    w = torch.tensor([3.0, -4.0])
    gradient = A @ w
    torch.testing.assert_close(model.w.grad, A @ (w + 0.5 * gradient / gradient.norm()))
    torch.testing.assert_close(model.w.detach(), w)
    assert float(value) == pytest.approx(float(w @ A @ w / 2))


def test_the_second_pass_leaves_running_statistics_alone():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    plain = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    plain.load_state_dict(model.state_dict())
    x = torch.rand(5, 2)
    sharpness_aware_gradient(model, lambda: model(x).square().sum() + model[0].weight.sum(), 0.5)
    plain(x)
    for name, each in plain.named_buffers():
        torch.testing.assert_close(dict(model.named_buffers())[name], each)
    assert model[1].momentum == plain[1].momentum


def test_a_walk_along_a_quadratic_is_known_in_closed_form():
    model = Quadratic([3.0, -4.0])
    drawn = []

    def loss():
        model.passes.add_(1)
        drawn.append(float(torch.rand(())))
        return float(model.passes) * (model.w @ A @ model.w) / 2  # of a first pass, wherever it is

    state = torch.get_rng_state()
    found = gradient_walk(model, loss, 0.1, multiples=(1.0, 3.0))
    w = torch.tensor([3.0, -4.0])
    g = A @ w
    at = [w, w - 0.1 * g, w - 0.3 * g]
    losses = [float(each @ A @ each / 2) for each in at]
    assert (found.low, found.high) == pytest.approx((min(losses), max(losses)))
    assert found.change == pytest.approx(0.3 * float((A @ g).norm()))
    assert found.smoothness == pytest.approx(float((A @ g).norm() / g.norm()))
    assert found.relative_change == pytest.approx(float(found.change) / float(g.norm()))
    torch.testing.assert_close(model.w.detach(), w)
    assert float(model.passes) == 0
    assert len(set(drawn)) == 1  # the same noise at each place
    assert torch.equal(torch.get_rng_state(), state)


def test_a_walk_leaves_statistics_of_batch_norm_as_they_were_and_begins_each_pass_with_them():
    model, x, seen = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).train(), torch.rand(5, 2), []

    def loss():
        seen.append(model[1].running_mean.clone())
        return model(x).square().sum()

    before = {name: each.clone() for name, each in model.state_dict().items()}
    gradient_walk(model, loss, 0.1)
    for name, each in model.state_dict().items():
        assert torch.equal(each, before[name]), name
    assert all(torch.equal(each, seen[0]) for each in seen)


def test_shifts_keep_the_image_and_move_it_by_one_pixel_each_way():
    x = torch.zeros(400, 2, 8, 8)
    x[:, :, 4, 4] = torch.tensor([1.0, 2.0])
    moved = augment(x, "shift", torch.Generator().manual_seed(0))
    places = {tuple(place.tolist()) for place in moved[:, 0].nonzero()[:, 1:]}
    assert places == {(row, column) for row in (3, 4, 5) for column in (3, 4, 5)}
    torch.testing.assert_close(moved[:, 1], 2 * moved[:, 0])
    x[:, :, 4, 4], x[:, :, 4, 1] = 0, 1
    columns = augment(x, "shift_flip", torch.Generator().manual_seed(0))[:, 0].nonzero()[:, 2]
    assert set(columns.tolist()) == {0, 1, 2, 5, 6, 7}


def test_tasks_turn_images_or_reorder_their_pixels():
    x = torch.rand(3, 1, 8, 8)
    quarter = TaskSequence("rotated", 3, 90.0)
    torch.testing.assert_close(quarter.inputs(x, 1), torch.rot90(x, 1, (2, 3)), atol=1e-5, rtol=0)
    assert quarter.inputs(x, 0) is x
    permuted = TaskSequence("permuted", 3).inputs(x, 2)
    torch.testing.assert_close(permuted.flatten(1).sort().values, x.flatten(1).sort().values)
    assert not torch.equal(permuted, x)


def test_what_is_forgotten_is_what_was_lost_since_a_task_was_known_best(data, tmp_path):
    recipe = Recipe(
        network="landscape.studies.study_networks:perceptron",
        arguments={"depth": 1, "width": 16},
        epochs=3,
        batch_size=10,
        tasks={"kind": "permuted", "number": 3, "decay": 0.5},
    )
    numbers = trainer.train(recipe, 0, data, tmp_path)
    rows = {(int(r["after"]), int(r["task"])): float(r["accuracy"]) for r in table(tmp_path / "tasks.csv")}
    assert len(rows) == 9
    lost = [max(rows[k, 0] for k in range(3)) - rows[2, 0], max(rows[1, 1], rows[2, 1]) - rows[2, 1]]
    assert numbers["forgetting"] == pytest.approx(sum(lost) / 2)
    assert numbers["task_accuracy"] == pytest.approx(sum(rows[2, k] for k in range(3)) / 3)
    rates = [float(r["learning_rate"]) for r in table(tmp_path / "history.csv")]
    assert rates == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025] * 3)
    last = load_checkpoint(tmp_path / "task-2.pt").tensors
    final = load_checkpoint(tmp_path / "final.pt").tensors
    assert all(torch.equal(last[name], final[name]) for name in final)


def test_what_a_task_was_known_before_it_was_learnt_is_not_lost_and_the_last_one_loses_nothing():
    accuracies = [[0.5, 0.9, 0.8], [0.6, 0.7, 0.1], [0.2, 0.4, 0.3]]
    rows = [(after, task, 0.0, found) for after, each in enumerate(accuracies) for task, found in enumerate(each)]
    found = forgetting_of(rows)
    assert found == pytest.approx({"task_accuracy": 0.3, "forgetting": ((0.6 - 0.2) + (0.7 - 0.4)) / 2})
    assert math.isnan(forgetting_of(rows[:1])["forgetting"])


def test_training_against_an_attack_trains_on_what_it_found(data, tmp_path):
    recipe = Recipe(
        network="landscape.studies.study_networks:perceptron",
        arguments={"depth": 1, "width": 16},
        epochs=2,
        attack={"norm": "linf", "epsilon": 0.3, "steps": 3},
    )
    clean = trainer.train(Recipe(**{**vars(recipe), "attack": {}}), 0, data, tmp_path)
    first = float(table(tmp_path / "history.csv")[0]["train_loss"])
    attacked = trainer.train(recipe, 0, data, tmp_path)
    assert float(table(tmp_path / "history.csv")[0]["train_loss"]) > first
    assert attacked["train_loss"] != clean["train_loss"]
    # What is attacked on the way is looked at in eval mode: running statistics are those of training's own batches.
    normed = Recipe(**{**vars(recipe), "arguments": {"depth": 1, "width": 16, "batch_norm": True}})
    steps = trainer.train(normed, 0, data, tmp_path)["steps"]
    counted = {name: each for name, each in load_checkpoint(tmp_path / "final.pt").tensors.items() if "tracked" in name}
    assert {float(each) for each in counted.values()} == {steps}


@pytest.mark.parametrize(
    ("said", "steps", "clip"), [({}, 7, (0.0, 1.0)), ({"steps": 2, "clip": [-1.0, 3.0]}, 2, [-1.0, 3.0])]
)
def test_an_attack_is_the_one_that_the_recipe_says(data, tmp_path, monkeypatch, said, steps, clip):
    seen = []

    def attack(examples, norm, epsilon, *, steps, generator):
        seen.append((norm, epsilon, steps, examples.clip))
        return pgd(examples, norm, epsilon, steps=1, generator=generator)

    monkeypatch.setattr(trainer, "pgd", attack)
    recipe = Recipe(
        network="landscape.studies.study_networks:perceptron",
        arguments={"depth": 1, "width": 4},
        batch_size=35,
        epochs=1,
        attack={"norm": "l2", "epsilon": 0.25, **said},
    )
    trainer.train(recipe, 0, data, tmp_path)
    assert seen == [("l2", 0.25, steps, clip)] * 2


def test_tasks_learnt_jointly_show_images_of_all_tasks_so_far_and_of_no_later_one():
    from landscape.studies.training.task_sequences import TaskSequence

    tasks = TaskSequence("permuted", 4, joint=True)
    x = torch.arange(300 * 16, dtype=torch.float32).reshape(300, 1, 4, 4)
    shown = [tasks.inputs(x, task) for task in range(4)]
    found = tasks.training_inputs(x, 2, torch.Generator().manual_seed(0))
    of = [[bool(torch.equal(found[k], each[k])) for each in shown] for k in range(300)]
    counts = [sum(each) for each in zip(*of, strict=True)]
    assert sum(counts) == 300
    assert counts[3] == 0
    assert all(abs(each - 100) < 30 for each in counts[:3])
    few = TaskSequence("rotated", 4, joint=True).training_inputs(x[:1], 3, torch.Generator().manual_seed(0))
    assert few.shape == (1, 1, 4, 4)  # three tasks get no image
    # The first task is that of a sequence, and draws nothing.
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(tasks.training_inputs(x, 0, generator), x)
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_a_state_is_known_for_that_of_one_recipe_seed_and_data_alone():
    x, y = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)), torch.arange(6)
    recipe, sets = Recipe("own.py:net", {"width": 3}), {"train": (x, y), "test": (x[:2], y[:2])}
    own = recipe_digest(recipe, 1, sets)
    assert own == recipe_digest(
        Recipe("own.py:net", {"width": 3}), 1, {name: (a.clone(), b) for name, (a, b) in sets.items()}
    )
    others = [
        recipe_digest(Recipe("own.py:net", {"width": 4}), 1, sets),
        recipe_digest(dataclasses.replace(recipe, momentum=0.5), 1, sets),
        recipe_digest(recipe, 2, sets),
        recipe_digest(recipe, 1, {**sets, "train": (x + 1e-3, y)}),
        recipe_digest(recipe, 1, {**sets, "train": (x, y + 1)}),
        recipe_digest(recipe, 1, {**sets, "train": (x.reshape(3, 4), y)}),
        recipe_digest(recipe, 1, {**sets, "train": (x.flip(0), y)}),
        recipe_digest(recipe, 1, {"train": sets["train"]}),
        recipe_digest(recipe, 1, {"train": sets["test"], "test": sets["train"]}),
    ]
    assert len({own, *others}) == len(others) + 1


def test_a_table_has_whole_numbers_without_a_point_and_ten_digits_of_others(tmp_path):
    write_table(tmp_path / "t.csv", ["step", "loss"], [(100.0, 0.12345678912), (1_000_000, 1e-12)])
    assert (tmp_path / "t.csv").read_text() == "step,loss\n100,0.1234567891\n1000000,1e-12\n"
