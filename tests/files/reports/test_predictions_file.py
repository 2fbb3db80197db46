"""A file of predictions comes back as it was written, and what is none is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files.reports.predictions_file import PREDICTIONS, read_predictions, write_predictions
from tests.helpers.population_results import populations


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_what_is_written_comes_back(tmp_path, kind):
    path = tmp_path / "pred.h5"
    found = populations()
    found = dataclasses.replace(found, probabilities=found.probabilities.astype(kind))
    write_predictions(path, found)
    again = read_predictions(path)
    for field in dataclasses.fields(found):
        if field.name != "path":
            np.testing.assert_equal(getattr(again, field.name), getattr(found, field.name))
    assert again.probabilities.dtype == kind


def test_what_does_not_fit_together_is_refused(tmp_path):
    path = tmp_path / "pred.h5"
    write_predictions(path, populations())
    plain, arrays = PREDICTIONS.read_parts(path)
    half = arrays["probabilities"] / 2
    changes = ({"labels": arrays["labels"] + 4}, {"probabilities": half}, {"done": arrays["done"][1:]})
    for change in changes:
        PREDICTIONS.write_parts(path, plain, {**arrays, **change})
        with pytest.raises(FormatError, match="as its format wants it"):
            read_predictions(path)
    for wrong in ({"names": ["a"]}, {"pictured": [0, 1, 999]}, {"problem": 3}):
        PREDICTIONS.write_parts(path, {**plain, **wrong}, arrays)
        with pytest.raises(FormatError, match="as its format wants it"):
            read_predictions(path)
