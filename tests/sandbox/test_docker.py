"""Containers are hardened, and none is left behind, whatever happens to them, to their owner or to the engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
import docker.errors
import pytest

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import docker as back_end
from codegym.sandbox.base import CallJob, CheckResult, Limits, Request, ScriptJob
from codegym.sandbox.docker import OWNER, DockerSandbox, engine, owner, sweep
from codegym.sandbox.image import LABEL
from codegym.sandbox.process import START_ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(cpu_seconds=2, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=8)


@pytest.mark.docker
def test_a_sandbox_of_one_container_runs_a_program():
    with DockerSandbox(LIMITS, num_workers=1) as sandbox:
        request = Request("def f(n):\n    return n + 1", CallJob("f", ((1,),)), LIMITS)
        assert sandbox.submit(request).result(60).outcomes == (CheckResult(2),)


@pytest.fixture(scope="module")
def client():
    with contextlib.closing(docker.from_env()) as client:
        yield client


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(LIMITS, num_workers=1) as sandbox:
        yield sandbox


def containers(client, of=None):
    """Identities of the containers that an owner has now; by default this process."""
    filters = {"label": f"{OWNER}={of or owner()}"}
    return {container.id for container in client.containers.list(all=True, filters=filters, ignore_removed=True)}


def run(sandbox, source):
    execution = sandbox.submit(Request(source, ScriptJob(("",)), LIMITS)).result(60)
    assert [run.error for run in execution.runs] == [None]
    return execution.runs[0].stdout.decode()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# --- what a container is allowed --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def details(client, sandbox):
    """What the engine says of the container, while a program has shown that it works."""
    run(sandbox, "print(1)")
    (identity,) = containers(client)
    return client.api.inspect_container(identity)


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NetworkMode", "none"),
        ("ReadonlyRootfs", True),
        ("Privileged", False),
        ("AutoRemove", True),
        ("IpcMode", "private"),
        ("PidMode", ""),
        ("UTSMode", ""),
        ("Memory", (256 + 256 + 6) << 20),
        ("MemorySwap", (256 + 256 + 6) << 20),  # as much as memory alone: no swap
        ("PidsLimit", 16 + 16),
        ("SecurityOpt", ["no-new-privileges"]),  # and so the engine's own seccomp profile
        ("CapDrop", ["ALL"]),
        ("Devices", None),
        ("VolumesFrom", None),
        ("PortBindings", {}),
        ("ExtraHosts", None),
        ("OomKillDisable", False),
    ],
)
def test_container_is_confined(details, name, value):
    found = details["HostConfig"][name]
    assert (found or value) == value if value in (None, {}, "", False) else found == value


@pytest.mark.docker
def test_container_keeps_five_capabilities(details):
    kept = {name.removeprefix("CAP_") for name in details["HostConfig"]["CapAdd"]}
    assert kept == {"SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER"}


@pytest.mark.docker
def test_writable_space_is_in_memory_and_limited(details):
    assert {*details["HostConfig"]["Tmpfs"]} == {"/tmp", "/dev/shm"}
    for options in details["HostConfig"]["Tmpfs"].values():
        assert {"size=8m", "nosuid", "nodev", "nr_inodes=16384"} <= {*options.split(",")}


@pytest.mark.docker
def test_one_folder_of_the_host_is_shown_read_only_and_is_gone_already(details):
    (mount,) = [mount for mount in details["Mounts"] if mount["Type"] == "bind"]
    assert mount["RW"] is False
    assert not os.path.exists(mount["Source"])


@pytest.mark.docker
def test_container_says_whose_it_is(details):
    labels = details["Config"]["Labels"]
    assert labels[LABEL] == "1"
    host, pid, started = labels[OWNER].split("/")
    assert (host, int(pid)) == (socket.gethostname(), os.getpid())
    assert int(started) > 0


@pytest.mark.docker
def test_environment_of_the_container_holds_nothing_of_the_host(details):
    found = dict(entry.split("=", 1) for entry in details["Config"]["Env"])
    assert START_ENVIRONMENT.items() <= found.items()
    assert {*found} - {*START_ENVIRONMENT} <= {"GPG_KEY", "PYTHON_VERSION", "PYTHON_SHA256", "PYTHON_PIP_VERSION"}


# --- what a program finds in it ---------------------------------------------------------------------------------


@pytest.mark.docker
def test_program_finds_no_network_no_host_and_no_rights(sandbox):
    source = f"""
import os, socket
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
assert 20_000 <= os.getuid() < 60_000 and os.getgroups() in ([], [os.getgid()])
for path in ({str(ROOT)!r}, "/var/run/docker.sock", "/run/codegym/socket", "/root/h5"):
    assert not os.path.exists(path), path
for folder in ("/", "/usr", "/etc", "/run", "/sys", "/proc"):
    try:
        open(folder + "/new", "w")
    except OSError:
        continue
    raise AssertionError(folder)
for address in (("127.0.0.1", 80), ("10.0.0.1", 80)):
    try:
        socket.create_connection(address, timeout=1)
    except OSError:
        continue
    raise AssertionError(address)
pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
assert pids[0] == 1 and len(pids) <= 5, pids
print("confined")
"""
    assert run(sandbox, source) == "confined\n"


@pytest.mark.docker
def test_temporary_space_is_fresh_and_limited(sandbox):
    source = """
import os
print(os.listdir("/tmp"), os.listdir("/dev/shm"))
for number in range(100):
    try:
        open(f"/tmp/{number}", "wb").write(bytes(1 << 20))
    except OSError as error:
        print(number <= 8, error.errno)
        break
"""
    assert run(sandbox, source) == run(sandbox, source) == "[] []\nTrue 28\n"  # ENOSPC


# --- nothing is left --------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_s9_no_container_and_no_folder_is_left_after_close(client, tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = containers(client)
    sandbox = DockerSandbox(LIMITS, num_workers=2)
    futures = [sandbox.submit(Request("import time\ntime.sleep(9)", ScriptJob(("",)), LIMITS)) for _ in range(6)]
    wait_until(lambda: len(containers(client) - before) == 2)
    start = time.monotonic()
    sandbox.close()
    assert time.monotonic() - start < 25  # the programs would take 27 s
    assert all(isinstance(future.exception(0), SandboxError) for future in futures)
    wait_until(lambda: containers(client) <= before)  # the engine may still be at it
    assert list(tmp_path.iterdir()) == []


OWNING = """
import sys, time
from codegym.sandbox.base import Limits, Request, ScriptJob
from codegym.sandbox.docker import DockerSandbox, owner
sandbox = DockerSandbox(Limits(memory_mb=128), num_workers=2)
program = Request("import time\\ntime.sleep(14)", ScriptJob(("",)), Limits(memory_mb=128))
futures = [sandbox.submit(program) for _ in range(2)]
time.sleep(1.5)
print(owner(), flush=True)
time.sleep(100)
"""


@pytest.mark.docker
def test_s9_containers_end_by_themselves_when_their_owner_is_killed(client):
    process = subprocess.Popen([sys.executable, "-c", OWNING], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        whose = process.stdout.readline().strip()
        assert containers(client, whose)
        process.send_signal(signal.SIGKILL)
    start = time.monotonic()
    wait_until(lambda: not containers(client, whose))
    assert time.monotonic() - start < 12  # before the programs are through


@pytest.mark.docker
def test_s9_containers_of_owners_that_are_gone_are_swept(client, sandbox, monkeypatch):
    # A host of its own: tests beside this one sweep too, each time that they make a sandbox.
    monkeypatch.setattr(socket, "gethostname", lambda: f"host-of-{os.getpid()}")
    dead = next(pid for pid in range(4_000_000, 5_000_000) if not os.path.exists(f"/proc/{pid}"))
    host, pid, _ = owner().split("/")
    owners = {
        "gone": f"{host}/{dead}/123",
        "reused": f"{host}/{pid}/1",  # a process has this number, but it started at another time
        "elsewhere": f"another-{host}/{dead}/123",
        "alive": owner(),
    }
    made = {}
    try:
        for name, label in owners.items():
            command = ["python3", "-c", "import time; time.sleep(300)"]
            labels = {LABEL: "1", OWNER: label}
            options = {"detach": True, "network_mode": "none", "auto_remove": True, "labels": labels}
            made[name] = client.containers.run(sandbox._image, command, **options).id
        assert sweep(client) >= 2
        wait_until(lambda: len(alive(client, made)) == 2)
        assert alive(client, made) == {"elsewhere", "alive"}
        assert sweep(client) == 0
    finally:
        for identity in made.values():
            back_end.remove(identity)
    monkeypatch.undo()
    sweep(client)
    assert run(sandbox, "print(1)") == "1\n"  # its own container is not swept


def alive(client, made):
    there = {container.id for container in client.containers.list(all=True, ignore_removed=True)}
    return {name for name, identity in made.items() if identity in there}


@pytest.mark.docker
def test_killed_container_costs_no_verdict(client):
    before = containers(client)
    with DockerSandbox(LIMITS, num_workers=2) as sandbox:
        source = "import time\ntime.sleep(0.02)\nprint({})"
        futures = [sandbox.submit(Request(source.format(n), ScriptJob(("",)), LIMITS)) for n in range(80)]
        for share in (10, 40):  # a program is hit twice at most, and has three attempts
            wait_until(lambda share=share: sum(future.done() for future in futures) >= share)
            for identity in containers(client) - before:
                with contextlib.suppress(docker.errors.APIError):
                    client.api.kill(identity)
        results = [future.result(60).runs[0].stdout for future in futures]
    assert results == [f"{n}\n".encode() for n in range(80)]
    wait_until(lambda: containers(client) <= before)


@pytest.mark.docker
def test_paused_container_is_replaced(client, monkeypatch):
    from codegym.sandbox import connection

    before = containers(client)
    with DockerSandbox(LIMITS, num_workers=1) as sandbox:
        (identity,) = containers(client) - before
        client.api.pause(identity)
        monkeypatch.setattr(connection, "GRACE_SECONDS", 1.0)
        request = Request("print(7)", ScriptJob(("",)), Limits(wall_seconds=2, memory_mb=128, processes=8, temp_mb=4))
        future = sandbox.submit(request)
        time.sleep(1)
        monkeypatch.setattr(connection, "GRACE_SECONDS", 15.0)
        assert future.result(60).runs[0].stdout == b"7\n"
        wait_until(lambda: identity not in containers(client))


@pytest.mark.docker
def test_runtime_that_the_engine_lacks_is_named(client):
    before = containers(client)
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        DockerSandbox(LIMITS, num_workers=1, runtime="no-such-runtime")
    assert containers(client) <= before


@pytest.mark.docker
def test_trouble_with_the_engine_is_a_sandbox_error():
    with pytest.raises(SandboxError, match="the Docker engine failed: NotFound"), engine() as client:
        client.containers.get("no-such-container")
    back_end.remove("no-such-container")  # is fine: it is gone
    assert back_end._log("no-such-container") == ""


# --- the way into a container -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"wrong\n", b"right too\n", b"\xff\xfe\n", b"righ", b"", b"x" * 200], ids=repr)
def test_only_the_box_itself_may_connect(tmp_path, line):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as stranger:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        stranger.connect(str(tmp_path / "socket"))
        stranger.sendall(line)
        stranger.shutdown(socket.SHUT_WR)
        with pytest.raises(SandboxError, match="a stranger connected to the socket of a box"):
            back_end._accept(listener, None, "right")


def test_what_the_box_says_behind_the_nonce_is_left_in_the_connection(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as box:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        box.connect(str(tmp_path / "socket"))
        box.sendall(b"right\nhello")
        with back_end._accept(listener, None, "right") as connection:
            assert connection.recv(100) == b"hello"
