"""How a process ends in the middle of its work: what is called, in which order, and with what code."""

from __future__ import annotations

import os

import pytest

from landscape.parallel import shutdown
from landscape.parallel.shutdown import at_shutdown, exit_now, no_early_exit, run_callbacks


class Ended(Exception):
    """Stands for the end of a process, with its code."""


@pytest.fixture
def codes(monkeypatch):
    def end(code):
        raise Ended(code)

    monkeypatch.setattr(shutdown, "real_exit", end)


def fails():
    raise OSError("disk\n is full")


def test_what_was_registered_is_called_newest_first_and_a_failure_stops_none():
    called = []

    def noting(name, note):
        return lambda: called.append(name) or note

    with at_shutdown(noting("first", "(kept)")):
        with at_shutdown(fails), at_shutdown(noting("inner", None)):
            assert run_callbacks() == ["disk is full", "(kept)"]
        assert run_callbacks() == ["(kept)"]
    assert run_callbacks() == []
    assert called == ["inner", "first", "first"]


def test_the_last_line_says_what_is_kept_and_the_code_is_the_one_given(codes, capsys):
    with at_shutdown(lambda: "(3 of 9\x1b[2J points)"), pytest.raises(Ended, match=r"^143$"):
        exit_now("landscape: terminated", 143)
    assert capsys.readouterr().err == repr("landscape: terminated (3 of 9\x1b[2J points)") + "\n"


@pytest.mark.parametrize(("status", "code"), [(0, 1), (7, 7)])
def test_leaving_in_the_middle_is_a_failure_whatever_it_says(codes, status, code, monkeypatch):
    told = []
    before = os._exit
    monkeypatch.setattr(os, "_exit", before)  # put back, whatever comes of the test
    with no_early_exit(lambda *given: told.append(given)):
        with pytest.raises(Ended, match=f"^{code}$"):  # where ending the job comes back
            os._exit(status)
        assert told == [(f"os._exit({status}) was called in the middle of the work", code)]
        told.clear()
        # A loader's worker, which is another process, may.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            with pytest.raises(Ended, match=rf"^{status}$"):
                os._exit(status)
    assert told == []
    assert os._exit is shutdown.real_exit
