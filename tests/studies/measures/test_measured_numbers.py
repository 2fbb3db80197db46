"""Every number of a measure against the file that it wrote, or the network itself, by another way."""

from __future__ import annotations

import dataclasses
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.files.reports.curvature_file import read_curvature
from landscape.files.reports.similarity_file import read_similarity
from landscape.files.store import read_surface
from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
from landscape.similarity.layer_similarity import measure_similarity
from landscape.studies.measures.basin_width import radii
from landscape.studies.measures.measure_parts import read_table
from landscape.studies.measures.measures import MEASURES
from landscape.studies.measures.slice_shape import nonconvex_shares, roughness_of
from landscape.studies.study import Context
from landscape.studies.training.task_sequences import TaskSequence
from landscape.surface.reports.populations import ClassDifference, Comparison, Excess, GreatestDifference, GroupSummary
from landscape.surface.reports.similarity import Block
from landscape.trajectory.principal_plane import principal_plane
from landscape.trajectory.runs import find_run


def measured(name, networks, data, folder, **arguments):
    return MEASURES[name](Context(tuple(networks), data, arguments, folder, seed=3))


def with_logarithms(numbers, *plain):
    """Add the decimal logarithms that numbers come with, of all but the plain ones."""
    logs = {f"log10_{name}": math.log10(value) for name, value in numbers.items() if name not in plain}
    return pytest.approx({**numbers, **logs})


def require_samples(surface, number):
    """The samples are those that were asked for, drawn with the study's seed."""
    assert surface.problem["sample_seed"] == 3
    assert {each["samples"] for each in surface.problem["data"].values()} == {number}


def test_a_line_says_where_its_file_leaves_the_basin(networks, data, tmp_path):
    found = measured(
        "line", networks[:1], data, tmp_path, x="-4:4:33", repeats=3, norm="model", rise=0.5, drop=0.2, samples=20
    )
    surface = read_surface(tmp_path / "line.h5")
    require_samples(surface, 20)
    # Of filters, too, directions are as long as the weights: the length does not tell the norms apart.
    assert surface.axes[0].recipe["norm"] == "model"
    widths = radii(surface, "train/loss", 0.5).values
    assert np.isfinite(widths).all()
    weights = math.sqrt(sum(float(p.detach().square().sum()) for p in networks[0].model().parameters() if p.ndim > 1))
    assert found == with_logarithms(
        {
            "width": np.median(widths),
            "width_10": np.quantile(widths, 0.1),
            "width_90": np.quantile(widths, 0.9),
            "distance": np.median(widths) * weights,  # with this norm directions are as long as the weights
            "accuracy_width": np.median(radii(surface, "train/accuracy", -0.2).values),
            "end_loss": np.median(surface["train/loss"][:, [0, -1]]),
            "roughness": roughness_of(surface, "train/loss"),
        },
        "roughness",
    )
    assert found["width_10"] < found["width"] < found["width_90"]
    (tmp_path / "near").mkdir()
    options = {"x": "-0.5:0.5:5", "repeats": 2, "norm": "model", "data": ["train"], "rise": 0.5, "samples": 20}
    near = MEASURES["line"](Context(tuple(networks[:1]), data, options, tmp_path / "near"))
    assert read_surface(tmp_path / "near/line.h5").axes[0].values.max() == 0.5 < near["width_90"]


def test_the_worst_width_is_that_of_the_shorter_way(networks, data, tmp_path):
    found = measured("worst_lines", networks[:1], data, tmp_path, x="-1:1:11", rise=0.3, drop=0.2, samples=20)
    expected = {}
    for source in ("gradient", "sharpest"):
        surface = read_surface(tmp_path / f"{source}.h5")
        assert surface.axes[0].source == source
        require_samples(surface, 20)
        expected[f"{source}_width"] = radii(surface, "train/loss", 0.3).values.min()
        expected[f"{source}_accuracy_width"] = radii(surface, "train/accuracy", -0.2).values.min()
    assert found == with_logarithms(expected)


def test_the_basin_of_a_plane_is_where_its_file_is_not_much_above_the_middle(networks, data, tmp_path):
    options = {"x": "-1:1:3", "y": "-1:1:3", "convexity": True, "products": 8, "threshold": 0.2, "samples": 20}
    found = measured("plane", networks[:1], data, tmp_path, rise=1.2, **options)
    surface = read_surface(tmp_path / "plane.h5")
    require_samples(surface, 20)
    assert surface.problem["quantities"]["curvature"]["products"] == 8
    losses = surface["train/loss"]
    shares = dict(
        zip(
            ("nonconvex_share", "undecided_share", "ratio"),
            nonconvex_shares(surface, "train", 0.2),
            strict=True,
        )
    )
    numbers = {
        "basin_share": (losses < losses[1, 1] + 1.2).mean(),
        "median_loss": np.median(losses),
        "roughness": roughness_of(surface, "train/loss"),
        **shares,
    }
    assert found == with_logarithms(numbers, "basin_share", "roughness", *shares)
    assert 1 / 9 < found["basin_share"] < 1
    assert found["basin_share"] != (losses < 1.2).mean()


def test_curvature_is_that_of_its_file_and_the_gradient_that_of_the_loss(networks, data, tmp_path):
    found = measured("curvature", networks[:1], data, tmp_path, most=30, probes=3, steps=4, tolerance=0.05)
    report = read_curvature(tmp_path / "curvature.h5")["train"]
    raw, scaled = report.raw, report.normalised
    assert (raw.nodes.shape, raw.tolerance) == ((3, 4), 0.05)
    model, (x, y) = networks[0].model().eval(), data["train"].fetch(range(60))
    nn.functional.cross_entropy(model(x), y).backward()
    slope = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert found["gradient"] == pytest.approx(slope, rel=1e-3)
    numbers = {
        "eigenvalue": raw.eigenvalues.max(),
        "trace": raw.traces.mean(),
        "normalised_eigenvalue": scaled.eigenvalues.max(),
        "expected_curvature": scaled.traces.mean(),
        "gradient": found["gradient"],
        "least_eigenvalue": raw.eigenvalues.min(),
        "converged": np.mean([*raw.converged, *scaled.converged]),
    }
    assert found == with_logarithms(numbers, "least_eigenvalue", "converged")
    assert found["trace"] > 2 * found["expected_curvature"] > 0


def test_few_products_of_a_spectrum_are_of_what_was_asked_for(networks, data, tmp_path, monkeypatch):
    asked = []

    def measure(model, given, **how):
        asked.append(how)
        return SimpleNamespace(raw=SimpleNamespace(greatest_eigenvalue=1.0, least_eigenvalue=-0.5))

    monkeypatch.setattr("landscape.curvature.analysis.measure_curvature", measure)
    measured("sharpening", networks[:1], data, tmp_path, most=17, samples=20)
    wanted = {"most": 17, "samples": 20, "sample_seed": 3, "loss": "cross_entropy", "tolerance": 0.05}
    assert len(asked) == 5
    assert all(wanted.items() <= each.items() for each in asked)


def test_the_weights_are_all_of_two_dimensions_and_more(networks, data, tmp_path):
    found = measured("weights", networks[:1], data, tmp_path, bins=30)
    values = np.concatenate([p.detach().double().ravel() for p in networks[0].model().parameters() if p.ndim > 1])
    expected = {"rms": math.sqrt((values**2).mean()), "median_size": np.median(np.abs(values))}
    kurtosis = {"kurtosis": (values**4).mean() / (values**2).mean() ** 2}
    assert found == with_logarithms(expected | kurtosis, "kurtosis")
    table = read_table(tmp_path / "weights.curve.csv")
    width = table["weight"][1] - table["weight"][0]
    assert (len(table["weight"]), width) == (30, pytest.approx(0.04))
    beyond = (np.abs(values) > 0.6).mean()
    assert beyond > 0
    assert table["density"].sum() * width == pytest.approx(1 - beyond)


def test_walks_are_summed_up_from_a_share_of_the_training_on(networks, data, tmp_path):
    found = measured("walk", networks[:1], data, tmp_path, after=0.5)
    table = read_table(networks[0].folder / "walk.csv")
    late = table["step"] >= 0.5 * networks[0].scores["steps"]
    assert 0 < late.sum() < len(late)
    names = ("span", "change", "relative_change", "smoothness")
    assert found == with_logarithms({name: np.median(table[name][late]) for name in names})


def test_between_two_networks_each_width_is_about_its_own_end(networks, data, tmp_path):
    found = measured("between", networks[:2], data, tmp_path, x="-2:3:26", rise=0.2, samples=20)
    surface = read_surface(tmp_path / "between.h5")
    require_samples(surface, 20)
    x, losses = surface.axes[0].values, surface["train/loss"]
    for variant, place in (("a", 0.0), ("b", 1.0)):
        axis = dataclasses.replace(surface.axes[0], values=x - place)
        width = radii(dataclasses.replace(surface, axes=(axis,)), "train/loss", 0.2).values.mean()
        assert found[f"{variant}/width"] == pytest.approx(width)
        assert found[f"{variant}/log10_width"] == pytest.approx(math.log10(width))
    inside = (x > -1e-9) & (x < 1 + 1e-9)
    way, rise = x[inside], losses[inside]
    assert found["barrier"] == pytest.approx(max(0.0, (rise - (rise[0] + way * (rise[-1] - rise[0]))).max()))


def test_a_task_is_forgotten_where_its_own_loss_and_curvature_are_taken(networks, data, tmp_path, monkeypatch):
    (tmp_path / "twice.py").write_text(
        "from torch.nn.functional import cross_entropy\n"
        "def twice(output, target):\n    return 2 * cross_entropy(output, target, reduction='none')\n"
    )
    recipe = dataclasses.replace(networks[2].recipe, loss=f"{tmp_path / 'twice.py'}:twice")
    network = dataclasses.replace(networks[2], recipe=recipe)
    tasks, (x, y) = TaskSequence.of(network.recipe.tasks), data["train"].fetch(range(60))
    ends = []
    for task in range(3):
        model = network.model()
        apply_checkpoint(model, load_checkpoint(network.folder / f"task-{task}.pt"))
        ends.append(model.eval())

    def loss(end, task):
        with torch.no_grad():
            return 2 * float(nn.functional.cross_entropy(ends[end](tasks.inputs(x, task)), y))

    def spectrum(context, model, own, **how):
        """Say of a network and its data which task both are of."""
        task = len(seen)
        at, (given, _) = model.state_dict(), own["train"].fetch(range(60))
        same = all(torch.equal(at[name], each) for name, each in ends[task].state_dict().items())
        seen.append(same and torch.equal(given, tasks.inputs(x, task)) and how == {"samples": None, "most": 7})
        return SimpleNamespace(greatest_eigenvalue=2.0 + task)

    seen = []
    monkeypatch.setattr("landscape.studies.measures.forgetting_measures.ends_of_spectrum", spectrum)
    found = measured("forgetting", [network], data, tmp_path, most=7)
    assert seen == [True, True]
    table = read_table(tmp_path / "tasks.curve.csv")
    travel = [
        math.sqrt(
            sum(float((p - q).detach().square().sum()) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        )
        for a, b in itertools.pairwise(ends)
    ]
    rises = [loss(task + 1, task) - loss(task, task) for task in (0, 1)]
    np.testing.assert_allclose(table["travel"], travel, rtol=1e-5)
    np.testing.assert_allclose(table["rise"], rises, atol=1e-4)
    assert table["eigenvalue"].tolist() == [2.0, 3.0]
    accuracy = read_table(network.folder / "tasks.csv")["accuracy"].reshape(3, 3)  # after, task
    assert found["forgotten"] == pytest.approx(accuracy[0, 0] - accuracy[2, 0])
    for name in ("eigenvalue", "travel", "bound", "rise"):
        assert found[name] == pytest.approx(table[name].mean())


def test_the_width_of_noise_is_that_of_the_mean_over_draws(networks, data, tmp_path):
    found = measured("noise", networks[:1], data, tmp_path, x="-3:3:13", draws=3, rise=0.3, samples=20)
    still, field = (read_surface(tmp_path / f"{mode}.h5") for mode in ("eval", "train"))
    require_samples(still, 20)
    require_samples(field, 20)
    mean = np.mean([field[f"draw{number}/loss"] for number in range(3)], axis=0)
    averaged = dataclasses.replace(still, values={"train/loss": mean}, stderr={}, paired_stderr={}, tails={})
    for name, surface in (("eval_width", still), ("train_width", averaged)):
        assert found[name] == pytest.approx(radii(surface, "train/loss", 0.3).quantile(0.5))
        assert found[f"log10_{name}"] == pytest.approx(math.log10(found[name]))
    assert found["eval_width"] != pytest.approx(found["train_width"], rel=1e-3)
    table = read_table(tmp_path / "field.curve.csv")
    np.testing.assert_allclose(table["train"], mean)
    np.testing.assert_allclose(table["upper"] - table["lower"], 2 * np.std(
        [field[f"draw{number}/loss"] for number in range(3)], axis=0, ddof=1), rtol=1e-6)  # fmt: skip


def test_the_film_of_a_field_shows_each_draw(networks, data, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("landscape.plot.films.films.write_film", lambda drawn, path, **_: shown.extend(drawn))
    found = measured("noise_film", networks[:1], data, tmp_path, x="-1:1:3", draws=3, samples=20)
    field = read_surface(tmp_path / "field.h5")
    require_samples(field, 20)
    draws = np.stack([field[f"draw{number}/loss"] for number in range(3)])
    assert found == pytest.approx({"plane_spread": draws.std(0, ddof=1).mean()})
    np.testing.assert_array_equal(np.stack([each["train/loss"] for each in shown]), draws)
    assert (draws.std(0) > 0).all()


def test_the_paths_of_several_trainings_share_a_plane(networks, data, tmp_path):
    found = measured("paths", networks[:2], data, tmp_path, points=3, samples=20)
    surface = read_surface(tmp_path / "paths.h5")
    require_samples(surface, 20)
    runs = [find_run(each.steps(), name=each.variant) for each in networks[:2]]
    assert list(surface.trajectories) == ["a", "b"]
    both = principal_plane(networks[0].model(), runs).shares[:2].sum()
    alone = principal_plane(networks[0].model(), runs[:1]).shares[:2].sum()
    assert found["two_shares"] == pytest.approx(both) != pytest.approx(alone)


def test_populations_have_each_number_of_what_compares_them(networks, data, tmp_path, monkeypatch):
    """With comparisons that tell every number from every other."""
    excess = Excess(0.5, 0.2, 0.3, 0.1, 0.6)
    classes = [ClassDifference(k, 5, (0.5, 0.6), (0.1, 0.1), 0.1, 0.0, 0.2, p) for k, p in enumerate((0.01, 0.2, 0.3))]
    room = "landscape.surface.reports.population_statistics"
    asked = []

    def compare(found, first, second, **how):
        asked.append(how)
        return Comparison(first, second, excess, 0.7, 0.4, tuple(classes), ())

    def summary(found, name, **how):
        asked.append(how)
        null = Excess(0.05, 0.04, 0.01, -0.02, 0.03) if name == "a" else None
        return GroupSummary(name, 2, 0.8 if name == "a" else 0.9, 0.1, 0.75, 0.2, 0.15, 0.05, null)

    # First, which imports it: what it takes from the other module would else stay replaced.
    monkeypatch.setattr("landscape.plot.representations.population_figures.predictions", lambda found: found)
    monkeypatch.setattr(f"{room}.compare", compare)
    monkeypatch.setattr(f"{room}.summary", summary)
    monkeypatch.setattr(f"{room}.greatest_class_difference", lambda *_: GreatestDifference(1, 0.25, 0.12, 0.45))
    monkeypatch.setattr("landscape.plot.saving.save", lambda figure, path, dpi: None)
    places = ((0, "a", 0), (1, "a", 1), (2, "b", 0), (1, "b", 1))
    given = [dataclasses.replace(networks[k], variant=variant, seed=seed) for k, variant, seed in places]
    found = measured("populations", given, data, tmp_path, resamples=17)
    assert asked == [{"seed": 3, "resamples": 17}] * 3
    assert found == {
        "excess": 0.3, "excess_low": 0.1, "excess_high": 0.6, "observed": 0.5, "noise": 0.2,
        "class_difference": 0.25, "class_difference_low": 0.12, "class_difference_high": 0.45,
        "significant_classes": 1.0, "agreement": 0.7,
        "a/accuracy": 0.8, "a/agreement": 0.75, "a/calibration_error": 0.15,
        "b/accuracy": 0.9, "b/agreement": 0.75, "b/calibration_error": 0.15,
        "a/null": 0.01, "a/null_low": -0.02, "a/null_high": 0.03,
    }  # fmt: skip


def test_a_block_is_a_share_of_the_layers_and_layers_are_compared_with_others(networks, data, tmp_path, monkeypatch):
    def with_block(*given, **how):
        found = measure_similarity(*given, **how)
        return dataclasses.replace(found, blocks=(Block(1, 2, 0.9, 0.1, 0.5, 0.4),))

    monkeypatch.setattr("landscape.similarity.layer_similarity.measure_similarity", with_block)
    found = measured("block", networks[:1], data, tmp_path, batch_size=10)
    stored = read_similarity(tmp_path / "similarity.h5")
    number = len(stored.networks[0].layers)
    others = [stored.cka[i, j] for i in range(number) for j in range(number) if i != j]
    assert number > 2
    assert found == pytest.approx(
        {"extent": 2 / number, "alike": np.nanmean(others), "first_component": np.nanmean(stored.pc_share)}
    )
