"""Asking for an engine leaves nothing open behind it, whatever is or is not at its address.

A socket that nobody closes is a warning when it is collected, and warnings are errors here.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import docker as back_end
from codegym.sandbox.docker import engine


def answer(body: object, status: str = "200 OK") -> bytes:
    text = json.dumps(body).encode()
    header = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return header.encode() + text


@contextlib.contextmanager
def pretender(path: str, reply: bytes) -> Iterator[None]:
    """Something that listens at an address and answers every request with the same bytes, then hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, reply))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def serve(listener: socket.socket, reply: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            with listener.accept()[0] as connection:
                if connection.recv(4096):
                    connection.sendall(reply)


def test_no_engine_leaves_no_socket(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    with pytest.raises(SandboxUnavailable, match=r"nothing \(FileNotFoundError: .*Start one"), engine():
        pass
    gc.collect()


@pytest.mark.parametrize(
    "reply",
    [b"", b"220 this is not HTTP\r\n", answer({}), answer({"ApiVersion": "1.12"}), answer("", "500 Broken")],
    ids=["hangs up", "another protocol", "no version", "too old", "broken"],
)
def test_what_is_no_engine_leaves_no_socket(monkeypatch, tmp_path, reply):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/socket")
    with (
        pretender(f"{tmp_path}/socket", reply),
        pytest.raises(SandboxUnavailable, match="no Docker engine answers at unix://"),
        engine(),
    ):
        pass
    gc.collect()


def test_an_address_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock?x=1")
    with pytest.raises(SandboxUnavailable, match="no Docker engine answers at .*Invalid bind address"), engine():
        pass


@pytest.mark.docker
@pytest.mark.skipif(bool(os.environ.get("DOCKER_HOST")), reason="the engine is at another address than the usual one")
def test_a_context_of_the_command_line_leads_nowhere_else(monkeypatch):
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    with engine() as client:
        assert client.ping()


def test_a_stranger_at_the_socket_of_a_box_leaves_no_socket(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as stranger:
        listener.bind(f"{tmp_path}/socket")
        listener.listen()
        stranger.connect(f"{tmp_path}/socket")
        stranger.sendall(b"wrong\n")
        with pytest.raises(SandboxError, match="a stranger connected to the socket of a box"):
            back_end._accept(listener, None, "right")
    gc.collect()
