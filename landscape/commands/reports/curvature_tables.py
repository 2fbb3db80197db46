"""What `landscape curvature` and `landscape info` say of curvature: as plain values, and as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from landscape.commands.printed import print_heading, print_pairs, print_table
from landscape.commands.reports.plain_facts import numbers
from landscape.surface.reports.curvature import Curvature, CurvatureRun
from landscape.surface.reports.matrix_spectrum import Spectrum

# Layers that a terminal shows; all are in the file.
_LAYERS = 12
_MORE = "give more --products, or a greater --eigenvalue-tolerance"
# Of the largest eigenvalue: what the effective dimension takes for small.
_ALPHA = 0.01


def curvature_facts(path: str, reports: Mapping[str, Curvature]) -> dict[str, Any]:
    """Return what there is to say of a file of curvature, as JSON; numbers that do not exist are None."""
    return {"path": path, "kind": "curvature", "curvature": {name: _facts(each) for name, each in reports.items()}}


def curvature_file_facts(path: str, found: Mapping[str, Curvature] | Mapping[str, CurvatureRun]) -> dict[str, Any]:
    """Return what there is to say of a file of curvature, be it of one network or along a run."""
    runs = {name: each for name, each in found.items() if isinstance(each, CurvatureRun)}
    if runs:
        return run_facts(path, runs)
    return curvature_facts(path, {name: each for name, each in found.items() if isinstance(each, Curvature)})


def run_facts(path: str, runs: Mapping[str, CurvatureRun]) -> dict[str, Any]:
    """Return what there is to say of curvature along a run, as JSON: of each data set the report of each step."""
    return {
        "path": path,
        "kind": "curvature run",
        "run": {
            name: {
                "name": run.name,
                "unit": run.unit,
                "complete": run.complete,
                "steps": [
                    {
                        "step": step,
                        "learning_rate": numbers(rate),
                        "two_over_learning_rate": numbers(edge),
                        **_facts(report),
                    }
                    for step, rate, edge, report in zip(
                        run.steps, run.learning_rates, run.edge_of_stability.tolist(), run.reports, strict=True
                    )
                ],
            }
            for name, run in runs.items()
        },
    }


def print_curvature_run(console: Console, facts: Mapping[str, Any]) -> None:
    """Print a run's numbers step by step."""
    for name, run in facts["run"].items():
        steps = run["steps"]
        state = "" if run["complete"] else ", not finished"
        samples = f", {steps[0]['samples']:,} samples" if steps else ""
        print_heading(console, f"Curvature of {name} along {run['name']}{samples}{state}")
        rows = [
            [
                str(each["step"]),
                _short(each["two_over_learning_rate"]),
                *(_short(each["eigenvalues"][k]) + ("" if each["converged"][k] else "?") for k in (0, -1)),
                _with_error(each["trace"], each["trace_stderr"]),
                _with_error(each["normalised"]["trace"], each["normalised"]["trace_stderr"]),
                _with_error(each["gradient_norm"], each["gradient_norm_stderr"]),
            ]
            for each in steps
        ]
        head = [run["unit"], "2 / lr", "greatest", "least", "trace", "normalised trace", "gradient"]
        print_table(console, head, rows)
        unsure = sum(not (each["converged"][0] and each["converged"][-1]) for each in steps)
        if unsure:
            print_pairs(console, [("?", f"not converged at {unsure} of {len(steps)} steps; {_MORE}")])


def _facts(report: Curvature) -> dict[str, Any]:
    mean, spread = report.random_slice
    return {
        "samples": report.samples,
        "verdict": report.verdict,
        "loss": numbers(report.loss),
        "loss_stderr": numbers(report.loss_stderr),
        "gradient_norm": numbers(report.gradient_norm),
        "gradient_norm_stderr": numbers(report.gradient_norm_stderr),
        "gradient_noise": numbers(report.gradient_noise),
        "gradient_square": {
            **dict(zip(("value", "stderr"), numbers(report.gradient_square), strict=True)),
            "interval": numbers(report.gradient_square_interval),
        },
        **_matrix(report.raw),
        "normalised": {
            **_matrix(report.normalised),
            "random_slice": numbers(mean),
            "random_slice_deviation": numbers(spread),
            "slice_bound": numbers(report.slice_bound),
        },
        "gauss_newton": {
            "greatest": numbers(report.gauss_newton_greatest),
            "residual": numbers(report.gauss_newton_residual),
            "converged": _newton_converged(report),
            "trace": numbers(report.gauss_newton_trace),
            "trace_stderr": numbers(report.gauss_newton_trace_stderr),
        },
        "slice": _slice_facts(report),
        "layers": [numbers(vars(layer)) for layer in report.layers],
        "problem": dict(report.problem),
        "origin": dict(report.origin),
        "settings": dict(report.settings),
    }


def _newton_converged(report: Curvature) -> bool | None:
    greatest, residual = report.gauss_newton_greatest, report.gauss_newton_residual
    return None if math.isnan(greatest) else bool(residual <= report.raw.tolerance * abs(greatest))


def _slice_facts(report: Curvature) -> dict[str, Any] | None:
    drawn = report.slice
    if drawn is None:
        return None
    greatest = float(drawn.eigenvalues[0])
    return {
        "labels": list(drawn.labels),
        "hessian": drawn.hessian.tolist(),
        "samples_stderr": numbers(drawn.samples_stderr),
        "fitted": numbers(drawn.fitted),
        "fitted_error": numbers(drawn.fitted_error),
        "rank": numbers(drawn.rank),
        "eigenvalues": drawn.eigenvalues.tolist(),
        "routes_agree": drawn.routes_agree,
        "bound_over_slice": numbers(report.slice_bound / greatest) if greatest > 0 else None,
        "hides_negative": bool(
            drawn.eigenvalues[-1] >= 0 and report.raw.least_eigenvalue + report.raw.residuals[-1] < 0
        ),
    }


def _matrix(spectrum: Spectrum) -> dict[str, Any]:
    negative, negative_low, negative_high = spectrum.negative_share()
    participation, participation_error = spectrum.participation
    alpha = _ALPHA * spectrum.largest_size
    dimension, dimension_error = spectrum.effective_dimension(alpha) if alpha > 0 else (math.nan, math.nan)
    density = spectrum.density()
    return {
        "size": spectrum.size,
        "eigenvalues": numbers(spectrum.eigenvalues),
        "residuals": numbers(spectrum.residuals),
        "samples_stderr": numbers(spectrum.samples_stderr),
        "converged": [bool(each) for each in spectrum.converged],
        "greatest": spectrum.greatest,
        "trace": numbers(spectrum.trace),
        "trace_stderr": numbers(spectrum.trace_stderr),
        "trace_samples_stderr": numbers(spectrum.trace_samples_stderr),
        "trace_interval": numbers(spectrum.trace_interval),
        "frobenius": numbers(spectrum.frobenius),
        "frobenius_stderr": numbers(spectrum.frobenius_stderr),
        "frobenius_interval": numbers(spectrum.frobenius_interval),
        "negative_share": numbers(negative),
        "negative_share_bounds": numbers([negative_low, negative_high]),
        "greatest_over_last": numbers(spectrum.ratio),
        "least_condition": numbers(spectrum.least_condition),
        "participation": numbers(participation),
        "participation_stderr": numbers(participation_error),
        "effective_dimension": {"alpha": alpha, "value": numbers(dimension), "stderr": numbers(dimension_error)},
        "density": numbers(density._asdict()),
        "probes": len(spectrum.traces),
        "steps": spectrum.nodes.shape[1],
        "products": spectrum.products,
    }


def print_curvature(console: Console, facts: Mapping[str, Any]) -> None:
    """Print a file's reports."""
    for name, report in facts["curvature"].items():
        _print(console, name, report)


def _print(out: Console, name: str, report: Mapping[str, Any]) -> None:
    print_heading(out, f"Curvature of {name}, {report['samples']:,} samples")
    print_pairs(
        out,
        [
            ("verdict", report["verdict"]),
            ("loss", _with_error(report["loss"], report["loss_stderr"])),
            ("gradient", f"{_short(report['gradient_norm'])}, its sampling error {_short(report['gradient_noise'])}"),
        ],
    )
    scaled = report["normalised"]
    print_table(
        out,
        ["", "eigenvalue", "residual", "from samples", "normalised", "residual", "from samples"],
        [
            [_place(k, report), *_pair(report, k), *_pair(scaled, _same(k, report, scaled))]
            for k in range(len(report["eigenvalues"]))
        ],
    )
    both = (report, scaled)
    if note := _unconverged(report):
        print_pairs(out, [("?", note)])
    dimensions = [each["effective_dimension"] for each in both]
    rows = [
        ["trace", *(_with_error(each["trace"], each["trace_stderr"]) for each in both)],
        ["  from samples", *(_plus_minus(each["trace_samples_stderr"]) for each in both)],
        ["Frobenius norm", *(_with_error(each["frobenius"], each["frobenius_stderr"]) for each in both)],
        ["negative share", *(_percent(each) for each in both)],
        ["greatest over last of them", *(_short(each["greatest_over_last"]) for each in both)],
        ["condition number, at least", *(_short(each["least_condition"]) for each in both)],
        [
            "trace² over Frobenius norm²",
            *(_with_error(each["participation"], each["participation_stderr"]) for each in both),
        ],
        [
            f"effective dimension at {_ALPHA:.0%} of the largest",
            *(_with_error(each["value"], each["stderr"]) for each in dimensions),
        ],
        ["products", *(str(each["products"]) for each in both)],
    ]
    print_table(out, ["", "Hessian", "normalised"], rows)
    newton = report["gauss_newton"]
    print_pairs(
        out,
        [
            (
                "random slice",
                f"curvature {_short(scaled['random_slice'])}, deviation {_short(scaled['random_slice_deviation'])}; at "
                f"most {_short(scaled['slice_bound'])} in any direction of such length",
            ),
            ("Gauss-Newton", "" if newton["greatest"] is None else _newton(newton)),
        ],
    )
    if report["slice"] is not None:
        _print_slice(out, report["slice"])
    layers = sorted(report["layers"], key=lambda each: -abs(each["trace"] or 0.0))
    print_table(
        out,
        ["layer", "weights", "trace", "normalised trace"],
        [
            [
                each["name"],
                f"{each['size']:,}",
                _with_error(each["trace"], each["trace_stderr"]),
                _with_error(each["normalised_trace"], each["normalised_trace_stderr"]),
            ]
            for each in layers[:_LAYERS]
        ],
    )
    if len(layers) > _LAYERS:
        print_pairs(out, [("", f"and {len(layers) - _LAYERS} more layers of smaller trace, in --json and in the file")])


def _newton(matrix: Mapping[str, Any]) -> str:
    mark = "" if matrix["converged"] else "?"
    return (
        f"greatest {_short(matrix['greatest'])}{mark}, residual {_short(matrix['residual'])}; trace "
        f"{_with_error(matrix['trace'], matrix['trace_stderr'])}"
    )


def _unconverged(report: Mapping[str, Any]) -> str:
    """Say how many pairs of which matrix have not converged, and what helps; nothing where all have."""
    parts = []
    for name, matrix in (("of the Hessian", report), ("normalised", report["normalised"])):
        failed = matrix["converged"].count(False)
        if failed:
            parts.append(f"{failed} of {len(matrix['converged'])} eigenvalues {name}")
    if report["gauss_newton"]["converged"] is False:
        parts.append("that of the Gauss-Newton matrix")
    if not parts:
        return ""
    most = report["settings"].get("most")
    given = "the products given" if most is None else f"--products {most}"
    return f"not converged within {given}: {', '.join(parts)}; {_MORE}"


def _place(k: int, report: Mapping[str, Any]) -> str:
    """Number eigenvalues from both ends: 0 is the greatest, -1 the least."""
    number = k if k < report["greatest"] else k - len(report["eigenvalues"])
    return str(number)


def _same(k: int, report: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Return where another matrix has the eigenvalue of the same place, -1 where it has none."""
    if k < report["greatest"]:
        return k if k < other["greatest"] else -1
    found = k - len(report["eigenvalues"]) + len(other["eigenvalues"])
    return found if found >= other["greatest"] else -1


def _pair(matrix: Mapping[str, Any], k: int) -> list[str]:
    if k < 0:
        return ["", "", ""]
    mark = "" if matrix["converged"][k] else "?"
    return [_short(matrix[name][k]) + (mark if name == "eigenvalues" else "") for name in _COLUMNS]


_COLUMNS = ("eigenvalues", "residuals", "samples_stderr")


def _percent(matrix: Mapping[str, Any]) -> str:
    share, (low, high) = matrix["negative_share"], matrix["negative_share_bounds"]
    if share is None or low is None or high is None:
        return "unknown"
    return f"{100 * share:.2g} %, between {100 * low:.2g} and {100 * high:.2g}"


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _with_error(value: float | None, error: float | None) -> str:
    return _short(value) + ("" if error is None else f" ± {error:.2g}")


def _plus_minus(error: float | None) -> str:
    return "unknown" if error is None else f"± {error:.2g}"


def _print_slice(out: Console, drawn: Mapping[str, Any]) -> None:
    size = len(drawn["labels"])
    rows = [
        [
            drawn["labels"][i] if i == j else f"{drawn['labels'][i]} × {drawn['labels'][j]}",
            _with_error(drawn["hessian"][i][j], drawn["samples_stderr"][i][j]),
            _with_error(drawn["fitted"][i][j], drawn["fitted_error"][i][j]),
            "" if i != j else "no random one" if drawn["rank"][i] is None else f"{100 * drawn['rank'][i]:.0f} %",
        ]
        for i in range(size)
        for j in range(i, size)
    ]
    print_table(out, ["drawn plane", "curvature", "of the surface's values", "random ones below"], rows)
    said = []
    if drawn["bound_over_slice"] is not None:
        said.append(f"a direction as long may be up to {_short(drawn['bound_over_slice'])} times as sharp as its own")
    if not drawn["routes_agree"]:
        said.append(
            "products and the surface's values differ by more than the fit's error: kinks (ReLU), which no Hessian "
            "holds, a coarse grid, or values that are estimates for all data"
        )
    if drawn["hides_negative"]:
        said.append("there is negative curvature, and this plane does not show it")
    print_pairs(out, [("the plane", "; ".join(said))])
