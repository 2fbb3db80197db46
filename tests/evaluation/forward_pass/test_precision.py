"""Precision and batch size are chosen by what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.evaluation.forward_pass.precision import choose_batch_size, choose_precision


class Machine:
    """A clock, and losses of each precision that take their time by it."""

    def __init__(self, seconds: Mapping[str, float], errors: Mapping[str, float], first: float = 0.0) -> None:
        self.now = 0.0
        self.seconds, self.errors, self.first = seconds, errors, first
        self.calls: list[tuple[float, str]] = []

    def clock(self) -> float:
        return self.now

    def measure(self, point: float, precision: str) -> dict[str, float]:
        seen = any(each == precision for _, each in self.calls)
        self.calls.append((point, precision))
        self.now += self.seconds[precision] + (0.0 if seen else self.first)
        return {"train/loss": point * (1 + self.errors.get(precision, 0.0)), "test/loss": point}

    def choose(self, points: tuple[float, ...] = (0.3, 12.0, 1e6), **options: Any) -> str:
        self.choice = choose_precision(self.measure, points, clock=self.clock, **options)
        return self.choice.precision


def test_the_fastest_precision_within_the_tolerance_is_chosen():
    seconds = {"float32": 4.0, "bfloat16": 1.0, "float16": 2.0}
    assert Machine(seconds, {"bfloat16": 0.005, "float16": 0.001}).choose() == "bfloat16"
    assert Machine(seconds, {"bfloat16": -0.02, "float16": 0.001}).choose() == "float16"
    assert Machine(seconds, {"bfloat16": 0.02, "float16": 0.02}).choose() == "float32"
    assert Machine(seconds, {"bfloat16": 0.02}).choose(tolerance=0.03) == "bfloat16"


def test_low_precision_that_is_no_faster_is_not_chosen():
    assert Machine({"float32": 1.0, "bfloat16": 3.0, "float16": 0.95}, {}).choose() == "float32"
    machine = Machine({"float32": 1.0, "bfloat16": 5.0, "float16": 0.95}, {})
    assert machine.choose() == "float32"
    # What takes far longer is left after two probes, whose first warms up; one that was asked for is measured at all.
    assert [sum(each == name for _, each in machine.calls) for name in machine.seconds] == [3, 2, 3]
    assert "bfloat16: no faster: 0.2 times float32" in str(machine.choice)
    asked = Machine(machine.seconds, {})
    asked.choose(candidates=("bfloat16",))
    assert [each for _, each in asked.calls].count("bfloat16") == 3


def test_of_two_about_as_fast_the_more_precise_is_chosen():
    errors = {"bfloat16": 0.003, "float16": 0.0004}
    assert Machine({"float32": 5.0, "bfloat16": 1.0, "float16": 1.05}, errors).choose() == "float16"
    assert Machine({"float32": 5.0, "bfloat16": 1.0, "float16": 1.5}, errors).choose() == "bfloat16"


@pytest.mark.parametrize("points", [(0.3, 12.0), (0.3, 12.0, 1e6)])
def test_warming_up_is_not_counted(points):
    # Of two probes the median is their mean: the first one would show.
    machine = Machine({"float32": 4.0, "bfloat16": 1.0, "float16": 9.0}, {}, first=100.0)
    assert machine.choose(points) == "bfloat16"
    assert machine.choice.seconds == {"float32": 4.0, "bfloat16": 1.0, "float16": 9.0}


def test_one_probe_out_of_tolerance_is_enough_and_the_rest_is_not_measured():
    machine = Machine({"float32": 4.0, "bfloat16": 1.0, "float16": 2.0}, {"bfloat16": 0.5})
    machine.choose()
    assert [precision for _, precision in machine.calls].count("bfloat16") == 1
    assert machine.choice.errors["bfloat16"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("exact", "low", "chosen"),
    [
        (math.inf, math.inf, "float32"),
        (math.nan, math.nan, "float32"),
        (math.inf, -math.inf, "float32"),
        (1.0, math.inf, "float32"),
        (1.0, math.nan, "float32"),
        (math.inf, 1e30, "float32"),
        (0.0, 0.0, "bfloat16"),
        (0.0, 1e-9, "float32"),
    ],
)
def test_what_is_not_finite_has_to_be_so_in_both(exact, low, chosen):
    times = iter(range(1000))

    def measure(point: int, precision: str) -> dict[str, float]:
        for _ in range(5 if precision == "float32" else 1):
            next(times)
        return {"loss": exact if precision == "float32" else low}

    choice = choose_precision(measure, [0, 1], candidates=["bfloat16"], clock=lambda: float(next(times)))
    assert choice.precision == chosen
    json.dumps(choice.as_json(), allow_nan=False)

    def beside(point: int, precision: str) -> dict[str, float]:
        found = measure(point, precision)["loss"] if point == 1 else 2.0
        return {"train/loss": found, "test/loss": 3.0}

    # One loss at one of the probes is enough; where both are alike the others tell the error.
    alike = (math.isnan(exact) and math.isnan(low)) or exact == low
    choice = choose_precision(beside, [0, 1, 2], candidates=["bfloat16"], clock=lambda: float(next(times)))
    assert choice.precision == ("bfloat16" if alike else "float32")


def test_what_is_small_against_the_floor_need_not_be_right_to_a_percentage_of_itself():
    machine = Machine({"float32": 4.0, "bfloat16": 1.0, "float16": 4.0}, {"bfloat16": 0.1})
    assert machine.choose((1e-6, 1e-5)) == "float32"
    assert machine.choose((1e-6, 1e-5), floor=1e-3) == "bfloat16"
    # The error of a precision is the largest at any probe, wherever that comes.
    for points in ((9.0, 1.0), (1.0, 9.0)):
        machine.choose(points, floor=1.0, tolerance=0.1)
        assert machine.choice.errors["bfloat16"] == pytest.approx(0.1 * 9 / 10)


def test_a_precision_that_fails_is_not_chosen():
    def measure(point: int, precision: str) -> dict[str, float]:
        if precision == "float16":
            raise RuntimeError("slow_conv2d not implemented for 'Half'")
        return {"loss": 1.0}

    choice = choose_precision(measure, [0], clock=lambda: 0.0)
    assert choice.precision != "float16"
    assert "Half" in choice.notes["float16"]


def test_what_was_measured_is_told_in_one_line():
    machine = Machine({"float32": 4.0, "bfloat16": 1.0, "float16": 2.0}, {"bfloat16": 0.005, "float16": 0.02})
    machine.choose()
    assert str(machine.choice) == "bfloat16 (4.0 times as fast as float32, error at most 0.5 %)"
    machine.errors = {"bfloat16": 0.05, "float16": 0.02}
    machine.choose()
    assert str(machine.choice).startswith("float32 (bfloat16: off by 5 % at a probe, 1 % are allowed; float16: off")


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            (math.inf, math.nan),
            "error not known: at none of 2 probes a loss is finite, in float32 and in bfloat16 alike",
        ),
        (
            (math.inf, 2.0, 3.0),
            "error at most 0.5 % at 2 of 3 probes; at the others losses are finite neither in float32",
        ),
    ],
)
def test_an_error_is_not_stated_of_losses_that_are_not_finite(points, words):
    def measure(point: float, precision: str) -> dict[str, float]:
        return {"train/loss": point * (1.005 if precision == "bfloat16" else 1)}

    choice = choose_precision(measure, points, candidates=["bfloat16"], tolerance=math.inf, clock=lambda: 0.0)
    assert choice.error_words("bfloat16").startswith(words)
    assert math.isnan(choice.errors["bfloat16"]) == ("not known" in words)
    json.dumps(choice.as_json(), allow_nan=False)


@given(
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    st.lists(st.floats(0, 0.03), min_size=2, max_size=2),
    st.floats(0.001, 0.02),
)
def test_no_choice_is_ever_out_of_tolerance_or_slower(seconds, errors, tolerance):
    machine = Machine(
        dict(zip(("float32", "bfloat16", "float16"), seconds, strict=True)),
        dict(zip(("bfloat16", "float16"), errors, strict=True)),
    )
    chosen = machine.choose(tolerance=tolerance)
    assert machine.seconds[chosen] <= machine.seconds["float32"]
    assert machine.errors.get(chosen, 0.0) <= tolerance * (1 + 1e-9)


class Batches:
    """A machine on which a batch takes so long."""

    def __init__(self, seconds: Callable[[int], float], memory: int = 10**9) -> None:
        self.now, self.seconds, self.memory = 0.0, seconds, memory
        self.runs: list[int] = []

    def run(self, size: int) -> None:
        self.runs.append(size)
        if size > self.memory:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        self.now += self.seconds(size)

    def choose(self, candidates: list[int], **options: float) -> int:
        return choose_batch_size(self.run, candidates, clock=lambda: self.now, **options)


def test_the_smallest_batch_about_as_fast_as_the_fastest_is_chosen():
    # A fixed cost of 1 ms beside 0.1 ms a sample: 256 reach 97.2 % of the rate of 1,024, and 128 reach 93.7 %.
    assert Batches(lambda n: 1e-3 + 1e-4 * n).choose([1024, 128, 256, 512]) == 256
    # A cache that overflows makes large batches slow.
    assert Batches(lambda n: 1e-4 * n * (1 + (n > 100))).choose([50, 100, 200]) == 50


def test_the_first_batch_that_does_not_fit_ends_the_trial():
    machine = Batches(lambda n: 1e-3, memory=300)
    assert machine.choose([64, 128, 256, 512, 1024]) == 256
    assert 1024 not in machine.runs
    with pytest.raises(RuntimeError, match="allocate"):
        machine.choose([512])


def test_an_error_that_is_not_about_memory_is_told():
    def run(size: int) -> None:
        if size > 1:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        choose_batch_size(run, [1, 2])


def test_trying_batch_sizes_takes_about_the_time_it_may():
    machine = Batches(lambda n: 0.01 * n)
    machine.choose([2**k for k in range(12)], seconds=2.0)
    assert machine.now < 4.0
    assert len(set(machine.runs)) >= 3
