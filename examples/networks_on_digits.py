"""Networks to compare: two populations of ten on digits, and a small and an over-sized network on a sixteenth of them.

    python examples/networks_on_digits.py [--populations N] [--epochs E]          (a quarter of an hour on two cores)

Beside this file appear networks/narrow/0.pt to 9.pt and networks/wide/, which only their seeds tell apart;
networks/small/ and networks/oversized/, two seeds each, trained on 90 of the images. What is there already is kept, so
that a run that was cut short goes on. docs/similarity.md compares them.
"""

import argparse
import os
from functools import partial
from pathlib import Path

import torch

from landscape.demo.networks import residual
from landscape.demo.training import train
from landscape.problem.data.archives import read_digits

HERE = Path(__file__).parent / "networks"
# Width of the first of three stages, and blocks in each.
SIZES = {
    "narrow": {"width": 2, "blocks": 1},
    "wide": {"width": 8, "blocks": 1},
    "small": {"width": 8, "blocks": 2},
    "oversized": {"width": 64, "blocks": 8},
}
ON_A_SIXTEENTH = ("small", "oversized")
# What builds them, for a command: --model examples/networks_on_digits.py:wide
narrow, wide, small, oversized = (partial(residual, **size) for size in SIZES.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--populations", type=int, default=10, help="networks of each population")
    parser.add_argument("--epochs", type=int, help="passes over the data: 20, of a sixteenth 100")
    options = parser.parse_args()
    images, labels = read_digits("train")
    x, y = torch.from_numpy(images).float() / 16, torch.from_numpy(labels)
    for name, size in SIZES.items():
        few = name in ON_A_SIXTEENTH
        number = min(2, options.populations) if few else options.populations
        (HERE / name).mkdir(parents=True, exist_ok=True)
        for seed in range(number):
            path = HERE / name / f"{seed}.pt"
            if path.exists():
                continue
            model = residual(**size, seed=seed)
            part = slice(None, None, 16) if few else slice(None)
            epochs = options.epochs or (100 if few else 20)
            train(model, x[part], y[part], epochs=epochs, seed=seed, batch_size=30 if few else 64)
            torch.save(model.state_dict(), f"{path}.part")
            os.replace(f"{path}.part", path)
            print(f"trained {path}", flush=True)


if __name__ == "__main__":
    main()
