"""The similarity file: matrices over the layers of several networks. This text is its specification, version 1.

Of the layout in `landscape.files.reports.report_layout`, kind "landscape similarity", with the fields of
`landscape.surface.reports.similarity.Similarity`:

* JSON: networks (a list of mappings), blocks (a list of mappings or null), and all other fields that are no arrays;
* float64 arrays: cka, stderr, pc_cosine (rows, rows); pc_share, pc_share_stderr, pc_residual (rows,); other.NAME
  (rows, rows); int64: dominant (rows, m); float32: images (m, C, H, W). Those that were not measured are not there;
* state.NAME, with "state" in the JSON: what a run that was cut short needs to go on, and one that adds passes; of no
  use to anyone else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.reports.report_layout import Array, Layout, required
from landscape.surface.reports.similarity import Block, NetworkLayers, Similarity

_SQUARE, _ROWS = ("cka", "stderr", "pc_cosine"), ("pc_share", "pc_share_stderr", "pc_residual")
_ARRAYS = (*_SQUARE, *_ROWS, "dominant", "images", "others")
_COUNTS = ("samples", "batches", "passes")
_TEXTS = ("kernel", "done", "software", "created", "command")


def _parsed(plain: dict[str, Any], arrays: Mapping[str, Array], path: str) -> Similarity:
    networks = tuple(_network(each) for each in plain.pop("networks"))
    rows = sum(len(each.layers) for each in networks)
    blocks = tuple(None if each is None else _block(each, rows) for each in plain.pop("blocks"))
    if blocks and len(blocks) != len(networks):
        raise FormatError(f"there are {len(blocks)} blocks for {len(networks)} networks")
    values: dict[str, Any] = {name: required(arrays, name, np.float64, (rows, rows)) for name in _SQUARE[:2]}
    values |= {name: required(arrays, name, np.float64, (rows,)) for name in _ROWS if name in arrays}
    if "pc_cosine" in arrays:
        values["pc_cosine"] = required(arrays, "pc_cosine", np.float64, (rows, rows))
    if "dominant" in arrays:
        values["dominant"] = required(arrays, "dominant", np.int64, (rows, -1))
    if "images" in arrays:
        values["images"] = required(arrays, "images", np.float32, (-1, -1, -1, -1))
    names = [name for name in arrays if name.startswith("other.")]
    values["others"] = {name.removeprefix("other."): required(arrays, name, np.float64, (rows, rows)) for name in names}
    for name in ("notes", "pictured", "labels"):
        values[name] = tuple(_listed(plain.pop(name, []), str if name == "notes" else int))
    known = {field.name for field in dataclasses.fields(Similarity)} - {*_ARRAYS, "path"}
    kept = {name: value for name, value in plain.items() if name in known}
    for name in _COUNTS:
        if not _is_whole(kept[name]):
            raise FormatError(f"its {name} is {kept[name]!r}, no count")
    if "dominant" in values and kept["samples"] < values["dominant"].shape[1]:
        raise FormatError(f"its layers have {values['dominant'].shape[1]} dominant ones of {kept['samples']} samples")
    for name in _TEXTS:
        if not isinstance(kept.get(name, ""), str):
            raise FormatError(f"its {name} is no text")
    for name in ("settings", "problem"):
        if not isinstance(kept.get(name, {}), dict):
            raise FormatError(f"its {name} is no mapping")
    return Similarity(networks, blocks=blocks, path=path, **kept, **values)


def _listed(found: Any, kind: type) -> list[Any]:
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        raise FormatError(f"a list of {kind.__name__} was expected")
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _network(found: dict[str, Any]) -> NetworkLayers:
    texts = {name: tuple(_listed(found[name], str)) for name in ("layers", "kinds")}
    counts = {name: tuple(_listed(found[name], int)) for name in ("calls", "features")}
    if not all(_is_whole(each) for numbers in counts.values() for each in numbers):
        raise FormatError("a network's calls or features are no counts")
    if len({len(each) for each in (*texts.values(), *counts.values())}) > 1:
        raise FormatError("a network has not as many names of layers as calls, kinds and features")
    name, group, about = found["name"], found.get("group", ""), found.get("about", {})
    if not isinstance(name, str) or not isinstance(group, str) or not isinstance(about, dict):
        raise FormatError("a network's name or group is no text")
    return NetworkLayers(name, texts["layers"], counts["calls"], texts["kinds"], counts["features"], group, about)


def _block(found: dict[str, Any], rows: int) -> Block:
    numbers = {name: found[name] for name in ("inside", "outside", "pc_share", "pc_share_outside")}
    first, last, shared = found["first"], found["last"], found.get("shared", {})
    if not _is_whole(first) or not _is_whole(last) or not first <= last < rows:
        raise FormatError("a block's layers are no layers of its network")
    if not all(isinstance(each, float) for each in (*numbers.values(), *shared.values())):
        raise FormatError("a block's values are no numbers")
    return Block(first, last, **numbers, shared=shared)


LAYOUT = Layout("landscape similarity", 1, _parsed)
is_similarity, read_similarity = LAYOUT.recognises, LAYOUT.read


def write_similarity(
    path: str | Path,
    found: Similarity,
    state: tuple[Mapping[str, Any], Mapping[str, Array]] | None = None,
) -> None:
    """Write a result, with what its run needs to go on where it is not complete, or to add passes where it is.

    Raises
    ------
    StoreError
        It cannot be written; the last good file is kept.
    """
    plain: dict[str, Any] = {
        field.name: getattr(found, field.name)
        for field in dataclasses.fields(found)
        if field.name not in (*_ARRAYS, "networks", "blocks", "path")
    }
    plain["networks"] = [dataclasses.asdict(each) for each in found.networks]
    plain["blocks"] = [None if each is None else dataclasses.asdict(each) for each in found.blocks]
    arrays: dict[str, Any] = {name: np.asarray(getattr(found, name), np.float64) for name in (*_SQUARE, *_ROWS)}
    arrays = {name: array for name, array in arrays.items() if array.size}
    arrays |= {f"other.{name}": np.asarray(each, np.float64) for name, each in found.others.items()}
    if found.dominant.size:
        arrays["dominant"] = found.dominant
    if found.images is not None:
        arrays["images"] = found.images
    if state is not None:
        plain["state"] = dict(state[0])
        arrays |= {f"state.{name}": array for name, array in state[1].items()}
    LAYOUT.write_parts(path, plain, arrays)


def read_state(path: str | Path) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """Return what the run of a file needs to go on, or to add passes; None where there is nothing of it."""
    plain, arrays = LAYOUT.read_parts(path)
    if not isinstance(plain.get("state"), dict):
        return None
    kept = {name.removeprefix("state."): each for name, each in arrays.items() if name.startswith("state.")}
    return plain["state"], kept
