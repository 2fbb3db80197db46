"""What a page is told of curvature: reports beside the surface of the same network, and the convexity map as values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.page.curvature_panel import curvature_records, label_of
from landscape.plot.page.html import page_text, read_page

from landscape.cli import main
from landscape.errors import PlotError
from landscape.files.reports.curvature_file import write_curvature
from landscape.files.store import write_surface
from landscape.surface.reports.curvature import SliceCurvature
from landscape.surface.surface import Surface
from tests.helpers.curvatures import curvature
from tests.helpers.plot_fixtures import valley

DIGEST = "ab" * 32


def mapped(residual: float = 0.01) -> Surface:
    """A plane of ours around a network, with both ends of the spectrum at each point."""
    plain = valley()
    greatest = np.full(plain.shape, 2.0)
    least = np.linspace(-1.5, 0.0, plain.shape[0] * plain.shape[1]).reshape(plain.shape)
    values = {"train/eigenvalue_max": greatest, "train/eigenvalue_min": least}
    values |= {f"train/eigenvalue_{end}_residual": np.full(plain.shape, residual) for end in ("max", "min")}
    values["train/eigenvalue_max_residual"][0, 0] = 0.9
    return dataclasses.replace(
        plain, values={**plain.values, **values}, origin={**plain.origin, "sha256": DIGEST}, path="net.h5"
    )


def report(digest: str = DIGEST):
    return dataclasses.replace(curvature(), origin={"checkpoint": "net.pt", "sha256": digest}, path="net.curvature.h5")


def content(tmp_path, *surfaces, **options):
    path = tmp_path / "page.html"
    path.write_text(page_text(list(surfaces), poster=b"\x89PNG", **options))
    return read_page(path)


def test_a_report_stands_beside_the_surface_of_its_network_alone(tmp_path):
    other = dataclasses.replace(mapped(), origin={**mapped().origin, "sha256": "cd" * 32})
    parts = (
        np.array([[own, between], [between, own / 4]]) for own, between in ((4, -0.5), (1, 0.1), (3, -0.4), (2, 0.2))
    )
    own = dataclasses.replace(report(), slice=SliceCurvature(("α", "β"), *parts, (0.6, np.nan)))
    told, _ = content(tmp_path, other, mapped(), curvature=[own])
    first, second = (pane["frames"][0]["curvature"] for pane in told["panes"])
    assert first == []
    (found,) = second
    assert found["title"] == "train, 500 samples"
    assert found["verdict"] == "Saddle: of a kind."
    rows = {label: cells for label, *cells in found["rows"]}
    assert rows["greatest"] == ["9, residual 0.001", "0.9, residual 10⁻⁴"]
    assert rows["least"][0] == "−0.8, residual 0.2, not converged"
    assert found["spectra"][0]["counts"] == curvature().raw.density().counts.tolist()
    assert found["spectra"][0]["errors"] == np.nan_to_num(curvature().raw.density().errors).tolist()
    assert max(found["spectra"][0]["errors"]) > 0
    assert found["spectra"][1]["eigenvalues"] == curvature().normalised.eigenvalues.tolist()
    assert found["slice"] == [
        ["α", "4 ± 1", "3 ± 2", "60 %"],
        ["α × β", "−0.5 ± 0.1", "−0.4 ± 0.2", ""],
        ["β", "1 ± 0.25", "0.75 ± 0.5", "no random one"],
    ]
    assert [layer["name"] for layer in found["layers"]] == [f"layer{k}.weight" for k in (2, 1, 0)]


def test_under_a_slider_a_report_stands_beside_the_checkpoint_that_it_is_of(tmp_path):
    other = dataclasses.replace(mapped(), origin={**mapped().origin, "sha256": "cd" * 32})
    told, _ = content(tmp_path, other, mapped(), epochs=True, curvature=[report()])
    assert [len(frame["curvature"]) for frame in told["panes"][0]["frames"]] == [0, 1]


def test_a_report_stands_beside_the_one_slice_of_a_volume_that_its_network_is_in(tmp_path):
    flat = mapped()
    axes = (*flat.axes, dataclasses.replace(flat.axes[0], values=np.array([-1.0, 0.0, 1.0, 2.0])))
    values = {name: np.stack([array] * 4) for name, array in flat.values.items()}
    bare = {key: {} for key in ("stderr", "paired_stderr", "counts", "anchored", "tails")}
    volume = dataclasses.replace(flat, axes=axes, values=values, state=np.stack([flat.state] * 4), **bare)
    told, _ = content(tmp_path, volume, curvature=[report()])
    assert [len(frame["curvature"]) for frame in told["panes"][0]["frames"]] == [0, 1, 0, 0]


def test_layers_of_the_largest_traces_are_listed_whatever_their_sign():
    one, *_ = curvature().layers
    traces = {f"layer{k}": (-1) ** k * (1.0 + 0.5 * k) for k in range(14)}
    made = [
        dataclasses.replace(one, name=n, normalised_trace=t, trace=-2 * t, trace_stderr=np.nan)
        for n, t in traces.items()
    ]
    # Of as large normalised traces the larger trace goes first.
    made += [dataclasses.replace(made[-1], name="first", trace=-99.0)]
    (told,) = curvature_records([dataclasses.replace(curvature(), layers=tuple(made))])
    assert [layer["name"] for layer in told["layers"]] == ["first", *(f"layer{k}" for k in range(13, 2, -1))]
    assert told["left"] == 3
    second = {"name": "layer13", "trace": 15.0, "error": 0.0, "normalised": -7.5, "normalisedError": 0.05}
    assert told["layers"][1] == second
    whole = curvature_records([curvature()])[0]
    assert (whole["left"], whole["spectra"][0]["title"]) == (0, "eigenvalues of the Hessian")
    raw, other = (getattr(curvature(), name) for name in ("raw", "normalised"))
    assert [each["eigenvalues"] for each in whole["spectra"]] == [raw.eigenvalues.tolist(), other.eigenvalues.tolist()]


def test_a_report_of_another_network_is_refused():
    with pytest.raises(PlotError, match=r"net\.curvature\.h5 is about net\.pt, which none of the surfaces"):
        page_text(mapped(), poster=b"\x89PNG", curvature=[report("ef" * 32)])
    nameless = dataclasses.replace(mapped(), origin={})
    with pytest.raises(PlotError, match="none of the surfaces"):
        page_text(nameless, poster=b"\x89PNG", curvature=[dataclasses.replace(report(), origin={})])


def test_the_ratio_of_both_ends_is_a_value_and_trust_counts_what_is_open(tmp_path):
    told, arrays = content(tmp_path, mapped())
    frame = told["panes"][0]["frames"][0]
    ratio = np.asarray(arrays[frame["values"]["train/convexity"]])
    np.testing.assert_allclose(ratio.ravel(), np.abs(mapped()["train/eigenvalue_min"] / 2).ravel())
    assert told["labels"]["train/convexity"] == "|least / greatest eigenvalue|"
    assert label_of("test/eigenvalue_max") == "test: greatest eigenvalue"
    assert label_of("train/gradient_norm") == "gradient"
    above = int((ratio > 0.5).sum())
    assert dict(frame["trust"])["convexity of train"].startswith(f"{above} of {ratio.size} ratios above 0.5")
    assert "leave 1 open" in dict(frame["trust"])["convexity of train"]
    bare = {name: each for name, each in mapped().values.items() if "residual" not in name}
    assert "train/convexity" not in content(tmp_path, dataclasses.replace(mapped(), values=bare))[0]["labels"]


def test_view_takes_reports_among_its_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("landscape.plot.page.poster.draw_poster", lambda *_: b"\x89PNG")
    write_surface("net.h5", mapped())
    write_curvature("net.curvature.h5", {"train": report()}, {"software": "x"})
    assert main(["view", "net.h5", "net.curvature.h5", "-o", "page.html"]) == 0
    told, _ = read_page("page.html")
    assert len(told["panes"]) == 1
    assert len(told["panes"][0]["frames"][0]["curvature"]) == 1
    assert main(["view", "net.curvature.h5", "-o", "other.html"]) == 2
    assert "add the surface of the network of net.curvature.h5" in capsys.readouterr().err
