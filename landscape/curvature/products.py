r"""Products of the Hessian, and of the Gauss-Newton matrix, of a mean loss with vectors.

.. math:: H v = \nabla (\nabla L \cdot v), \qquad G v = J^\top \left(\nabla^2_f \ell\right) J v

by reverse mode twice [1]_; J v by the same, differentiated by a vector that is zero [2]_ [3]_. First derivatives are
made once with their graph, which is kept between products as far as memory allows; the graphs of the other batches are
built anew for each product.

References
----------
.. [1] Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 1994.
.. [2] Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", Neural Computation 2002.
.. [3] Townsend, "A new trick for calculating Jacobian vector products", 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from landscape.curvature.own_functions import require_true_second
from landscape.curvature.sampled_loss import NotFiniteError, SampledLoss
from landscape.errors import EvaluationError, UsageError
from landscape.parallel.serial import Comm
from landscape.problem.references import failure
from landscape.problem.tensor_layouts import stored_in
from landscape.surface.grid import Floats

# A batch's part of a product, of a list of tensors like the leaves.
Part = Callable[[Sequence[Tensor]], Sequence[Tensor | None]]
# Numbers that are taken into float64 at a time: what fits into a processor's cache.
_NUMBERS = 1 << 17


@dataclass(frozen=True)
class Product:
    """What a product gave."""

    vector: Tensor  # (n,), float64
    forms: Tensor  # (batches,): v' H_b v, of the mean over each batch alone; their mean by samples is v' H v


class Products:
    """Products of a symmetric matrix with vectors of n numbers, one for each number of the leaves.

    Parameters
    ----------
    loss : SampledLoss
        Of a network that computes with the leaves.
    leaves : mapping of str to Tensor
        See `landscape.curvature.differentiable`.
    budget : int
        Bytes that graphs may take between products.
    kind : {"hessian", "gauss_newton"}
    comm : Comm, optional
        Processes that share the batches out: rank 0 asks for products, the others make their part (`summed`). By
        default this one makes all of them.

    Raises
    ------
    UsageError
        An unknown kind, or the Gauss-Newton matrix of a loss that is no criterion of the network's output.
    EvaluationError
        Nothing leads from the loss to the weights, an operation has no second derivative (it is named), or what is
        computed is not finite.
    """

    def __init__(
        self,
        loss: SampledLoss,
        leaves: Mapping[str, Tensor],
        *,
        budget: int = 0,
        kind: str = "hessian",
        comm: Comm | None = None,
    ) -> None:
        builders = {"hessian": self._hessian, "gauss_newton": self._gauss_newton}
        if kind not in builders:
            raise UsageError(f"kind is {kind!r}, it has to be one of {', '.join(builders)}")
        if kind == "gauss_newton" and not loss.splits:
            raise UsageError(
                f"there is no Gauss-Newton matrix of {loss.loss.name}, which gets the network itself; pass a criterion "
                "(output, target)"
            )
        self.kind, self.loss, self.names = kind, loss, tuple(leaves)
        self._leaves = list(leaves.values())
        self._sizes = [leaf.numel() for leaf in self._leaves]
        self.size = sum(self._sizes)
        self.made = 0  # products so far
        self._looked = False  # whether there are second derivatives, which the first batch tells
        self._build = builders[kind]
        self._comm = comm or Comm()
        self._own = range(self._comm.rank, len(loss), self._comm.size)
        self._kept: dict[int, Part] = {}
        self.dtype = max((leaf.dtype for leaf in self._leaves), key=lambda each: torch.finfo(each).bits)
        # What a product is exact to, of the matrix's norm.
        self.rounding = max(torch.finfo(leaf.dtype).eps for leaf in self._leaves)
        self.device = self._leaves[0].device
        self.graph_bytes = self._bytes_of_a_graph()
        if kind == "hessian" and not loss.second_seen:
            with _saying(loss):
                require_true_second(lambda: loss.part(0), self._leaves)
            loss.second_seen = True
        self._keeping = len(loss) if not self.graph_bytes else int(budget // self.graph_bytes)

    def __call__(self, vector: Tensor) -> Product:
        """Return the product with a vector of shape (n,)."""
        if self._comm.size > 1:
            self._comm.broadcast((self.kind, vector.cpu().numpy()))
        try:
            total, forms = self.summed(vector)
        except Exception:
            if self._comm.size > 1:  # the others are on their way into the sum
                joined(self._comm, np.zeros(self.size), np.zeros(len(self.loss)), failed=True)
            raise
        if self._comm.size > 1:
            both = joined(self._comm, total.cpu().numpy(), forms.cpu().numpy())
            total, forms = (torch.from_numpy(each).to(self.device) for each in both)
        if not all(bool(torch.isfinite(part).all()) for part in torch.split(total, _NUMBERS)):
            raise NotFiniteError(f"the product is not finite in {self._where(~torch.isfinite(total))}")
        self.made += 1
        return Product(total, forms)

    def summed(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over this process's batches, shape (n,), and each one's form, 0 for those of others."""
        parts = self.split(vector)
        total = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        forms = torch.zeros(len(self.loss), dtype=torch.float64, device=self.device)
        for k in self._own:
            part = self._part(k)
            with _saying(self.loss):
                products = part(parts)
            forms[k] = self._add(products, vector, total) * self.loss.samples / self.loss.number(k)
            del products  # before those of the next batch are made
        return total, forms

    @property
    def kept(self) -> int:
        """How many batches' graphs are kept between products now."""
        return len(self._kept)

    def split(self, vector: Tensor) -> list[Tensor]:
        """Return a vector of shape (n,) as tensors like the leaves, in their precision."""
        pieces = torch.split(vector, self._sizes)
        return [piece.to(leaf.dtype).view_as(leaf) for piece, leaf in zip(pieces, self._leaves, strict=True)]

    def flattened(self, tree: Mapping[str, Tensor]) -> Tensor:
        """Return tensors by name as a vector of shape (n,), float64, 0 for those that are not there.

        Raises
        ------
        UsageError
            One is not 0 and not among the leaves.
        """
        beyond = next((name for name in tree if name not in self.names and bool(tree[name].any())), None)
        if beyond is not None:
            raise UsageError(f"the directions move {beyond}, of which no curvature is measured here")
        parts = [tree.get(name) for name in self.names]
        return self._flat([None if each is None else each.to(self.device) for each in parts])

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        """Return a vector of shape (n,) as tensors by their names, in its own precision."""
        pieces = torch.split(vector, self._sizes)
        return {
            name: piece.view(leaf.shape) for name, piece, leaf in zip(self.names, pieces, self._leaves, strict=True)
        }

    def gradient(self) -> Tensor:
        """Return the gradient of the mean loss, shape (n,), float64."""
        total = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        for k in range(len(self.loss)):
            total += self._flat(torch.autograd.grad(self.loss.part(k), self._leaves, allow_unused=True))
        return total

    def gradients(self, first: int = 0, *, check: bool = False) -> Iterator[Tensor]:
        """Yield the gradient of each batch's own mean loss, from one on, shape (n,), float64: one at a time."""
        for k in range(first, len(self.loss)):
            found = torch.autograd.grad(self.loss.part(k, check=check), self._leaves, allow_unused=True)
            flat = self._flat(found).mul_(self.loss.samples / self.loss.number(k))
            del found
            yield flat

    def _flat(self, parts: Sequence[Tensor | None]) -> Tensor:
        """Return tensors like the leaves as one vector, float64; nothing leads to those that are None."""
        flat = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        for place, each in zip(torch.split(flat, self._sizes), parts, strict=True):
            if each is not None:
                place.copy_(each.reshape(-1))
        return flat

    def _add(self, parts: Sequence[Tensor | None], vector: Tensor, total: Tensor) -> Tensor:
        """Add tensors like the leaves to a vector of shape (n,), one after the other; return their product with one."""
        form = torch.zeros((), dtype=torch.float64, device=self.device)
        start = 0
        for each, size in zip(parts, self._sizes, strict=True):
            if each is not None:
                flat = each.reshape(-1)
                for first in range(0, size, _NUMBERS):
                    wide = flat[first : first + _NUMBERS].double()
                    part = slice(start + first, start + first + len(wide))
                    total[part] += wide
                    form += wide @ vector[part].double()
            start += size
        return form

    def forget(self) -> None:
        """Let go of all graphs."""
        self._kept = {}

    def _part(self, k: int) -> Part:
        if k in self._kept:
            return self._kept[k]
        with _saying(self.loss):
            part = self._build(k)
        if len(self._kept) < self._keeping:
            self._kept[k] = part
        return part

    def _hessian(self, k: int) -> Part:
        gradients = torch.autograd.grad(self.loss.part(k), self._leaves, create_graph=True, allow_unused=True)
        if all(each is None for each in gradients):
            raise EvaluationError(
                f"nothing leads from the loss of {self.loss.data.name!r} to the weights: the network detaches its "
                "output, or runs under no_grad"
            )
        self._require_second(gradients)
        return _derivative(gradients, self._leaves)

    def _gauss_newton(self, k: int) -> Part:
        output = self.loss.output(k)
        cut = output.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.loss.part_of_output(cut, k), [cut], create_graph=True)
        zero = torch.zeros_like(output, requires_grad=True)
        pulled = torch.autograd.grad(output, self._leaves, zero, create_graph=True, allow_unused=True)
        self._require_second(pulled)
        forward = _derivative(pulled, [zero])
        curved = _derivative([slope], [cut])

        def part(vector: Sequence[Tensor]) -> Sequence[Tensor | None]:
            (along,) = forward(vector)
            (pushed,) = (None,) if along is None else curved([along])
            if pushed is None:  # the loss is linear in the output
                return [None] * len(self._leaves)
            return torch.autograd.grad(output, self._leaves, pushed, retain_graph=True, allow_unused=True)

        return part

    def _require_second(self, first: Sequence[Tensor | None]) -> None:
        """Raise EvaluationError where first derivatives lead to a backward pass that only says it has no second.

        Nothing leads on from such a place to the weights, so that PyTorch would go around it without a word.
        """
        if self._looked:
            return
        nodes, seen = [each.grad_fn for each in first if each is not None], set()
        while nodes:
            node = nodes.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            nodes += [before for before, _ in node.next_functions]
            if node.name() == "torch::autograd::Error":
                raise EvaluationError(
                    f"an operation of the network or of {self.loss.loss.name} has no second derivative: a "
                    "torch.autograd.Function is marked once_differentiable; write its backward pass in differentiable "
                    "operations, and take the mark off"
                )
        self._looked = True

    def _bytes_of_a_graph(self) -> int:
        """Return what the largest batch's graph holds on to: the gradient, and what is saved for derivatives."""
        own = {leaf.untyped_storage().data_ptr() for leaf in self._leaves}
        saved: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            for each in stored_in(tensor.detach()):
                storage = each.untyped_storage()
                if storage.data_ptr() not in own:
                    saved[storage.data_ptr()] = storage.nbytes()
            return tensor.detach()

        with _saying(self.loss), saved_tensors_hooks(note, lambda tensor: tensor):
            part = self._build(0)
        del part
        # The first derivatives themselves are held with it.
        return sum(saved.values()) + sum(leaf.numel() * leaf.element_size() for leaf in self._leaves)

    def _where(self, bad: Tensor) -> str:
        return next(name for name, part in self.named(bad).items() if bool(part.any()))


def joined(comm: Comm, total: Floats, forms: Floats, *, failed: bool = False) -> tuple[Floats, Floats]:
    """Return the sums of all processes' parts of a product, on rank 0; one that failed passes zeros.

    Raises
    ------
    ClusterError
        On rank 0: another rank failed; it says why.
    """
    total, flagged = comm.add(total), comm.add(np.append(forms, float(failed)))
    if comm.rank == 0 and not failed and flagged[-1]:
        comm.broadcast(("failed", None))
        comm.add(np.zeros(1))  # in which one that failed has no part: it says why instead
    return total, flagged[:-1]


def _derivative(values: Sequence[Tensor | None], by: Sequence[Tensor]) -> Part:
    """Return the product of the derivative of some values, transposed, with tensors like them."""
    known = [number for number, each in enumerate(values) if each is not None and each.requires_grad]

    def part(vector: Sequence[Tensor]) -> Sequence[Tensor | None]:
        if not known:
            return [None] * len(by)
        outputs: list[Any] = [values[number] for number in known]
        return torch.autograd.grad(
            outputs, by, [vector[number] for number in known], retain_graph=True, allow_unused=True
        )

    return part


@contextmanager
def _saying(loss: SampledLoss) -> Iterator[None]:
    """Name the operation that has no second derivative."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if "is not implemented" in text or "does not support" in text:
            raise EvaluationError(
                f"an operation of the network or of {loss.loss.name} has no second derivative: {failure(error)}"
            ) from error
        if "backward through the graph a second time" in text:
            raise EvaluationError(
                "the network keeps something that it computed from its weights in an earlier pass, and goes on with "
                "it, so that nothing leads from the loss to the weights as they are now; let it compute that anew in "
                f"each pass: {failure(error)}"
            ) from error
        if "modified by an inplace operation" in text:
            raise EvaluationError(
                "the forward pass writes into what an earlier pass's derivatives need, a buffer that it changes in "
                f"eval mode, say; keep that as it is (`if self.training:` before the change): {failure(error)}"
            ) from error
        if "does not require grad" in text:
            raise EvaluationError(
                f"nothing leads from the loss of {loss.data.name!r} to the weights: {failure(error)}"
            ) from error
        raise
