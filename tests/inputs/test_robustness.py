"""Accuracy under attack is what closed forms say, and attacks that find too little are not believed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from landscape.plot.style.fields import recall
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import FormatError, UsageError
from landscape.evaluation.provenance import software
from landscape.files.reports.robustness_file import ROBUSTNESS, read_robustness, write_robustness
from landscape.inputs.attacks import fgsm, pgd, pgd_restarts
from landscape.inputs.examples import Examples
from landscape.inputs.robustness import adversarial_examples
from landscape.problem.data.datasets import as_data, fingerprint
from landscape.problem.losses.losses import resolve_loss
from landscape.surface.reports.robustness import FEW, wilson

EPSILONS = (0.05, 0.2, 0.6)


@pytest.fixture(scope="module")
def linear():
    torch.manual_seed(0)
    return nn.Linear(6, 2)


@pytest.fixture(scope="module")
def points(linear):
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
    y = linear(x).argmax(1)
    y[:5] = 1 - y[:5]  # answered wrong from the start
    return x, y


@pytest.fixture(scope="module")
def found(linear, points):
    return landscape.robustness(linear, points, epsilons=EPSILONS, batch_size=40)


def distances(linear, points, norm):
    """Return how far each point lies from the boundary on the right side, below 0 on the wrong one."""
    x, y = points
    w, b = linear.weight[0] - linear.weight[1], linear.bias[0] - linear.bias[1]
    signed = (x @ w + b) * (1 - 2 * y) / (w.abs().sum() if norm == "linf" else w.norm())
    return signed.detach().numpy()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_linear_networks_accuracy_is_the_share_of_points_farther_from_the_boundary(linear, points, norm):
    result = landscape.robustness(linear, points, epsilons=EPSILONS, norm=norm, restarts=1, random=0, samples=50)
    far = distances(linear, points, norm)[result.numbers]
    exact = [(far > epsilon).mean() for epsilon in EPSILONS]
    assert 0 < exact[-1] < exact[0] < 1
    for attack in ("fgsm", "pgd", "margin", None):
        np.testing.assert_array_equal(result.accuracy(attack), exact, err_msg=str(attack))
    assert result.clean.mean() == (far > 0).mean()
    assert result.problem == {
        "loss": "cross_entropy",
        "data": {"reference": "", "size": 64, "samples": 50},
        "sample_seed": 0,
        "fingerprint": fingerprint(as_data(points, "train"), result.numbers),
    }
    assert "None of" in result.verdict
    # From any input to any other that there is, or that the valid range has.
    corners = points[0].shape[1] ** 0.5 if norm == "l2" else 1.0
    assert result.far_epsilon == pytest.approx(float(np.ptp(points[0][result.numbers].numpy())) * corners)
    how = {"norm": norm, "clip": (-9, 8), "steps": 1, "random": 0}
    assert landscape.robustness(linear, points, epsilons=[0.1], **how).far_epsilon == pytest.approx(17 * corners)
    # And farther than any attack.
    assert landscape.robustness(linear, points, epsilons=[1, 30], **how).far_epsilon == pytest.approx(60)


def test_intervals_are_those_of_a_share_of_samples(found):
    # Wilson's score interval of 8 in 10, from its closed form.
    z = 1.959963984540054
    middle, reach = (0.8 + z**2 / 20) / (1 + z**2 / 10), z * np.sqrt(0.8 * 0.2 / 10 + z**2 / 400) / (1 + z**2 / 10)
    assert wilson(8, 10) == pytest.approx((middle - reach, middle + reach))
    assert found.interval()[0] == pytest.approx(wilson(round(64 * found.accuracy()[0]), 64))


def test_each_attack_has_the_steps_and_starts_that_are_asked_for_and_its_check_twice_the_steps(
    linear, points, monkeypatch
):
    called = []

    def noted(*given, steps, restarts, **how):
        called.append((steps, restarts))
        return pgd_restarts(*given, steps=steps, restarts=restarts, **how)

    monkeypatch.setattr("landscape.inputs.robustness.pgd_restarts", noted)
    landscape.robustness(linear, points, epsilons=[0.1], steps=3, restarts=2, transfer=linear)
    assert called == [(3, 2)] * 4 + [(6, 1)]  # beyond any range, up the loss, up the margin, of the other network


def test_no_attack_leaves_the_valid_range():
    network = nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
        network.bias.copy_(torch.tensor([0.5, 0.0]))  # right in all of [0, 1], wrong a little below
    x = torch.rand(12, 3, generator=torch.Generator().manual_seed(2))
    data = x, torch.zeros(12, dtype=torch.long)
    inside = landscape.robustness(network, data, epsilons=[2.0], clip=(0.0, 1.0), restarts=1, steps=5, transfer=network)
    beyond = landscape.robustness(network, data, epsilons=[2.0], restarts=1, steps=5, transfer=network)
    assert inside.attacks == ("fgsm", "pgd", "margin", "random", "transfer")
    for number, attack in enumerate(inside.attacks):
        assert inside.right[number].all(), attack
        assert not beyond.right[number].all(), attack
    assert inside.far.all()
    assert inside.more_steps.all()
    assert not beyond.far.any()


def test_the_random_starts_of_saved_examples_differ_from_batch_to_batch():
    network = nn.Linear(4, 2)
    with torch.no_grad():
        network.weight[:, 0] = 0.0  # nothing moves this number but the start
    x, y = torch.zeros(6, 4), torch.zeros(6, dtype=torch.long)
    changed, _ = adversarial_examples(network, (x, y), epsilon=0.1, steps=2, batch_size=2)
    assert len(np.unique(changed[:, 0])) == 6


def test_saved_examples_go_by_every_setting():
    torch.manual_seed(0)
    network, x, y = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), torch.rand(9, 4), torch.arange(9) % 3
    how = {"epsilon": 0.5, "norm": "l2", "steps": 3, "restarts": 1, "clip": (0.0, 1.0), "samples": 6, "batch_size": 4}
    others = {"epsilon": 0.4, "norm": "linf", "steps": 2, "restarts": 3, "clip": (0.0, 1.2), "samples": 5}
    others |= {"batch_size": 3, "seed": 1, "sample_seed": 1}
    others |= {"loss": lambda output, target: output[range(len(target)), (target + 1) % 3].square()}

    def saved(**other: object) -> bytes:
        return adversarial_examples(network, (x, y), **{**how, **other})[0].numpy().tobytes()

    found = [saved(), *(saved(**{name: other}) for name, other in others.items())]
    assert saved() == found[0]
    assert len(set(found)) == len(found)


class Scaled(nn.Module):
    """The same decisions, but a softmax without a gradient in float32."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return 1e6 * self.inner(x)


class Rounded(Scaled):
    """The same decisions, nearly, through a step function: no gradient of anything."""

    def forward(self, x):
        return self.inner(torch.round(x * 50) / 50)


def test_a_saturated_network_is_not_called_robust(linear, points, found):
    saturated = landscape.robustness(Scaled(linear), points, epsilons=EPSILONS, restarts=1)
    assert saturated.flat.sum() > 50
    assert saturated.accuracy("pgd")[0] > found.accuracy()[0]  # what attacks on the loss alone would have said
    np.testing.assert_array_equal(saturated.accuracy(), found.accuracy())


def test_a_network_whose_gradients_are_masked_is_seen_through(linear, points):
    masked = landscape.robustness(Rounded(linear), points, epsilons=EPSILONS)
    assert (masked.accuracy("pgd") > 0.85).any()
    suspicious = {check.name for check in masked.checks() if check.suspicious}
    assert {"random", "unbounded", "gradient"} <= suspicious
    assert masked.verdict.startswith("The attacks may be too weak (gradient masking)")
    helped = landscape.robustness(Rounded(linear), points, epsilons=EPSILONS, transfer=linear, random=0)
    assert "transfer" in {check.name for check in helped.checks() if check.suspicious}


class Valley(nn.Module):
    """Wrong in a strip only, which steps overshoot; remembers what it answered."""

    def __init__(self):
        super().__init__()
        self.answers = []

    def forward(self, x):
        gap = (x[:, 0] - 0.5).abs() - 0.15
        output = torch.stack([gap, torch.zeros_like(gap)], 1)
        self.answers.append(output.argmax(1).detach())
        return output


def test_every_change_that_was_looked_at_counts():
    valley, start = Valley(), torch.zeros(40, 2)
    examples = Examples(valley, resolve_loss("cross_entropy"), (start, torch.zeros(40, dtype=torch.long)))
    attacked = pgd(examples, "linf", 1.0, steps=4, restarts=2, generator=torch.Generator().manual_seed(0))
    answers = torch.stack(valley.answers)
    assert ((answers[:-1] == 1).any(0) & (answers[-1] == 0)).any()  # broken on the way, right at the end
    assert torch.equal(attacked.right, (answers == 0).all(0))
    again = examples.losses(examples.output(attacked.change))
    np.testing.assert_allclose(again, attacked.losses, rtol=1e-6)
    # One step may lead a wrong answer out of the strip: it was wrong without any change.
    valley.answers.clear()
    start = torch.linspace(0, 1, 40)[:, None].expand(40, 2)
    examples = Examples(valley, resolve_loss("cross_entropy"), (start, torch.zeros(40, dtype=torch.long)))
    stepped = fgsm(examples, "linf", 0.4)
    before, behind = valley.answers
    assert ((before == 1) & (behind == 0)).any()
    assert torch.equal(stepped.right, (before == 0) & (behind == 0))


def test_a_broken_sample_stays_broken_at_greater_strengths(found):
    right = found.right.copy()
    right[:, 1] = False
    weaker = replace(found, right=right)
    assert weaker.accuracy().tolist() == [found.accuracy()[0], 0.0, 0.0]


def test_each_check_counts_the_samples_that_it_asks_about_and_no_others(found):
    """Each is asked of a result in which five samples, and one more at one strength, speak against it alone."""
    some = np.flatnonzero(found.survived()[0])[:5]
    plain = replace(found, attacks=(*found.attacks, "transfer"), right=found.right[[*range(len(found.attacks)), 0]])
    plain = replace(plain, right=np.broadcast_to(found.survived(), plain.right.shape).copy())
    plain = replace(
        plain, restarts=np.stack([found.survived()] * 3), more_steps=found.survived(), flat=np.zeros_like(found.flat)
    )
    assert not any(check.suspicious or ", at " in check.words for check in plain.checks())

    def broken(array, *rows):
        array = array.copy()
        array[(*rows, 0, some)] = False
        return array

    names = list(plain.attacks)
    one_step, pgd_alone = (broken(plain.right, names.index(name)) for name in ("fgsm", "pgd"))
    for check, changes in {
        "one step": {"right": one_step},
        "random": {"right": broken(plain.right, names.index("random"))},
        "transfer": {"right": broken(plain.right, names.index("transfer"))},
        "steps": {"more_steps": broken(plain.more_steps)},
        "restarts": {"restarts": broken(plain.restarts, 2)},  # the last start still finds some: there may be more
        "gradient": {"flat": np.isin(np.arange(plain.samples), some)},
        "unbounded": {"far": np.isin(np.arange(plain.samples), some)},
        "": {"right": pgd_alone, "restarts": broken(broken(plain.restarts, 1), 2)},  # found by the start before
    }.items():
        said = [each for each in replace(plain, **changes).checks() if each.suspicious]
        assert [each.name for each in said] == [check] * bool(check)
        assert all(" 5 " in f" {each.words} " for each in said), said


def test_a_check_is_not_of_samples_that_were_wrong_anyhow_nor_of_a_single_one(found):
    names, strengths, number = list(found.attacks), len(found.epsilons), 40
    right = np.ones((len(names), strengths, number), dtype=bool)
    plain = replace(
        found,
        clean=np.ones(number, dtype=bool),
        right=right,
        restarts=np.ones((3, strengths, number), dtype=bool),
        more_steps=np.ones((strengths, number), dtype=bool),
        flat=np.zeros(number, dtype=bool),
        far=np.zeros(number, dtype=bool),
        numbers=np.arange(number),
    )
    assert not any(check.suspicious for check in plain.checks())

    def broken(array, number, *rows):
        array = array.copy()
        array[(*rows, 0, slice(number))] = False
        return array

    def suspicious(**changes):
        return [check.name for check in replace(plain, **changes).checks() if check.suspicious]

    assert FEW * number < 1  # so that the share alone would let one speak against
    assert suspicious(more_steps=broken(plain.more_steps, 1)) == []
    assert suspicious(more_steps=broken(plain.more_steps, 2)) == ["steps"]
    assert suspicious(flat=np.arange(number) < 1) == []
    # What more steps break was broken by another attack along gradients, which is as good.
    margin = broken(right, 5, names.index("margin"))
    assert suspicious(right=margin, more_steps=broken(plain.more_steps, 5)) == []
    # Answered wrong without any change: nothing that an attack does to it counts.
    wrong = replace(plain, clean=np.arange(number) >= 9, far=np.arange(number) < 9)
    many = replace(wrong, more_steps=broken(plain.more_steps, 9), restarts=broken(plain.restarts, 9, 2))
    many = replace(many, right=broken(right, 9, names.index("random")), flat=np.arange(number) < 9)
    assert not any(check.suspicious for check in many.checks())
    # Of many samples two in a hundred may be an accident.
    times = 8
    large = replace(
        plain, **{name: np.concatenate([getattr(plain, name)] * times, axis=-1) for name in (
            "clean", "right", "restarts", "more_steps", "flat", "far", "numbers")}
    )  # fmt: skip
    few = int(FEW * large.samples)
    for number, said in ((few, []), (few + 1, ["steps"])):
        steps = broken(large.more_steps, number)
        assert [check.name for check in replace(large, more_steps=steps).checks() if check.suspicious] == said


def test_a_caption_of_several_files_has_a_sentence_for_each(found):
    one = replace(found, settings={**found.settings, "restarts": 1})
    text = recall(landscape.plot.robustness([found, one], labels=["a", "b"]))["Description"]
    assert "from 2 starts. b: " in text
    assert "from 1 start. A sample counts" in text


def test_an_attack_that_was_not_made_has_no_accuracy(found):
    with pytest.raises(UsageError, match="no attack 'pdg'; there were fgsm, pgd"):
        found.accuracy("pdg")


def test_the_command_writes_what_info_and_plot_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.save(network.state_dict(), "net.pt")
    words = ["robustness", "net.pt", "--model", "nets.py:net", "--data", "test=digits:test", "--samples", "60"]
    words += ["--normalize", "0.3/0.25", "--epsilon", "0.05,0.1", "--clip", "0:1", "--steps", "4", "--random", "2"]
    words += ["--restarts", "3", "--seed", "5", "--sample-seed", "2", "--batch-size", "40", "--norm", "linf"]
    monkeypatch.setattr("sys.argv", ["/somewhere/landscape", *words])
    Path("there.npz").touch()
    assert main([*words, "--save-examples", "there.npz"]) == 2
    assert not Path("net.robustness.h5").exists()  # refused before anything was attacked
    capsys.readouterr()
    assert main([*words, "--save-examples", "adv.npz"]) == 0
    said = capsys.readouterr().out
    assert "wrote adv.npz: 60 samples within 0.1 (before normalisation: give --normalize again)" in " ".join(
        said.split()
    )
    stored = read_robustness("net.robustness.h5")
    asked = {"steps": 4, "restarts": 3, "random": 2, "seed": 5, "clip": [0.0, 1.0], "batch_size": 40}
    assert (stored.settings, stored.norm, stored.problem["sample_seed"]) == (asked, "linf", 2)
    assert (stored.command, stored.software) == (f"landscape {' '.join(words)}", software())
    assert abs((datetime.now(UTC) - datetime.fromisoformat(stored.created)).total_seconds()) < 60
    assert stored.origin == {"checkpoint": "net.pt", "sha256": landscape.load_checkpoint("net.pt").sha256}
    assert stored.problem["model"]["reference"] == "nets.py:net"
    assert main(["info", "--json", "net.robustness.h5"]) == 0
    facts = json.loads(capsys.readouterr().out)["robustness"]
    together = facts["attacks"]["all"]["accuracy"]
    assert facts["clean"]["accuracy"] >= together[0] >= together[1]
    assert (facts["samples"], facts["epsilons"]) == (60, [0.05, 0.1])
    assert main(["plot", "net.robustness.h5", "net.robustness.h5", "--title", "a", "--title", "b", "-o", "p.png"]) == 0
    assert main(["plot", "net.robustness.h5", "--size", "1x1", "-o", "p.pdf"]) == 2  # no room
    assert main(["plot", "net.robustness.h5", "-o", "p.pdf"]) == 0
    arrays = np.load("adv.npz")
    assert 0 <= arrays["x"].min() <= arrays["x"].max() <= 1
    x = landscape.digits("test")[0][stored.numbers]
    assert 0.09 < np.abs(arrays["x"] - x.numpy()).max() < 0.1 + 1e-6  # the greatest strength, in pixels
    words = ["evaluate", "net.pt", "--model", "nets.py:net", "--data", "adv=npz:adv.npz", "--normalize", "0.3/0.25"]
    assert main([*words, "--x=-1:1:3", "-o", "adv.h5"]) == 0
    surface = landscape.read_surface("adv.h5")
    assert surface["adv/accuracy"][1] <= facts["attacks"]["pgd"]["accuracy"][1] + 1 / 60


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"epsilons": []}, "strengths are positive numbers"),
        ({"epsilons": [0.2, 0.1]}, "ascending"),
        ({"epsilons": [-1.0]}, "strengths are positive numbers"),
        ({"norm": "l1"}, "has to be one of linf, l2"),
        ({"steps": 0}, "steps is 0"),
        ({"loss": "mse"}, "turns one class into another"),
        ({"clip": (0.0, 1.0)}, "the examples themselves reach from"),
        ({"batch_size": 0}, "batch size is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(linear, points, how, message):
    x, y = points
    data = (x, torch.nn.functional.one_hot(y).float()) if how.get("loss") == "mse" else points
    with pytest.raises(UsageError, match=message):
        landscape.robustness(linear, data, **{"epsilons": EPSILONS, **how})


@pytest.mark.parametrize("given", [lambda y: y[:, None], lambda y: y.float(), lambda y: y[:, None].float()])
def test_targets_that_are_no_class_each_are_refused(linear, points, given):
    def own(output, target):
        return output.square().sum(1)

    with pytest.raises(UsageError, match=r"it takes outputs of shape .* and whole numbers as targets, not outputs of"):
        landscape.robustness(linear, (points[0], given(points[1])), epsilons=EPSILONS, loss=own)


@pytest.mark.parametrize("change", ["epsilons", "right", "attacks", "far_epsilon", "numbers"])
def test_a_file_that_does_not_fit_together_is_refused(found, tmp_path, change):
    path = tmp_path / "r.h5"
    write_robustness(path, found)
    again = read_robustness(path)
    np.testing.assert_array_equal(again.right, found.right)
    assert again.verdict == found.verdict
    plain, arrays = ROBUSTNESS.read_parts(path)
    if change == "epsilons":
        arrays["epsilons"] = arrays["epsilons"][::-1].copy()
    elif change in arrays:
        arrays[change] = arrays[change][..., :-1].copy()
    else:
        plain[change] = None
    ROBUSTNESS.write_parts(path, plain, arrays)
    with pytest.raises(FormatError, match="does not hold robustness"):
        read_robustness(path)
