"""Augmentation of images: shifts by up to an eighth of the side, and mirroring.

For CIFAR's 32 pixels that is the padding by 4 and random crop of He et al., "Deep Residual Learning for Image
Recognition", CVPR 2016, Section 4.2; digits of 8 pixels move by one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from landscape.errors import UsageError

AUGMENTATIONS = ("none", "shift", "shift_flip")


def augment(x: Tensor, kind: str, generator: torch.Generator) -> Tensor:
    """Return a batch of images of which each was shifted, and mirrored, by chance of its own.

    Parameters
    ----------
    x : Tensor, shape (n, c, h, w)
    kind : {"none", "shift", "shift_flip"}
        Shifted images show 0 where they left the frame; half of those mirrored are.
    generator : Generator
        On the CPU.
    """
    if kind not in AUGMENTATIONS:
        raise UsageError(f"there is no augmentation {kind!r}; there are {', '.join(AUGMENTATIONS)}")
    if kind == "none":
        return x
    if x.ndim != 4:
        raise UsageError(f"augmentation {kind!r} is for images (n, c, h, w), these are of shape {tuple(x.shape)}")
    number, _, height, width = x.shape
    most = max(1, min(height, width) // 8)
    if kind == "shift_flip":
        mirrored = torch.rand(number, generator=generator) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    padded = functional.pad(x, (most, most, most, most))
    down, right = torch.randint(2 * most + 1, (2, number), generator=generator)
    rows = (down[:, None] + torch.arange(height))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width))[:, None, None, :]
    return padded[
        torch.arange(number)[:, None, None, None], torch.arange(x.shape[1])[None, :, None, None], rows, columns
    ]
