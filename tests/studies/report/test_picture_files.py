"""The files of a report's pictures: what each is of decides whether it is drawn again, and no two share a name."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.studies.report.picture_files import PictureFiles


@dataclass
class Shown:
    values: np.ndarray
    name: str = "a"


@pytest.fixture
def result(tmp_path):
    (tmp_path / "pictures").mkdir()
    return SimpleNamespace(folder=tmp_path)


def drawn(result, of, names=("pictures/a.png", "pictures/a.pdf")):
    """Whether the files are made, as another run of the report would."""
    files = PictureFiles(result)
    if new := files.is_new([of], *names):
        for name in names:
            (result.folder / name).touch()
        files.remember()
    return new


def test_a_picture_is_drawn_again_only_where_it_would_be_of_something_else(result):
    values = np.arange(3000.0)
    assert drawn(result, Shown(values))
    assert not drawn(result, Shown(values.copy()))
    values[1500] += 1e-9  # which no text of such an array shows
    assert drawn(result, Shown(values))
    assert drawn(result, Shown(values, name="b"))
    assert not drawn(result, Shown(values, name="b"))


@pytest.mark.parametrize("name", ["pictures/a.png", "pictures/a.pdf"])
def test_a_picture_of_which_either_file_is_gone_or_of_something_else_is_drawn_again(result, name):
    assert drawn(result, 1)
    (result.folder / name).unlink()
    assert drawn(result, 1)
    assert drawn(result, 2, (name,))
    assert drawn(result, 1)


def test_pictures_of_one_title_have_files_of_their_own(result):
    files = PictureFiles(result)
    stems = [files.stem(each) for each in ("A b", "a  b", "a-b", "c", "...")]
    assert stems == ["a-b", "a-b-2", "a-b-3", "c", "picture"]
