"""The file's layout is the specification's: what is written bears its names, and old files are read by them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.files import store
from landscape.files.store import read_directions, read_surface, write_surface
from landscape.surface.surface import Trajectory

OLD = Path(__file__).with_name("version1.h5")  # as the first version wrote it; never written again


def specified() -> dict[str, str]:
    """Return what the specification says of each path: ``/axes/0`` -> its line or lines."""
    entries: dict[str, str] = {}
    paths: list[str] = []
    for line in (store.__doc__ or "").partition("::")[2].partition("\n\nText is")[0].splitlines():
        if line.startswith("    /"):
            said, _, text = line.strip().partition("  ")
            first, *others = said.replace(",", "").split()
            paths = [first, *(f"{first.rpartition('/')[0]}/{other}" for other in others if other != "...")]
        else:
            text = line
        for path in paths:
            path = path.rstrip("/") or "/"
            entries[path] = f"{entries.get(path, '')} {text}"
    return entries


def entry_of(name: str) -> str:
    """Return the path under which the specification speaks of a member of a file."""
    if re.fullmatch(r"axes/\d", name):
        return "/axes/0"
    if name.startswith("directions/"):
        return "/directions/0/0"
    name = re.sub(r"^data/\w+/count$", "data/NAME/count", name)
    name = re.sub(r"^data/\w+/(?!count)[a-z]+", "data/NAME/METRIC", name)
    name = re.sub(r"^trajectory/[^/]+", "trajectory/RUN", name)
    return f"/{name}"


def test_every_name_and_type_in_a_file_is_the_specifications(tmp_path):
    old = read_surface(OLD)

    def narrow(arrays: Any) -> Any:  # whatever types a caller's arrays are of, the file's are the specified ones
        return {name: each.astype("f4" if each.dtype.kind == "f" else "i4") for name, each in arrays.items()}

    groups = {name: narrow(getattr(old, name)) for name in ("values", "stderr", "paired_stderr", "counts")}
    run = old.trajectories["a/b"]
    run = Trajectory(**narrow({name: each for name, each in vars(run).items() if name != "attributes"}))
    surface = dataclasses.replace(old, **groups, cosines=old.cosines.astype("f4"), trajectories={"a/b": run})
    write_surface(tmp_path / "net.h5", surface, directions=read_directions(OLD))
    assert read_surface(tmp_path / "net.h5").trajectories["a/b"].loss.tolist() == [2.0, np.inf]
    said, seen = specified(), set()

    def look(name: str, member: Any) -> None:
        path, word = entry_of(name) if name else "/", ""
        if path.startswith("/trajectory/RUN/"):
            path, word = path.rsplit("/", 1)
        if isinstance(member, h5py.Dataset) or member.attrs:
            assert re.search(rf"\b{word}\b", said.get(path, "")), f"{name} is not specified"
        for attribute in member.attrs:
            assert re.search(rf"\b{attribute}\b", said[path]), f"{name}: {attribute} is not specified"
            seen.add(f"{path}@{attribute}")
        if isinstance(member, h5py.Dataset) and not name.startswith("directions"):
            text = said["/data/NAME/METRIC" if path.endswith("stderr") else path]
            assert str(member.dtype) in text, name
        seen.add(f"{path}/{word}" if word else path)

    with h5py.File(tmp_path / "net.h5") as file:
        look("", file)
        file.visititems(look)
    promised = {"/@format", "/@version", "/@software", "/@created", "/@command", "/@title", "/@problem", "/@complete"}
    promised |= {f"/axes/0@{name}" for name in ("label", "source", "kind", "sha256", "recipe", "length")}
    promised |= {"/directions@cosines", "/directions/0/0@name", "/data/NAME/METRIC_paired_stderr", "/state"}
    promised |= {"/data/NAME/count", "/data/NAME/METRIC", "/data/NAME/METRIC_stderr", "/origin@json", "/quality@json"}
    promised |= {f"/trajectory/RUN/{name}" for name in ("coordinates", "residual", "loss", "step")}
    assert promised | {"/trajectory/RUN@json"} <= seen


def test_a_file_of_the_first_version_is_read_as_it_was_meant():
    surface = read_surface(OLD)
    x, y = surface.axes
    assert (x.label, x.source, x.kind, x.length, x.sha256) == ("x", "pca", "direction", 3.5, "aa")
    assert x.recipe == {"source": "pca", "runs": [{"name": "sgd"}]}
    assert y.recipe == {"seed": 7, "wide": float("inf")}
    loss = np.array([[-1.0, 0.0, 2.0], [49.0, np.nan, 52.0]])
    np.testing.assert_array_equal(surface["train/loss"], loss)
    np.testing.assert_array_equal(surface["test/accuracy"], loss / 100)
    np.testing.assert_array_equal(surface.stderr["train/loss"], loss / 8)
    np.testing.assert_array_equal(surface.paired_stderr["train/loss"], loss / 16)
    np.testing.assert_array_equal(surface.counts["train"], [[7, 7, 7], [7, 0, 6]])
    np.testing.assert_array_equal(surface.state, [[1, 1, 1], [1, 0, 2]])
    np.testing.assert_array_equal(surface.cosines, [[1.0, 0.5], [0.5, 1.0]])
    assert surface.problem == {"mode": "eval", "data": {"train": {"size": 7}}}
    assert surface.origin == {"checkpoint": "net.pt", "values": {"train/loss": 0.0}}
    assert surface.quality == {"precision": "float32"}
    assert (surface.title, surface.software, surface.created) == (
        "A title",
        "landscape 0.1.0",
        "2026-11-28T20:00:00+00:00",
    )
    assert surface.command == "landscape evaluate größe.pt"
    run = surface.trajectories["a/b"]
    np.testing.assert_array_equal(run.coordinates, [[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(run.residual, [0.5, 0.0])
    np.testing.assert_array_equal(run.loss, [2.0, np.inf])
    np.testing.assert_array_equal(run.step, [0, 3])
    assert run.attributes == {"explained_variance": [0.75, 0.125]}
    first, second = read_directions(OLD)
    np.testing.assert_array_equal(first["w"], np.arange(4.0))
    assert (first["w"].dtype, second["w"].dtype) == (np.float32, np.float64)
