"""What lies in a checkpoint's file, read without running code that came with it and without trusting its sizes.

Understood are what ``torch.save`` writes (the zip archive of today and the pickle of old), safetensors, and the index
of a model cut into several such files.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import json
import math
import os
import pickle
import re
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landscape.errors import CheckpointError, FormatError
from landscape.files.atomic import looks_like, open_regular, printable

_WANTED = "a PyTorch checkpoint (torch.save) or a safetensors file is needed"
# A tensor may repeat a few stored numbers many times (expand), so that it is larger than its file; past this size
# nobody means it, and copying it would take all memory.
_EXPANDED = 1 << 26
# What Hugging Face's ``save_pretrained`` writes into a folder, the first that is there.
PRETRAINED = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
# An index names a few hundred files and some hundred thousand tensors; more is no index.
_INDEX_BYTES = 1 << 26
# What the safetensors library allows a header; eight letters of text would be a far larger number.
_HEADER_BYTES = 100_000_000


def read_contents(path: Path, *, trust: bool = False) -> Any:
    """Return what a checkpoint file holds: nested dicts with tensors somewhere in them, on the CPU.

    Parameters
    ----------
    path : Path
    trust : bool
        Run the code in its pickle, if there is some.

    Raises
    ------
    CheckpointError
        It is not there, not a checkpoint, damaged, or holds code and is not trusted.
    """
    if path.is_dir():
        if (path / ".metadata").is_file():
            return _read_distributed(path)
        inside = next((path / name for name in PRETRAINED if (path / name).is_file()), None)
        if inside is None:
            raise CheckpointError(_folder(path))
        return read_contents(inside, trust=trust)
    try:
        with open_regular(path) as file:
            start = file.read(1024)
            size = file.seek(0, 2)
    except FormatError as error:
        raise CheckpointError(f"checkpoint: {error}{_near(path)}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not size:
        raise CheckpointError(f"{path} is empty; {_WANTED}")
    if path.name.endswith(".index.json"):
        return _read_shards(path, trust)
    if start.startswith(b"PK\x03\x04"):
        _check_archive(path, size, looks_like(start))
        return _torch_load(path, trust, mapped=True)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < _HEADER_BYTES:
        return _read_safetensors(path, start, size)
    if start[:1] == b"\x80":
        return _torch_load(path, trust, mapped=False)
    raise CheckpointError(f"{path} looks like {looks_like(start)}; {_WANTED}")


def _near(path: Path) -> str:
    try:
        beside = [each.name for each in path.parent.iterdir()] if not path.exists() else []
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; there is {path.parent / near[0]}" if near else ""


def _folder(path: Path) -> str:
    for pattern in ("*.index.json", "*.safetensors", "*.pt", "*.pth", "*.ckpt", "*.bin"):
        inside = sorted(path.glob(pattern))
        if inside:
            return f"{path} is a folder; give a file, such as {inside[0]}"
    return f"{path} is a folder without a checkpoint in it; {_WANTED}"


def _check_archive(path: Path, size: int, kind: str) -> None:
    """Refuse an archive that is cut off, damaged, or not a checkpoint, before torch reads it.

    torch checks neither the sizes an archive claims nor its check sums: a flipped bit would be a weight.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if not any(name.endswith("data.pkl") and name.count("/") == 1 for name in names):
                raise CheckpointError(f"{path} looks like {_kind_of_archive(names)}; {_WANTED}")
            if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
                raise CheckpointError(
                    f"{path} is a TorchScript program; save its weights with torch.save(model.state_dict(), ...)"
                )
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or (
                sum(entry.file_size for entry in entries) > size
            ):
                raise CheckpointError(
                    f"{path} claims to hold more than its {size:,} bytes; torch.save writes no such file"
                )
            for entry in entries:
                if entry.CRC:  # 0 where torch was told to leave check sums out
                    with archive.open(entry) as stream:
                        while stream.read(1 << 20):
                            pass
    except zipfile.BadZipFile as error:
        state = "damaged" if "CRC" in str(error) else "cut off or damaged"
        raise CheckpointError(
            f"{path} looks like {kind}, {state}: {size:,} bytes ({error}); copy or save it again"
        ) from error
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be read as a PyTorch checkpoint: {error}") from error


def _kind_of_archive(names: list[str]) -> str:
    if any(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    if "model.weights.h5" in names:
        return "a Keras model"
    return f"a zip archive with {', '.join(map(printable, names[:3])) or 'nothing'} in it"


class _Inert:
    """Stands in for an object of a class that only holds data; takes anything and does nothing."""

    def __new__(cls, *_: Any) -> _Inert:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


# What training scripts keep beside the weights: their options, best scores, paths. Read as `_Inert`, since nothing
# of it is needed, so that such a file need not be trusted.
_HARMLESS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.defaultdict",
    "datetime.datetime",
    "datetime.timedelta",
    *(f"pathlib.{inner}{kind}" for inner in ("", "_local.") for kind in ("PosixPath", "WindowsPath")),
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)


def _torch_load(path: Path, trust: bool, *, mapped: bool) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mapped = mapped and _is_text(path)
            with (
                _importable() if trust else _inert_stand_ins(),
                nullcontext(path) if mapped else path.open("rb") as file,
            ):
                return torch.load(file, map_location="cpu", weights_only=not trust, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refused(path, str(error))) from error
    except (ModuleNotFoundError, AttributeError) as error:
        raise CheckpointError(
            f"{path} needs code that is not here to be unpickled: {error}; run where its classes can be imported, "
            "or save model.state_dict() instead of the model"
        ) from error
    except (EOFError, MemoryError) as error:
        raise CheckpointError(f"{path} is a cut off or damaged PyTorch checkpoint; copy or save it again") from error
    except Exception as error:
        if "magic number" in str(error):
            raise CheckpointError(
                f"{path} looks like a Python pickle that torch.save did not write; {_WANTED}"
            ) from error
        first = str(error).strip().splitlines()[:1]
        said = f"{type(error).__name__}: {first[0] if first else ''}"
        raise CheckpointError(f"{path} cannot be read as a PyTorch checkpoint ({said}); it may be damaged") from error


def _is_text(path: Path) -> bool:
    """Whether a file's name is text: bytes that are none Python takes, but no library in another language."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _inert_stand_ins() -> AbstractContextManager[Any]:
    if torch.__version__ < "2.6":  # which cannot put one thing in the place of another
        return nullcontext()
    return torch.serialization.safe_globals([(_Inert, name) for name in _HARMLESS])


@contextmanager
def _importable() -> Iterator[None]:
    """Let a trusted pickle import from the working directory, as the script that wrote it could."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # what was run may have changed the path itself
            sys.path.remove(folder)


def _refused(path: Path, text: str) -> str:
    code = re.search(r"GLOBAL (\S+)", text)
    if code:
        return (
            f"{path} holds more than tensors: loading it would run {printable(code[1])}, and code can do anything; "
            "pass --trust-checkpoint (trust=True) if you trust where it comes from, or save only model.state_dict()"
        )
    with path.open("rb") as file:
        if b"numpy" in (start := file.read(4096)) and b"torch" not in start and start[:1] == b"\x80":
            return (
                f"{path} is a pickle of NumPy arrays, not written by torch.save: reading it would run code in it; save "
                "{name: torch.from_numpy(array)} with torch.save, or a safetensors file"
            )
    reason = (text.strip().splitlines() or [""])[-1].strip()
    return (
        f"{path} cannot be read as a PyTorch checkpoint without running its pickle ({printable(reason)[:200]}); it is "
        "damaged, or --trust-checkpoint (trust=True) can read it if you trust where it comes from"
    )


def _read_safetensors(path: Path, start: bytes, size: int) -> dict[str, Any]:
    import safetensors.torch
    from safetensors import SafetensorError, safe_open

    header = int.from_bytes(start[:8], "little")
    if header + 8 > size:
        raise CheckpointError(f"{path} looks like {looks_like(start)}, cut off at {size:,} bytes; {_WANTED}")
    try:
        if not _is_text(path):
            return dict(safetensors.torch.load(path.read_bytes()))
        with safe_open(path, framework="pt", device="cpu") as file:
            # Copied: the file may be written anew while we run.
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise CheckpointError(f"{path} is a damaged or cut off safetensors file: {error}") from error


def _read_shards(path: Path, trust: bool) -> dict[str, Any]:
    try:
        if path.stat().st_size > _INDEX_BYTES:
            raise ValueError("it is too large")
        weight_map = json.loads(path.read_bytes())["weight_map"]
        files = sorted(set(weight_map.values()))
        if not all(Path(name).name == name for name in files):
            raise ValueError("it names files in other folders")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not the index of a checkpoint in several files: {error}") from error
    tensors: dict[str, Any] = {}
    for name in files:
        if not (path.parent / name).is_file():
            raise CheckpointError(f"{path} names {name}, which does not lie beside it")
        tensors.update(read_contents(path.parent / name, trust=trust))
    missing = [name for name in weight_map if name not in tensors]
    if missing:
        raise CheckpointError(f"{path} promises {len(missing)} tensors its files do not hold, such as {missing[0]}")
    return {name: tensors[name] for name in weight_map}


_PLAIN = (
    *(("torch", "Size"), ("torch", "device"), ("torch.serialization", "_get_layout")),
    *(("collections", "OrderedDict"), ("pathlib", "PosixPath"), ("pathlib", "PurePosixPath")),
)


class _MetadataUnpickler(pickle.Unpickler):
    """Reads the list of a distributed checkpoint's tensors: torch's own records of names, sizes and places, no more."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module == "torch":
            found = getattr(torch, name, None)
            if isinstance(found, (torch.dtype, torch.layout, torch.memory_format)):
                return found
        if module in ("torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem"):
            found = super().find_class(module, name)
            if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, enum.Enum)):
                return found
        raise pickle.UnpicklingError(f"it asks for {printable(module)}.{printable(name)}")


def _read_distributed(path: Path) -> dict[str, Any]:
    """Return the tensors of a folder that torch.distributed.checkpoint wrote, read by torch's own reader.

    That unpickles the folder's list of tensors, so it is looked through first. Tensors it reads without running code;
    what else is there, steps and settings, it would unpickle: that is left where it is.
    """
    from torch.distributed.checkpoint._nested_dict import unflatten_state_dict
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    try:
        with open_regular(path / ".metadata") as file:
            metadata = _MetadataUnpickler(file).load()
        listed = metadata.state_dict_metadata.items()
        held = {name: each for name, each in listed if isinstance(each, TensorStorageMetadata)}
        claimed = sum(math.prod(each.size) * each.properties.dtype.itemsize for each in held.values())
        if claimed > sum(each.stat().st_size for each in path.iterdir()) + _EXPANDED:
            raise ValueError("it claims tensors of more bytes than its files have")
        tensors = {name: torch.empty(each.size, dtype=each.properties.dtype) for name, each in held.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(tensors, storage_reader=FileSystemReader(path), planner=DefaultLoadPlanner(), no_dist=True)
        places = metadata.planner_data or {}
        contents: dict[str, Any] = unflatten_state_dict(tensors, {name: places.get(name, (name,)) for name in tensors})
    except Exception as error:
        raise CheckpointError(
            f"{path} is a distributed checkpoint that cannot be read without running what comes with it, or damaged "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); make it a file with "
            f"'python -m torch.distributed.checkpoint.format_utils dcp_to_torch {path} net.pt' if you trust it"
        ) from error
    return contents


def own_copies(tensors: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Return plain tensors that no longer depend on the file, refusing what cannot be a weight.

    Raises
    ------
    CheckpointError
        A tensor is quantised, sparse, on no device, of 8-bit floating point, or far larger than its file.
    """
    files = [path] if path.is_file() else [each for each in path.iterdir() if each.is_file()]
    size = max(sum(each.stat().st_size for each in files), 1)
    copies: dict[str, Tensor] = {}
    seen: dict[Any, Tensor] = {}
    total = 0
    for name, value in tensors.items():
        tensor = value.detach()
        kind = _unusable(tensor)
        if kind:
            raise CheckpointError(
                f"{path}: {printable(name)} is {kind}; save the weights as plain floating point tensors"
            )
        total += tensor.numel() * tensor.element_size()
        if total > size + _EXPANDED and not path.name.endswith(".index.json"):
            raise CheckpointError(
                f"{path} claims tensors of more than its {size:,} bytes; torch.save writes no such file"
            )
        # Tied weights stay one tensor.
        place = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()) if tensor.numel() else name
        if place not in seen:
            seen[place] = tensor.clone(memory_format=torch.contiguous_format)
        copies[name] = seen[place]
    return copies


def _unusable(tensor: Tensor) -> str:
    if tensor.is_quantized:
        return "quantised"
    if tensor.layout != torch.strided or tensor.is_nested:
        return "sparse or nested"
    if tensor.is_meta:
        return "without values (on the meta device)"
    if type(tensor) is not Tensor:
        return f"a {type(tensor).__name__}"
    if tensor.is_floating_point() and tensor.element_size() < 2:
        return f"of {tensor.dtype}, in which nothing can be computed"
    return ""
