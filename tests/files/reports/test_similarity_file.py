"""A file of similarity comes back as it was written, and what is none is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files.reports.similarity_file import LAYOUT, read_similarity, read_state, write_similarity
from tests.helpers.similarities import similarity


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "sim.h5"
    found = dataclasses.replace(similarity(), others={"procrustes": similarity().cka}, notes=("one",), labels=(3, 1))
    found.cka[0] = found.cka[:, 0] = np.nan
    write_similarity(path, found, ({"pass": 2}, {"sums": np.eye(3)}))
    again = read_similarity(path)
    assert again.path == str(path)
    for field in dataclasses.fields(found):
        if field.name not in ("path", "images"):
            np.testing.assert_equal(getattr(again, field.name), getattr(found, field.name))
    state = read_state(path)
    assert state is not None
    assert state[0] == {"pass": 2}
    assert list(state[1]) == ["sums"]
    np.testing.assert_array_equal(state[1]["sums"], np.eye(3))


def test_a_damaged_file_and_one_whose_arrays_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "sim.h5"
    write_similarity(path, similarity())
    assert read_state(path) is None
    image = bytearray(path.read_bytes())
    image[-7] ^= 1
    (tmp_path / "damaged.h5").write_bytes(image)
    with pytest.raises(FormatError, match="damaged"):
        read_similarity(tmp_path / "damaged.h5")
    image[-7] ^= 1
    end = image.index(b"\n", image.index(b"\n") + 1)
    for place in (end - 64, end - 1):  # the first and the last letter of the checksum
        other = bytearray(image)
        other[place] = ord("1" if other[place] != ord("1") else "2")
        (tmp_path / "damaged.h5").write_bytes(other)
        with pytest.raises(FormatError, match="damaged"):
            read_similarity(tmp_path / "damaged.h5")
    plain, arrays = LAYOUT.read_parts(path)
    for change in ({"cka": arrays["cka"][1:]}, {"pc_share": arrays["pc_share"].astype(np.float32)}):
        LAYOUT.write_parts(path, plain, {**arrays, **change})
        with pytest.raises(FormatError, match="is needed"):
            read_similarity(path)
    for wrong in ({"networks": 3}, {"samples": -1}, {"samples": 2}, {"blocks": [{}, {}]}, {"software": 4}):
        LAYOUT.write_parts(path, {**plain, **wrong}, arrays)
        with pytest.raises(FormatError, match="as its format wants it"):
            read_similarity(path)
