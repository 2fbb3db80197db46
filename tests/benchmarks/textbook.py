"""The loss over a plane as one writes it the first time: what the engine is compared with.

Nothing here is slow on purpose, and nothing is clever: a Dataset that decodes and normalises one image at a time, a
DataLoader with workers, weights set tensor by tensor, the loss read after every batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Images(Dataset[tuple[Tensor, int]]):
    """Images as they lie in a file, and their labels."""

    def __init__(self, images: Tensor, labels: Tensor, mean: Sequence[float], std: Sequence[float]) -> None:
        self.images = images  # uint8, (n, height, width, channels)
        self.labels = labels
        self.mean = torch.tensor(mean)
        self.std = torch.tensor(std)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index].permute(2, 0, 1).float() / 255
        image = (image - self.mean[:, None, None]) / self.std[:, None, None]
        return image, int(self.labels[index])


def loss_and_accuracy(
    model: nn.Module, loader: DataLoader[tuple[Tensor, int]], device: str = "cpu"
) -> tuple[float, float]:
    """Return the mean loss and the share of right answers over a loader."""
    model.eval()
    total, right, number = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            outputs = model(images)
            total += F.cross_entropy(outputs, labels).item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()
            number += len(labels)
    return total / number, right / number


def evaluate_plane(
    model: nn.Module,
    dataset: Dataset[tuple[Tensor, int]],
    directions: Sequence[Mapping[str, Tensor]],
    points: Sequence[tuple[float, float]],
    *,
    batch_size: int = 128,
    workers: int = 2,
) -> list[tuple[float, float]]:
    """Return loss and accuracy at each point of a plane, and put the weights back."""
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=False, num_workers=workers)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    x_direction, y_direction = directions
    results = []
    for x, y in points:
        for name, parameter in model.named_parameters():
            parameter.data = start[name] + x * x_direction[name] + y * y_direction[name]
        results.append(loss_and_accuracy(model, loader))
    for name, parameter in model.named_parameters():
        parameter.data = start[name]
    return results
