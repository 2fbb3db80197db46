"""Settings that go together: a point's values are those of a run that measures it alone, in one go or in two."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from tests.helpers import gradient_norm
from tests.helpers.cut_runs import interrupting

gradient_norm.register("gradient", gradient_norm.GradientNorm)

CHOICES = {
    "how": {
        "batch_norm": ["frozen", "recompute"],
        "noise": [None, "common"],
        "mode": ["eval", "train"],
        "weight_decay": [0.0, 0.3],
        "repeats": [1, 2],
        "samples": [None, 14],
        "batch_size": [5, 64],
        "low_memory": [False, True],
        "quantities": [{}, {"gradient": {}}],
    },
    "plane": {
        "dimensions": [1, 2, 3],
        "move": ["weights", "states"],
        "orthogonal": [False, True],
        "ignore": ["biasbn", "none"],
        "exclude": [None, "^4"],
    },
}
AXES = {"x": [-1.0, 0.5], "y": [0.0, 0.7], "z": [-0.3, 0.0]}


def drawn(seed):
    """Return settings of a run and of a plane; four in five pairs of two settings come up in eight draws."""
    chance = random.Random(seed)
    return ({name: chance.choice(each) for name, each in choices.items()} for choices in CHOICES.values())


@pytest.mark.parametrize("seed", range(8))
def test_a_point_of_a_grid_has_the_values_of_a_run_that_measures_it_alone(seed, images, tmp_path):
    how, chosen = drawn(seed)
    if how["quantities"]:
        how |= {"mode": "eval", "noise": None}  # this one seeds no generators
    elif how["mode"] == "train":
        how["noise"] = "common"  # fresh noise is another in each run
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3))
    model.insert(4, nn.Dropout(0.3))
    with torch.no_grad():
        model[1].running_mean.normal_()
        model[1].running_var.uniform_(0.5, 2.0)
    model = model.double().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plane = landscape.random_plane(model, seed=seed, low_memory=how["low_memory"], **chosen)
    data = {"train": images, "test": (images[0][:9], images[1][:9])}
    axes = dict(list(AXES.items())[: chosen["dimensions"]])
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(model, data, plane, **axes, **how, path=tmp_path / "s.h5", progress=interrupting(2))
    whole = landscape.evaluate(model, data, plane, **axes, **how, path=tmp_path / "s.h5")
    chance = np.random.default_rng(seed)
    for _ in range(2):
        at = {letter: int(chance.integers(len(values))) for letter, values in axes.items()}
        alone = landscape.evaluate(model, data, plane, **{k: [axes[k][n]] for k, n in at.items()}, **how)
        assert set(alone.values) == set(whole.values)
        where = (..., *reversed(at.values()))
        for part in ("values", "stderr", "paired_stderr", "counts"):
            for name, values in getattr(alone, part).items():
                found = getattr(whole, part)[name][where]
                wanted = values[(..., *[0] * len(at))]
                if not name.endswith("residual"):
                    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10, err_msg=f"{part} {name} {how}")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
