"""CIFAR-10 residual networks of He et al. (2016, section 4.2), as a user's own file would define them.

``resnet20()`` and ``resnet56(shortcut=False)`` map N x 3 x 32 x 32 images to N x 10 logits. A command finds them as
``--model examples/resnet_cifar.py:resnet20``.
"""

from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut
        self.downsample: nn.Module = nn.Identity()
        if shortcut and (stride != 1 or inputs != outputs):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.downsample(x) if self.shortcut else y).relu()


class ResNet(nn.Module):
    def __init__(self, blocks: int, shortcut: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for number, outputs in enumerate((16, 32, 64), start=1):
            strides = [1 if number == 1 else 2] + [1] * (blocks - 1)
            stage = []
            for stride in strides:
                stage.append(Block(inputs, outputs, stride, shortcut))
                inputs = outputs
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def resnet20(shortcut: bool = True) -> nn.Module:
    return ResNet(3, shortcut)


def resnet56(shortcut: bool = True) -> nn.Module:
    return ResNet(9, shortcut)
