"""Data sets that do not fit into memory together: what is estimated from anchors is what it is where they do."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pytest

import landscape
from landscape.evaluation.anchors import book
from landscape.evaluation.anchors.book import AnchorBook
from landscape.evaluation.forward_pass import objective
from landscape.evaluation.results import ResultTable
from landscape.files.content import check_content


# 17 of 33 points say where anchors are, then all of them; the eps of a picture is known from 5 before.
@pytest.mark.parametrize(
    "rule", [{"standard_error": 0.1}, {"error": 0.1, "precision": "float32"}], ids=["standard error", "error"]
)
def test_anchors_are_chosen_when_all_data_sets_have_had_a_first_look(linear, data, monkeypatch, rule):
    sets = {"train": data, "test": tuple(each[:400] for each in data)}
    settings = {"x": "-1:1:33", "loss": "mse", "batch_size": 100, "anchors": 3, **rule}
    whole = landscape.evaluate(linear, sets, **settings)
    budget = 300 * sum(each[0].nbytes for each in data)  # the first look at one of the sets, which is 256 samples
    monkeypatch.setattr(objective, "resident_budget", lambda *_: budget)
    parts = landscape.evaluate(linear, sets, **settings)
    assert parts.quality["standard_error"] == whole.quality["standard_error"]
    for name in sets:
        np.testing.assert_array_equal(parts.anchors[name].points, whole.anchors[name].points)
        assert len(whole.anchors[name].points) > 1
        for part in ("counts", "anchored"):
            np.testing.assert_array_equal(getattr(parts, part)[name], getattr(whole, part)[name])
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-6)


@pytest.mark.parametrize("anchors", ["none", 3])
def test_a_file_written_while_points_lack_a_data_set_holds_the_others_and_is_gone_on_with(
    linear, data, monkeypatch, tmp_path, anchors
):
    sets, path = {"train": data, "test": tuple(each[:400] for each in data)}, tmp_path / "net.h5"
    settings = {"x": "-1:1:9", "loss": "mse", "batch_size": 50, "anchors": anchors, "samples": 100}
    whole = landscape.evaluate(linear, sets, **settings)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 100 * sum(each[0].nbytes for each in data))
    surfaces, plain = [], ResultTable.whole_points

    def seen(table):
        surface = plain(table)
        surfaces.append((table.state.copy(), surface))
        check_content(surface)  # which is what it takes to be written
        return surface

    def interrupt(done, total):
        if done == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(ResultTable, "whole_points", seen)
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, sets, **settings, path=path, write_every=1e-6, progress=interrupt)
    parts = landscape.evaluate(linear, sets, **settings, path=path, write_every=1e-6)
    assert any((state != surface.state).any() for state, surface in surfaces), "none lacked a data set"
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)


def test_anchors_are_whole_where_there_is_room_for_no_other_samples(linear, data, monkeypatch):
    sets = {"train": data, "test": tuple(each[:400] for each in data)}
    settings = {"x": "-1:1:9", "loss": "mse", "batch_size": 50, "anchors": 3, "samples": 150}
    whole = landscape.evaluate(linear, sets, **settings)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 100 * sum(each[0].nbytes for each in data))
    monkeypatch.setattr(book, "ROOM", 0)
    calls = itertools.count()

    def progress(done, total):
        assert next(calls) < 500, "it has no end"

    parts = landscape.evaluate(linear, sets, **settings, progress=progress)
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)


def test_of_a_data_set_known_in_full_samples_are_there_again_where_anchors_are_chosen(
    linear, data, monkeypatch, tmp_path
):
    sets = {"train": data, "few": tuple(each[:90] for each in data)}
    settings = {"x": "-1:1:13", "loss": "mse", "batch_size": 50, "anchors": 2, "standard_error": 0.05}
    whole = landscape.evaluate(linear, sets, **settings)
    calls = itertools.count(1)

    def interrupt(done, total):
        if next(calls) == 16:
            raise KeyboardInterrupt

    monkeypatch.setattr(objective, "resident_budget", lambda *_: 300 * sum(each[0].nbytes for each in data))
    room = book.IN_FILE
    monkeypatch.setattr(book, "IN_FILE", 0)
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, sets, **settings, path=tmp_path / "net.h5", write_every=1e-6, progress=interrupt)
    monkeypatch.setattr(book, "IN_FILE", room)
    parts = landscape.evaluate(linear, sets, **settings, path=tmp_path / "net.h5")
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-6)


def test_points_that_are_measured_again_one_data_set_at_a_time_are_cut_and_estimated_from_the_anchors_there_are(
    linear, data, monkeypatch, tmp_path
):
    """Samples that the file has no room for are gone with each run that is cut, while anchors are yet to come."""
    sets, path = {"train": data, "test": tuple(each[:400] for each in data)}, tmp_path / "net.h5"
    settings = {"x": "-1:1:9", "loss": "mse", "batch_size": 50, "anchors": 3, "samples": 100}
    whole = landscape.evaluate(linear, sets, **settings)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 100 * sum(each[0].nbytes for each in data))
    added, kept, again = AnchorBook.add, [], 0

    def add(self, point, result):
        nonlocal again
        again += point != self.origin and not self.holds(point) and any(self.counts(point).values())
        added(self, point, result)
        self.keep(np.zeros(9, dtype=bool))  # whoever writes may do so at any time
        kept.extend(anchors.kept_points.size for anchors in self._table.anchors.values())

    calls = itertools.count(1)

    def interrupt(done, total):
        if next(calls) % 34 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(AnchorBook, "add", add)
    for room in (0, 0, book.IN_FILE):
        monkeypatch.setattr(book, "IN_FILE", room)
        with pytest.raises(KeyboardInterrupt) if not room else contextlib.nullcontext():
            parts = landscape.evaluate(linear, sets, **settings, path=path, progress=None if room else interrupt)
    assert again > 4
    assert any(kept)
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-6)
