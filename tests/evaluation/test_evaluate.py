"""Surfaces are right: against closed forms and an independent loop in double precision."""

from __future__ import annotations

import copy
import dataclasses
import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import landscape
from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.evaluation.evaluate import estimate_cost
from landscape.problem.data.datasets import as_data, choose
from landscape.problem.named_data import named_data
from landscape.surface.surface import NOT_COMPUTED


def reference_loop(model, x, y, plane, xs, ys):
    """The textbook in float64: one copy of the network a point, one forward pass over everything."""
    loss, accuracy = np.empty((len(ys), len(xs))), np.empty((len(ys), len(xs)))
    dx, dy = (d.tensors for d in plane.directions)
    for j, b in enumerate(ys):
        for i, a in enumerate(xs):
            moved = copy.deepcopy(model).double().eval()
            with torch.no_grad():
                for name, tensor in [*moved.named_parameters(), *moved.named_buffers()]:
                    if name in dx:
                        tensor.add_(a * dx[name].double() + b * dy[name].double())
                logits = moved(x.double())
                loss[j, i] = nn.functional.cross_entropy(logits, y)
                accuracy[j, i] = (logits.argmax(1) == y).double().mean()
    return loss, accuracy


def test_a_surface_equals_an_independent_loop_with_a_short_last_batch(classifier, images):
    model, (x, y) = classifier.float(), images
    plane = landscape.random_plane(model, seed=4)
    # nx != ny: a transposed array has another shape.
    got = landscape.evaluate(model, (x.float(), y), plane, x="-1:1:5", y="-0.5:1:4", batch_size=8)
    loss, accuracy = reference_loop(model, x, y, plane, np.linspace(-1, 1, 5), np.linspace(-0.5, 1, 4))
    assert got.shape == (4, 5)
    # float32 keeps 7 digits; a few layers of small sums lose one or two.
    np.testing.assert_allclose(got["train/loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(got["train/accuracy"], accuracy, atol=1e-12)
    assert (got.counts["train"] == 23).all()


def test_a_quadratic_loss_has_the_surface_that_is_known(bowl):
    centres = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plane = landscape.random_plane(bowl, dimensions=3)
    got = landscape.evaluate(
        bowl, centres, plane, x="-1:1:3", y="0:2:2", z="-2:2:5", loss=lambda model, batch: model(batch), batch_size=4
    )
    theta = bowl.weight.detach().flatten()
    directions = torch.stack([d.tensors["weight"].flatten() for d in plane.directions])
    for k, c in enumerate(np.linspace(-2, 2, 5)):
        for j, b in enumerate([0.0, 2.0]):
            for i, a in enumerate([-1.0, 0.0, 1.0]):
                at = theta + torch.tensor([a, b, c], dtype=torch.float64) @ directions
                each = (at - centres).square().sum(1)
                assert got["train/loss"][k, j, i] == pytest.approx(float(each.mean()), rel=1e-13)
                stderr = float(each.std() / 6**0.5)
                assert got.stderr["train/loss"][k, j, i] == pytest.approx(stderr, rel=1e-12)
                at_start = (theta - centres).square().sum(1)
                paired = float((each - at_start).std() / 6**0.5)
                assert got.paired_stderr["train/loss"][k, j, i] == pytest.approx(paired, rel=1e-9, abs=1e-12)


def test_the_model_comes_back_untouched(classifier, images):
    classifier[0].train()
    classifier[5].weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    pointers = {name: p.data_ptr() for name, p in classifier.named_parameters()}
    flags = [p.requires_grad for p in classifier.parameters()]
    generator = torch.get_rng_state()
    landscape.evaluate(classifier, images, x="-1:1:3", batch_norm="recompute", mode="train")
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())
    assert pointers == {name: p.data_ptr() for name, p in classifier.named_parameters()}
    assert flags == [p.requires_grad for p in classifier.parameters()]
    assert [m.training for m in classifier] == [True, False, False, False, False, False]
    assert torch.equal(generator, torch.get_rng_state())


def test_a_loss_that_raises_names_the_point_and_keeps_what_was_done(classifier, images, tmp_path):
    before = copy.deepcopy(classifier.state_dict())
    calls = 0

    def fragile(model, batch):
        nonlocal calls
        calls += 1
        if calls > 14:
            raise RuntimeError("out of luck")
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

    path = tmp_path / "s.h5"
    with pytest.raises(EvaluationError, match=r"x=.*, y=.*RuntimeError: out of luck") as caught:
        landscape.evaluate(classifier, images, x="-1:1:5", y="-1:1:5", loss=fragile, path=path)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())
    kept = landscape.read_surface(path)
    done = int((kept.state != NOT_COMPUTED).sum())
    assert caught.value.__notes__ == [f"({path} holds {done} of 25 points, the same command goes on from there)"]
    # Two passes at theta* come first, and two looks at what it does with the network.
    assert 8 <= done < 14
    assert not kept.complete


def test_a_loss_that_fails_at_the_checkpoint_says_so(classifier, images):
    def wrong(model, batch):
        raise KeyError("labels")

    with pytest.raises(EvaluationError, match="theta"):
        landscape.evaluate(classifier, images, loss=wrong)


def test_several_data_sets_and_metrics_come_from_one_pass(classifier, images):
    x, y = images

    def margin(output, batch):
        return output.max(1).values - output.min(1).values

    got = landscape.evaluate(
        classifier, {"train": (x, y), "test": (x[:7], y[:7])}, x="-1:1:3", metrics=[margin], weight_decay=0.5
    )
    assert set(got.values) == {
        f"{d}/{m}" for d in ("train", "test") for m in ("loss", "accuracy", "margin", "weight_decay")
    }
    assert got.counts["test"].tolist() == [7, 7, 7]
    alone = landscape.evaluate(classifier, (x[:7], y[:7]), x="-1:1:3", metrics=[margin])
    np.testing.assert_allclose(got["test/margin"], alone["train/margin"], rtol=1e-12)


def test_weight_decay_is_half_w_times_the_squared_length(classifier, images):
    plane = landscape.random_plane(classifier, ignore="none")
    got = landscape.evaluate(classifier, images, plane, x="-1:1:3", y="-2:1:2", weight_decay=0.3)
    for j, b in enumerate([-2.0, 1.0]):
        for i, a in enumerate([-1.0, 0.0, 1.0]):
            dx, dy = (d.tensors for d in plane.directions)
            moved = [p.detach() + a * dx[name] + b * dy[name] for name, p in classifier.named_parameters()]
            square = sum(float(each.square().sum()) for each in moved)
            assert got["train/weight_decay"][j, i] == pytest.approx(0.15 * square, rel=1e-12)
    # Buffers that move with the weights are not decayed.
    plane = landscape.random_plane(classifier, ignore="none", move="states")
    got = landscape.evaluate(classifier, images, plane, x="-1:1:3", weight_decay=0.3)
    start = dict(classifier.named_parameters())
    squares = [
        sum(float((p.detach() + a * plane.directions[0].tensors[n]).square().sum()) for n, p in start.items())
        for a in (-1.0, 0.0, 1.0)
    ]
    np.testing.assert_allclose(got["train/weight_decay"], 0.15 * np.array(squares), rtol=1e-12)


def test_how_unlike_samples_are_is_kept_of_data_of_which_some_are_measured(classifier, images):
    x, y = images
    got = landscape.evaluate(classifier, {"train": (x, y), "test": (x[:9], y[:9])}, x="-1:1:3", samples=9)
    assert {name.partition("/")[0] for name in got.tails} == {"train"}
    order = choose(named_data(images)["train"], 9, 0)
    with torch.no_grad():
        losses = nn.functional.cross_entropy(classifier(x[order]), y[order], reduction="none").numpy()
    off = losses - losses.mean()
    assert got.tails["train/loss_skewness"][1] == pytest.approx((off**3).mean() / (off**2).mean() ** 1.5, rel=1e-9)
    assert got.tails["train/loss_effective"][1] == pytest.approx((off**2).sum() ** 2 / (off**4).sum(), rel=1e-9)


def test_repeats_are_the_surfaces_of_the_seeds_that_follow(classifier, images):
    grid = {"x": "-1:1:3", "y": "-1:1:4", "weight_decay": 0.3}
    got = landscape.evaluate(classifier, images, landscape.random_plane(classifier, seed=5), **grid, repeats=3)
    assert got.shape == (3, 4, 3)
    assert got.repeats == 3
    assert got.cosines is None  # each has its own
    for number in range(3):
        plane = landscape.random_plane(classifier, seed=5 + number)
        alone = landscape.evaluate(classifier, images, plane, **grid)
        one = got.repeat(number)
        for name, values in alone.values.items():
            np.testing.assert_allclose(one[name], values, rtol=1e-12, err_msg=name)
        assert [axis.sha256 for axis in one.axes] == [d.sha256 for d in plane.directions]
        assert one.axes[0].recipe["seed"] == 5 + number
        said = got.axes[-1].recipe
        np.testing.assert_array_equal(said["cosines"][number], plane.cosines)
        assert said["seeds"][number] == 5 + number
        assert said["repeats"][number] == [
            {"recipe": d.recipe, "length": d.length, "sha256": d.sha256} for d in plane.directions
        ]


def test_a_loss_that_fails_at_a_point_says_at_which(bowl):
    start = bowl.weight.detach().clone()

    def failing(model, batch):
        if not torch.equal(model.weight, start):
            raise ValueError("too far")
        return model(batch)

    data = torch.zeros(4, 4, dtype=torch.float64)
    with pytest.raises(EvaluationError, match=r"measuring failed at x=0\.5, y=-0\.25: ValueError: too far"):
        landscape.evaluate(bowl, data, x=[0.5], y=[-0.25], loss=failing)


def test_losses_that_are_not_finite_are_results(bowl, tmp_path, caplog):
    def wild(model, batch):
        losses = model(batch)
        return torch.where(
            model.weight[0, 0] > 1.5, torch.inf, torch.where(model.weight[0, 0] < 0.5, torch.nan, losses)
        )

    data = torch.zeros(4, 4, dtype=torch.float64)
    plane = landscape.random_plane(bowl, dimensions=1)
    settings = {"x": "-1:1:3", "loss": wild, "path": tmp_path / "s.h5"}
    got = landscape.evaluate(bowl, data, plane, **settings)
    assert got.complete
    assert np.isinf(got["train/loss"]).sum() + np.isnan(got["train/loss"]).sum() == 2
    calls = []
    landscape.evaluate(bowl, data, plane, progress=lambda done, total: calls.append((done, total)), **settings)
    assert calls == [(3, 3)], "a resume does not compute them again"
    start = bowl.weight.detach().clone()

    def lost(model, batch):
        return model(batch) * (torch.nan if torch.equal(model.weight, start) and not batch.any() else 1.0)

    sets = {name: as_data(each, name) for name, each in (("train", data), ("test", data + 1))}
    landscape.evaluate(bowl, sets, plane, x="-1:1:3", loss=lost)
    assert "the checkpoint itself is not finite" not in caplog.text
    about = landscape.evaluate(bowl, data, plane, x="-1:1:3", loss=lost)
    assert np.isfinite(about["train/loss"]).tolist() == [True, False, True]
    assert "the loss at the checkpoint itself is not finite for any sample" in caplog.text


def test_dropout_is_refused_in_a_loss_of_ones_own_and_seeded_in_train_mode(images):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 30), nn.Dropout(0.5), nn.Linear(30, 3)).double()

    class AlwaysOn(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5, training=True)

    noisy = nn.Sequential(*model[:2], AlwaysOn(), model[3])
    with pytest.raises(EvaluationError, match="draws random numbers from torch's generator: pass --noise common"):
        landscape.evaluate(noisy, images, x="-1:1:3")
    common, fresh = (landscape.evaluate(noisy, images, x="0:1e-9:3", noise=each) for each in ("common", "fresh"))
    assert np.ptp(common["train/loss"]) < 1e-6 < 1e-3 < np.ptp(fresh["train/loss"])
    assert (common.problem["noise"], common.problem["mode"]) == ("common", "eval")
    first = landscape.evaluate(model, images, x="-1:1:3", mode="train")
    again = landscape.evaluate(model, images, x="-1:1:3", mode="train")
    np.testing.assert_array_equal(first["train/loss"], again["train/loss"])
    still = landscape.evaluate(model, images, x="-1:1:3")
    assert not np.allclose(first["train/loss"], still["train/loss"])


@pytest.mark.parametrize("how", [{"standard_error": 1e-4}, {"anchors": 2, "samples": 350}])
def test_common_noise_is_that_of_the_star_after_any_look(how):
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    data = (torch.randn(700, 4).double(), torch.randint(0, 3, (700,)))
    # 100 does not divide the 256 samples after which a loss is looked at first.
    got = landscape.evaluate(model, data, x="0:1e-9:3", mode="train", noise="common", batch_size=100, **how)
    assert np.ptp(got["train/loss"]) < 1e-6
    assert got.paired_stderr["train/loss"].max() < 1e-6


def test_noise_is_another_at_each_point():
    class Noise(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2))  # moved, and of no effect

        def forward(self, x):
            return nn.functional.dropout(torch.ones(len(x), 16), 0.5, self.training)

    def own(model, batch):
        return (model(batch) * 2.0 ** torch.arange(16)).sum(1)

    got = landscape.evaluate(Noise(), torch.zeros(9, 1), x="-1:1:5", mode="train", loss=own)
    assert len(set(got["train/loss"])) == 5


def test_data_that_change_when_read_again_are_found(classifier, images):
    class Augmented(torch.utils.data.Dataset):
        def __len__(self):
            return 23

        def __getitem__(self, index):
            return images[0][index] + torch.rand(1, 5, 5, dtype=torch.float64), images[1][index]

    with pytest.raises(EvaluationError, match=r"each time it is read.*augmentation"):
        landscape.evaluate(classifier, Augmented(), x="-1:1:3")


def test_a_shuffling_loader_is_read_in_order(classifier, images):
    loader = DataLoader(TensorDataset(*images), batch_size=8, shuffle=True, drop_last=True)
    got = landscape.evaluate(classifier, loader, x="-1:1:3")
    same = landscape.evaluate(classifier, images, x="-1:1:3")
    np.testing.assert_allclose(got["train/loss"], same["train/loss"], rtol=1e-13)
    assert got.quality["batch_size"] == 8


def test_a_scalar_loss_is_a_batch_mean_weighted_by_samples(classifier, images):
    def scalar(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    got = landscape.evaluate(classifier, images, x="-1:1:3", loss=scalar, batch_size=10)
    same = landscape.evaluate(classifier, images, x="-1:1:3")
    np.testing.assert_allclose(got["train/loss"], same["train/loss"], rtol=1e-12)
    assert "train/loss" not in got.stderr


def test_recomputed_statistics_are_those_of_the_data_at_each_point(classifier, images):
    x, y = images
    plane = landscape.random_plane(classifier, seed=2)
    got = landscape.evaluate(classifier, images, plane, x="-1:1:3", y="-1:1:2", batch_norm="recompute", batch_size=23)
    model = copy.deepcopy(classifier)
    for j, b in enumerate([-1.0, 1.0]):
        for i, a in enumerate([-1.0, 0.0, 1.0]):
            moved = copy.deepcopy(model)
            with torch.no_grad():
                for name, p in moved.named_parameters():
                    p.add_(a * plane.directions[0].tensors[name] + b * plane.directions[1].tensors[name])
                features = moved[0](x)
                moved[1].running_mean.copy_(features.mean((0, 2, 3)))
                moved[1].running_var.copy_(features.transpose(0, 1).flatten(1).var(1))
                expected = nn.functional.cross_entropy(moved(x), y)
            assert got["train/loss"][j, i] == pytest.approx(float(expected), rel=1e-10)


def test_streamed_data_give_what_resident_data_give(classifier, images, monkeypatch):
    resident = landscape.evaluate(classifier, images, x="-1:1:5", batch_size=4)
    monkeypatch.setattr("landscape.evaluation.forward_pass.objective.resident_budget", lambda device, users: 8 * 25 * 8)
    streamed = landscape.evaluate(classifier, images, x="-1:1:5", batch_size=4)
    np.testing.assert_allclose(streamed["train/loss"], resident["train/loss"], rtol=1e-13)
    np.testing.assert_allclose(streamed.stderr["train/loss"], resident.stderr["train/loss"], rtol=1e-10)
    assert (streamed.counts["train"] == 23).all()


def test_an_estimate_counts_what_is_left_to_do(classifier, images, tmp_path):
    path = tmp_path / "s.h5"
    cost = estimate_cost(classifier, images, x="-1:1:5", y="-1:1:4", path=path)
    assert (cost.points, cost.total_points, cost.samples) == (20, 20, {"train": 23})
    assert not path.exists()
    landscape.evaluate(classifier, images, x="-1:1:5", y="-1:1:4", path=path)
    assert estimate_cost(classifier, images, x="-1:1:5", y="-1:1:4", path=path).points == 0


@pytest.mark.parametrize(
    "grid", [{"x": "-1:1:100000", "y": "-1:1:100000"}, {"x": "-1:1:51", "repeats": 10**9}], ids=["plane", "repeats"]
)
def test_a_grid_that_no_memory_holds_is_refused_before_anything_is_made(classifier, images, grid):
    tracemalloc.start()
    for call in (landscape.evaluate, estimate_cost):
        with pytest.raises(UsageError, match=r"points takes about [\d,.]+ GiB of memory, and [\d,.]+ GiB may be used"):
            call(classifier, images, **grid)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_an_estimate_of_a_large_grid_takes_no_memory_for_its_points(classifier, images, monkeypatch):
    monkeypatch.setattr("landscape.evaluation.setup.resident_budget", lambda *_: 10**12)
    tracemalloc.start()
    assert estimate_cost(classifier, images, x="-1:1:5000", y="-1:1:5000").points == 25_000_000
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"x": "1:-1:5"}, "increase"),
        ({"samples": 0}, "samples"),
        ({"batch_norm": "live"}, "frozen, recompute"),
        ({"mode": "test"}, "eval, train"),
        ({"repeats": 0}, "repeats"),
        ({"z": "0:1:2"}, "z without y"),
        ({"write_every": 0}, "write_every"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_the_door(classifier, images, settings, text):
    with pytest.raises(UsageError, match=text):
        landscape.evaluate(classifier, images, **settings)


def test_half_precision_weights_are_evaluated_as_they_are(classifier, images):
    x, y = images
    half = classifier.to(torch.bfloat16)
    plane = landscape.random_plane(half, dimensions=1)
    got = landscape.evaluate(half, (x.float(), y), plane, x="-0.5:0.5:3")
    assert got.quality["precision"] == "bfloat16"
    assert half[0].weight.dtype == torch.bfloat16
    for at, loss in zip((-0.5, 0.0, 0.5), got["train/loss"], strict=True):
        moved = copy.deepcopy(half).double()
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                # Rounded to what the network's own type holds, as its weights are at the point.
                parameter.copy_((parameter + at * plane.directions[0].tensors[name].double()).bfloat16())
            exact = float(nn.functional.cross_entropy(moved(x), y))
        # 8 bits through four layers, averaged over 23 samples.
        assert loss == pytest.approx(exact, rel=0.01)


def test_what_a_surface_says_of_its_origin_is_true(classifier, images, tmp_path):
    got = landscape.evaluate(classifier, images, x="-1:1:3", path=tmp_path / "net.h5", command="landscape evaluate ...")
    read = landscape.read_surface(tmp_path / "net.h5")
    assert read.command == "landscape evaluate ..."
    assert read.origin["values"]["train/loss"] == pytest.approx(got["train/loss"][1], rel=1e-12)
    assert read.axes[0].length == pytest.approx(landscape.random_plane(classifier).directions[0].length)
    assert read.path == str(tmp_path / "net.h5")
    assert dataclasses.is_dataclass(read)


def test_a_loss_that_exits_is_a_failure_not_an_exit(classifier, images):
    def leaves(model, batch):
        raise SystemExit(3)

    with pytest.raises(EvaluationError, match="SystemExit: 3"):
        landscape.evaluate(classifier, images, x="-1:1:3", loss=leaves)


@pytest.mark.parametrize("batch_size", [4, 256])
def test_a_criterion_with_class_weights_gives_its_own_mean_over_all_samples(classifier, images, batch_size):
    x, y = images
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1.0, 5.0]), ignore_index=0, label_smoothing=0.1)
    got = landscape.evaluate(classifier, images, x="0:1:2", loss=criterion, batch_size=batch_size)
    wanted = float(criterion.double()(classifier(x), y).detach())
    assert got["train/loss"][0] == pytest.approx(wanted, rel=1e-9)
    assert got.quality["engine"] != "plain"


def test_a_network_made_under_inference_mode_is_explained(images):
    with torch.inference_mode():
        model = nn.Sequential(nn.Flatten(), nn.Linear(25, 3)).double()
    with pytest.raises(UsageError, match="inference_mode"):
        landscape.evaluate(model, images, x="-1:1:3")


@pytest.mark.parametrize("how", ["frozen", "recompute"])
def test_an_unknown_data_set_for_batch_norm_is_refused_even_when_it_is_not_used(classifier, images, how):
    with pytest.raises(ProblemError, match="batch_norm_data is 'valid', the data sets are train"):
        landscape.evaluate(classifier, images, x="-1:1:3", batch_norm=how, batch_norm_data="valid")


def test_a_batch_too_large_for_memory_is_halved_once(classifier, images, caplog):
    def hungry(limit):
        def loss(model, batch):
            if len(batch[1]) > limit:
                raise MemoryError("can't allocate memory")
            return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

        return loss

    got = landscape.evaluate(classifier, images, x="-1:1:3", loss=hungry(10), batch_size=16)
    assert got.quality["batch_size"] == 8
    assert "batches of 8" in caplog.text
    with pytest.raises(EvaluationError, match=r"out of memory with batches of 8 .*--batch-size"):
        landscape.evaluate(classifier, images, x="-1:1:3", loss=hungry(5), batch_size=16)
