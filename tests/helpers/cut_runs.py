"""Runs that are interrupted from Python, and how many samples they measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from landscape.evaluation.losses_and_metrics import LossesAndMetrics


def interrupting(calls: int) -> Callable[[int, int], None]:
    """Return a progress that interrupts the run at the call of this number."""
    left = calls

    def interrupt(done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    return interrupt


def measured_samples(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each measurement from now on adds its number of samples."""
    measure, measured = LossesAndMetrics.measure, []

    def counting(losses, prepared, number, at):
        measured.append(sum(chunk.stop - chunk.start for chunk in prepared))
        return measure(losses, prepared, number, at)

    monkeypatch.setattr(LossesAndMetrics, "measure", counting)
    return measured
