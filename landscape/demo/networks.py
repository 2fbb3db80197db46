"""The two networks of ``landscape demo``: the same 38 layers, with shortcuts and without.

Both are the CIFAR network of He et al. [1]_ (Section 4.2) made narrow for 8 x 8 images: one convolution, three
stages of six blocks of two 3 x 3 convolutions (8 channels at 8 x 8 pixels, 16 at 4 x 4, 32 at 2 x 2), each
convolution followed by batch normalisation, then global averages and one linear layer. The shortcuts have no
parameters (option A of the paper), so both networks have the same parameters by name, shape and initial value; the
sum at the end of each block is all that differs. It is the pair of Li et al. [2]_ (Figure 1, Section 5), at a depth at
which both can be trained: of 56 layers the plain network did not finish, and its picture was one of a training that
failed. Of 38, with seeds 0 and 1, it reaches a training loss of 0.007 and 0.027 and gets 97.8 and 96.4 % of the test
images right (with shortcuts: 0.0002, 99.4 and 99.2 %).

What the pictures then showed, for two seeds of the training and two of the directions each: half a filter length away
the median training loss is 4.3 to 6.4 without shortcuts and 0.8 to 1.6 with them, a quarter away 0.8 to 2.0 and 0.02 to
0.03. A whole filter length away neither is reliably the higher one. That and no more is the demo's claim.

A user's own run can start from them: ``--model landscape.demo.networks:residual``.

References
----------
.. [1] He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
.. [2] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DigitNetwork", "plain", "residual"]


class Block(nn.Module):
    """Two convolutions; with a shortcut, their input is added to their output.

    Where the block halves the image and adds channels, the shortcut takes every second pixel and pads the new
    channels with zeros. Without batch normalisation the convolutions have biases.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        shortcut: bool,
        batch_norm: bool = True,
        activation: Callable[[Tensor], Tensor] = functional.relu,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=not batch_norm)
        self.norm1 = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=not batch_norm)
        self.norm2 = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.activation = activation
        self.stride = stride
        self.added_channels = outputs - inputs
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y: Tensor = self.norm2(self.conv2(self.dropout(self.activation(self.norm1(self.conv1(x))))))
        if self.shortcut:
            kept = x[:, :, :: self.stride, :: self.stride]
            y = y + functional.pad(kept, (0, 0, 0, 0, 0, self.added_channels))
        return self.activation(y)


class DigitNetwork(nn.Module):
    """A network of ``6 * blocks + 2`` layers for small images, such as the 8 x 8 digits.

    Parameters
    ----------
    shortcuts : bool
        Whether each block adds its input to its output. It changes neither the parameters' names nor their shapes.
    blocks : int
        Blocks in each of the three stages.
    width : int
        Channels of the first stage; the second has twice as many, the third four times.
    classes : int
        Length of the output.
    seed : int
        Of the initial weights (He et al.'s normal distribution). Torch's global generator is left as it was.
    channels : int
        Of the images.
    batch_norm : bool
        Whether each convolution is followed by batch normalisation; without it convolutions have biases, 0 at first.
    activation : callable
        Between layers.
    dropout : float
        Share of values left out between the two convolutions of a block, in training.

    Examples
    --------
    >>> DigitNetwork(shortcuts=True, blocks=1)(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        *,
        shortcuts: bool,
        blocks: int = 6,
        width: int = 8,
        classes: int = 10,
        seed: int = 0,
        channels: int = 1,
        batch_norm: bool = True,
        activation: Callable[[Tensor], Tensor] = functional.relu,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # The layers draw initial weights of their own when they are made; all that matter are drawn again below.
        with torch.random.fork_rng(devices=[]):
            self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=not batch_norm)
            self.norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
            stages: list[Block] = []
            inputs = width
            for stage in range(3):
                for block in range(blocks):
                    stages.append(
                        Block(
                            inputs,
                            width * 2**stage,
                            stride=2 if stage > 0 and block == 0 else 1,
                            shortcut=shortcuts,
                            batch_norm=batch_norm,
                            activation=activation,
                            dropout=dropout,
                        )
                    )
                    inputs = width * 2**stage
            self.blocks = nn.Sequential(*stages)
            self.linear = nn.Linear(inputs, classes)
        self.activation = activation
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, channels, h, w) to logits (n, classes)."""
        x = self.blocks(self.activation(self.norm(self.conv(x))))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


def residual(*, blocks: int = 6, width: int = 8, seed: int = 0) -> DigitNetwork:
    """Make the network with shortcuts."""
    return DigitNetwork(shortcuts=True, blocks=blocks, width=width, seed=seed)


def plain(*, blocks: int = 6, width: int = 8, seed: int = 0) -> DigitNetwork:
    """Make the same network without shortcuts: the same parameters, the same initial values."""
    return DigitNetwork(shortcuts=False, blocks=blocks, width=width, seed=seed)
