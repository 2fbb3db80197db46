r"""Small networks for studies, on 8 x 8 digits and on images of CIFAR-10's size.

Each factory draws its initial weights from torch's global generator, which whoever builds a network seeds; the same
seed gives two variants whose tensors have the same shapes the same values. Activations go by name.

The initial weights of a layer with n inputs to each output are normal of standard deviation :math:`g / \sqrt n`, or
orthogonal matrices times g. With :math:`g = \sqrt 2` that is He et al.'s rule [1]_ (equation 10), under which the
variance of a ReLU network's activations is the same in all layers; with less it falls, with more it grows as a power of
the depth. ``zero_gamma`` starts each block of a residual network as the identity: the scale of its last batch norm is 0
[2]_ (Section 5.1), or, without batch norm, its last convolution.

References
----------
.. [1] He et al., "Delving Deep into Rectifiers", ICCV 2015.
.. [2] Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017.
.. [3] Vaswani et al., "Attention Is All You Need", NeurIPS 2017; Dosovitskiy et al., "An Image Is Worth 16x16 Words",
       ICLR 2021: the transformer, with normalisation in front of each part.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.demo.networks import Block, DigitNetwork
from landscape.errors import UsageError

__all__ = ["ACTIVATIONS", "convolution", "perceptron", "residual", "transformer"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "swish": functional.silu,
    "silu": functional.silu,
    "mish": functional.mish,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
}
INITIALISATIONS = ("normal", "orthogonal")
HE = math.sqrt(2)


def residual(
    *,
    shortcuts: bool = True,
    blocks: int = 3,
    width: int = 8,
    batch_norm: bool = True,
    activation: str = "relu",
    dropout: float = 0.0,
    channels: int = 1,
    classes: int = 10,
    initialisation: str = "normal",
    gain: float = HE,
    zero_gamma: bool = False,
) -> nn.Module:
    """Make a network of ``6 * blocks + 2`` layers after He et al.'s for CIFAR: ResNet-20 has 3 blocks a stage.

    Parameters
    ----------
    shortcuts, blocks, width, batch_norm, dropout, channels, classes
        See `landscape.demo.networks.DigitNetwork`.
    activation : str
        A name in `ACTIVATIONS`.
    initialisation : {"normal", "orthogonal"}
    gain : float
        g of the module's text.
    zero_gamma : bool
        Each block begins as the identity; only with shortcuts.

    Raises
    ------
    UsageError
        An unknown name, or ``zero_gamma`` without shortcuts, where nothing would pass.

    Examples
    --------
    >>> residual(blocks=1, activation="mish")(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])
    """
    if zero_gamma and not shortcuts:
        raise UsageError("zero_gamma without shortcuts lets nothing pass: leave it out, or use shortcuts")
    network = DigitNetwork(
        shortcuts=shortcuts,
        blocks=blocks,
        width=width,
        classes=classes,
        seed=_drawn_seed(),
        channels=channels,
        batch_norm=batch_norm,
        activation=_activation(activation),
        dropout=dropout,
    )
    _initialise(network, initialisation, gain)
    for module in network.modules() if zero_gamma else ():
        if isinstance(module, Block):
            last = module.norm2 if isinstance(module.norm2, nn.BatchNorm2d) else module.conv2
            nn.init.zeros_(last.weight)
    return network


def perceptron(
    *,
    depth: int = 5,
    width: int = 500,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    inputs: int = 64,
    classes: int = 10,
    initialisation: str = "normal",
    gain: float = HE,
) -> nn.Module:
    """Make a fully connected network of ``depth`` hidden layers of ``width`` units.

    Parameters
    ----------
    inputs : int
        Numbers a sample: 64 for the digits, 3072 for CIFAR-10.
    dropout : float
        Behind each hidden layer.
    depth, width, activation, batch_norm, classes, initialisation, gain
        See `residual`.

    Examples
    --------
    >>> len([each for each in perceptron(depth=3, width=8).modules() if isinstance(each, nn.Linear)])
    4
    """
    if depth < 0 or width < 1:
        raise UsageError(f"a network of {depth} hidden layers of {width} units cannot be made")
    layers: list[nn.Module] = [nn.Flatten()]
    size = inputs
    for _ in range(depth):
        layers.append(nn.Linear(size, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(Activation(activation))
        if dropout:
            layers.append(nn.Dropout(dropout))
        size = width
    layers.append(nn.Linear(size, classes))
    return _initialise(nn.Sequential(*layers), initialisation, gain)


def convolution(
    *,
    layers: int = 4,
    width: int = 16,
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    channels: int = 1,
    classes: int = 10,
    initialisation: str = "normal",
    gain: float = HE,
) -> nn.Module:
    """Make a plain convolutional network: ``layers`` 3 x 3 convolutions, every second halves the image, then averages.

    Parameters
    ----------
    layers : int
    width : int
        Channels of the first two layers, doubled with each halving.
    activation, batch_norm, dropout, channels, classes, initialisation, gain
        See `residual`; dropout in front of the last layer.

    Examples
    --------
    >>> convolution(layers=3, width=4)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    if layers < 1:
        raise UsageError(f"a network of {layers} convolutions cannot be made")
    parts: list[nn.Module] = []
    inputs, outputs = channels, width
    for layer in range(layers):
        halves = layer % 2 == 1
        parts.append(nn.Conv2d(inputs, outputs, 3, stride=2 if halves else 1, padding=1, bias=not batch_norm))
        if batch_norm:
            parts.append(nn.BatchNorm2d(outputs))
        parts.append(Activation(activation))
        inputs, outputs = outputs, 2 * outputs if halves else outputs
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if dropout:
        parts.append(nn.Dropout(dropout))
    parts.append(nn.Linear(inputs, classes))
    return _initialise(nn.Sequential(*parts), initialisation, gain)


def transformer(
    *,
    layers: int = 2,
    width: int = 32,
    heads: int = 4,
    patch: int = 2,
    side: int = 8,
    activation: str = "gelu",
    dropout: float = 0.0,
    channels: int = 1,
    classes: int = 10,
) -> nn.Module:
    """Make a small vision transformer [3]_: patches as tokens, learnt places, the mean of all tokens classified.

    Parameters
    ----------
    layers, width, heads : int
        The width is a multiple of the heads.
    patch, side : int
        Pixels of a patch's side and of the image's, a multiple of it.
    activation, dropout, channels, classes
        See `residual`.

    Examples
    --------
    >>> transformer(layers=1, width=8, heads=2)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    if width % heads or side % patch:
        raise UsageError(f"width {width} must be a multiple of {heads} heads, side {side} one of the patch {patch}")
    return Transformer(layers, width, heads, patch, side, activation, dropout, channels, classes)


class Activation(nn.Module):
    """An activation by its name, without parameters."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = _activation(name)

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to each value."""
        return self.function(x)


class Attention(nn.Module):
    """Self-attention written out: fused kernels have no second derivatives, which curvature needs."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.outputs = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (n, tokens, width) to the same shape."""
        number, tokens, width = x.shape
        parts = self.inputs(x).reshape(number, tokens, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width // self.heads), dim=-1)
        mixed: Tensor = self.outputs((weights @ value).transpose(1, 2).reshape(number, tokens, width))
        return mixed


class Layer(nn.Module):
    """Attention and two linear layers, each normalised in front and added to its input."""

    def __init__(self, width: int, heads: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.inner, self.outer = (
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.Linear(2 * width, width),
        )
        self.activation = Activation(activation)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (n, tokens, width) to the same shape."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        y: Tensor = x + self.dropout(self.outer(self.activation(self.inner(self.norm2(x)))))
        return y


class Transformer(nn.Module):
    """See `transformer`."""

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        patch: int,
        side: int,
        activation: str,
        dropout: float,
        channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2, width))
        self.layers = nn.Sequential(*[Layer(width, heads, activation, dropout) for _ in range(layers)])
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, channels, side, side) to logits (n, classes)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.places
        logits: Tensor = self.linear(self.norm(self.layers(tokens)).mean(1))
        return logits


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    if name not in ACTIVATIONS:
        raise UsageError(f"there is no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def _drawn_seed() -> int:
    return int(torch.randint(2**31, ()))


def _initialise(network: nn.Module, initialisation: str, gain: float) -> nn.Module:
    """Draw the weights of linear layers and convolutions anew; their biases become 0."""
    if initialisation not in INITIALISATIONS:
        raise UsageError(f"there is no initialisation {initialisation!r}; there are {', '.join(INITIALISATIONS)}")
    generator = torch.Generator().manual_seed(_drawn_seed())
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            if initialisation == "normal":
                spread = gain / math.sqrt(module.weight[0].numel())
                nn.init.normal_(module.weight, std=spread, generator=generator)
            else:
                nn.init.orthogonal_(module.weight, gain=gain, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
