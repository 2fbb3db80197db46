"""Similarity of all layers of several networks: from networks and samples to `Similarity`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from landscape.arguments import require_network
from landscape.directions.displacement import untouched
from landscape.engine.memory import is_out_of_memory
from landscape.errors import EvaluationError, UsageError
from landscape.parallel.progress import progresses_of
from landscape.problem.references import failure
from landscape.similarity.layer_analysis import Analysis, Progress, Write, unit_of
from landscape.similarity.module_calls import called_one_by_one
from landscape.similarity.partial_results import Known
from landscape.similarity.run_cost import SimilarityCost, measured_cost
from landscape.similarity.shuffled_batches import Samples, one_data_set
from landscape.similarity.similarity_settings import Settings
from landscape.surface.reports.similarity import Similarity


def measure_similarity(
    networks: Mapping[str, nn.Module] | Sequence[nn.Module] | nn.Module,
    data: Any,
    *,
    groups: Mapping[str, str] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
    progress: Progress | bool | None = None,
    known: Known | None = None,
    write: Write | None = None,
    write_every: float = 30.0,
    scratch: str | None = None,
    **options: Any,
) -> Similarity:
    """Compare all layers of networks on the same samples, in eval mode; every network is left as it was.

    Parameters
    ----------
    networks : mapping of str to Module
        By name; a sequence is called "0", "1", ..., one alone "network".
    data
        One data set, as `landscape.evaluate` takes it.
    groups : mapping of str to str, optional
        Network -> group.
    about : mapping of str to mapping, optional
        What is stored of each network.
    settings : Settings, optional
    progress : callable or bool, optional
        Called with what is done, how much of it, and how much there is; else as `landscape.evaluate` takes it.
    known : tuple of Similarity and state, optional
        Of a run that was cut short, as it gave them to ``write``, on rank 0: what is done is not measured again.
    write : callable, optional
        Given what there is so far and the state that is needed to go on, every ``write_every`` seconds while results
        come in, on rank 0, and where the process has to end; and once all, with what is needed to add passes.
    write_every : float
        Seconds.
    scratch : str, optional
        What names of files begin with into which Gram matrices of a batch go where they do not fit into memory, so
        that a run that was cut short finds those of networks that were done; ``about`` has to give each network's
        ``sha256``, by which they are told apart. Without it they lie in a temporary file.
    **options
        Fields of `Settings` instead: layers, samples, sample_seed, batch_size, passes, kernel, ...

    Returns
    -------
    Similarity

    Raises
    ------
    UsageError
        A setting makes no sense, or ``layers`` matches nothing.
    ProblemError
        A network does not take the samples, or networks would see different ones.
    EvaluationError
        A network or the data give something else each time, or memory ran out.
    SurfaceMismatch
        What is known is of other networks, samples or settings; more passes are none.
    StoreError
        There is no room for Gram matrices that do not fit into memory.
    """
    with _prepared(networks, data, settings or Settings(**options), groups, about, progress, scratch) as analysis:
        return analysis.run(known, write, write_every)


def similarity_cost(
    networks: Mapping[str, nn.Module] | Sequence[nn.Module] | nn.Module,
    data: Any,
    *,
    settings: Settings | None = None,
    groups: Mapping[str, str] | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
    known: Known | None = None,
    **options: Any,
) -> SimilarityCost:
    """Say what `measure_similarity` with the same arguments will take, from one batch; raises as it does."""
    with _prepared(networks, data, settings or Settings(**options), groups, about, False) as analysis:
        return measured_cost(analysis, known)


@contextmanager
def _prepared(
    networks: Any,
    data: Any,
    settings: Settings,
    groups: Mapping[str, str] | None,
    about: Mapping[str, Mapping[str, Any]] | None,
    progress: Progress | bool | None,
    scratch: str | None = None,
) -> Iterator[Analysis]:
    """Give a run that is ready to begin, its networks in eval mode, and give them back as they were."""
    models = _named(networks)
    for model in models.values():
        require_network(model)
    if scratch is not None:
        unknown = [name for name in models if not (about or {}).get(name, {}).get("sha256")]
        if unknown:
            raise UsageError(f"scratch files need the sha256 of each network in about, {unknown[0]} has none")
    name, source = one_data_set(data, models, settings.samples, settings.sample_seed)
    samples = Samples(source, settings.samples, settings.sample_seed, settings.batch_size)
    samples.require_same()
    with ExitStack() as stack:
        stack.enter_context(called_one_by_one(list(models.values())))
        for model in dict.fromkeys(models.values()):
            stack.enter_context(untouched(model))
            model.eval()
        try:
            tell = stack.enter_context(progresses_of(progress, unit_of))
            yield Analysis(models, name, samples, settings, groups or {}, about or {}, tell, scratch)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                told = EvaluationError(
                    f"memory ran out ({failure(error)}): a smaller batch_size, fewer layers or fewer networks at a "
                    "time need less"
                )
                for note in getattr(error, "__notes__", ()):  # of what is kept
                    told.add_note(note)
                raise told from error
            raise


def _named(networks: Any) -> dict[str, nn.Module]:
    if isinstance(networks, nn.Module):
        return {"network": networks}
    if not isinstance(networks, Mapping):
        networks = {str(number): each for number, each in enumerate(networks)}
    if not networks:
        raise UsageError("there is no network to look at")
    return dict(networks)
