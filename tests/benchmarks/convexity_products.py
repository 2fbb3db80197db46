"""Products a point of a convexity map takes, and how exact it is, beside the 2018 tool's two solves.

    python -m tests.benchmarks.convexity_products --model cifar_resnet.py:resnet20 --checkpoint epoch10.pt \
        --data npz:cifar10_train10k.npz --normalize 0.4914,0.4822,0.4465/0.2470,0.2435,0.2616 --samples 32

Along a filter-normalised line. The 2018 tool asks ARPACK for the eigenvalue of largest size and then for that of the
matrix moved by 0.51 times it, both to a tolerance of 1e-2; so it is done here, over the same products. The truth is
Lanczos' to 1e-4 at every point. Errors are relative.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

import landscape
from landscape.curvature.lanczos import extreme_eigenpairs
from landscape.directions.construct import random_plane
from tests.benchmarks.hessian_products import opened, problem_parser


def two_solves(operator: LinearOperator) -> tuple[float, float]:
    """Return both ends as the 2018 tool finds them."""
    (largest,) = eigsh(operator, 1, tol=1e-2, return_eigenvectors=False)
    if largest < 0:
        return largest, largest
    shift = 0.51 * largest
    moved = LinearOperator(operator.shape, lambda v: operator.matvec(v) - shift * np.ravel(v), dtype=operator.dtype)
    (other,) = eigsh(moved, 1, tol=1e-2, return_eigenvectors=False)
    return largest, other + shift


def main() -> None:
    """Print a table, a row a point."""
    parser = problem_parser(__doc__, "convexity_products", 32)
    parser.add_argument("--points", default="-0.4:0.4:5")
    options = parser.parse_args()
    model, x, y = opened(options)
    plane = random_plane(model, seed=0, dimensions=1)
    settings = {"products": 60, "tolerance": 0.02}
    ours = landscape.evaluate(
        model, (x, y), plane, x=options.points, quantities={"curvature": settings}, anchors=None, progress=False
    )
    names = ("eigenvalue_max", "eigenvalue_min", "products")
    mine = np.stack([ours[f"train/{name}"] for name in names], axis=1)
    start = {name: each.detach().clone() for name, each in model.named_parameters()}
    rows = []
    for number, at in enumerate(ours.axes[0].values):
        with torch.no_grad():
            for name, each in model.named_parameters():
                moved = plane.directions[0].tensors.get(name)
                each.copy_(start[name] if moved is None else start[name] + float(at) * moved)
        operator = landscape.hessian(model, (x, y), batch_size=options.samples, ignore="biasbn")
        theirs = two_solves(operator)
        spent = operator.products
        draw = torch.from_numpy(np.random.default_rng(0).standard_normal(operator.shape[0]))
        truth = extreme_eigenpairs(
            lambda v, operator=operator: operator.product(v).vector,  # type: ignore[misc]
            draw,
            greatest=1,
            least=1,
            tolerance=1e-4,
            most=150,
        ).values
        rows.append([mine[number, 2], *np.abs(mine[number, :2] / truth - 1), spent, *np.abs(theirs / truth - 1)])
        print(f"{at:+.2f}: {truth}, {rows[-1]}", flush=True)
    print("| | products | error of the greatest | error of the least |\n|---|---|---|---|")
    for name, part in (("ours", np.array(rows)[:, :3]), ("two solves", np.array(rows)[:, 3:])):
        middle, worst = np.median(part, axis=0), part.max(axis=0)
        print(
            f"| {name} | {middle[0]:.0f} | {middle[1]:.1e}, at most {worst[1]:.1e} | {middle[2]:.1e}, {worst[2]:.1e} |"
        )


if __name__ == "__main__":
    main()
