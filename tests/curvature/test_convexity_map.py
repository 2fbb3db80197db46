"""Both ends of the spectrum at points of a grid, by the command's own way, against the whole Hessian."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import landscape
from landscape.directions.construct import Plane, random_plane
from landscape.errors import UsageError

NAMES = ("eigenvalue_max", "eigenvalue_min", "eigenvalue_max_residual", "eigenvalue_min_residual")


def evaluated(model: nn.Module, data: tuple[Tensor, Tensor], x: str = "-1:1:5", **options: float) -> landscape.Surface:
    return landscape.evaluate(model, data, x=x, quantities={"curvature": {"tolerance": 1e-4, **options}})


def ends_by_hand(
    model: nn.Module, data: tuple[Tensor, Tensor], at: float, *, least: int = 2, without: str = "-"
) -> tuple[float, float, float]:
    """Of the weights of two dimensions and more, or of so many, all batches at once."""
    direction = random_plane(model, dimensions=1).directions[0].tensors
    start = {name: each.detach() + at * direction[name] for name, each in model.named_parameters()}
    chosen = [name for name, each in start.items() if each.ndim >= least and without not in name]
    sizes = [start[name].numel() for name in chosen]

    def loss(flat: Tensor) -> Tensor:
        parts = zip(chosen, flat.split(sizes), strict=True)
        moved = {**start, **{name: part.view(start[name].shape) for name, part in parts}}
        return nn.functional.cross_entropy(torch.func.functional_call(model, moved, data[0]), data[1])

    flat = torch.cat([start[name].reshape(-1) for name in chosen])
    values = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))
    return float(values[-1]), float(values[0]), float(torch.func.grad(loss)(flat).norm())


@pytest.fixture(scope="module")
def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 3), nn.Tanh(), nn.Linear(3, 3)).double().eval()


def test_both_ends_are_those_of_the_whole_hessian_at_each_point(small, images):
    surface = evaluated(small, images)
    for number, at in enumerate(surface.axes[0].values):
        greatest, least, slope = ends_by_hand(small, images, at)
        found = [surface[f"train/{name}"][number] for name in NAMES]
        assert found[0] == pytest.approx(greatest, rel=1e-3)
        assert found[1] == pytest.approx(least, rel=1e-3)
        assert abs(found[0] - greatest) <= found[2] + 1e-9
        assert abs(found[1] - least) <= found[3] + 1e-9
        assert surface["train/gradient_norm"][number] == pytest.approx(slope, rel=1e-9)


def test_the_tensors_are_those_that_the_planes_directions_move(small, images):
    for ignored, options, least, without in (
        (["none"], {}, 1, "-"),
        (["biasbn"], {"exclude": "^1"}, 2, "1."),
        (["none"], {"include": "^3"}, 1, "1."),
        (["biasbn", "none"], {}, 1, "-"),  # one of two directions moves vectors
    ):
        drawn = [random_plane(small, dimensions=1, ignore=each, **options).directions[0] for each in ignored]
        plane, axes = Plane.of(drawn), dict.fromkeys("xy"[: len(ignored)], "0:0:1")
        quantities = {"curvature": {"tolerance": 1e-4}}
        found = landscape.evaluate(small, images, plane, **axes, quantities=quantities)
        wanted = ends_by_hand(small, images, 0.0, least=least, without=without)
        assert [found[f"train/{name}"].item() for name in NAMES[:2]] == pytest.approx(wanted[:2], rel=1e-3)
        assert found["train/gradient_norm"].item() == pytest.approx(wanted[2], rel=1e-9)


def test_each_data_sets_curvature_is_of_the_samples_that_its_losses_are_of(small, images):
    x, y = images
    sets = {"other": (x[:9] + 1, y[:9]), "train": images}
    quantities = {"curvature": {"tolerance": 1e-3}}
    found = landscape.evaluate(small, sets, x="0.5:0.5:1", samples=7, sample_seed=3, quantities=quantities)
    for name, (inputs, labels) in sets.items():
        chosen = np.random.Generator(np.random.PCG64(3)).permutation(len(inputs))[:7]
        wanted = ends_by_hand(small, (inputs[chosen], labels[chosen]), 0.5)
        assert [found[f"{name}/{end}"][0] for end in NAMES[:2]] == pytest.approx(wanted[:2], rel=1e-2)
        assert found[f"{name}/gradient_norm"][0] == pytest.approx(wanted[2], rel=1e-9)
        np.testing.assert_array_equal(found[f"{name}/curvature_samples"], 7)


def test_residuals_are_no_smaller_than_what_products_round_to(images):
    torch.manual_seed(0)
    single = nn.Sequential(nn.Flatten(), nn.Linear(25, 3), nn.Tanh(), nn.Linear(3, 3)).eval()
    found = evaluated(single, tuple(each.float() if each.is_floating_point() else each for each in images),
                      x="0:0:1", tolerance=1e-12, products=200)  # fmt: skip
    greatest, _, _ = ends_by_hand(single.double(), images, 0.0)
    error = abs(found["train/eigenvalue_max"][0] - greatest)
    assert 0 < error <= found["train/eigenvalue_max_residual"][0] < 1e-5 * greatest


def test_starting_from_a_neighbour_takes_fewer_products(small, images, monkeypatch):
    from landscape.curvature.convexity_map import ConvexityMap

    warm = evaluated(small, images, x="0:0.02:5", tolerance=0.02)["train/products"]
    monkeypatch.setattr(ConvexityMap, "_keep", lambda *_: None)
    cold = evaluated(small, images, x="0:0.02:5", tolerance=0.02)["train/products"]
    assert warm.sum() < cold.sum()


def test_products_that_are_used_up_leave_residuals_that_say_so(small, images):
    surface = evaluated(small, images, x="0:1:2", products=3)
    np.testing.assert_array_equal(surface["train/products"], 3)
    greatest, least, _ = ends_by_hand(small, images, 0.0)
    assert surface["train/eigenvalue_min_residual"][0] > 0.01 * abs(least)
    assert surface["train/eigenvalue_max"][0] <= greatest + 1e-9
    # The greatest end stands apart and comes out first: its residual is the smaller one.
    few = evaluated(small, images, x="0:1:2", products=8)
    assert (few["train/eigenvalue_max_residual"] < few["train/eigenvalue_min_residual"]).all()


def test_a_point_whose_loss_is_not_finite_is_a_hole_and_the_others_are_measured(small, images):
    def exploding(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        values = nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")
        far = (model[1].weight - before).norm() > 0.1
        return values * torch.where(far, torch.inf, 1.0)

    before = small[1].weight.detach().clone()
    surface = landscape.evaluate(small, images, x="-1:1:3", loss=exploding, quantities={"curvature": {}})
    assert np.isnan(surface["train/eigenvalue_max"][[0, 2]]).all()
    assert surface["train/eigenvalue_max"][1] == pytest.approx(ends_by_hand(small, images, 0.0)[0], rel=0.02)
    assert np.isinf(surface["train/loss"][[0, 2]]).all()


@pytest.mark.parametrize(("options", "said"), [({"products": 1}, "1 products a point"), ({"tolerance": 0}, "is 0")])
def test_settings_that_make_no_sense_are_refused(small, images, options, said):
    with pytest.raises(UsageError, match=said):
        evaluated(small, images, **options)
