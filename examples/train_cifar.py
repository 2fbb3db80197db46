"""Train ResNet-20 on CIFAR-10: how a checkpoint such as the README's comes about.

    python examples/train_cifar.py cifar10.npz --epochs 10

``cifar10.npz`` holds ``x``, uint8 images N x 32 x 32 x 3, and ``y``, labels. Ten epochs of 50,000 images take about an
hour and a half on two cores, a minute on a GPU, and reach about 87 % of the test images. Prints the training loss of
each epoch and writes ``resnet20.pt`` beside the data; then `landscape evaluate` measures the loss around it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from resnet_cifar import resnet20
from torch.nn.functional import cross_entropy, pad

BATCH, RATE, DECAY = 128, 0.4, 5e-4
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def augment(x: torch.Tensor) -> torch.Tensor:
    """Shift by up to four pixels and mirror, each image by chance."""
    shift = torch.randint(0, 9, (2,)).tolist()
    x = pad(x, (4, 4, 4, 4))[..., shift[0] : shift[0] + 32, shift[1] : shift[1] + 32]
    return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x, x.flip(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with np.load(options.data) as arrays:
        x = torch.from_numpy(arrays["x"]).permute(0, 3, 1, 2).float().div(255)
        y = torch.from_numpy(arrays["y"]).long().to(device)
    x = ((x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)).to(device)
    torch.manual_seed(0)
    model = resnet20().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=DECAY, nesterov=True)
    steps = options.epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(1, options.epochs + 1):
        total = 0.0
        for chosen in torch.randperm(len(x), device=device).split(BATCH):
            loss = cross_entropy(model(augment(x[chosen])), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch}: training loss {total / len(x):.3f}", flush=True)
    target = options.data.with_name("resnet20.pt")
    torch.save({"state_dict": model.state_dict(), "epochs": options.epochs}, target)
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
