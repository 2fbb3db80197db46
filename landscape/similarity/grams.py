"""The centred Gram matrices of one network's layers, made while the forward pass runs: no layer's output is kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.problem.batches import batch_size_of
from landscape.problem.buffers import Buffers
from landscape.similarity.hsic import (
    centred_gram,
    is_rounding,
    lengths_of_pairs,
    linear_gram,
    median_distance,
    packed,
    rbf_gram,
)
from landscape.similarity.layers import FoundLayers, call, features_of, inputs_of, listening

KERNELS = ("linear", "rbf")
# Instead of the number of a sample: a module was called another number of times than when layers were found.
UNEVEN = -2
# Of a float32 Gram matrix: what a sum of thousands of products may be off by.
_ROUNDING = 1e-5
# Features smaller than this, or larger than one over it, are scaled.
_LEAST = 1e-5


class NotFinite(Exception):
    """A layer's output is not finite; ``sample`` is the place in the batch of the first one."""

    def __init__(self, sample: int) -> None:
        super().__init__(f"sample {sample} is not finite")
        self.sample = sample


def centred_features(features: Tensor, out: Tensor | None = None) -> Tensor:
    """Return features without their mean over samples; exactly 0 where they are constant but for rounding.

    Parameters
    ----------
    features : Tensor, shape (n, p)
    out : Tensor, shape (n, p), optional
        Where to put them: a layer's features are tens of megabytes, which take as long to get as to fill.

    Raises
    ------
    NotFinite
        Some are NaN or infinite.
    """
    largest = _largest(features)
    centred = torch.sub(features, features.mean(0), out=out)
    if _largest(centred) <= 8 * torch.finfo(features.dtype).eps * largest:
        centred.zero_()
    return centred


def _largest(features: Tensor) -> float:
    """Return the largest size of a number; NotFinite where there is none."""
    low, high = (float(each) for each in torch.aminmax(features))
    if not math.isfinite(low) or not math.isfinite(high):
        raise NotFinite(int((~torch.isfinite(features).all(1)).nonzero()[0]))
    return max(-low, high)


@dataclass(frozen=True)
class Reference:
    """What a layer's features are on the reference batch, so that all batches are treated alike."""

    features: int
    scale: float  # 1, or a power of 2 with which squares of features neither overflow nor vanish
    width: float = 0.0  # of an RBF kernel, in units of scaled features


Taken = Callable[[int, Tensor], None]


class Tap:
    """Gives each layer's features, centred over the batch, while a network runs.

    Parameters
    ----------
    model : Module
        On its device, in the mode it is measured in.
    found : FoundLayers
    tokens : {"flatten", "mean"}
    """

    def __init__(self, model: nn.Module, found: FoundLayers, tokens: str = "flatten") -> None:
        self._model, self._found, self._tokens = model, found, tokens
        self._layers = layers = found.layers
        named = dict(model.named_modules())
        self._modules = {name: named[name] for name in dict.fromkeys(layer.name for layer in layers)}
        self._rows = {(layer.name, layer.call): number for number, layer in enumerate(layers)}
        self._scratch = torch.empty(0)
        self._buffers = Buffers(model)  # no batch is measured with what those before it left

    def room(self, features: Tensor) -> Tensor:
        """Return memory for a layer's features, the same for all layers one after the other."""
        needed = features.numel()
        same = self._scratch.dtype == features.dtype and self._scratch.device == features.device
        if not same or self._scratch.numel() < needed:
            self._scratch = torch.empty(needed, dtype=features.dtype, device=features.device)
        return self._scratch[:needed].view(features.shape)

    def run(
        self, batch: Any, take: Taken, failed: Callable[[int, int], None] | None = None, *, centred: bool = True
    ) -> None:
        """Call the network on a batch; ``take(row, features)`` for each layer as it comes, centred or as they are.

        What ``take`` is given lasts until it returns; it may write into centred features, and into no others.

        ``failed(row, sample)`` for one that is not finite, with the place in the batch of its first such sample; after
        the last ``take`` with `UNEVEN` for all layers of a module that is called another number of times.
        """
        number = batch_size_of(batch)
        calls: Counter[str] = Counter()

        def heard(name: str, module: nn.Module, output: Any) -> None:
            calls[name] += 1
            row = self._rows.get((name, calls[name]))
            if row is None:
                return
            features = features_of(output, self._layers[row], number, self._tokens)
            try:
                given = centred_features(features, self.room(features)) if centred else features
                if not centred:
                    _largest(features)
            except NotFinite as error:
                if failed is not None:
                    failed(row, error.sample)
                return
            take(row, given)

        with self._buffers.kept(), listening(self._model, self._modules, heard):
            call(self._model, inputs_of(batch, self._found.whole))
        for (name, _), row in self._rows.items():
            if calls[name] != self._found.calls[name] and failed is not None:
                failed(row, UNEVEN)


class Grams:
    """A network's layers as vectors whose inner products are HSIC.

    Parameters
    ----------
    tap : Tap
    reference : sequence of Reference
        One a layer.
    kernel : {"linear", "rbf"}
    """

    def __init__(self, tap: Tap, reference: Sequence[Reference], kernel: str = "linear") -> None:
        self._tap, self._reference, self._kernel = tap, reference, kernel

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self._reference)

    def vectors(
        self, batch: Any, put: Taken, failed: Callable[[int, int], None], without: Mapping[int, Tensor] | None = None
    ) -> None:
        """Call ``put(row, vector)`` with each layer's packed, centred Gram matrix on a batch.

        Parameters
        ----------
        batch
            On the network's device.
        put, failed : callable
            A layer that is not finite is told to ``failed`` instead, with the sample's place in the batch.
        without : mapping of int to Tensor, optional
            Row -> scores (n, k) on components that are taken out of the features; linear kernel only.
        """

        def take(row: int, features: Tensor) -> None:
            known = self._reference[row]
            if known.scale != 1:
                features *= known.scale
            if self._kernel == "rbf":
                # A layer that is constant on the reference batch has no width, and no variance to speak of.
                gram = rbf_gram(features, known.width) if known.width else torch.zeros_like(linear_gram(features))
                size = float((1 - gram).norm())
            else:
                gram = linear_gram(features)
                size = lengths_of_pairs(gram)
                if without is not None:
                    scores = without[row].to(gram)
                    left = gram - scores @ scores.T
                    # Nothing but rounding is left of features that were components alone.
                    gram = left if left.norm() > _ROUNDING * gram.norm() else torch.zeros_like(gram)
            centred = centred_gram(gram)
            put(row, packed(centred.zero_() if is_rounding(centred, size, features.dtype) else centred))

        self._tap.run(batch, take, failed)


def look_at(tap: Tap, layers: int, batch: Any, kernel: str, width: float) -> list[Reference]:
    """Return what each layer's features are on a reference batch; ``width`` is in median distances."""
    found = [Reference(0, 1.0)] * layers

    def take(row: int, features: Tensor) -> None:
        size = float(torch.linalg.vector_norm(features, dtype=torch.float64)) / math.sqrt(features.numel())
        scale = 1.0 if not size or _LEAST < size < 1 / _LEAST else 2.0 ** -round(math.log2(size))
        distance = median_distance(features * scale) * width if kernel == "rbf" and size else 0.0
        found[row] = Reference(features.shape[1], scale, distance)

    tap.run(batch, take)
    return found
