"""Networks of the kinds the forward engine knows, small and untrained, with statistics as if they were trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """He et al. 2016: convolution, norm, ReLU, convolution, norm, addition, ReLU."""

    def __init__(self, inside: int, outside: int, stride: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.act2 = activation()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.act2(out)


class ResNet(nn.Module):
    """A residual network for 32 x 32 images; depth 20 and width 16 is the paper's."""

    def __init__(
        self,
        depth: int = 8,
        width: int = 8,
        activation: Callable[[], nn.Module] = lambda: nn.ReLU(inplace=True),
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), activation())
        blocks: list[nn.Module] = []
        inside = width
        for stage in range(3):
            for number in range((depth - 2) // 6):
                outside = width << stage
                blocks.append(ResidualBlock(inside, outside, 2 if stage and not number else 1, activation))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inside, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.first(x)).mean((2, 3)))


class Vgg(nn.Module):
    """Convolutions with biases, norms, ReLU in place, pooling, and linear layers with dropout."""

    def __init__(self, plan: Sequence[int | str] = (8, "pool", 16, 16, "pool")) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        for each in plan:
            if isinstance(each, str):
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(inside, each, 3, padding=1), nn.BatchNorm2d(each), nn.ReLU(True)]
                inside = each
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(inside * 16, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.features(x), 4)
        return self.classifier(x.view(x.size(0), -1))


class DenseNet(nn.Module):
    """Norm and ReLU before each convolution, whose result is appended."""

    def __init__(self, growth: int = 4, layers: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norms, self.squeezes = nn.ModuleList(), nn.ModuleList()
        self.inner, self.convs = nn.ModuleList(), nn.ModuleList()
        for number in range(layers):
            channels = 8 + growth * number
            self.norms.append(nn.BatchNorm2d(channels))
            self.squeezes.append(nn.Conv2d(channels, 4 * growth, 1, bias=False))
            self.inner.append(nn.BatchNorm2d(4 * growth))
            self.convs.append(nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False))
        channels = 8 + growth * layers
        self.last = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for norm, squeeze, inner, conv in zip(self.norms, self.squeezes, self.inner, self.convs, strict=True):
            new = conv(F.relu(inner(squeeze(F.relu(norm(x))))))
            x = torch.cat([x, new], 1)
        x = F.relu(self.last(x), inplace=True)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class WideBlock(nn.Module):
    """Zagoruyko and Komodakis 2016: norm, ReLU, convolution, twice, with dropout between, and an addition."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.same = inside == outside
        self.shortcut = None if self.same else nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(x))
        short = x if self.shortcut is None else self.shortcut(out)
        out = F.dropout(F.relu(self.bn2(self.conv1(out))), 0.3, training=self.training)
        return torch.add(short, self.conv2(out))


class WideResNet(nn.Module):
    """Blocks that normalise before they convolve."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.blocks = nn.Sequential(WideBlock(8, width, 1), WideBlock(width, 2 * width, 2), WideBlock(16, 16, 1))
        self.bn = nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.blocks(self.first(x))).relu_()
        return self.fc(F.avg_pool2d(x, x.shape[2]).flatten(1))


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "resnet": ResNet,
    "vgg": Vgg,
    "densenet": DenseNet,
    "wide": WideResNet,
}


def as_trained(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give norms statistics, scales and shifts of their own, and return the network in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):
                if tensor is not None:
                    tensor.data.uniform_(low, high, generator=generator)
    return model.eval()


def make(family: str, seed: int = 0) -> nn.Module:
    """Return a network of a family, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return as_trained(FAMILIES[family](), seed)


def moved(model: nn.Module, distance: float, seed: int = 0) -> None:
    """Move all weights and statistics along a random direction as long as each tensor, ``distance`` times."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if tensor.is_floating_point():
                step = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor)
                tensor.add_(step * tensor.norm() / step.norm().clamp(min=1e-12), alpha=distance)
                if "running_var" in name:
                    tensor.clamp_(min=0.0)
