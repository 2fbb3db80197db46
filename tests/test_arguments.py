"""What functions are called with from Python: what is no network, no number or no plane is said in one line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import landscape

DATA = {"train": (torch.ones(4, 3), torch.zeros(4, dtype=torch.long))}
WRONG = {
    "a dict of weights": (nn.Linear(3, 2).state_dict(), "load_state_dict"),
    "a class": (nn.Linear, r"the class Linear: call it first"),
    "a name": ("net.pt", "load_checkpoint"),
    "the data": (DATA, "the network comes first"),
    "a batch": ({"x": torch.ones(4, 3), "name": "train"}, "the network comes first"),
}
CALLS = {
    "evaluate": lambda model: landscape.evaluate(model, DATA),
    "curvature": lambda model: landscape.curvature(model, DATA),
    "hessian": lambda model: landscape.hessian(model, DATA),
    "similarity": lambda model: landscape.similarity({"a": model}, DATA),
    "predictions": lambda model: landscape.predictions({"a": {"one": model}}, DATA),
    "robustness": lambda model: landscape.robustness(model, DATA, epsilons=[0.1]),
    "frequencies": lambda model: landscape.frequencies(model, DATA),
    "measure_run_walk": lambda model: landscape.measure_run_walk(model, DATA, None),
    "random_plane": landscape.random_plane,
    "checkpoint_plane": lambda model: landscape.checkpoint_plane(model, ["net.pt"]),
    "Recorder": lambda model: landscape.Recorder("run", model),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_network_is_named_with_the_way_to_one(call, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, hint = WRONG[what]
    with pytest.raises(TypeError, match=rf"a network \(torch.nn.Module\) is wanted.*{hint}"):
        CALLS[call](model)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": "10"}, "samples is '10', it has to be a whole number or None"),
        ({"samples": 10.0}, "samples is 10.0"),
        ({"batch_size": True}, "batch_size is True, it has to be a whole number or None$"),
        ({"tolerance": "0.1"}, "tolerance is '0.1', it has to be a number or None"),
        ({"plane": "random"}, "plane is of type str, it has to be a Plane"),
        ({"directions": 3}, "directions is of type int"),
    ],
    ids=str,
)
def test_what_is_no_number_and_no_plane_is_named(settings, said):
    with pytest.raises(TypeError, match=said):
        landscape.evaluate(nn.Linear(3, 2), DATA, **settings)


def test_numbers_of_any_library_are_numbers():
    whole, real = torch.ones(1, dtype=torch.long).numpy()[0], torch.ones(1).numpy()[0]
    surface = landscape.evaluate(nn.Linear(3, 2), DATA, x="-1:1:3", samples=whole, tolerance=real, progress=False)
    assert surface.problem["data"]["train"]["samples"] == 1
