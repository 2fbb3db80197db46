"""Networks whose size is chosen, of the usual kinds of layers, and a few random samples for each.

Only their memory and time are of interest: they are not trained. With ``device="meta"`` they are built without memory,
which they get with a checkpoint's weights, in its precision: else a network would be built in float32 beside a
checkpoint of half that size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLES = 8
WORDS, LENGTH = 16_000, 16  # of the transformer's input
PIXELS = 4  # along a side: with few, weights are nearly all there is


class Block(nn.Module):
    """A transformer's layer, in its plainest form."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.first(x)).chunk(3, dim=-1)
        x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v))
        return x + self.down(nn.functional.gelu(self.up(self.second(x))))


class Transformer(nn.Module):
    """Words in, the sum over their places out; the embedding is tied to the last layer."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.head = nn.Linear(width, WORDS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        result: Tensor = self.head(self.blocks(self.embedding(words)).mean(1))
        return result


def transformer(width: int = 768, depth: int = 12, device: str = "cpu") -> nn.Module:
    """97 million parameters."""
    with torch.device(device):
        return Transformer(width, depth)


def linear(width: int = 2048, depth: int = 24, device: str = "cpu") -> nn.Module:
    """101 million parameters."""
    with torch.device(device):
        layers = [each for _ in range(depth) for each in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(width, 10))


def convolutional(width: int = 512, depth: int = 42, device: str = "cpu") -> nn.Module:
    """97 million parameters, each convolution followed by batch norm and ReLU."""
    layers: list[nn.Module] = []
    with torch.device(device):
        for number in range(depth):
            inputs = width if number else 3
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def words() -> tuple[Tensor, Tensor]:
    """Samples for the transformer."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, WORDS, (SAMPLES, LENGTH + 1), generator=generator)
    return drawn[:, :-1], drawn[:, -1]


def vectors(width: int = 2048) -> tuple[Tensor, Tensor]:
    """Samples for the linear network."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(SAMPLES, width, generator=generator), torch.arange(SAMPLES) % 10


def images() -> tuple[Tensor, Tensor]:
    """Samples for the convolutional network."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(SAMPLES, 3, PIXELS, PIXELS, generator=generator), torch.arange(SAMPLES) % 10
