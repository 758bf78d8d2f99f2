"""Upper bound: a warm interpreter that forks for each program, without isolation and without limits.

``python -I -S fork_server.py server|child MODULE...``, with the process that compiles the program first. Standard input
is a socket: programs arrive as length and source, and a byte is returned for each.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import struct
import sys
from types import CodeType
from typing import NoReturn

LENGTH = struct.Struct(">I")


def main() -> None:
    os.register_at_fork = lambda **_: None  # reseeding a generator in each fork costs more than the fork
    mode, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    for _ in range(20):
        exec(compile("def f(x: list) -> int:\n    return sum(y for y in x)\nassert f([1]) == 1", "warm", "exec"), {})
    gc.disable()
    serve(mode)


def serve(mode: str) -> None:
    host = socket.socket(fileno=0)
    requests = host.makefile("rb")
    while head := requests.read(LENGTH.size):
        source = requests.read(LENGTH.unpack(head)[0])
        program = compile(source, "program", "exec") if mode == "server" else source
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            run(program)
        host.sendall(bytes([os.waitpid(pid, 0)[1] == 0]))


def run(program: CodeType | bytes) -> NoReturn:
    status = 1
    try:
        gc.enable()
        exec(program, {"__name__": "program"})
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
