"""Three optimizers from one start, on the plane of their principal components.

    python examples/optimizers_on_digits.py          (half a minute)

Trains a small network on the shipped digits with each, records every tenth step, and measures the loss around the
three paths. Beside this file appear the runs (optimizers/), the surface (optimizers.h5), the paths on its contours
(optimizers.png), and how far they are off the plane, with their own losses (optimizers-steps.png).
"""

from pathlib import Path

import torch
from torch import nn

import landscape
from landscape.problem.data.archives import read_digits

HERE = Path(__file__).parent
STEPS, EVERY, BATCH = 400, 10, 64
OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def train(name: str, x: torch.Tensor, y: torch.Tensor) -> None:
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    order = torch.Generator().manual_seed(1)
    with landscape.Recorder(HERE / "optimizers" / name, model, every=EVERY) as recorder:
        for step in range(STEPS + 1):
            batch = torch.randint(len(x), (BATCH,), generator=order)
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            recorder.record(step, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main() -> None:
    images, labels = read_digits("train")
    x, y = torch.from_numpy(images).float() / 16, torch.from_numpy(labels)
    for name in OPTIMIZERS:
        train(name, x, y)
    runs = [landscape.find_run(HERE / "optimizers" / name) for name in OPTIMIZERS]
    model = network()
    model.load_state_dict(dict(runs[-1].records[-1].tensors))  # coordinates are about the end of Adam's run
    surface = landscape.evaluate_runs(model, (x, y), runs, path=HERE / "optimizers.h5", overwrite=True)
    landscape.plot.save(surface, HERE / "optimizers.png", kind="contour")
    landscape.plot.save(surface, HERE / "optimizers-steps.png", kind="steps")


if __name__ == "__main__":
    main()
