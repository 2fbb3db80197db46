"""The loss around a network of your own, in Python: train, measure a plane, draw it.

    python examples/own_network.py

A few seconds; writes ``own_network.h5`` and ``own_network.png`` beside this file.
"""

from pathlib import Path

import torch
from torch import nn

import landscape

HERE = Path(__file__).parent
STEPS = 300


def two_spirals(number: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Points on two interleaved spirals, and which spiral each is on."""
    label = torch.arange(number) % 2
    angle = torch.rand(number, generator=torch.Generator().manual_seed(0)).sqrt() * 9
    turned = angle + torch.pi * label
    return torch.stack([turned.cos(), turned.sin()], 1) * angle[:, None] / 9, label


def main() -> None:
    torch.manual_seed(0)
    x, y = two_spirals()
    model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    plane = landscape.random_plane(model, seed=0)
    surface = landscape.evaluate(model, (x, y), plane, x="-1:1:25", y="-1:1:25", path=HERE / "own_network.h5")
    landscape.plot.save(surface, HERE / "own_network.png", kind="surface")
    lowest = float(surface["train/loss"].min())
    print(f"loss {surface.origin['values']['train/loss']:.3f} at the trained weights, {lowest:.3f} at the lowest point")
    print(f"wrote {HERE / 'own_network.png'}")


if __name__ == "__main__":
    main()
