"""What a page is told of similarity is what the result holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from landscape.plot.page import similarity_records
from landscape.plot.page.packing import Packer, unpack
from landscape.plot.page.similarity_records import similarity_record

from landscape.errors import PlotError
from tests.helpers.similarities import called_twice, similarity


def told(found):
    packer = Packer()
    return similarity_record(found, packer), lambda number: unpack(packer.index, packer.text())[number]


def test_matrices_come_with_their_errors_and_the_range_of_their_colours():
    plain = similarity()
    distance = np.abs(plain.cka) * 0.3
    others = {"procrustes": distance, "procrustes_stderr": distance / 7}
    cka = plain.cka.copy()
    cka[0, 1] = cka[1, 0] = -0.25
    record, array = told(dataclasses.replace(plain, cka=cka, others=others))
    values = {each["name"]: each for each in record["values"]}
    assert list(values) == ["cka", "pc_cosine", "procrustes", "overlap"]
    np.testing.assert_array_equal(array(values["cka"]["values"]), cka)  # bit for bit
    assert array(values["cka"]["values"]).dtype == np.float64
    np.testing.assert_array_equal(array(values["procrustes"]["values"]), distance.astype(np.float32))
    np.testing.assert_array_equal(array(values["cka"]["errors"]), plain.stderr.astype(np.float32))
    np.testing.assert_array_equal(array(values["procrustes"]["errors"]), (distance / 7).astype(np.float32))
    assert values["pc_cosine"]["errors"] == values["overlap"]["errors"] == -1
    assert values["cka"]["range"] == [-0.25, 1.0]
    assert values["pc_cosine"]["range"] == values["overlap"]["range"] == [0.0, 1.0]
    assert values["procrustes"]["range"] == [0.0, distance.max()]
    np.testing.assert_array_equal(array(record["share"]), plain.pc_share.astype(np.float32))


def test_each_network_has_its_rows_its_block_and_names():
    found = similarity()
    layers = dataclasses.replace(found.networks[1], layers=(*found.networks[1].layers[:-1], ""))
    found = dataclasses.replace(
        found, networks=(called_twice(found.networks[0]), layers), blocks=(found.blocks[0], None)
    )
    record, _ = told(found)
    first, second = record["networks"]
    assert (record["title"], first["name"], first["start"], second["start"]) == ("a, b", "a", 0, 12)
    assert first["block"] == [4, 8]
    assert second["block"] is None
    assert first["stages"] == [["stem", 0, 1], ["stage1", 1, 7], ["stage2", 7, 12]]
    assert first["labels"][2:4] == ["stage1.1", "stage1.1 (2)"]
    assert (first["labels"][0], second["labels"][-1], first["kinds"][0]) == ("stem", "output", "Conv2d")


def test_an_interval_is_as_wide_as_the_batches_leave_it():
    found = similarity()
    for freedom, factor in ((1, 12.706), (4, 2.776), (0, 0.0)):
        passed = dataclasses.replace(found, batches=freedom + 1)
        assert passed.freedom == freedom
        assert told(passed)[0]["factor"] == pytest.approx(factor, abs=1e-3)


def test_folders_of_the_author_stay_at_home():
    found = similarity()
    found = dataclasses.replace(found, problem={"data": "/home/somebody/data.npz"})
    caption = told(found)[0]["caption"]
    assert "somebody" not in caption
    assert "data.npz" in caption


def test_too_many_layers_and_nothing_finite_are_refused(monkeypatch):
    found = similarity(1)
    nothing = np.full((12, 12), np.nan)
    with pytest.raises(PlotError, match="no value of similarity is finite"):
        told(dataclasses.replace(found, cka=nothing, pc_cosine=nothing, dominant=found.dominant[:0]))
    monkeypatch.setattr(similarity_records, "MOST_LAYERS", 11)
    with pytest.raises(PlotError, match="a page shows 11 layers at most, there are 12"):
        told(found)
