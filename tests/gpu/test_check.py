"""The checks for GPUs run on a CPU as well, where they prove nothing of one, so that their code is tried."""

from __future__ import annotations

import pytest
import torch

from tests.gpu import check


def test_every_check_but_the_slowest_runs_and_a_limit_that_is_not_kept_is_a_failure(capsys):
    assert check.run(torch.device("cpu"), (check.check_graphs, check.check_memory, check.check_speed))
    told = capsys.readouterr().out
    assert "proves nothing of a GPU" in told
    assert "nothing recorded" in told
    assert not check.run(torch.device("cpu"), (lambda device: [check.Row("wrong", "2", "1", False)],))
    assert not check.run(torch.device("cpu"), (lambda device: 1 / 0,))
    assert "NOT KEPT" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: make gpu-check tries it")
def test_without_a_gpu_it_says_that_nothing_was_checked(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["check"])
    assert check.main() == 1
    assert "nothing was checked" in capsys.readouterr().err
