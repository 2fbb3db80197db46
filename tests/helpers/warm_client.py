"""Stands for ``python WORDS`` where a launcher starts it; a process that `warm_server` forks does the work."""

import json
import os
import signal
import socket
import sys

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

# The job may be heard of before its number is known here: what is sent to it then waits.
signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect(f"\0{sys.argv[1]}")
files = [0, 1, 2, *(int(os.environ[name]) for name in ("PMI_FD",) if name in os.environ)]
socket.send_fds(server, [json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()]).encode()], files)
pid = int(server.recv(64))
for each in PASSED_ON:
    signal.signal(each, lambda number, frame: os.kill(pid, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
status = int(server.recv(64))
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
    os.kill(os.getpid(), os.WTERMSIG(status))
sys.exit(os.WEXITSTATUS(status))
