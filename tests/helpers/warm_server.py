"""A process that has loaded everything and forks what `warm_client` is asked to run: torch takes two seconds to load.

Started by `tests.helpers.jobs` as a script. It ends when its standard input does.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import types
import weakref

import numpy.random  # noqa: F401
import torch.fx.experimental.proxy_tensor
import torch.library

import landscape.cli
import landscape.curvature.analysis
import landscape.evaluation.evaluate
import landscape.studies.study_runs
import landscape.trajectory.steps


def refuse_writing(event: str, given: tuple[object, ...]) -> None:
    """Let no file of ours be written, or its place be tried: an audit hook of ranks that are not to do so.

    Two that try a place at one time seldom meet; this one is always noticed.
    """
    if event == "open" and str(given[0]).endswith(".writing"):
        raise OSError("rank 0 is the one that writes, and this is another")


def child(words: list[str], environment: dict[str, str], folder: str, files: list[int]) -> None:
    """Become what ``python WORDS`` would be, with the files that a launcher gave."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    wanted = [0, 1, 2, *(int(environment[name]) for name in ("PMI_FD",) if name in environment)]
    high = [os.dup2(file, 200 + number) for number, file in enumerate(files)]
    os.closerange(3, 200)
    for file, place in zip(high, wanted, strict=True):
        os.dup2(file, place)
    os.closerange(200, 200 + len(high))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    rank = environment.get("PMI_RANK", environment.get("OMPI_COMM_WORLD_RANK", "0"))
    if rank != "0" and "EVERY_RANK_WRITES" not in environment:
        sys.addaudithook(refuse_writing)
    sys.path[0] = ""
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0].endswith(".py"):
        sys.argv = words
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name="__main__")
    else:
        sys.argv = ["-c", *words[2:]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(words[1], vars(sys.modules["__main__"]))


def end(words: list[str], environment: dict[str, str], folder: str, files: list[int]) -> None:
    """Be ``python WORDS``, and end as Python does, but for taking apart all that was loaded: that takes half a second.

    An error that nobody caught takes the way that Python has for it. To take apart what C libraries have takes another
    fifth of a second; but a rank that is gone so soon after MPI_Finalize, MPICH's launcher takes for one that failed.
    """
    try:
        child(words, environment, folder, files)
        code: object = 0
    except SystemExit as asked:
        code = asked.code
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()
    atexit._run_exitfuncs()
    if (mpi := sys.modules.get("mpi4py.MPI")) is not None and mpi.Is_initialized() and not mpi.Is_finalized():
        mpi.Finalize()
    sys.stdout.flush(), sys.stderr.flush()
    number = code if isinstance(code, int) else int(code is not None)
    if mpi is not None:
        ctypes.CDLL(None).exit(number)
    ctypes.CDLL(None).fflush(None)
    os._exit(number & 0xFF)


def tell(client: socket.socket, number: int) -> None:
    """Send a number to a client, who may be gone."""
    with contextlib.suppress(OSError):
        client.send(str(number).encode())


def serve(name: str) -> None:
    """Fork what clients ask for until nobody is left who could ask."""
    landscape.cli.build_parser()  # which loads all commands
    for each in list(weakref.finalize._registry):  # operators are taken out of torch again: nobody asks for them
        each.atexit = each.peek()[1] is not torch.library._del_library
    gc.freeze()  # what children never look at they never copy
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{name}")
    listener.listen(64)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *given: None)
    clients: dict[int, socket.socket] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([sys.stdin, listener, wake, *clients.values()], [], [])
        if listener in ready:
            client, _ = listener.accept()
            text, files, _, _ = socket.recv_fds(client, 2**20, 8)
            if not text:
                continue  # killed before it asked
            pid = os.fork()
            if not pid:
                for each in (listener, client, *clients.values()):
                    each.detach()
                end(*json.loads(text), files)
            for file in files:
                os.close(file)
            clients[pid] = client
            tell(client, pid)
        if wake in ready:
            os.read(wake, 4096)
            while clients and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with clients.pop(ended[0]) as client:
                    tell(client, ended[1])
        # Whose client is gone, or all of them with who started this.
        for pid, client in clients.items():
            if client in ready or sys.stdin in ready:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
        if sys.stdin in ready:
            return


if __name__ == "__main__":
    serve(sys.argv[1])
