"""The forward engine: a network's forward pass, as fast as this machine does it, at point after point.

`prepare` records the forward pass, folds batch norms, fuses and casts (see `landscape.engine.lowering`), then compares
what came out with the plain network, where that stands and at another point. Where anything does not work or does not
agree, the plain network runs, by autocast in low precision, and the log says why at debug level. After the
network's tensors were set to another point, `Engine.refresh` makes the engine's weights from them again; the
network itself is never changed.

The comparison is made in the network's own precision, where the two differ by rounding alone, so that it can be
strict. What low precision does to a loss is no question of right or wrong but of size, and
`landscape.evaluation.forward_pass.precision` measures it.

What is for GPUs here (weights in channels-last memory, recorded work) has not been run on one yet.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from landscape.engine.agreement import AGREEMENT, LOW_AGREEMENT, difference, elsewhere, require
from landscape.engine.call_forms import arguments_of, changes_input, fitted
from landscape.engine.cuda_graphs import CudaGraph
from landscape.engine.kernels import CANARIES, LIMITS, WEIGHT_LIMIT
from landscape.engine.lowering import Program, lower
from landscape.engine.tracing import NotTraceable
from landscape.problem.batches import map_tensors, split_inputs_targets, tensors_in

logger = logging.getLogger(__name__)

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Engine:
    """A network's forward pass at point after point; `prepare` makes one.

    Called like the network, it gives what the network gives; results in low precision come back in float32. After
    the network's tensors have changed, `refresh` comes before the next call. One thread at a time.

    Attributes
    ----------
    module : Module
        The network.
    description : dict
        What runs, as JSON: ``engine`` ("fused", "folded", "cast", "compiled" or "plain"), ``precision``, ``layers``
        (what became one layer, and how often), ``agreement`` (largest relative difference to the plain network, in
        the network's own precision), ``extra_bytes`` (memory beside the network), ``note`` (why it is plain), ...
    """

    def __init__(self, module: nn.Module, precision: str, program: Program | None, device: torch.device | None) -> None:
        self.module = module
        self.device = device or next((p.device for p in module.parameters()), torch.device("cpu"))
        self._own_dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), None)
        self._low = PRECISIONS[precision] if PRECISIONS[precision] not in (torch.float32, self._own_dtype) else None
        self._program = program
        self._run: Callable[..., Any] = module if program is None else program.run
        convolves = any(isinstance(each, nn.Conv2d) for each in module.modules())
        self._layout = torch.channels_last if convolves else None
        self._copies_input = False
        self._casts_kept = True  # whether autocast may keep the weights it has cast through a forward pass
        self._reach = 0.0  # largest magnitude among the inputs that `batch` has seen
        self._watch_next = False  # whether the first batch of this point is still to come
        self._beyond = False  # whether this point is too far out for fused layers
        self.description: dict[str, Any] = {
            "engine": "plain" if program is None else program.kind,
            "precision": precision,
            "layers": {} if program is None else dict(program.layers),
            "extra_bytes": 0 if program is None else program.bytes,
        }
        if self.device.type == "cuda":
            # float32 may mean TF32 there, with 10 bits of mantissa: torch's default for convolutions.
            self.description["tf32"] = {
                "convolutions": torch.backends.cudnn.allow_tf32,
                "products": torch.backends.cuda.matmul.allow_tf32,
            }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the network returns for these arguments, without gradients."""
        if self._copies_input:
            args, kwargs = map_tensors(torch.clone, args), map_tensors(torch.clone, kwargs)
        # Not inference mode: a user's loss may write into what it gets.
        with torch.no_grad(), self._autocast():
            if self._program is None:
                args, kwargs = fitted((args, kwargs), self.device, self._own_dtype, None)
                result = self._run(*args, **kwargs)
            else:
                args, kwargs = fitted((args, kwargs), self.device, self._program.dtype, self._layout)
                result = self._run_program(self._program, args, kwargs)
        return map_tensors(_widened, result)

    def __getattr__(self, name: str) -> Any:
        """Answer like the network, for a loss that asks it for more than its output."""
        if name.startswith("__") or "module" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.module, name)

    def refresh(self) -> None:
        """Make the engine's weights from the network's tensors as they are now."""
        if self._program is not None:
            self._program.refresh()
            if self._program.hides_nan:
                self._beyond = not self._program.longest_weight() <= WEIGHT_LIMIT
                self._watch_next = not self._beyond

    def batch(self, inputs: Any) -> Any:
        """Return inputs as the engine takes them: on its device, in its precision and memory layout.

        Done once for data that stay, no conversion is paid at each point. Integers keep their type.
        """
        dtype = self._own_dtype if self._program is None else self._program.dtype
        ready = fitted(inputs, self.device, dtype, self._layout)
        if self._program is not None and self._program.hides_nan:
            self._reach = max(self._reach, _largest(ready))
        return ready

    def whole_batch(self, batch: Any) -> Any:
        """Return a batch of inputs and targets with its inputs as `batch` gives them and its targets as they are.

        Raises
        ------
        ProblemError
            Which is which cannot be told (see `landscape.problem.batches.split_inputs_targets`).
        """
        inputs, target = split_inputs_targets(batch)
        theirs = {id(each) for each in tensors_in(target)}
        ready = {id(each): self.batch(each) for each in tensors_in(inputs) if id(each) not in theirs}
        return map_tensors(lambda leaf: ready.get(id(leaf), leaf), batch)

    def _autocast(self) -> Any:
        if self._program is None and self._low is not None:
            return torch.autocast(self.device.type, self._low, cache_enabled=self._casts_kept)
        return nullcontext()

    def _run_program(self, program: Program, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run, and at a point's first batch look at what a few samples give: may fused ReLUs meet NaN here?"""
        if self._watch_next:
            self._watch_next = False
            program.guard.watching = True
            try:
                result = self._run(*args, **kwargs)
            finally:
                program.guard.watching = False
            # What layers are given grows with the network's inputs in proportion, at worst.
            ours = _largest(map_tensors(lambda leaf: leaf[:CANARIES] if leaf.ndim else leaf, (args, kwargs)))
            ratio = self._reach / ours if 0.0 < ours < self._reach else 1.0
            self._beyond = program.guard.alarmed(LIMITS[program.dtype] / ratio)
            if not self._beyond:
                return result
            logger.debug("the plain network runs at this point: results are so large that fused layers may hide NaN")
        if self._beyond:
            args, kwargs = fitted((args, kwargs), self.device, self._own_dtype, torch.contiguous_format)
            return self.module(*args, **kwargs)
        return self._run(*args, **kwargs)


def prepare(
    model: nn.Module,
    example_inputs: Any,
    *,
    precision: str = "float32",
    device: torch.device | str | None = None,
    fold: bool = True,
    fuse: bool = True,
    compile: bool = False,
    graphs: bool = False,
    kept: Mapping[str, Tensor] | None = None,
) -> Engine:
    """Make an engine for a network, which runs where the network is.

    Parameters
    ----------
    model : Module
        In the mode it is to be evaluated in; in train mode it runs as it is. Its tensors are moved and put back
        bit for bit, everything else is left alone.
    example_inputs
        Inputs of a batch as `landscape.problem.batches.call_model` takes them: a tensor, a tuple of arguments, or a
        mapping of keywords. A few samples will do.
    precision : {"float32", "bfloat16", "float16"}
        ``float32`` stands for the network's own precision, whatever that is.
    device : torch.device, optional
        Where the network is, if it has no parameters to tell.
    fold : bool
        Fold batch norms into the weights before them. Without folding and fusing an engine makes no copy of the
        weights.
    fuse : bool
        Let convolutions add and activate where oneDNN can (on a CPU).
    compile : bool
        Run the plain network through ``torch.compile`` instead of all that.
    graphs : bool
        Record the GPU's work for each shape of batch and play it back (on CUDA).
    kept : mapping of str to Tensor, optional
        Copies of the network's tensors as they are now, if there are some; no others are made while the engine is
        compared with the network at another point.

    Returns
    -------
    Engine
        Ready for the point where the network is.

    Raises
    ------
    ValueError
        There is no such precision.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()).eval()
    >>> engine = prepare(network, torch.zeros(4, 1, 3, 3))
    >>> torch.allclose(engine(torch.ones(4, 1, 3, 3)), network(torch.ones(4, 1, 3, 3)))
    True
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, it has to be one of {', '.join(PRECISIONS)}")
    plain = Engine(model, precision, None, None if device is None else torch.device(device))
    args, kwargs = arguments_of(model, fitted(example_inputs, plain.device, plain._own_dtype, None))
    plain._copies_input = changes_input(model, args, kwargs)
    plain._casts_kept = fold or fuse or compile
    engine, note = plain, ""
    try:
        if any(module.training for module in model.modules()):
            note = "the network is in train mode"
        elif compile:
            engine = Engine(model, precision, None, plain.device)
            engine._run = torch.compile(model)
            engine.description |= {"engine": "compiled", "agreement": _agreement(engine, args, kwargs, kept)}
        elif fold or fuse:
            engine = _lowered(model, precision, args, kwargs, plain.device, kept, graphs, fold=fold, fuse=fuse)
    except _AsItIs as reason:
        engine, note = plain, str(reason)
    except NotTraceable as error:
        engine, note = plain, f"its forward pass cannot be recorded ({error})"
    except Exception as error:  # a user's network, a compiler, private operators: anything may come
        engine, note = plain, f"{type(error).__name__}: {error}"
    engine._copies_input = plain._copies_input
    if engine is plain:
        # Without a graph to look at: one that calls `view` does not run with channels-last inputs.
        try:
            agrees = _difference(plain, args, kwargs) <= LOW_AGREEMENT
        except RuntimeError:
            agrees = False
        plain._layout = plain._layout if agrees else None
    if note:
        engine.description["note"] = note
        logger.debug("the plain network runs: %s", note)
    return engine


class _AsItIs(Exception):
    """A network is best run as it is; the message says why."""


def _lowered(
    model: nn.Module,
    precision: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    device: torch.device,
    kept: Mapping[str, Tensor] | None,
    graphs: bool,
    **how: bool,
) -> Engine:
    dtypes = {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}
    if len(dtypes) != 1 or not dtypes <= AGREEMENT.keys():
        raise _AsItIs("its tensors are not all float32 or all float64")
    if precision != "float32" and any(t.is_complex() for t in (*model.parameters(), *model.buffers())):
        raise _AsItIs("it has complex tensors, of which there are none in low precision")
    exact = lower(model, args, kwargs, dtype=dtypes.pop(), **how)
    if precision == "float32" and not exact.layers:
        raise _AsItIs("there is nothing in it to fold or to fuse")
    engine = Engine(model, "float32", exact, device)
    agreement = _agreement(engine, args, kwargs, kept)
    if precision != "float32":
        del exact, engine  # its weights are no small memory
        low = lower(model, args, kwargs, dtype=PRECISIONS[precision], **how)
        engine = Engine(model, precision, low, device)
        require(_difference(engine, args, kwargs), LOW_AGREEMENT)
    engine.description["agreement"] = agreement
    if graphs and engine.device.type == "cuda":
        engine._run = CudaGraph(engine._run)
        _agreement(engine, args, kwargs, kept)
        engine.description["graphs"] = True
    return engine


def _agreement(
    engine: Engine, args: Sequence[Any], kwargs: Mapping[str, Any], kept: Mapping[str, Tensor] | None
) -> float:
    """Return the larger relative difference to the plain network, of here and another point."""
    own = engine._own_dtype or torch.float32
    limit = LOW_AGREEMENT if engine._low is not None else AGREEMENT.get(own, LOW_AGREEMENT)
    found = require(_difference(engine, args, kwargs), limit)
    with elsewhere(engine.module, kept):
        engine.refresh()
        found = max(found, require(_difference(engine, args, kwargs), limit))
    engine.refresh()
    return found


@torch.no_grad()
def _difference(engine: Engine, args: Sequence[Any], kwargs: Mapping[str, Any]) -> float:
    ours = engine(*engine.batch(tuple(args)), **engine.batch(dict(kwargs)))
    plain = engine.module(*map_tensors(torch.clone, args), **map_tensors(torch.clone, kwargs))
    return difference(ours, plain)


def _largest(structure: Any) -> float:
    """Return the largest magnitude among floating tensors, inf where one is not finite."""
    floating = [t for t in tensors_in(structure) if isinstance(t, Tensor) and t.is_floating_point() and t.numel()]
    largest = max((float(t.abs().amax()) for t in floating), key=lambda value: (math.isnan(value), value), default=0.0)
    return largest if math.isfinite(largest) else math.inf


def _widened(leaf: Any) -> Any:
    half = isinstance(leaf, Tensor) and leaf.dtype in (torch.bfloat16, torch.float16)
    return leaf.float() if half else leaf
