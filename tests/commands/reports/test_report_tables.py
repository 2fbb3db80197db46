"""Each number of a table is that of the report, in the column that its heading names."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from landscape.commands.dry_run import describe_cost, describe_curvature_cost
from landscape.commands.reports.curvature_tables import curvature_facts, print_curvature, print_curvature_run, run_facts
from landscape.commands.reports.predictions_tables import excess_words, predictions_facts, print_predictions
from landscape.commands.reports.similarity import describe_similarity_cost
from landscape.commands.reports.similarity_tables import print_similarity, similarity_facts
from landscape.commands.shown.comparison import comparison_facts, print_comparison
from landscape.curvature.cost import CurvatureCost
from landscape.evaluation.runner import Cost
from landscape.similarity.run_cost import SimilarityCost
from landscape.surface.derived.differences import Difference
from landscape.surface.reports.curvature import CurvatureRun
from landscape.surface.reports.dominant_samples import overlap_of
from landscape.surface.reports.population_statistics import compare, summary
from landscape.surface.reports.populations import Excess
from landscape.surface.reports.similarity import nearest_layers
from tests.helpers import curvatures
from tests.helpers.plot_fixtures import valley
from tests.helpers.population_results import populations
from tests.helpers.similarities import similarity


def printed(how: Callable[[Console, Mapping[str, Any]], None], facts: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of each printed line: what at least two blanks tell apart."""
    out = io.StringIO()
    how(Console(file=out, width=500, highlight=False, markup=False), facts)
    return [re.split(r" {2,}", line.strip()) for line in out.getvalue().splitlines() if line.strip()]


def after(lines: list[list[str]], *head: str) -> list[list[str]]:
    """Return the lines below a table's headings."""
    (start,) = [number for number, cells in enumerate(lines) if cells == list(head)]
    return lines[start + 1 :]


def test_similarity_of_layers() -> None:
    found = similarity(networks=3)
    rng = np.random.default_rng(1)
    # One module is called twice; the second network has its layers in another order.
    names = found.networks[1].layers
    names, calls = (*names[:3], names[2], *names[4:]), (1, 1, 1, 2, *[1] * (len(names) - 4))
    plain = [dataclasses.replace(each, layers=names, calls=calls) for each in found.networks]
    turned = dataclasses.replace(plain[1], layers=(*names[1:], names[0]), calls=(*calls[1:], calls[0]), group="wide")
    stderr, share_error = rng.uniform(0.01, 0.2, found.cka.shape), rng.uniform(0, 0.1, len(found.pc_share))
    dominant = found.dominant.copy()
    dominant[found.rows(2)] = dominant[found.rows(0)]
    found = dataclasses.replace(
        found, networks=(plain[0], turned, plain[2]), stderr=stderr, pc_share_stderr=share_error,
        dominant=dominant, passes=2, batches=5, kernel="rbf",
    )  # fmt: skip
    facts = similarity_facts(found)
    said = facts["similarity"]
    for i in range(3):
        for name in ("pc_share", "pc_share_stderr", "pc_residual"):
            assert said[name][i] == getattr(found, name)[found.rows(i)].tolist()
        for j in range(3):
            for key, matrix in (("cka", found.cka), ("cka_stderr", stderr), ("pc_cosine", found.pc_cosine)):
                assert said[key][i][j] == found.between(i, j, matrix).tolist()
    assert [(each["of"], each["in"]) for each in said["nearest"]] == [(a, b) for a in "abc" for b in "abc" if a != b]
    lines = printed(print_similarity, facts)
    assert ["samples", "300 of test (digits:test)"] in lines
    assert ["estimate", "unbiased minibatch CKA, rbf kernel, 5 batches, 2 passes"] in lines
    assert ["error", f"at most {stderr.max():.2g}"] in lines
    rows = after(lines, "network", "layers", "PC 1: mean", "greatest", "block", "contrast")
    for i, name in enumerate(("a", "b (wide)", "c")):
        share, block = found.pc_share[found.rows(i)], found.blocks[i]
        shares = [f"{100 * share.mean():.0f} %", f"{100 * share.max():.0f} %"]
        assert rows[i] == [name, "12", *shares, f"{block.extent} layers", f"{block.contrast:.2f}"]
        labels = found.networks[i].labels
        words = (
            f"{labels[block.first]} to {labels[block.last]}, CKA {block.inside:.2f} inside, "
            f"PC 1 {100 * block.pc_share:.0f} % there and {100 * block.pc_share_outside:.0f} % elsewhere"
        )
        assert [f"block of {'abc'[i]}", words] in lines
    rows = after(lines, "nearest layer", "is the same one for", "mean CKA of same layers")
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    for row, (i, j) in zip(rows, pairs, strict=False):
        one, other = found.networks[i].labels, found.networks[j].labels
        same = np.mean([found.between(i, j)[k, other.index(name)] for k, name in enumerate(one)])
        share, layers = nearest_layers(found, i, j)
        assert row == [f"{'abc'[i]} in {'abc'[j]}", f"{100 * share:.0f} % of {layers}", f"{same:.3f}"]
    rows = after(lines, "dominant samples of", "shared by a layer", "by chance", "above chance in")
    for row, (i, j) in zip(rows, [(0, 1), (0, 2), (1, 2)], strict=False):
        overlap = overlap_of(found, i, j)
        assert overlap is not None
        shares = [f"{100 * overlap.mean:.1f} %", f"{100 * overlap.chance:.1f} %"]
        assert row == [f"{'abc'[i]} and {'abc'[j]}", *shares, f"{overlap.above} of {overlap.layers} layers"]


def test_predictions_of_populations() -> None:
    found = populations(shift=0.15)
    sure = found.probabilities ** np.linspace(0.6, 2.0, 12)[:, None, None]  # each network as sure as it likes
    found = dataclasses.replace(found, probabilities=sure / sure.sum(2, keepdims=True))
    assert (found.numbers != np.arange(200)).any()
    facts = predictions_facts(found)
    assert facts["predictions"]["accuracy"] == pytest.approx((found.answers == found.labels).mean(1))
    lines = printed(print_predictions, facts)
    groups = [summary(found, name) for name in "AB"]
    rows = after(lines, "group", "networks", "accuracy", "calibration error")
    assert rows[:2] == [
        [
            each.name, "6", f"{each.accuracy:.3g} ± {each.accuracy_half_width:.2g}",
            f"{each.calibration_error:.3g} ± {each.calibration_half_width:.2g}",
        ]
        for each in groups
    ]  # fmt: skip
    rows = after(lines, "within a group", "agreement", "Hellinger", "null: two halves")
    nulls = [each.null for each in groups]
    assert rows[:2] == [
        [each.name, *(f"{value:.3g}" for value in (each.agreement, each.hellinger, null.value if null else np.nan))]
        for each, null in zip(groups, nulls, strict=True)
    ]
    both = compare(found, "A", "B")
    assert ["A - B", excess_words(both.excess)] in lines
    assert ["agreement", f"{both.agreement:.3g}; Hellinger distance {both.hellinger:.3g}"] in lines
    rows = after(lines, "class", "A", "B", "difference", "from", "to", "p")
    assert rows[:4] == [
        [
            str(one.label),
            *(f"{value:.3g} ± {width:.2g}" for value, width in zip(one.accuracy, one.half_width, strict=True)),
            *(f"{value:+.3f}" for value in (one.difference, one.low, one.high)),
            f"{one.p_value:.3g}",
        ]
        for one in sorted(both.classes, key=lambda one: -abs(one.difference))
    ]
    number = sum(one.p_value < 0.05 for one in both.classes)
    assert ["classes", f"{number} of 4 differ after correction for all of them"] in lines
    rows = after(lines, "differ most: sample", "class", "A", "B")
    shares = [found.shares(name) for name in "AB"]
    assert rows[:8] == [
        [str(found.numbers[k]), str(found.labels[k]), *(f"{each[k]:.3g}" for each in shares)] for k in both.examples[:8]
    ]


def test_what_is_left_of_a_difference_once_noise_is_taken_off() -> None:
    words = "variance of the difference 0.05, 80 % of it binomial noise; left over 0.01 (0.002 to 0.03): beyond"
    assert excess_words(Excess(0.05, 0.04, 0.01, 0.002, 0.03)) == f"{words} the draw of networks"
    assert excess_words(Excess(0.05, 0.04, 0.01, -0.002, 0.03)).endswith("no more than the draw of networks explains")


def test_curvature_of_a_network() -> None:
    report = curvatures.curvature()
    few = dataclasses.replace(
        report.normalised, eigenvalues=np.array([0.9, 0.3, -0.07]), residuals=np.array([1e-4, 2e-4, 0.05]),
        samples_stderr=np.array([0.01, 0.02, 0.03]), greatest=2,
    )  # fmt: skip
    drawn = report.slice
    assert drawn is not None
    parts = {"hessian": (4.0, 0.5, 1.0), "samples_stderr": (0.4, 0.05, 0.1), "fitted": (4.5, -0.4, 1.5)}
    parts["fitted_error"] = (0.2, 0.03, 0.7)
    drawn = dataclasses.replace(drawn, **{name: np.array([[a, b], [b, d]]) for name, (a, b, d) in parts.items()})
    report = dataclasses.replace(report, normalised=few, slice=drawn)
    lines = printed(print_curvature, curvature_facts("", {"train": report}))
    assert ["gradient", "0.05, its sampling error 0.06"] in lines
    rows = after(lines, "eigenvalue", "residual", "from samples", "normalised", "residual", "from samples")
    assert rows[:5] == [
        ["0", "9", "0.001", "0.3", "0.9", "0.0001", "0.01"],
        ["1", "4", "0.001", "0.3", "0.3", "0.0002", "0.02"],
        ["2", "2", "0.001", "0.3"],
        ["-2", "-0.5", "0.004", "0.3"],
        ["-1", "-0.8?", "0.2", "0.3", "-0.07?", "0.05", "0.03"],
    ]
    both = (report.raw, report.normalised)
    named = {cells[0]: cells[1:] for cells in lines}
    for name, pairs in {
        "trace": [(each.trace, each.trace_stderr) for each in both],
        "Frobenius norm": [(each.frobenius, each.frobenius_stderr) for each in both],
        "trace² over Frobenius norm²": [each.participation for each in both],
        "effective dimension at 1% of the largest": [
            each.effective_dimension(0.01 * each.largest_size) for each in both
        ],
    }.items():
        assert named[name] == [f"{value:.3g} ± {error:.2g}" for value, error in pairs]
    assert named["from samples"] == [f"± {each.trace_samples_stderr:.2g}" for each in both]
    shares = [[100 * value for value in each.negative_share()] for each in both]
    assert named["negative share"] == [f"{v:.2g} %, between {a:.2g} and {b:.2g}" for v, a, b in shares]
    assert named["greatest over last of them"] == [f"{each.ratio:.3g}" for each in both] == ["4.5", "3"]
    assert named["condition number, at least"] == [f"{each.least_condition:.3g}" for each in both]
    assert named["products"] == ["60", "60"]
    mean, spread = report.random_slice
    words = f"curvature {mean:.3g}, deviation {spread:.3g}; at most {report.slice_bound:.3g} in any direction"
    assert named["random slice"] == [f"{words} of such length"]
    assert named["Gauss-Newton"] == ["greatest 8.5, residual 0.01; trace 21 ± 1.5"]
    assert named["α"] == ["4 ± 0.4", "4.5 ± 0.2", "60 %"]
    assert named["α × β"] == ["0.5 ± 0.05", "-0.4 ± 0.03"]
    assert named["β"] == ["1 ± 0.1", "1.5 ± 0.7", "10 %"]
    assert "there is negative curvature, and this plane does not show it" in named["the plane"][0]
    assert named["layer2.weight"] == ["30", "7 ± 0.5", "0.8 ± 0.05"]
    seen = dataclasses.replace(report, slice=curvatures.curvature().slice, raw=dataclasses.replace(
        report.raw, residuals=np.full(5, 2.0)))  # fmt: skip
    assert "negative curvature" not in str(printed(print_curvature, curvature_facts("", {"train": seen})))


def test_curvature_along_a_run() -> None:
    reports = tuple(curvatures.curvature(seed) for seed in (0, 5))
    run = CurvatureRun("sgd", "epoch", (3, 8), (0.1, 0.05), reports, True)
    lines = printed(print_curvature_run, run_facts("", {"train": run}))
    rows = after(lines, "epoch", "2 / lr", "greatest", "least", "trace", "normalised trace", "gradient")
    for row, step, edge, each in zip(rows, ("3", "8"), ("20", "40"), reports, strict=False):
        traces = [f"{matrix.trace:.3g} ± {matrix.trace_stderr:.2g}" for matrix in (each.raw, each.normalised)]
        assert row == [step, edge, "9", "-0.8?", *traces, "0.05 ± 0.01"]


def test_how_two_surfaces_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[0.5, -0.3, 0.2], [np.nan, 0.1, 0.08]])
    widths = np.array([[0.1, 0.2, np.nan], [np.nan, 0.3, 0.06]])
    bound = np.array([[True, False, True], [True, False, True]])
    monkeypatch.setattr(
        "landscape.commands.shown.comparison.difference",
        lambda first, second, name: Difference(name, values, widths, bound, 0.04, 0.01),
    )
    one, other = (dataclasses.replace(valley(), path=name) for name in ("a.h5", "b.h5"))
    facts = comparison_facts(one, other)
    assert facts["values"]["train/accuracy"] == {
        "at_origin": 0.04, "half_width_at_origin": 0.01, "points": 5, "median": 0.1, "least": -0.3, "greatest": 0.5,
        "median_half_width": pytest.approx(0.15), "higher": 2, "lower": 1, "undecided": 1, "error_not_known": 1,
        "error_is_a_bound": 2,
    }  # fmt: skip
    lines = printed(print_comparison, facts)
    assert lines[0] == ["b.h5 less a.h5: differences on the same samples"]
    assert ["train/loss", "+0.04 ± 0.01", "+0.1 ± 0.15", "2", "1", "1"] in lines
    assert ["train/accuracy", "+4 ± 1 %", "+10 ± 15 %", "2", "1", "1"] in lines
    said = "both intervals added up: no sample differs there, or the files do not say what their samples have in common"
    assert [f"train/loss: at 2 points {said}; at 1 point no error is known"] in lines


def test_what_a_run_will_take() -> None:
    cost = SimilarityCost(2, 30, 1200, 40, 10, 7200.0, 3, 2 << 20, 3 << 20, 4 << 10, 5 << 30, False)
    assert describe_similarity_cost(cost).splitlines() == [
        "networks 2, with 30 layers in all",
        "samples  1,200 in 40 batches over all passes, 10 of them done",
        "time     about 2.0 h in 3 processes",
        "memory   2 MiB for sums over all pairs of layers, 3 MiB for Gram matrices of a batch (in memory, in each of 3 "
        "processes), 4 KiB for a layer's features, 5 GiB for components of a network, and one batch's activations",
    ]
    alone = describe_similarity_cost(dataclasses.replace(cost, ranks=1, on_disk=True, component_bytes=0, done=0))
    assert "in one process" in alone
    assert "(on disk, as they do not fit into memory)" in alone
    assert "components" not in alone
    curvature = CurvatureCost(1234, 500, 90, 2.0, 8, 3, 1 << 20, 2 << 20, 0, 4 << 10)
    assert describe_curvature_cost("train", curvature).splitlines() == [
        "train     500 samples, 1,234 weights",
        "products at most 90, 2 s each",
        "time     at most 3.0 min, and the Gauss-Newton matrix",
        "memory   3 MiB for the graphs of 3 of 8 batches, the others are built anew for each product; at most 2 MiB "
        "for vectors that are kept and 4 KiB for those of a product",
    ]
    whole = describe_curvature_cost("train", dataclasses.replace(curvature, kept=8, disk_bytes=3 << 30))
    assert "8 MiB for the graphs of 8 of 8 batches; at most" in whole
    assert whole.splitlines()[-1].startswith("disk     at most 3 GiB in ")
    surface = Cost(90, 100, {"train": 500, "test": 60}, 7200.0, 80.0, 1 << 20, 2 << 20, 3 << 20, False, True, 2)
    assert describe_cost(surface).splitlines() == [
        "points   90 to do of 100",
        "samples  train 500, test 60 at each point",
        "time     about 2.0 h in 2 processes (80 s a point)",
        "memory   2 MiB for network, theta* and directions, 3 MiB for fused layers, 1 MiB of data (kept on the "
        "device), and one batch's activations, in each process",
    ]
