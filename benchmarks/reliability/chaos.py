"""Break boxes during their work: kill and stop processes, remove containers, restart the Docker engine."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.reliability.box_inspection import LiveBox, live_boxes
from codegym.sandbox.docker import engine, remove

SHARES = {"kill a forker": 4, "kill a server": 3, "kill a box": 3, "stop a process for a while": 4}
STOP_SECONDS = (0.5, 7.0)
PAUSE_SECONDS = (0.05, 0.5)


class Chaos:
    """A thread that breaks boxes at random moments until the context ends.

    Args:
        backend: Name of the back end whose boxes are broken.
        seed: Seed of the choices; the moments depend on the machine.
        forever: Number of processes to stop for good, which only a time limit can detect.
    """

    def __init__(self, backend: str, seed: int, forever: int) -> None:
        self.done: Counter[str] = Counter()
        self._backend = backend
        self._random = random.Random(seed)
        self._forever = forever
        self._timers: list[threading.Timer] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Chaos:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for timer in self._timers:
            timer.join()

    def _run(self) -> None:
        while not self._end.wait(self._random.uniform(*PAUSE_SECONDS)):
            with contextlib.suppress(Exception):  # a box that is gone, an engine that is down
                if boxes := live_boxes(self._backend):
                    self._harm(self._random.choice(boxes))

    def _harm(self, box: LiveBox) -> None:
        (what,) = self._random.choices([*SHARES], [*SHARES.values()])
        if self._forever > 0:
            what, self._forever = "stop a process for good", self._forever - 1
        if what == "kill a forker":
            box.forker.kill()
        elif what == "kill a server":
            box.server.kill()
        elif what == "kill a box":
            _kill(box)
        else:
            self._stop(self._random.choice(box.permanent_processes), for_good=what.endswith("good"))
        self.done[what] += 1

    def _stop(self, process: psutil.Process, for_good: bool) -> None:
        process.suspend()
        if not for_good:
            timer = threading.Timer(self._random.uniform(*STOP_SECONDS), _resume, [process])
            timer.start()
            self._timers.append(timer)


def _resume(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.resume()


def _kill(box: LiveBox) -> None:
    if box.container is not None:
        remove(box.container)
    elif (first := box.server.parent()) is not None and first.pid != os.getpid():
        first.kill()
    else:
        box.server.kill()


def restart_engine() -> str:
    """Restart the Docker engine that answers here, with the same arguments, and return a report in one sentence."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    try:
        process = psutil.Process(_listener(address))
        command, folder, environment = process.cmdline(), process.cwd(), process.environ()
    except (OSError, psutil.Error) as error:
        return f"not restarted: who listens at {address} cannot be told ({error})"
    if process.name() != "dockerd" or "INVOCATION_ID" in environment:
        return f"not restarted: {process.name()} (process {process.pid}) is not a dockerd that a person has started"
    log = Path(folder, "dockerd.log") if os.access(folder, os.W_OK) and folder != "/" else Path(os.devnull)
    process.terminate()
    process.wait(60)
    with log.open("ab") as file:  # "--fork": it must not be a child of this benchmark
        again = ["setsid", "--fork", *command]
        subprocess.run(
            again, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=True
        )
    seconds = _wait_for_engine()
    return f"restarted, it was away for {seconds:.1f} s" if seconds else "RESTARTED, BUT IT DOES NOT ANSWER"


def _listener(address: str) -> int:
    """Return the number of the process that listens at a socket file."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _wait_for_engine() -> float:
    started = time.monotonic()
    while time.monotonic() < started + 60:
        with contextlib.suppress(Exception), engine() as client:
            client.ping()
            return time.monotonic() - started
        time.sleep(0.1)
    return 0.0
