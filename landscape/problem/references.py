"""What a user names on the command line: ``file.py:name`` or ``package.module:name``, turned into the object itself.

A file is imported once, with its folder on ``sys.path``, so that it finds its neighbours as a script would. Afterwards
the folder stays at the end of ``sys.path``, for imports inside functions, where it cannot shadow what is installed.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from landscape.errors import ProblemError

_EXAMPLE = "write file.py:name or package.module:name, as in nets.py:resnet20"

# Names that a message lists: enough to find a typing mistake, few enough for one line.
_LISTED = 8


def resolve(reference: str, *, what: str, call: bool = True) -> Any:
    """Return the object that a reference names.

    Parameters
    ----------
    reference : str
        ``file.py:name``, the path absolute or relative to the working directory, or ``package.module:name``.
        A dotted name goes into what the module holds.
    what : str
        What it is for, as a message calls it: ``"model"``, ``"data set 'train'"``.
    call : bool
        Whether it has to be something that can be called.

    Raises
    ------
    ProblemError
        No such file, module or name; importing it failed; or it cannot be called.
    """
    place, colon, name = reference.rpartition(":")
    parts = name.split(".")
    if not colon or not place or not all(part.isidentifier() for part in parts):
        raise ProblemError(f"{what} {reference!r} does not say which name of which file to use; {_EXAMPLE}")
    is_file = place.endswith(".py") or "/" in place or os.sep in place
    found: Any = import_file(place, what=what) if is_file else _import_module(place, what)
    for number, part in enumerate(parts):
        try:
            found = getattr(found, part)
        except AttributeError:
            inside = ".".join([place, *parts[:number]]) if number else place
            raise ProblemError(f"{what}: {inside} has no {part!r}; {_offer(found, part)}") from None
    if call and not callable(found):
        raise ProblemError(
            f"{what}: {reference} is a {type(found).__name__}, which cannot be called; name a function or a class"
        )
    return found


def import_file(path: str | os.PathLike[str], *, what: str) -> ModuleType:
    """Import a Python file by its path, once, and return the module.

    Raises
    ------
    ProblemError
        There is no such file, or running it failed; the message names the line.
    """
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        shown = "is a folder" if file.is_dir() else "does not exist"
        raise ProblemError(f"{what}: {path} {shown}{_near_files(file)}; {_EXAMPLE}")
    file = file.resolve()
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        # Thousands of modules are loaded with torch: by their names first, which costs nothing.
        if isinstance(origin, str) and os.path.basename(origin) == file.name and Path(origin).resolve() == file:
            return module
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ProblemError(f"{what}: {path} is not a Python file; {_EXAMPLE}")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: a dataclass or a pickle looks its module up by name.
    sys.modules[name] = module
    try:
        with _first_on_path(str(file.parent)):
            spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        if not isinstance(error, (Exception, SystemExit)):
            raise
        raise ProblemError(f"{what}: importing {path} failed: {failure(error, file)}") from error
    return module


def failure(error: BaseException, file: str | os.PathLike[str] | None = None) -> str:
    """Say in one line what went wrong in a user's code, and where: the deepest line of theirs.

    Parameters
    ----------
    error : exception
        As it was caught.
    file : path, optional
        The file whose line is wanted; otherwise the deepest one that no package installed.
    """
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename).name}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    wanted = None if file is None else Path(file)
    for frame in reversed(frames):
        if Path(frame.filename) == wanted if wanted is not None else _is_users(frame.filename):
            return f"{said} ({Path(frame.filename).name}, line {frame.lineno})"
    return said


def _is_users(filename: str) -> bool:
    parts = Path(filename).parts
    inside = Path(__file__).parents[1]
    return (
        "site-packages" not in parts
        and "dist-packages" not in parts
        and not filename.startswith(("<", os.path.dirname(os.__file__)))
        and inside not in Path(filename).parents
    )


def _import_module(name: str, what: str) -> ModuleType:
    try:
        # As `python -m` would: from the working directory first.
        with _first_on_path(os.getcwd()):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            hint = f"; did you mean {name}.py:...?" if Path(f"{name}.py").is_file() else ""
            raise ProblemError(f"{what}: there is no module {error.name!r}{hint or f'; {_EXAMPLE}'}") from error
        raise ProblemError(f"{what}: importing {name} failed: {failure(error)}") from error
    except (Exception, SystemExit) as error:
        raise ProblemError(f"{what}: importing {name} failed: {failure(error)}") from error


def _module_name(file: Path) -> str:
    """Return the file's own name where nothing else bears it, else a private one that is always the same.

    Its own, so that a neighbour that imports it gets the same module and not a second copy with other classes.
    """
    stem = file.stem
    if stem.isidentifier() and stem not in sys.modules and importlib.util.find_spec(stem) is None:
        return stem
    return f"_landscape_user_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code may have changed the path itself
            sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _offer(owner: Any, wanted: str) -> str:
    names = [name for name in dir(owner) if not name.startswith("_")]
    near = difflib.get_close_matches(wanted, names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if isinstance(owner, ModuleType):
        own = [name for name in names if getattr(getattr(owner, name), "__module__", None) == owner.__name__]
        names = own or names
    shown = ", ".join(names[:_LISTED])
    return f"it offers {shown}{' ...' if len(names) > _LISTED else ''}" if names else "it offers nothing"


def _near_files(file: Path) -> str:
    folder = file.parent
    if not folder.is_dir():
        return f" (nor does the folder {folder})"
    near = difflib.get_close_matches(file.name, [each.name for each in folder.glob("*.py")], n=1)
    return f" (there is {folder / near[0]})" if near else ""
