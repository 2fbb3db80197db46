"""What studies measure: every measure on a small trained network."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import landscape
from landscape.directions.construct import Direction, Plane
from landscape.errors import UsageError
from landscape.studies.measures.measure_parts import read_table, with_log10
from landscape.studies.measures.measures import MEASURES
from landscape.studies.study import Context, TrainedNetwork
from landscape.studies.training import trainer
from tests.helpers.kept import assert_kept


def test_the_logarithm_of_what_is_not_above_0_is_not_known():
    found = with_log10({"a": 100.0, "b": -1.0}, "a", "b")
    assert found["log10_a"] == 2
    assert math.isnan(found["log10_b"])


def measured(name, networks, data, folder, **arguments):
    return MEASURES[name](Context(tuple(networks), data, arguments, folder))


ARGUMENTS = {
    "line": {"x": "-1:1:9", "repeats": 3},
    "worst_lines": {"x": "-1:1:11"},
    "plane": {"x": "-1:1:3", "y": "-1:1:3", "convexity": True, "products": 8},
    "curvature": {"most": 20, "probes": 3, "steps": 3},
    "weights": {},
    "walk": {},
    "path": {"random_planes": 2},
    "local": {"points": 5, "at": 0.5},
    "film": {"x": "-1:1:3"},
    "noise": {"x": "-1:1:5", "draws": 3},
    "sharpening": {"most": 10},
    "block": {"batch_size": 10},
    "attacks": {"epsilons": [0.1, 0.3], "steps": 3},
    "frequencies": {"epsilon": 0.1, "steps": 3},
    "input_plane": {"points": 5},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_measure_gives_what_it_gave_and_what_the_next_one_finds(name, networks, data, tmp_path, pytestconfig):
    given = Context((networks[1],), data, ARGUMENTS[name], tmp_path, seed=2)
    found = MEASURES[name](given)
    assert all(isinstance(value, float) for value in found.values())
    assert sum(math.isfinite(value) for value in found.values()) >= len(found) / 2
    # The network was trained in single precision, whose rounding differs between machines.
    assert_kept(f"numbers/measure-{name}", found, write=pytestconfig.getoption("keep"), relative=1e-2, absolute=1e-4)
    # What a killed run left is gone on with, and gives the same.
    assert MEASURES[name](given) == pytest.approx(found, nan_ok=True)


def test_two_ways_of_measuring_the_share_of_a_plane_agree(networks, data, tmp_path):
    """The variance inside a plane, by coordinates and their Gram matrix, is what principal components say of theirs."""
    from landscape.studies.measures.path_measures import plane_share
    from landscape.trajectory.principal_plane import principal_plane
    from landscape.trajectory.runs import find_run

    model, run = networks[0].model(), find_run(networks[0].steps())
    principal = principal_plane(model, run)
    assert plane_share(model, run, principal, principal.total) == pytest.approx(principal.shares[:2].sum(), rel=1e-4)
    first, second = (each.tensors for each in principal.directions)
    askew = [{name: 3 * first[name] for name in first}, {name: first[name] + second[name] for name in first}]
    same = Plane.of([Direction.of(tensors, {"source": "file"}, "askew") for tensors in askew], "weights")
    assert plane_share(model, run, same, principal.total) == pytest.approx(principal.shares[:2].sum(), rel=1e-4)
    found = measured("path", networks[:1], data, tmp_path, random_planes=2)
    assert found["random_share"] < 0.1 * found["two_shares"]
    places = np.stack([np.concatenate([t.double().numpy().ravel() for t in at]) for at in weights_along(run, model)])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert found["length"] == pytest.approx(steps.sum())
    assert found["straightness"] == pytest.approx(np.linalg.norm(places[-1] - places[0]) / steps.sum())
    assert found["two_shares"] == pytest.approx(principal.shares[:2].sum())


def weights_along(run, model):
    return [
        list(record.fitted(model, [name for name, _ in model.named_parameters()]).values()) for record in run.records
    ]


def test_a_film_has_every_so_many_th_record_and_the_last_and_says_how_far_ranks_move(networks, data, tmp_path):
    from landscape.files.store import read_surface

    found = measured("film", networks[:1], data, tmp_path, x="-1:1:3", every=3)
    recorded = [int(path.stem.partition("-")[2]) for path in networks[0].steps()]
    frames = sorted(tmp_path.glob("step-*.h5"))
    assert [int(path.stem.partition("-")[2]) for path in frames] == [recorded[0], recorded[3], recorded[4]]
    losses = [read_surface(path)["train/loss"].ravel() for path in frames]
    rises = [float(np.median(each - each[4])) for each in losses]
    assert (found["first_range"], found["last_range"]) == pytest.approx((rises[0], rises[-1]))
    assert found["growth"] == pytest.approx(rises[-1] / rises[0])
    for name, place in (("moved", 0), ("last_moved", -2)):
        assert found[name] == pytest.approx(1 - stats.spearmanr(losses[place], losses[-1]).statistic)


def test_early_is_a_share_of_the_steps_and_not_of_the_records(networks, data, tmp_path, monkeypatch):
    """With the ends of a spectrum that grow from record to record."""
    from landscape.trajectory.runs import find_run

    run, asked = find_run(networks[0].steps()), []

    def ends(context, model, chosen, **how):
        weights = run.records[len(asked)].fitted(model, [name for name, _ in model.named_parameters()])
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.detach(), weights[name], rtol=0, atol=0)
        assert context.networks == (networks[0],)
        asked.append((list(chosen), chosen["test"] is data["test"], how))
        return SimpleNamespace(greatest_eigenvalue=float(len(asked)), least_eigenvalue=-0.5)

    monkeypatch.setattr("landscape.studies.measures.path_measures.ends_of_spectrum", ends)
    how = {"early": 0.9, "data": "test", "samples": 30, "most": 7}
    found = MEASURES["sharpening"](Context((networks[0],), data, how, tmp_path))
    assert asked == [(["test"], True, {"samples": 30, "most": 7, "tolerance": 0.05})] * 5
    assert read_table(tmp_path / "sharpness.curve.csv")["step"].tolist() == [0, 3, 6, 9, 12]
    assert (found["first"], found["last"], found["early"]) == (1.0, 5.0, 4.0)
    assert found["first_ratio"] == 0.5
    assert found["log10_early"] == pytest.approx(math.log10(4))


def test_the_walls_beside_a_path_are_second_differences_of_the_loss_at_the_neighbours_distance(
    networks, data, tmp_path
):
    from landscape.files.store import read_surface
    from landscape.trajectory.local_plane import local_plane
    from landscape.trajectory.record_losses import put_record
    from landscape.trajectory.runs import find_run

    found = measured("local", networks[:1], data, tmp_path, points=5, at=0.5)
    model, run = networks[0].model(), find_run(networks[0].steps())
    record = run.records[len(run.records) // 2]
    put_record(model, record)
    plane = local_plane(model, run, record.step)
    reach = np.abs(np.array(plane.directions[0].recipe["neighbours"])).max()
    x, y = data["train"].fetch(range(60))
    start = {name: p.detach().clone() for name, p in model.named_parameters()}

    def loss(direction, distance):
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(start[name] + distance * direction.tensors[name])
            return float(nn.functional.cross_entropy(model(x), y))

    for name, direction in zip(("along", "across"), plane.directions, strict=True):
        bent = (loss(direction, reach) + loss(direction, -reach) - 2 * loss(direction, 0.0)) / reach**2
        assert found[name] == pytest.approx(bent, rel=1e-2, abs=1e-4)
    assert found["wall"] == pytest.approx(found["across"] - found["along"])
    assert 0 < found["share"] < 1
    steps = [record.step for record in run.records]
    for at, place in ((0.0, 1), (1.0, -2)):  # the ends have no velocity
        folder = tmp_path / str(at)
        folder.mkdir()
        measured("local", networks[:1], data, folder, points=5, at=at)
        assert read_surface(folder / "local.h5").axes[0].recipe["step"] == steps[place]
    with pytest.raises(UsageError, match=r"5, 9, 13"):
        measured("local", networks[:1], data, tmp_path, points=6)


def test_a_line_between_two_networks_ends_at_both(networks, data, tmp_path):
    found = measured("between", networks[:2], data, tmp_path, x="-2:3:51", rise=0.2)
    assert {"a/width", "b/width", "barrier", "length"} <= set(found)
    first, second = ({n: p.detach() for n, p in each.model().named_parameters()} for each in networks[:2])
    distance = math.sqrt(sum(float((first[n] - second[n]).square().sum()) for n in first))
    assert found["length"] == pytest.approx(distance, rel=1e-5)
    (tmp_path / "other").mkdir()
    swapped = measured("between", networks[1::-1], data, tmp_path / "other", x="-2:3:51", rise=0.2)
    assert swapped["a/width"] == pytest.approx(found["a/width"], rel=1e-3)


def test_what_the_tasks_cost_is_beside_the_bound(networks, data, tmp_path):
    found = measured("forgetting", networks[2:], data, tmp_path)
    table = read_table(tmp_path / "tasks.curve.csv")
    np.testing.assert_allclose(table["bound"], table["eigenvalue"] * table["travel"] ** 2 / 2)
    assert found["bound_holds"] == np.mean(table["rise"] <= table["bound"])
    first = read_table(networks[2].folder / "tasks.csv")["accuracy"].reshape(3, 3)[
        :, 0
    ]  # of the first task, after each
    assert found["forgotten"] == pytest.approx(first[0] - first[2])
    assert first[0] != first[2]
    with pytest.raises(UsageError, match="nothing is forgotten where there is one task"):
        measured("forgetting", networks[:1], data, tmp_path)
    single = dataclasses.replace(networks[2], recipe=dataclasses.replace(networks[2].recipe, tasks={"number": 1}))
    with pytest.raises(UsageError, match="two tasks or more"):
        measured("forgetting", [single], data, tmp_path)


@pytest.fixture(scope="module")
def jointly(networks, data, tmp_path_factory):
    """The network of the tasks in sequence once more, each learnt together with those before it."""
    from dataclasses import replace

    alone = networks[2]
    recipe = replace(alone.recipe, tasks={**alone.recipe.tasks, "joint": True})
    folder = tmp_path_factory.mktemp("joint")
    return TrainedNetwork("j", "", alone.seed, recipe, folder, trainer.train(recipe, alone.seed, data, folder))


def test_stability_plasticity_and_robustness_are_those_of_the_tables(networks, data, tmp_path, monkeypatch):
    attack, attacked = landscape.robustness, []

    def masked(*arguments, **options):
        """Attack as if no task's loss had a slope, which a check notices."""
        result = attack(*arguments, **options)
        attacked.append(dataclasses.replace(result, flat=np.ones_like(result.flat)))
        return attacked[-1]

    monkeypatch.setattr("landscape.inputs.robustness.robustness", masked)
    found = measured("triangle", networks[2:], data, tmp_path, epsilon=0.05, steps=3)
    table = read_table(networks[2].folder / "tasks.csv")
    grid = table["accuracy"].reshape(3, 3)  # after, task
    assert found["plasticity"] == pytest.approx(grid.diagonal().mean())
    assert found["stability"] == pytest.approx(1 - networks[2].scores["forgetting"])
    under = read_table(tmp_path / "robustness.curve.csv")["accuracy_under_attack"]
    assert (under <= grid.diagonal() + 1e-12).all()
    np.testing.assert_allclose([each.clean.mean() for each in attacked], grid.diagonal())  # on each task's own images
    assert found["robustness"] == pytest.approx(under.mean())
    assert found["robustness_lost"] == pytest.approx(under[0] - under[2])
    assert found["suspicious"] == sum(check.suspicious for each in attacked for check in each.checks()) >= 3
    with pytest.raises(UsageError, match="one task"):
        measured("triangle", networks[:1], data, tmp_path)


def test_the_joint_plane_leads_through_the_three_networks(networks, jointly, data, tmp_path):
    """At each of them both losses are those of the network itself, and the line begins and ends there."""
    from landscape.files.store import read_surface
    from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
    from landscape.studies.training.task_sequences import TaskSequence

    alone = networks[2]
    for task in (0, 1):  # the first task is learnt alone by both
        one, other = (load_checkpoint(each.folder / f"task-{task}.pt").tensors for each in (alone, jointly))
        assert all(torch.equal(one[name], other[name]) for name in one) == (task == 0)
    found = measured("joint_plane", [alone, jointly], data, tmp_path, points=5, line_points=3)
    surface = read_surface(tmp_path / "joint.h5")
    assert {"task1/loss", "task2/loss"} <= set(surface.values)
    tasks, (x, y) = TaskSequence.of(alone.recipe.tasks), data["train"].fetch(range(60))

    def loss(path, task):
        model = alone.model()
        apply_checkpoint(model, load_checkpoint(path))
        with torch.no_grad():
            return float(nn.functional.cross_entropy(model.eval()(tasks.inputs(x, task)), y))

    start = alone.folder / "task-0.pt"
    for network in (alone, jointly):
        for task, name in enumerate(("first_rise", "second_rise")):
            rise = loss(network.folder / "task-1.pt", task) - loss(start, task)
            assert found[f"{network.variant}/{name}"] == pytest.approx(rise, abs=1e-4)
        way = read_table(tmp_path / "lines.curve.csv")[f"{network.variant}_task_1"]
        assert way[-1] - way[0] == pytest.approx(found[f"{network.variant}/first_rise"], abs=1e-6)
        assert found[f"{network.variant}/highest"] == pytest.approx(way.max() - way[0], abs=1e-6)
        assert abs(way[-1] - way[0]) > 1e-3  # it matters from where

    def way_to(path):
        ends = [load_checkpoint(each).tensors for each in (start, path)]
        return torch.cat([(ends[1][name] - each).double().flatten() for name, each in ends[0].items()])

    ways = [way_to(network.folder / "task-1.pt") for network in (alone, jointly)]
    cosine = float(nn.functional.cosine_similarity(*ways, dim=0))
    assert found["angle"] == pytest.approx(math.degrees(math.acos(cosine)), abs=0.01)
    first = surface.axes[0].values
    assert first.min() < 0 < found[f"{alone.variant}/distance"] < first.max()
    with pytest.raises(UsageError, match="has to be trained in sequence"):
        measured("joint_plane", [jointly, alone], data, tmp_path)


def test_dropout_spreads_and_without_it_there_is_no_field(networks, data, tmp_path):
    from landscape.files.store import read_surface

    found = measured("noise", networks[:1], data, tmp_path, x="-1:1:5", draws=3)
    assert found["spread_at_0"] > 0
    still, field = (read_surface(tmp_path / f"{mode}.h5") for mode in ("eval", "train"))
    draws = np.stack([field[f"draw{number}/loss"] for number in range(3)])
    assert found["spread"] == pytest.approx(draws.std(0, ddof=1).mean())
    assert found["spread_at_0"] == pytest.approx(draws[:, 2].std(ddof=1))
    assert found["gap"] == pytest.approx(draws[:, 2].mean() - still["train/loss"][2])
    with pytest.raises(UsageError, match="2 or more"):
        measured("noise", networks[:1], data, tmp_path, draws=1)


def test_accuracy_under_attack_is_that_of_samples_that_nothing_made_wrong(networks, data, tmp_path):
    from landscape.files.reports.robustness_file import read_robustness

    strengths = [0.01, 0.03, 0.06, 0.1]
    found = measured("attacks", networks[:1], data, tmp_path, epsilons=strengths, steps=3)
    stored = read_robustness(tmp_path / "robustness.h5")
    right = np.array([found[f"accuracy_{number + 1}"] for number in range(4)])
    followed = [stored.right[stored.attacks.index(name)] for name in ("fgsm", "pgd", "margin")]
    np.testing.assert_allclose(right, np.logical_and.accumulate(np.logical_and.reduce(followed), 0).mean(1))
    assert (right < stored.accuracy("fgsm")).any()
    assert found["clean_accuracy"] == stored.clean.mean() > right[0]
    table = read_table(tmp_path / "accuracy.curve.csv")
    np.testing.assert_allclose([table["epsilon"], table["accuracy"]], [strengths, right])


def test_the_plane_over_the_input_holds_what_the_network_says_of_moved_images(networks, data, tmp_path):
    from landscape.files.store import read_surface

    found = measured("input_plane", networks[:1], data, tmp_path, epsilon=0.1, points=9, reach=2.0)
    model, (x, y) = networks[0].model(), data["test"].fetch(range(40))
    start = x.clone().requires_grad_()
    nn.functional.cross_entropy(model(start), y, reduction="sum").backward()

    def at(distance):
        with torch.no_grad():
            return model((x + distance * start.grad.sign()).clamp(0, 1))

    losses = {e: float(nn.functional.cross_entropy(at(e), y)) for e in (-0.1, 0.0, 0.1)}
    assert found["rise"] == pytest.approx(losses[0.1] - losses[0.0], rel=1e-3)
    assert found["curvature"] == pytest.approx((losses[0.1] + losses[-0.1] - 2 * losses[0.0]) / 0.01, rel=1e-2)
    right = at(0.1)[torch.arange(40), y]
    other = at(0.1).scatter(1, y[:, None], -math.inf).amax(1)
    assert found["margin"] == pytest.approx(float((right - other).mean()), rel=1e-3)
    surface = read_surface(tmp_path / "input.h5")
    (plane,) = (values for name, values in surface.values.items() if name.endswith("/loss"))
    assert [axis.recipe["kind"] for axis in surface.directions] == ["sign", "random"]
    assert found["random_rise"] == pytest.approx((plane[2, 4] + plane[6, 4]) / 2 - losses[0.0], abs=1e-5)
    table = read_table(tmp_path / "first_axis.curve.csv")
    np.testing.assert_allclose([table["distance"], table["loss"]], [surface.axes[0].values, plane[4]])
    assert found["random_rise"] != pytest.approx((plane[4, 2] + plane[4, 6]) / 2 - losses[0.0], abs=1e-3)
    with pytest.raises(UsageError, match="none at epsilon or at 0"):
        measured("input_plane", networks[:1], data, tmp_path, points=20)


def test_what_a_network_does_with_filtered_images_stands_in_its_file(networks, data, tmp_path):
    from landscape.files.reports.frequencies_file import read_frequencies

    own = {"test": data["train"]}
    found = measured("frequencies", networks[:1], own, tmp_path, epsilon=0.2, steps=3)
    stored = read_frequencies(tmp_path / "frequencies.h5")
    assert found["low_accuracy"] == pytest.approx(stored.right[0].mean())
    assert found["high_change_accuracy"] == pytest.approx(stored.right[3].mean())
    assert found["high_half_way"] == pytest.approx(stored.half_way("high") or math.nan, nan_ok=True)
    table = read_table(tmp_path / "accuracy.curve.csv")
    np.testing.assert_allclose(table["low_accuracy"][-1], stored.clean.mean())
    np.testing.assert_allclose(table["cutoff"], stored.cutoffs)
    for kind in stored.kinds:
        drawn = [table[f"{kind.replace(' ', '_')}_{what}"] for what in ("accuracy", "loss")]
        np.testing.assert_allclose(drawn, [stored.accuracy(kind), stored.mean_loss(kind)[0]], err_msg=kind)
    assert np.interp(found["change_middle"], stored.cutoffs, stored.change_energy) == pytest.approx(0.5)
    whole = measured("frequencies", networks[:1], data, tmp_path)
    assert "change_middle" not in whole


def test_populations_are_compared_as_the_tool_compares_them(networks, data, tmp_path):
    from dataclasses import replace

    from landscape.files.reports.predictions_file import read_predictions
    from landscape.surface.reports.population_statistics import compare

    given = [
        replace(networks[k], variant=v, seed=s) for k, v, s in ((0, "a", 0), (1, "a", 1), (2, "b", 0), (1, "b", 1))
    ]
    found = measured("populations", given, data, tmp_path, resamples=100)
    stored = read_predictions(tmp_path / "predictions.h5")
    theirs = compare(stored, "a", "b", resamples=100)
    assert (found["excess"], found["excess_low"]) == pytest.approx((theirs.excess.value, theirs.excess.low))
    assert found["a/accuracy"] == pytest.approx(stored.correct[:2].mean())
    assert "a/null" not in found  # of two networks there are no halves
    assert (tmp_path / "predictions.png").stat().st_size > 1000
    with pytest.raises(UsageError, match=r'per = "study", two variants.* got a with 2, b with 1'):
        measured("populations", given[:3], data, tmp_path)


def test_arguments_that_a_measure_does_not_have_are_refused(networks, data, tmp_path):
    with pytest.raises(UsageError, match=r"line has no argument repeat; it has x, repeats"):
        measured("line", networks[:1], data, tmp_path, repeat=3)
    with pytest.raises(UsageError, match='per = "network"'):
        measured("line", networks[:2], data, tmp_path)
