"""CKA against the packages that people use: the same values, in how much time.

    python -m tests.benchmarks.similarity --model cifar_resnet.py:resnet20 --data npz:cifar10_test.npz \
        --checkpoint epoch09.pt --checkpoint epoch10.pt

Speed: two networks, all layers of one against all of the other, on the same batches; ours and theirs take turns, and
the median of the ratios of processor time counts. `torch_cka` looks at one pair of layers after the other,
`pytorch-cka` at all pairs of a batch; both give no errors. Ours also compares each network with itself, and states
errors. Values are compared with the definition in float64, for which pytorch-cka's function serves: both packages sum
Gram matrices that are not centred in float32, which loses digits.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import landscape
from landscape.problem.data.datasets import as_data
from landscape.problem.data.sources import resolve_data
from landscape.problem.model import load_model
from landscape.similarity.shuffled_batches import Samples

BATCH = 256


def torch_cka_matrix(models: list[nn.Module], loader: Any, layers: list[str]) -> Tensor:
    """Return the matrix of torch_cka."""
    import torch_cka

    theirs = torch_cka.CKA(*models, "a", "b", model1_layers=layers, model2_layers=layers)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs.compare(loader)
    for model in models:  # it leaves its hooks behind
        for module in model.modules():
            module._forward_hooks.clear()
    matrix: Tensor = theirs.export()["CKA"]
    return matrix


def pytorch_cka_matrix(models: list[nn.Module], loader: Any, layers: list[str]) -> Tensor:
    """Return the matrix of pytorch-cka."""
    from cka import compute_cka

    return compute_cka(*models, loader, layers=layers, model2_layers=layers, progress=False)[0]


def reference_matrix(models: list[nn.Module], batches: list[Tensor], layers: list[str]) -> np.ndarray[Any, Any]:
    """Return the definition in float64 of what layers give in float32, batches of one size."""
    from cka.hsic import hsic

    total: list[Any] = [0.0, 0.0, 0.0]
    for x in batches:
        grams = []
        for model in models:
            found: dict[str, Tensor] = {}

            def keep(name: str, output: Tensor, found: dict[str, Tensor] = found) -> None:
                wide = output.flatten(1).double()
                found[name] = wide @ wide.T

            modules = dict(model.named_modules())
            hooks = [
                modules[name].register_forward_hook(lambda _, __, output, name=name, keep=keep: keep(name, output))
                for name in layers
            ]
            with torch.no_grad():
                model(x)
            for hook in hooks:
                hook.remove()
            grams.append(torch.stack([found[name] for name in layers]))
        total = [one + other for one, other in zip(total, hsic(*grams), strict=True)]
    across, first, second = total
    return (across / (first[:, None] * second[None, :]).sqrt()).numpy()


def speed(options: argparse.Namespace) -> None:
    """Print times and the largest difference of values."""
    models = [load_model(options.model, {}, path)[0].eval() for path in options.checkpoint]
    (data,) = resolve_data([f"test={options.data}"], normalize=None).values()
    number = BATCH * options.batches
    samples = Samples(data, number, 0, BATCH)
    x = samples.fetch(np.arange(number), torch.device("cpu"))
    x = x if isinstance(x, Tensor) else x[0]
    same = Samples(as_data(x, "data"), None, 0, BATCH)
    order = [same.order[places].tolist() for places in same.places(0)]
    loader = DataLoader(TensorDataset(x), batch_sampler=order)
    named = {"a": models[0], "b": models[1]}
    first = landscape.similarity(named, x, passes=1, components=False)
    layers = [
        name
        for name, call in zip(first.networks[0].layers, first.networks[0].calls, strict=True)
        if call == 1 and first.networks[0].layers.count(name) == 1
    ]
    kept = "|".join(f"^{name.replace('.', '[.]')}$" for name in layers)
    print(f"{len(layers)} layers each, {options.batches} batches of {BATCH}, {torch.get_num_threads()} threads")

    def ours() -> np.ndarray[Any, Any]:
        found = landscape.similarity(named, x, passes=1, components=False, layers=kept)
        return found.between(0, 1)

    others: dict[str, Callable[[], Tensor]] = {
        "torch_cka": lambda: torch_cka_matrix(models, loader, layers),
        "pytorch-cka": lambda: pytorch_cka_matrix(models, loader, layers),
    }
    wanted = reference_matrix(models, [x[order_of] for order_of in order], layers)
    for name, theirs in others.items():
        if options.against not in (None, name):
            continue
        ratios, off = [], np.zeros(2)
        for _ in range(options.pairs):
            began = time.process_time()
            own = ours()
            middle = time.process_time()
            other = theirs().numpy()
            ended = time.process_time()
            ratios.append((ended - middle) / (middle - began))
            off = np.maximum(off, [np.abs(each - wanted).max() for each in (own, other)])
            print(f"  ours {middle - began:.2f} s, {name} {ended - middle:.2f} s", flush=True)
        print(f"{name}: {np.median(ratios):.1f} times our time; off by {off[1]:.1e}, ours by {off[0]:.1e}", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="file.py:factory")
    parser.add_argument("--checkpoint", action="append", default=[], help="two of them")
    parser.add_argument("--data", help="as of landscape similarity")
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=3, help="times that ours and theirs take turns")
    parser.add_argument("--against", choices=("torch_cka", "pytorch-cka"), help="only one of them")
    speed(parser.parse_args())


if __name__ == "__main__":
    main()
