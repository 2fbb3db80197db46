"""What a command line says is what the function behind it is given: all options at once, none at its default."""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from landscape.cli import main
from landscape.commands.reports.network_options import by_group, given_networks, load_networks
from landscape.errors import UsageError
from landscape.problem.losses.losses import Loss
from landscape.problem.params import digest
from landscape.similarity.similarity_settings import Settings
from landscape.trajectory.runs import TrainingRun
from tests.helpers import tiny_problem

pytestmark = pytest.mark.usefixtures("coarse_pictures")

MODEL = ["--model", "tests/helpers/tiny_problem.py:net", "--data", "test=tests/helpers/tiny_problem.py:data"]
KEY = ["--checkpoint-key", "ema"]
SAMPLES = ["--samples", "50", "--sample-seed", "2", "--batch-size", "20", *KEY]
Given = Callable[..., dict[str, Any]]


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[str]:
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        networks = {key: tiny_problem.net().state_dict() for key in ("model", "ema")}
        torch.save(networks, tmp_path / f"{name}.pt")
    return [str(tmp_path / f"{name}.pt") for name in "ab"]


def weights_in(value: Any) -> list[str]:
    """Return the digests of networks, and of records of runs."""
    if isinstance(value, torch.nn.Module):
        return [digest(value.state_dict())]
    if isinstance(value, TrainingRun):
        return [digest(each.tensors) for each in value.records]
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    return [found for each in inside for found in weights_in(each)]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, checkpoints: list[str]) -> Given:
    """Run a command up to the function that measures; return what it was called with, networks of the key asked for."""
    weights = {key: {digest(torch.load(each)[key]) for each in checkpoints} for key in ("model", "ema")}

    def run(function: str, *words: str) -> dict[str, Any]:
        seen: list[dict[str, Any]] = []

        def measure(*arguments: Any, **options: Any) -> Any:
            seen.append({**options, "arguments": arguments})
            raise UsageError("that was all that is asked here")

        with monkeypatch.context() as patch:
            patch.setattr(function, measure)
            assert main(list(words)) == 2
        assert len(seen) == 1
        held = set(weights_in(seen[0]))
        assert held
        assert held <= weights["ema" if KEY[0] in words else "model"]
        return seen[0]

    return run


def subset(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert {name: found.get(name, "not given") for name in wanted} == wanted


def test_similarity(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    path = str(tmp_path / "sim.h5")
    words = ["similarity", *(f"--group={name.upper()}={each}" for name, each in zip("ab", checkpoints, strict=True))]
    words += [*MODEL, *SAMPLES, "-o", path, "--write-every", "1.5", "--passes", "6", "--tokens", "mean"]
    function = "landscape.similarity.layer_similarity.measure_similarity"
    sampled = {"samples": 50, "sample_seed": 2, "batch_size": 20, "passes": 6, "tokens": "mean"}
    found = given(
        function, *words, "--layers", "0|1", "--kernel", "rbf", "--rbf-width", "0.75", "--without-dominant", "3",
        "--procrustes",
    )  # fmt: skip
    wanted = Settings(layers="0|1", kernel="rbf", rbf_width=0.75, without_dominant=3, procrustes=4, **sampled)
    assert found["settings"] == wanted
    assert found["groups"] == {"a": "A", "b": "B"}
    assert (found["write_every"], found["scratch"]) == (1.5, f"{path}.grams")
    for name, each in zip("ab", checkpoints, strict=True):
        assert found["about"][name]["checkpoint"] == each
        torch.testing.assert_close(found["arguments"][0][name].state_dict(), torch.load(each)["ema"])
    found = given(function, *words, "--without-components", "2")
    assert found["settings"] == Settings(without_components=2, **sampled)
    found = given(function, *words, "--no-components", "--procrustes", "7")
    assert found["settings"] == Settings(components=False, procrustes=7, **sampled)


def test_predictions(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    groups = [f"--group=A={checkpoints[1]}", f"--group=B={checkpoints[0]}"]
    words = ["predictions", *groups, *MODEL, *SAMPLES, "--outputs", "probabilities", "--half"]
    found = given("landscape.similarity.class_probabilities.predictions", *words, "-o", str(tmp_path / "p.h5"))
    subset(found, {"samples": 50, "sample_seed": 2, "batch_size": 20, "outputs": "probabilities", "half": True})
    assert {group: list(named) for group, named in found["arguments"][0].items()} == {"A": ["b"], "B": ["a"]}


def test_robustness_and_the_examples_that_it_saves(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    words = [
        "robustness", checkpoints[0], *MODEL, *SAMPLES, "--epsilon", "0.1,0.3", "--norm", "l2", "--steps", "3",
        "--restarts", "4", "--random", "5", "--clip=-9:8", "--transfer", checkpoints[1], "--seed", "6",
        "--save-examples", str(tmp_path / "adv.npz"), "--loss", "mse", "-o", str(tmp_path / "r.h5"),
    ]  # fmt: skip
    found = given("landscape.inputs.robustness.robustness", *words)
    how = {"norm": "l2", "steps": 3, "restarts": 4, "clip": (-9.0, 8.0), "seed": 6, "loss": "mse"}
    how |= {"samples": 50, "sample_seed": 2, "batch_size": 20}
    subset(found, {"epsilons": [0.1, 0.3], "random": 5, **how})
    torch.testing.assert_close(found["transfer"].state_dict(), torch.load(checkpoints[1])["ema"])
    words[words.index("mse")] = "cross_entropy"
    found = given("landscape.inputs.robustness.adversarial_examples", *words)
    subset(found, {"epsilon": 0.3, **how, "loss": "cross_entropy"})


def test_frequencies(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    words = ["--cutoffs", "0,1.5", "--epsilon", "0.2", "--norm", "l2", "--steps", "3", "--clip=-9:8", "--seed", "5"]
    words = ["frequencies", checkpoints[0], *MODEL, *SAMPLES, *words, "--loss", "mse", "-o", str(tmp_path / "f.h5")]
    how = {"cutoffs": [0.0, 1.5], "epsilon": 0.2, "norm": "l2", "steps": 3, "clip": (-9.0, 8.0), "seed": 5}
    how |= {"loss": "mse", "samples": 50, "sample_seed": 2, "batch_size": 20}
    subset(given("landscape.inputs.frequencies.frequencies", *words), how)


def test_walk(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    words = ["walk", *checkpoints, *MODEL, *SAMPLES, "--rate", "0.3", "--multiples", "1,3", "--mode", "train"]
    words += ["--loss", "mse", "-o", str(tmp_path / "w.h5")]
    how = {"rate": 0.3, "multiples": [1.0, 3.0], "mode": "train", "loss": "mse"}
    how |= {"samples": 50, "sample_seed": 2, "batch_size": 20}
    subset(given("landscape.trajectory.walk_steps.measure_run_walk", *words), how)


def test_curvature_of_a_network_and_along_a_run(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    words = [
        *MODEL, *SAMPLES, "--include", "0", "--exclude", "bias", "--ignore", "biasbn", "--eigenvalues", "3",
        "--eigenvalue-tolerance", "0.04", "--products", "30", "--probes", "6", "--steps", "7", "--seed", "5",
        "--memory", "0.5", "--no-gauss-newton", "-o", str(tmp_path / "c.h5"),
    ]  # fmt: skip
    how = {"samples": 50, "sample_seed": 2, "batch_size": 20, "include": "0", "exclude": "bias", "ignore": "biasbn"}
    how |= {"gauss_newton": False, "memory": 2**29}
    numbers = {"eigenvalues": 3, "tolerance": 0.04, "most": 30, "probes": 6, "steps": 7, "seed": 5}
    for function, networks in (
        ("landscape.curvature.analysis.measure_curvature", checkpoints[:1]),
        ("landscape.trajectory.curvature_steps.measure_run_curvature", checkpoints),
    ):
        found = given(function, "curvature", *networks, *words)
        subset(found, how)
        subset(vars(found["settings"]), numbers)


def test_evaluate(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    path = str(tmp_path / "s.h5")
    measure = [
        "--standard-error", "0.03", "--tolerance", "0.04", "--batch-norm", "recompute", "--batch-norm-data", "test",
        "--mode", "train", "--noise", "common", "--weight-decay", "0.1", "--precision", "auto",
        "--precision-tolerance", "0.2", "--anchors", "3", "--error", "0.5", "--write-every", "7", "--overwrite",
    ]  # fmt: skip
    words = ["evaluate", checkpoints[0], *MODEL, *SAMPLES, *measure, "--x=-1:1:3", "--y=0:1:2", "--z=0:2:2", "-o", path]
    words += ["--low-memory", "--repeats", "2", "--save-directions"]
    words += ["--curvature", "--curvature-products", "9", "--eigenvalue-tolerance", "0.3", "--loss", "mse"]
    how = {"samples": 50, "sample_seed": 2, "batch_size": 20, "standard_error": 0.03, "tolerance": 0.04}
    how |= {"batch_norm": "recompute", "batch_norm_data": "test", "mode": "train", "noise": "common"}
    how |= {"weight_decay": 0.1, "precision": "auto", "precision_tolerance": 0.2, "anchors": 3, "error": 0.5}
    how |= {"write_every": 7.0, "overwrite": True, "x": "-1:1:3", "y": "0:1:2", "z": "0:2:2", "loss": "mse"}
    how |= {"low_memory": True, "repeats": 2, "save_directions": True, "path": path, "checkpoint": checkpoints[0]}
    how |= {"quantities": {"curvature": {"products": 9, "tolerance": 0.3}}}
    subset(given("landscape.evaluation.evaluate.evaluate", *words), how)


def test_evaluate_over_the_input(checkpoints: list[str], given: Given, tmp_path: Path) -> None:
    words = ["--space", "input", "--directions", "random,pgd", "--sample", "3", "--input-norm", "l2", "--clip=-9:8"]
    words += ["--epsilon", "0.2", "--seed", "5", "--x=-1:1:3", "--y=0:1:2", "-o", str(tmp_path / "i.h5")]
    how = {"axes": ["random", "pgd"], "sample": 3, "norm": "l2", "clip": (-9.0, 8.0), "epsilon": 0.2, "seed": 5}
    how |= {"samples": 50, "sample_seed": 2, "loss": "mse"}
    found = given(
        "landscape.inputs.input_space.input_problem", "evaluate", checkpoints[0], *MODEL, *SAMPLES, *words,
        "--loss", "mse",
    )  # fmt: skip
    subset(found, how)


def test_networks_of_a_folder_come_in_the_order_of_their_numbers_and_have_names_of_their_own(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        torch.save(tiny_problem.net().state_dict(), tmp_path / f"net-{number}.pt")
    options = argparse.Namespace(checkpoints=[], group=[f"A={tmp_path}/net-*.pt"])
    assert [(each.name, each.group) for each in given_networks(options)] == [(f"net-{k}", "A") for k in (1, 2, 10)]
    # As many folders stand before all names as it takes for each to have its own.
    options = argparse.Namespace(checkpoints=[], group=["A=a/b/x.pt,a/c/x.pt", "B=a/c/y.pt"])
    assert [each.name for each in given_networks(options)] == ["b/x", "c/x", "c/y"]


def test_what_one_group_has_of_its_own_is_not_for_the_others() -> None:
    texts = ['{"width": 2}', 'B={"width": 3}']
    assert by_group(texts, ["A", "B"], "--model-args") == {"A": '{"width": 2}', "B": '{"width": 3}'}
    assert by_group(texts[1:], ["A", "B"], "--model-args") == {"A": "", "B": '{"width": 3}'}
    with pytest.raises(UsageError, match="given twice for B"):
        by_group([*texts, texts[1]], ["A", "B"], "--model-args")


def test_networks_of_a_group_are_built_with_its_own_model_and_arguments(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("from torch.nn import Linear\ndef net(width=1):\n    return Linear(width, 2)\n")
    for width in (2, 3):
        torch.save(torch.nn.Linear(width, 2).state_dict(), tmp_path / f"{width}.pt")
    options = argparse.Namespace(
        checkpoints=[], group=[f"A={tmp_path}/2.pt", f"B={tmp_path}/3.pt"], model=[f"{tmp_path}/nets.py:net"],
        model_args=['{"width": 2}', 'B={"width": 3}'], checkpoint_key=None, trust_checkpoint=False, device="cpu",
    )  # fmt: skip
    models, about = load_networks(options, given_networks(options))
    assert [models[name].in_features for name in ("2", "3")] == [2, 3]
    for width in (2, 3):
        model = {"reference": f"{tmp_path}/nets.py:net", "args": {"width": width}, "class": "Linear"}
        sha256 = digest(models[str(width)].state_dict())
        assert about[str(width)] == {"checkpoint": f"{tmp_path}/{width}.pt", "sha256": sha256, "model": model}
    options.device = "meta"
    with pytest.raises(UsageError, match="--device meta: torch cannot compute on it here"):
        load_networks(options, given_networks(options))
    options.device = "cpu"
    options.model = [f"B={tmp_path}/nets.py:net"]
    with pytest.raises(UsageError, match="--model says not what builds group A"):
        load_networks(options, given_networks(options))


def test_the_size_of_predictions_is_told_before_they_are_made(
    checkpoints: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = [f"--group={name.upper()}={each}" for name, each in zip("ab", checkpoints, strict=True)]
    words = ["predictions", *groups, *MODEL, *SAMPLES, "--dry-run", "-o", str(tmp_path / "p.h5")]
    for more, size in (([], 400), (["--half"], 200)):
        assert main([*words, *more]) == 0
        said = capsys.readouterr().out.splitlines()
        told = ["networks 2 in 2 groups (A, B)", "samples  50 for each, one forward pass", f"file     {size} B a class"]
        assert said == told


# What a command gives a function whether it is asked for or not.
ALWAYS = {"epsilons", "progress", "found", "each_step", "write", "groups", "scratch", "about", "checkpoint", "comm"}
ALWAYS |= {"description", "path", "command"}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("landscape.inputs.robustness.robustness", "robustness a.pt --epsilon 0.1"),
        ("landscape.inputs.frequencies.frequencies", "frequencies a.pt"),
        ("landscape.trajectory.walk_steps.measure_run_walk", "walk a.pt b.pt"),
        ("landscape.curvature.analysis.measure_curvature", "curvature a.pt"),
        ("landscape.trajectory.curvature_steps.measure_run_curvature", "curvature a.pt b.pt"),
        ("landscape.similarity.class_probabilities.predictions", "predictions --group A=a.pt --group B=b.pt"),
        ("landscape.similarity.layer_similarity.measure_similarity", "similarity a.pt b.pt"),
        ("landscape.evaluation.evaluate.evaluate", "evaluate a.pt"),
    ],
)
def test_what_is_not_asked_for_is_what_the_function_does_by_itself(
    checkpoints: list[str], given: Given, monkeypatch: pytest.MonkeyPatch, function: str, words: str
) -> None:
    module, _, name = function.rpartition(".")
    own = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    root = Path.cwd()
    monkeypatch.chdir(Path(checkpoints[0]).parent)
    model = ["--model", f"{root}/{MODEL[1]}", "--data", f"test={root}/{MODEL[3].removeprefix('test=')}"]
    found = given(function, *words.split(), *model, "-o", "found.h5")
    settings = found.pop("settings", None)
    assert settings is None or settings == type(settings)()
    asked = {each: found[each] for each in found.keys() & own.keys() - ALWAYS}
    if isinstance(asked.get("loss"), Loss):
        asked["loss"] = asked["loss"].name
    defaults = {each: own[each].default for each in asked}
    assert asked == {each: list(one) if isinstance(one, tuple) else one for each, one in defaults.items()}
