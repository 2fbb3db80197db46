"""What a product with the Hessian takes beside a forward pass, how exact it is; eigenvalues against other libraries.

    python -m tests.benchmarks.hessian_products --model cifar_resnet.py:resnet20 --checkpoint epoch10.pt \
        --data npz:cifar10_train10k.npz --normalize 0.4914,0.4822,0.4465/0.2470,0.2435,0.2616 --samples 125

Processor seconds on one thread, the least of three, so that other programs beside it do not count. *bare* is a double
backward of the network as it is on a kept graph, *anew* with the graph built each time, as other libraries do.
Errors are relative, of a product with one random vector, against float64.

``--eigenvalues`` compares the five greatest and five least with hessian-eigenthings and, where it can be imported,
curvlinops with SciPy's ``eigsh``: products and seconds until each is within 1 %.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

import landscape
from landscape.problem.data.sources import parse_normalize, resolve_data
from landscape.problem.model import load_model

PAIRS = 5


def seconds(call: Callable[[], Any], times: int = 3) -> float:
    """Return the least processor time of a call."""
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def flat(parts: Sequence[Tensor]) -> Tensor:
    """Return tensors as one vector, float64."""
    return torch.cat([each.detach().reshape(-1).double() for each in parts])


class Bare:
    """A network as it is, on one batch."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, dtype: torch.dtype = torch.float32) -> None:
        self.model, self.x, self.y = copy.deepcopy(model).to(dtype), x.to(dtype), y
        self.weights = list(self.model.parameters())

    def loss(self) -> Tensor:
        """Return the mean loss."""
        return nn.functional.cross_entropy(self.model(self.x), self.y)

    def gradient(self, *, graph: bool = False) -> tuple[Tensor, ...]:
        """Return the gradient, with its graph where it is asked for."""
        return torch.autograd.grad(self.loss(), self.weights, create_graph=graph)

    def product(self, gradient: tuple[Tensor, ...], vector: Tensor) -> Tensor:
        """Return the product with a vector."""
        pieces = vector.split([each.numel() for each in self.weights])
        parts = [piece.view_as(each).to(each.dtype) for piece, each in zip(pieces, self.weights, strict=True)]
        return flat(torch.autograd.grad(gradient, self.weights, parts, retain_graph=True))

    def difference(self, vector: Tensor, step: float) -> Tensor:
        """Return the central difference of two gradients, ``step`` lengths of the weights apart from theirs."""
        start = [each.detach().clone() for each in self.weights]
        length = step * float(flat(start).norm() / vector.norm())
        found = []
        for sign in (1.0, -1.0):
            pieces = vector.split([each.numel() for each in self.weights])
            with torch.no_grad():
                for each, own, piece in zip(self.weights, start, pieces, strict=True):
                    each.copy_(own + sign * length * piece.view_as(each).to(each.dtype))
            found.append(flat(self.gradient()))
        with torch.no_grad():
            for each, own in zip(self.weights, start, strict=True):
                each.copy_(own)
        return (found[0] - found[1]) / (2 * length)


def compare_products(model: nn.Module, x: Tensor, y: Tensor) -> None:
    """Print times and errors of one product."""
    bare, ours = Bare(model, x, y), landscape.hessian(model, (x, y), batch_size=len(x))
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(ours.shape[0]))
    exact = Bare(model, x, y, torch.float64)
    truth = exact.product(exact.gradient(graph=True), vector)

    def error(found: Tensor) -> str:
        return f"{float((found - truth).norm() / truth.norm()):.1e}"

    with torch.no_grad():
        bare.loss()
        forward = seconds(bare.loss)
    gradient = bare.gradient(graph=True)
    ours.product(vector)
    rows = [
        ("forward", forward, ""),
        ("gradient", seconds(bare.gradient), ""),
        ("bare", seconds(lambda: bare.product(gradient, vector)), error(bare.product(gradient, vector))),
        ("anew", seconds(lambda: bare.product(bare.gradient(graph=True), vector)), ""),
        ("ours", seconds(lambda: ours.product(vector)), error(ours.product(vector).vector)),
    ]
    half = Bare(model, x, y, torch.bfloat16)
    slope = half.gradient(graph=True)
    rows.append(("bare, bfloat16", seconds(lambda: half.product(slope, vector), 1), error(half.product(slope, vector))))
    for step in (1e-3, 1e-4):
        took = seconds(lambda step=step: bare.difference(vector, step), 1)  # type: ignore[misc]
        rows.append((f"central difference, step {step:g}", took, error(bare.difference(vector, step))))
    print("| | seconds | forward passes | error |\n|---|---|---|---|")
    for name, took, said in rows:
        print(f"| {name} | {took:.3f} | {took / forward:.2f} | {said} |")


def compare_eigenvalues(model: nn.Module, x: Tensor, y: Tensor) -> None:
    """Print products and seconds until the five greatest and the five least eigenvalues are within 1 %."""
    size = len(x)
    start = time.process_time()
    report = landscape.hessian(model, (x, y), batch_size=size)
    from landscape.curvature.lanczos import extreme_eigenpairs

    draw = torch.from_numpy(np.random.default_rng(1).standard_normal(report.shape[0]))
    pairs = extreme_eigenpairs(
        lambda vector: report.product(vector).vector, draw, greatest=PAIRS, least=PAIRS, tolerance=0.01, most=300
    )
    rows = [("ours", report.products, time.process_time() - start, pairs.values)]
    bare = Bare(model, x, y)

    def count(multiply: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], list[int]]:
        made = [0]

        def counted(vector: Any) -> Any:
            made[0] += 1
            return multiply(vector)

        return counted, made

    import hessian_eigenthings as other

    operator = other.HessianOperator(
        bare.model, [(bare.x, y)], lambda net, batch: nn.functional.cross_entropy(net(batch[0]), batch[1])
    )
    operator.matvec, made = count(operator.matvec)
    start, ends = time.process_time(), []
    for which in ("LA", "SA"):
        for steps in (20, 40, 80, 160):  # it does not stop by itself
            found = other.lanczos(
                operator, k=PAIRS, max_iter=steps, which=which, tol=0.01, seed=0, reorthogonalize=True
            )
            if bool(found.converged.all()):
                break
        ends.append(found.eigenvalues.double().numpy())
    rows.append(("hessian-eigenthings", made[0], time.process_time() - start, np.sort(np.concatenate(ends))[::-1]))
    try:
        from curvlinops import HessianLinearOperator
    except ImportError:
        print("curvlinops cannot be imported here")
    else:
        start = time.process_time()
        theirs = HessianLinearOperator(
            bare.model, nn.CrossEntropyLoss(), bare.weights, [(bare.x, y)], check_deterministic=False
        ).to_scipy()
        multiply, made = count(theirs.matvec)
        both = eigsh(
            LinearOperator(theirs.shape, multiply, dtype=np.float32), 2 * PAIRS, which="BE", tol=0.01, v0=draw.numpy()
        )[0]
        rows.append(("curvlinops, eigsh", made[0], time.process_time() - start, np.sort(both)[::-1]))
    print("\n| | products | seconds | greatest | fifth | fifth least | least |\n|---|---|---|---|---|---|---|")
    for name, number, took, values in rows:
        picked = " | ".join(f"{values[k]:.4g}" for k in (0, PAIRS - 1, PAIRS, 2 * PAIRS - 1))
        print(f"| {name} | {number} | {took:.1f} | {picked} |")


def problem_parser(description: str, name: str, samples: int) -> argparse.ArgumentParser:
    """Return the options that say of which network and samples products are made."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0], prog=f"python -m tests.benchmarks.{name}")
    for required in ("--model", "--checkpoint", "--data"):
        parser.add_argument(required, required=True)
    parser.add_argument("--normalize")
    parser.add_argument("--samples", type=int, default=samples)
    return parser


def opened(options: argparse.Namespace) -> tuple[nn.Module, Tensor, Tensor]:
    """Return network, inputs and targets, on one thread."""
    torch.set_num_threads(1)
    model = load_model(options.model, {}, options.checkpoint)[0].eval()
    normalize = parse_normalize(options.normalize) if options.normalize else None
    (data,) = resolve_data([f"train={options.data}"], normalize=normalize).values()
    return model, *data.fetch(range(options.samples))


def main() -> None:
    """Print tables."""
    parser = problem_parser(__doc__, "hessian_products", 125)
    parser.add_argument("--eigenvalues", action="store_true")
    options = parser.parse_args()
    model, x, y = opened(options)
    compare_products(model, x, y)
    if options.eigenvalues:
        compare_eigenvalues(model, x, y)


if __name__ == "__main__":
    main()
