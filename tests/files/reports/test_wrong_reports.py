"""Every rule that a file of a report has to keep: broken by itself behind a right checksum, it is refused."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files.reports.checked_image import new_image
from landscape.files.reports.curvature_file import read_curvature, write_report
from landscape.files.reports.frequencies_file import FREQUENCIES
from landscape.files.reports.predictions_file import PREDICTIONS
from landscape.files.reports.report_layout import required
from landscape.files.reports.robustness_file import ROBUSTNESS
from landscape.files.reports.similarity_file import LAYOUT, read_similarity, write_similarity
from landscape.files.reports.walk_file import WALK
from tests.helpers.attacks import filtered, robust
from tests.helpers.curvatures import curvature
from tests.helpers.population_results import populations
from tests.helpers.similarities import similarity
from tests.helpers.walks import walks

RESULTS = {PREDICTIONS: populations(), ROBUSTNESS: robust(), FREQUENCIES: filtered(), WALK: walks()}


def other(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


def of(layout: Any, right: bool, *changes: Any) -> list[Any]:
    return [pytest.param(layout, change, right, id=f"{layout.noun} {number}") for number, change in enumerate(changes)]


P, R, F, W = (layout.split(found)[1] for layout, found in RESULTS.items())
SURE = other(P["probabilities"], (0, 0), [0.98, 0.0, 0.0, 0.0])

CASES = [
    *of(
        PREDICTIONS, False,
        {"probabilities": other(P["probabilities"], (0, 0), [0.97, 0.0, 0.0, 0.0])},
        {"probabilities": other(P["probabilities"], (0, 0), [1.03, 0.0, 0.0, 0.0])},
        {"probabilities": other(P["probabilities"], (0, 0), [1.1, -0.1, 0.0, 0.0])},
        {"probabilities": other(P["probabilities"], (0, 0), math.nan)},
        {"probabilities": P["probabilities"].astype(np.float64)}, {"probabilities": P["probabilities"][1:]},
        {"probabilities": P["probabilities"][:, :, :0]}, {"probabilities": P["probabilities"][0]},
        {"labels": other(P["labels"], 0, 4)}, {"labels": other(P["labels"], 0, -1)}, {"labels": P["labels"][1:]},
        {"numbers": P["numbers"][1:]}, {"done": P["done"].astype(np.int64)}, {"images": P["images"][1:]},
        {"pictured": [0, 5, 200]}, {"pictured": [0, 5, -1]}, {"pictured": [0, 5]}, {"pictured": [0, 5, 0.5]},
        {"names": []}, {"groups": ["A"]}, {"names": [3] * 12}, {"about": [{}]}, {"about": [3] * 12},
        {"problem": []}, {"settings": 3}, {"command": 3},
    ),
    *of(
        PREDICTIONS, True,
        {"probabilities": SURE.astype(np.float32) + np.float32(1e-4)},
        {"done": other(P["done"], 3, 0), "probabilities": other(P["probabilities"], 3, 0.0)},  # not measured yet
        {"labels": other(P["labels"], 0, 3)}, {"about": []}, {"pictured": [0, 199, 7]},
    ),
    *of(
        ROBUSTNESS, False,
        {"epsilons": np.array([0.0, 0.2])}, {"epsilons": np.array([-0.1, 0.2])}, {"epsilons": np.array([0.2, 0.2])},
        {"epsilons": np.array([0.1, np.inf])}, {"epsilons": np.zeros(0)}, {"epsilons": np.array([0.1])},
        {"far_epsilon": 0.0}, {"far_epsilon": 1}, {"far_epsilon": math.nan}, {"attacks": []}, {"attacks": ["pgd"]},
        {"attacks": ["random", "transfer"]}, {"attacks": ["pgd", 3]}, {"attacks": "pgd"}, {"norm": 3}, {"settings": []},
        *({name: R[name][..., :-1]} for name in ("clean", "flat", "far", "right", "restarts", "more_steps", "numbers")),
        {"course": R["course"][1:]}, {"clean": R["clean"].astype(np.int64)}, {"numbers": np.zeros(0, np.int64)},
    ),
    *of(ROBUSTNESS, True, {"epsilons": np.array([1e-9, 0.2])}, {"restarts": R["restarts"][:0]}, {"origin": {}}),
    *of(
        FREQUENCIES, False,
        {"highest": 0.0}, {"highest": -1.0}, {"highest": 1e12}, {"highest": 2}, {"highest": math.nan},
        {"cutoffs": np.array([0.0, 1.0, 1.0])}, {"cutoffs": np.array([-1.0, 1.0, 2.0])}, {"cutoffs": np.array([0.0])},
        {"cutoffs": np.array([0.0, 1.0, np.inf])}, {"kinds": ["low"]}, {"kinds": ["high", "low"]}, {"kinds": 3},
        *({name: F[name][..., :-1]} for name in F if name != "cutoffs"), {"numbers": np.zeros(0, np.int64)},
        {"data": 3}, {"origin": 3},
        # Of one cut-off, and of no sample, though everything fits together.
        {name: F[name][:1] for name in ("cutoffs", "energy", "change_energy")}
        | {name: F[name][:, :1] for name in ("right", "loss")},
        {name: F[name][..., :0] for name in ("numbers", "clean", "clean_loss", "right", "loss", "attacked")},
    ),
    *of(FREQUENCIES, True, {"highest": 1e11}, {"cutoffs": np.array([0.0, 1e-9, 2.0])}, {"software": ""}),
    *of(
        WALK, False,
        {"rates": other(W["rates"], 0, 0.0)}, {"rates": other(W["rates"], 0, -1.0)}, {"rates": np.full(4, np.nan)},
        {"rates": other(W["rates"], 0, np.inf)}, {"multiples": np.array([0.5, 0.0])}, {"multiples": np.zeros(0)},
        {"multiples": np.array([0.5, np.nan])}, {"multiples": np.array([0.5])}, {"steps": np.zeros(0, np.int64)},
        *({name: W[name][1:]} for name in ("steps", "rates", "losses", "gradients", "changes")), {"run": 3},
        {name: W[name][:0] for name in ("steps", "rates", "losses", "gradients", "changes")},
        {"multiples": W["multiples"][:0], "losses": W["losses"][:, :1], "changes": W["changes"][:, :0]}, {"unit": 3},
    ),
    *of(WALK, True, {"rates": other(W["rates"], 0, np.nan)}, {"multiples": np.array([-0.5, 2.0])}),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "change", "right"), CASES)
def test_what_breaks_one_rule_is_refused_and_what_keeps_it_is_read(layout, change, right, tmp_path):
    path = tmp_path / "report.h5"
    plain, arrays = layout.split(RESULTS[layout])
    for name, value in change.items():
        (arrays if isinstance(value, np.ndarray) else plain)[name] = value
    layout.write_parts(path, plain, arrays)
    if right:
        found = layout.read(path)
        for name, value in change.items():
            if name not in ("about", "pictured"):
                np.testing.assert_array_equal(getattr(found, name), value)
        return
    with pytest.raises(FormatError, match=f"does not hold {layout.noun} as its format wants it"):
        layout.read(path)


def test_an_array_that_is_not_what_is_needed_is_told_from_what_is():
    given = {"rates": np.zeros(3, np.float32)}
    for name, have in (("rates", r"float32 of shape \(3,\)"), ("steps", "missing")):
        for shape in ((3,), (-1, 2)):
            needed = f"float64 of shape {re.escape(str(shape))}"
            with pytest.raises(FormatError, match=f"^its {name} is {have}, {needed} is needed$"):
                required(given, name, np.float64, shape)
    with pytest.raises(FormatError, match=r"float64 of shape \(3,\), float64 of shape \(-1, 2\) is needed"):
        required({"rates": np.zeros(3)}, "rates", np.float64, (-1, 2))


@pytest.mark.parametrize("layout", RESULTS)
def test_a_file_of_another_kind_is_written_over_only_where_that_is_asked_for(layout, tmp_path):
    path = tmp_path / "r.h5"
    path.write_text("notes")
    with pytest.raises(FormatError, match=f"holds no {layout.noun} but is a text file; it is left as it is"):
        layout.check_writable(path)
    layout.check_writable(path, overwrite=True)
    layout.write(path, RESULTS[layout])
    layout.check_writable(path)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x"), AttributeError("x")])
def test_whatever_stops_a_reader_is_said_of_the_file(error, tmp_path):
    def stopped(*_: Any) -> Any:
        raise error

    WALK.write(tmp_path / "w.h5", walks())
    with pytest.raises(FormatError, match=f"w.h5 does not hold walk as its format wants it: {type(error).__name__}"):
        dataclasses.replace(WALK, parsed=stopped).read(tmp_path / "w.h5")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../a", "a" * 101])
def test_an_array_with_a_name_that_is_a_path_is_not_written(name, tmp_path):
    with pytest.raises(ValueError, match="is no name of an array"):
        WALK.write_parts(tmp_path / "w.h5", {}, {name: np.zeros(2)})
    assert not (tmp_path / "w.h5").exists()


BLOCK = {"first": 4, "last": 8, "inside": 0.9, "outside": 0.3, "pc_share": 0.5, "pc_share_outside": 0.2}


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({"last": 23}, True),  # the last row there is
        ({"last": 24}, False),
        ({"first": 9}, False),
        ({"first": -1}, False),
        ({"first": 8}, True),  # a block of one layer
        ({"inside": "x"}, False),
        ({"inside": math.nan}, True),
        ({"shared": {"b": 1}}, False),
        ({"shared": {"b": 0.5}}, True),
    ],
)
def test_a_block_is_of_layers_that_there_are(tmp_path, change, right):
    path = tmp_path / "s.h5"
    write_similarity(path, similarity())
    plain, arrays = LAYOUT.read_parts(path)
    LAYOUT.write_parts(path, {**plain, "blocks": [{**BLOCK, **change}, None]}, arrays)
    if right:
        assert read_similarity(path).blocks[1] is None
        return
    with pytest.raises(FormatError, match="block's"):
        read_similarity(path)


@pytest.mark.parametrize("name", ["layers", "calls", "kinds", "features"])
def test_a_network_says_as_much_of_each_of_its_layers(tmp_path, name):
    path = tmp_path / "s.h5"
    write_similarity(path, similarity())
    plain, arrays = LAYOUT.read_parts(path)
    first, second = plain["networks"]
    counts = ([True, *first[name][1:]], [*first[name][:-1], -1]) if name in ("calls", "features") else ()
    for wrong in (first[name][1:], [*first[name], *first[name][:1]], [None] * 12, *counts):
        LAYOUT.write_parts(path, {**plain, "networks": [{**first, name: wrong}, second]}, arrays)
        with pytest.raises(FormatError):
            read_similarity(path)


def written(path: Path, change: Any, version: int = 1) -> Path:
    """Write a file of curvature whose report was changed before its checksum was made."""
    with new_image(path, "landscape curvature", version, {"software": "x"}) as file:
        group = file.create_group("curvature").create_group("train")
        write_report(group, curvature())
        change(group)
    return path


def put(name: str, change: Any) -> Any:
    def replace(group: h5py.Group) -> None:
        array = np.asarray(group[name])
        del group[name]
        group[name] = change(array)

    return replace


@pytest.mark.parametrize(
    ("change", "right"),
    [
        (lambda group: None, True),
        (put("filters/trace", lambda a: a[1:]), False),
        (put("filters/trace", lambda a: np.append(a, 1.0)), False),  # more than the layers have
        (put("filters/normalised_trace_stderr", lambda a: np.append(a, 1.0)), False),
        (lambda group: group.__delitem__("filters"), True),
        (put("raw/samples_stderr", lambda a: a[1:]), False),
        (put("raw/squares", lambda a: a[1:]), False),
        (put("raw/forms", lambda a: np.append(a, 1.0)), False),
        (put("raw/weights", lambda a: a[:, 1:]), False),
        (put("raw/weights", lambda a: other(a, (0, 0), -0.1)), False),
        (put("raw/weights", lambda a: 1.01 * a), False),  # shares of more than all
        (put("raw/weights", lambda a: (1 + 1e-8) * a), True),
        (put("raw/weights", lambda a: other(a, (0, 0), np.nan)), False),
        (put("raw/eigenvalues", lambda a: other(a, 0, np.nan)), False),
        (put("raw/eigenvalues", lambda a: other(a, 0, 1e101)), False),
        (put("raw/residuals", lambda a: other(a, 0, np.nan)), True),
        (put("normalised/traces", lambda a: other(a, 0, np.nan)), False),
    ],
)
def test_a_spectrum_has_as_much_of_each_pair_and_probe(tmp_path, change, right):
    path = written(tmp_path / "c.h5", change)
    if right:
        assert list(read_curvature(path)) == ["train"]
        return
    with pytest.raises(FormatError):
        read_curvature(path)


@pytest.mark.parametrize("version", [0, 2])
def test_only_the_version_that_is_known_is_read(tmp_path, version):
    path = written(tmp_path / "c.h5", lambda group: None, version)
    with pytest.raises(FormatError, match=f"is of version {version} of the format, this landscape reads version 1"):
        read_curvature(path)
