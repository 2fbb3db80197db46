"""Small trained networks that the measures of this room are tried on."""

from __future__ import annotations

import pytest

from landscape.problem.data.datasets import as_data
from landscape.problem.data.sources import digits
from landscape.studies.study import Recipe, TrainedNetwork
from landscape.studies.training import trainer


@pytest.fixture(scope="package")
def data():
    x, y = digits("train")
    return {"train": as_data((x[:60], y[:60]), "train"), "test": as_data((x[100:140], y[100:140]), "test")}


@pytest.fixture(scope="package")
def networks(data, tmp_path_factory):
    found = []
    for seed, tasks in ((0, {}), (1, {}), (2, {"kind": "rotated", "number": 3})):
        recipe = Recipe(
            network="landscape.studies.study_networks:perceptron",
            arguments={"depth": 1, "width": 12, "dropout": 0.2},
            batch_size=20,
            epochs=4,
            checkpoints=1,
            walk=2,
            tasks=tasks,
        )
        folder = tmp_path_factory.mktemp(f"net{seed}")
        scores = trainer.train(recipe, seed, data, folder)
        found.append(TrainedNetwork("ab"[seed % 2], "", seed, recipe, folder, scores))
    return found
