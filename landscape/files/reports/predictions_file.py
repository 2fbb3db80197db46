"""The predictions file: probabilities of several networks for the same examples. This text is its specification.

Version 1, of the layout in `landscape.files.reports.report_layout`, kind "landscape predictions", with the fields of
`landscape.surface.reports.populations.Populations`:

* JSON: names, groups (lists of text), about (a list of mappings), pictured, and all other fields that are no arrays;
* arrays: probabilities (networks, examples, classes) float32 or float16; labels, numbers (examples,) int64; done
  (networks,) uint8; images (k, C, H, W) float32, where there are some.

Networks that are not done have zeros. The same command goes on with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.files.reports.report_layout import Array, Layout, required, split_fields
from landscape.surface.reports.populations import Populations

_TEXTS = ("software", "created", "command")


def _split(found: Populations) -> tuple[dict[str, Any], dict[str, Array]]:
    plain, arrays = split_fields(found)
    plain.pop("images", None)  # that there are none is no value
    return {**plain, "about": [dict(each) for each in found.about]}, arrays


def _parsed(plain: dict[str, Any], arrays: dict[str, Array], path: str) -> Populations:
    names, groups = (tuple(plain[name]) for name in ("names", "groups"))
    if not all(isinstance(each, str) for each in (*names, *groups)) or len(names) != len(groups) or not names:
        raise FormatError("its networks have no names and groups")
    probabilities = arrays.get("probabilities")
    if probabilities is None or probabilities.dtype not in (np.float32, np.float16) or probabilities.ndim != 3:
        raise FormatError("its probabilities are no float32 or float16 array of three dimensions")
    if probabilities.shape[0] != len(names) or not probabilities.shape[2]:
        raise FormatError(f"its probabilities are of shape {probabilities.shape}, there are {len(names)} networks")
    examples, classes = probabilities.shape[1:]
    done = required(arrays, "done", np.uint8, (len(names),)).astype(bool)
    labels = required(arrays, "labels", np.int64, (examples,))
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise FormatError(f"its labels are no numbers of {classes} classes")
    # Not `sum`: NaN and negative numbers have to fail, too.
    if not (np.abs(probabilities[done].sum(2, dtype=np.float64) - 1) < 0.02).all() or (probabilities < 0).any():
        raise FormatError("its probabilities are none: they do not add up to 1")
    images = required(arrays, "images", np.float32, (-1, -1, -1, -1)) if "images" in arrays else None
    pictured = tuple(plain.get("pictured", ()))
    if not all(isinstance(each, int) and 0 <= each < examples for each in pictured):
        raise FormatError("it pictures examples that are not there")
    if images is not None and len(images) != len(pictured):
        raise FormatError(f"there are {len(images)} images of {len(pictured)} examples")
    about = tuple(plain.get("about", ()))
    mappings = (*about, plain.get("problem", {}), plain.get("settings", {}))
    if not all(isinstance(each, dict) for each in mappings) or len(about) not in (0, len(names)):
        raise FormatError("what it says of networks, problem or settings is no mapping")
    if not all(isinstance(plain.get(name, ""), str) for name in _TEXTS):
        raise FormatError("what it says of software and command is no text")
    return Populations(
        names,
        groups,
        probabilities,
        labels,
        required(arrays, "numbers", np.int64, (examples,)),
        done,
        about,
        images,
        pictured,
        plain.get("problem", {}),
        plain.get("settings", {}),
        **{name: plain.get(name, "") for name in _TEXTS},
        path=path,
    )


PREDICTIONS = Layout("landscape predictions", 1, _parsed, _split)
is_predictions, write_predictions, read_predictions = PREDICTIONS.recognises, PREDICTIONS.write, PREDICTIONS.read
