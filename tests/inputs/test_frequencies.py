"""Filters split images as Fourier says, and a network's frequencies are those that it was built from."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import FormatError, UsageError
from landscape.files.reports.frequencies_file import FREQUENCIES, read_frequencies, write_frequencies
from landscape.inputs.frequency_filters import low_pass, radii

SIDE = 16


def waves(x_cycles, y_cycles=0):
    """Return a wave of so many cycles along an image, shape (SIDE, SIDE)."""
    t = torch.arange(SIDE, dtype=torch.float64) / SIDE
    return torch.cos(2 * math.pi * (x_cycles * t[None, :] + y_cycles * t[:, None]))


class Detector(nn.Module):
    """Says whether a wave of 3 cycles is there, by its inner product with the image."""

    def __init__(self, wave):
        super().__init__()
        self.wave = nn.Parameter((wave / wave.square().sum()).float())

    def forward(self, x):
        found = (x[:, 0] * self.wave).sum((1, 2)) - 0.5
        return torch.stack([-found, found], 1)


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (60,), generator=generator)
    others = torch.randn(60, 2, generator=generator, dtype=torch.float64)
    x = y[:, None, None] * waves(3) + others[:, :1, None] * waves(1) + others[:, 1:, None] * waves(0, 6) + 0.3
    return x[:, None].float(), y


@pytest.fixture(scope="module")
def found(images):
    return landscape.frequencies(Detector(waves(3)), images, cutoffs=[0, 2, 3, 5, 12], epsilon=0.6, batch_size=25)


def test_a_filter_keeps_waves_within_the_radius_and_takes_away_those_beyond():
    both = torch.stack([waves(3), waves(0, 6), waves(3, 4)])  # of radius 3, 6 and 5
    for cutoff, kept in ((2.9, []), (3, [0]), (5, [0, 2]), (6, [0, 1, 2])):
        left = low_pass(both, cutoff)
        for number, wave in enumerate(both):
            np.testing.assert_allclose(left[number], wave if number in kept else 0 * wave, atol=1e-12)
    assert radii(8, 16).max() == pytest.approx(math.hypot(4, 4))  # both in cycles along 8 pixels
    image = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(low_pass(image, 0), image.mean((-2, -1), keepdim=True).expand_as(image), atol=1e-6)


def test_a_network_that_looks_at_one_frequency_needs_that_and_no_other(found, images):
    most = float(images[1].double().mean())
    always_no = 1 - most
    assert found.accuracy("low").tolist() == pytest.approx([always_no, always_no, 1, 1, 1])
    assert found.accuracy("high").tolist() == pytest.approx([1, 1, always_no, always_no, always_no])
    assert 2 < found.half_way("low") < 3
    by_hand = Detector(waves(3))(low_pass(images[0], 2)).detach()
    loss = nn.functional.cross_entropy(by_hand, images[1], reduction="none")
    np.testing.assert_allclose(found.loss[0, 1], loss.numpy()[found.numbers], rtol=1e-6)
    mean, error = found.mean_loss("low")
    np.testing.assert_allclose((mean[1], error[1]), (loss.mean(), loss.std() / math.sqrt(60)), rtol=1e-5)


def test_images_keep_their_mean_whatever_is_taken_away():
    class Bright(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x):
            over = self.scale * (x.mean((1, 2, 3)) - 0.3)
            return torch.stack([-over, over], 1)

    y = torch.arange(20) % 2
    x = (0.2 * y[:, None, None] + 0.2 + waves(3))[:, None].float()  # means of 0.2 and 0.4
    found = landscape.frequencies(Bright(), (x, y), cutoffs=[0, 2, 5])
    assert found.accuracy("low").tolist() == found.accuracy("high").tolist() == [1.0, 1.0, 1.0]


def test_an_attack_on_one_frequency_lies_there(found):
    # The gradient is the wave, its sign a wave of 3 cycles with odd multiples.
    assert found.change_energy[1] < 0.1  # what the random start left where the wave is 0
    assert found.change_energy[2] > 0.7
    assert found.attacked.mean() == 0
    assert found.accuracy("low change")[0] == 1.0
    assert found.accuracy("low change")[-1] == pytest.approx(found.attacked.mean())
    assert found.accuracy("high change")[0] == pytest.approx(found.attacked.mean())
    assert found.accuracy("high change")[-1] == 1.0


def test_energy_within_a_cutoff_is_the_share_of_the_variance_over_pixels_that_low_passes_keep():
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(7, 3, 6, 9, generator=generator) * torch.tensor([1.0, 5.0, 0.2])[:, None, None]
    x[5:] = x[5:].mean((-2, -1), keepdim=True) + 0.1 * torch.randn(2, 3, 6, 9, generator=generator)
    found = landscape.frequencies(
        nn.Sequential(nn.Flatten(), nn.Linear(162, 2)), (x, torch.zeros(7, dtype=torch.long)), batch_size=5
    )

    def squares(images):
        return (images - images.mean((-2, -1), keepdim=True)).square().sum((1, 2, 3))

    for cutoff, energy in zip(found.cutoffs, found.energy, strict=True):
        assert energy == pytest.approx(float((squares(low_pass(x, cutoff)) / squares(x)).mean()), rel=1e-4, abs=1e-6)


def test_accuracy_that_does_not_change_has_no_frequency(images):
    class Blind(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 2).index_fill(1, torch.tensor(1), 1.0) + 0 * x.sum((1, 2, 3))[:, None]

    assert landscape.frequencies(Blind(), images).half_way("low") is None


def test_accuracy_is_half_way_between_two_cutoffs_where_a_straight_line_is(found):
    def curve(*shares, samples=60, cutoffs=(1.0, 2.0, 5.0, 9.0)):
        """Return a result in which so many samples are right at each cut-off."""
        right = np.arange(samples) < np.array(shares)[:, None]
        return replace(
            found, cutoffs=np.array(cutoffs), kinds=("low", "high"), right=np.stack([right, right[::-1]]),
            clean=np.ones(samples, dtype=bool),
        )  # fmt: skip

    # From 6 to 54 of 60 right: 30 lies between 24 and 48, a quarter of the way from 2 to 5.
    assert curve(6, 24, 48, 54).half_way("low") == pytest.approx(2.75)
    # Turned around: 54, 48, 24, 6 at the same cut-offs.
    assert curve(6, 24, 48, 54).half_way("high") == pytest.approx(4.25)
    assert curve(6, 30, 54, 54).half_way("low") == 2.0  # at a cut-off itself
    for kind, numbers in (("low", (6, 24, 48, 54)), ("high", (54, 48, 24, 6))):
        ends = [stats.binomtest(number, 60).proportion_ci(0.95, method="wilson") for number in numbers]
        np.testing.assert_allclose(curve(6, 24, 48, 54).interval(kind), [(each.low, each.high) for each in ends])
        np.testing.assert_allclose(curve(6, 24, 48, 54).accuracy(kind), np.array(numbers) / 60)
    # A change of less than the widest of the intervals is none, however sure both ends are.
    widths = curve(50, 30, 58, 58).interval("low")
    assert np.diff(widths)[2:].max() < (58 - 50) / 60
    assert np.diff(widths).max() > (58 - 50) / 60
    assert curve(50, 30, 58, 58).half_way("low") is None


def test_the_command_writes_what_info_and_plot_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.save(network.state_dict(), "net.pt")
    words = ["frequencies", "net.pt", "--model", "nets.py:net", "--data", "test=digits:test", "--samples", "50"]
    words += ["--norm", "l2", "--seed", "5", "--sample-seed", "2", "--batch-size", "40", "--loss", "cross_entropy"]
    assert main([*words, "--epsilon", "0.1", "--steps", "3", "--clip", "0:1"]) == 0
    stored = read_frequencies("net.frequencies.h5")
    asked = {"epsilon": 0.1, "norm": "l2", "steps": 3, "seed": 5, "clip": [0.0, 1.0], "batch_size": 40}
    assert (stored.settings, stored.problem["sample_seed"], stored.samples) == (asked, 2, 50)
    pictures, labels = (each[stored.numbers] for each in landscape.digits("test"))
    losses = nn.functional.cross_entropy(network(pictures), labels, reduction="none")
    np.testing.assert_allclose(stored.clean_loss, losses.detach(), rtol=1e-5)
    capsys.readouterr()
    assert main(["info", "--json", "net.frequencies.h5"]) == 0
    facts = json.loads(capsys.readouterr().out)["frequencies"]
    assert facts["cutoffs"] == pytest.approx([0, 1, 2, 3, 4, 5, 32**0.5])
    assert facts["filtered"]["low"]["accuracy"][-1] == facts["clean"]["accuracy"]
    assert facts["filtered"]["high"]["accuracy"][0] == facts["clean"]["accuracy"]
    assert facts["energy"][-1] == pytest.approx(1)
    assert main(["plot", "net.frequencies.h5", "-o", "p.png", "--for", "neurips"]) == 0
    assert main(["plot", "net.frequencies.h5", "-o", "p.png", "--kind", "line"]) == 2


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"cutoffs": [3, 2]}, "ascending"),
        ({"cutoffs": [1]}, "at least two"),
        ({"epsilon": -1.0}, "positive number"),
        ({"norm": "l7"}, "has to be one of"),
    ],
)
def test_what_makes_no_sense_is_refused(images, how, message):
    with pytest.raises(UsageError, match=message):
        landscape.frequencies(Detector(waves(3)), images, **how)


@pytest.mark.parametrize("shape", [(9, 12), (9, 6, 6, 3)])
def test_inputs_that_are_no_images_are_refused(shape):
    model = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 2))
    with pytest.raises(UsageError, match=r"frequencies are|channels came last"):
        landscape.frequencies(model, (torch.rand(shape), torch.zeros(9, dtype=torch.long)))


@pytest.mark.parametrize("name", ["kinds", "cutoffs", "right", "highest"])
def test_a_file_that_does_not_fit_together_is_refused(found, tmp_path, name):
    path = tmp_path / "f.h5"
    write_frequencies(path, found)
    np.testing.assert_array_equal(read_frequencies(path).right, found.right)
    plain, arrays = FREQUENCIES.read_parts(path)
    if name in arrays:
        arrays[name] = arrays[name][:-1].copy()
    else:
        plain[name] = 7
    FREQUENCIES.write_parts(path, plain, arrays)
    with pytest.raises(FormatError, match="does not hold frequencies"):
        read_frequencies(path)
