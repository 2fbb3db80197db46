"""What a training leaves in its folder: tables, states, and the mark by which a state is known for a recipe's."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.files.atomic import replace_file
from landscape.problem.params import digest
from landscape.studies.study import Recipe


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    """Write numbers as CSV; whole ones without a point, so that steps look like steps."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[f"{each:.10g}" for each in row] for row in rows])
    replace_file(path, text.getvalue().encode())


def write_state(contents: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values so that they are there whole or not at all."""
    file = io.BytesIO()
    torch.save(dict(contents), file)
    replace_file(path, file.getvalue())


def recipe_digest(recipe: Recipe, seed: int, sets: Mapping[str, tuple[Tensor, Tensor]]) -> str:
    """Return what tells the state of this recipe, seed and data from any other."""
    data = {name: digest({"inputs": x, "targets": y}) for name, (x, y) in sets.items()}
    said = json.dumps([dataclasses.asdict(recipe), seed, data], default=str, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
