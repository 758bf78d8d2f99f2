"""The filter of system calls refuses what it names and nothing else; what was given up does not come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegym.sandbox.box import confine

ROOT = Path(__file__).resolve().parents[3]
EPERM, ENOSYS = 1, 38
X86, ARM = confine._MACHINES["x86_64"][0], confine._MACHINES["aarch64"][0]
CLONE_NEWUSER, CLONE_VM, SIGCHLD = 0x10000000, 0x100, 17

needs_filter = pytest.mark.skipif(os.uname().machine not in confine._MACHINES, reason="no filter for this machine")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")


def confined(source: str):
    """Run source in a process of its own, with ``confine`` and a way to call the kernel; gives its ``seen``."""
    program = f"""
import ctypes, errno, json, os, socket, sys
from codegym.sandbox.box import confine
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    return 0 if libc.syscall(number, *arguments, *[0] * (6 - len(arguments))) >= 0 else ctypes.get_errno()
def status(name):
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith(name + ":"))
{source}
print(json.dumps(seen))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_filter
def test_filtered_process_can_do_what_programs_do():
    source = """
assert confine.filter_system_calls(network=False)
import multiprocessing, subprocess, tempfile, threading
thread = threading.Thread(target=lambda: results.append(1)); results = []
thread.start(); thread.join()
pid = os.fork()
if pid == 0:
    os._exit(7)
one, other = socket.socketpair()
one.sendall(b"x")
with tempfile.TemporaryDirectory() as folder:
    listener = socket.socket(socket.AF_UNIX); listener.bind(folder + "/s"); listener.listen()
    client = socket.socket(socket.AF_UNIX); client.connect(folder + "/s")
    with open(folder + "/f", "w") as file:
        file.write("text")
    text = open(folder + "/f").read()
with multiprocessing.get_context("fork").Pool(2) as pool:
    squares = pool.map(abs, [-1, 2])
run = subprocess.run(["/bin/sh", "-c", "echo hello"], capture_output=True, text=True)
seen = [results, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), other.recv(1).decode(), text, squares, run.stdout]
"""
    assert confined(source) == [[1], 7, "x", "text", [1, 2], "hello\n"]


@needs_filter
@pytest.mark.parametrize("network", [False, True])
def test_every_named_call_is_refused(network):
    source = f"""
assert confine.filter_system_calls(network={network})
column = confine._MACHINES[os.uname().machine][1]
seen = {{name: call(numbers[column]) for name, numbers in confine._DENIED.items()}}
"""
    seen = confined(source)
    assert len(seen) == len(confine._DENIED) > 40
    assert {name: error for name, error in seen.items() if error != EPERM} == {}


@needs_filter
def test_filter_is_what_refuses():
    source = """
column = confine._MACHINES[os.uname().machine][1]
calls = {"shmget": (0, 4096, 0o600), "personality": (0xFFFFFFFF,), "semget": (0, 1, 0o600)}
def ask():
    return [call(confine._DENIED[name][column], *arguments) for name, arguments in calls.items()]
before = ask()
confine.filter_system_calls(network=False)
seen = [before.count(1) < 3, ask()]
"""
    assert confined(source) == [True, [EPERM] * 3]


@needs_filter
def test_no_namespace_of_users_can_be_made_by_any_way():
    source = f"""
confine.filter_system_calls(network=False)
clone, clone3, unshare = (confine._number(*numbers) for numbers in (confine._CLONE, confine._CLONE3, (272, 97)))
seen = [call(clone, {CLONE_NEWUSER | SIGCHLD}), call(clone3), call(unshare, {CLONE_NEWUSER})]
"""
    assert confined(source) == [EPERM, ENOSYS, EPERM]


@needs_filter
@pytest.mark.parametrize(
    ("network", "families"), [(False, ["AF_UNIX"]), (True, ["AF_UNIX", "AF_INET", "AF_INET6"])], ids=["none", "own"]
)
def test_only_harmless_families_of_sockets_can_be_made(network, families):
    source = f"""
socket.socket(socket.AF_INET).close()
confine.filter_system_calls(network={network})
seen = []
for name in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG", "AF_BLUETOOTH"):
    try:
        socket.socket(getattr(socket, name, 38), socket.SOCK_DGRAM).close()
        seen.append(name)
    except PermissionError:
        pass
    except OSError as error:
        assert "not supported" in str(error)  # IPv6 may be off
        seen.append(name)
"""
    assert confined(source) == families


@needs_filter
def test_filter_holds_in_children_and_in_what_they_execute():
    source = """
import subprocess
confine.filter_system_calls(network=False)
code = "import socket; socket.socket()"
seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.splitlines()[-1]
"""
    assert confined(source) == "PermissionError: [Errno 1] Operation not permitted"


@needs_filter
def test_memory_files_can_be_refused():
    source = """
os.close(os.memfd_create("before"))
assert confine.refuse_memory_files()
try:
    os.memfd_create("after")
    seen = "made"
except PermissionError:
    seen = [status("NoNewPrivs"), status("Seccomp"), open("/dev/null").read()]
"""
    assert confined(source) == ["1", "2", ""]


def test_other_machines_have_no_filter(monkeypatch):
    monkeypatch.setattr(confine, "_MACHINE", "riscv64")
    assert confine.filter_system_calls(network=False) is False


# --- the filter as a program ------------------------------------------------------------------------------------

ALLOW, KILL, REFUSE, ABSENT = 0x7FFF0000, 0x80000000, 0x00050000 | EPERM, 0x00050000 | ENOSYS


def decide(program, number, architecture, argument=0):
    """Run classic BPF over the data of a system call, as the kernel does."""
    data = {0: number, 4: architecture, 16: argument & 0xFFFFFFFF}
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = data[operand]
        else:
            holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: accumulator & operand}[code]
            place += if_true if holds else if_false


@pytest.fixture(params=[(X86, 0), (ARM, 1)], ids=["x86_64", "aarch64"])
def machine(request):
    return request.param


def test_every_jump_stays_inside_the_filter(machine):
    program = confine._program(*machine, (1, 2, 10))
    for place, (code, if_true, if_false, _) in enumerate(program):
        assert code in (0x06, 0x15, 0x20, 0x35, 0x45)
        assert place + 1 + max(if_true, if_false) < len(program) or code == 0x06
        assert max(if_true, if_false) < 256
    assert len(program) < 4096
    assert program[-1][0] == 0x06


@given(
    st.sampled_from([(X86, 0), (ARM, 1)]),
    st.sampled_from([(1,), (1, 2, 10)]),
    st.integers(0, 500) | st.integers(0, (1 << 32) - 1),
    st.integers(0, 64) | st.integers(0, (1 << 64) - 1),
)
def test_filter_decides_as_it_says(machine, families, number, argument):
    architecture, column = machine
    program = confine._program(architecture, column, families)
    denied = {numbers[column] for numbers in confine._DENIED.values()}
    if number >= 0x40000000 or number in denied:
        wanted = REFUSE
    elif number == confine._CLONE3[column]:
        wanted = ABSENT
    elif number == confine._CLONE[column]:
        wanted = REFUSE if argument & CLONE_NEWUSER else ALLOW
    elif number == confine._SOCKET[column]:
        wanted = ALLOW if argument & 0xFFFFFFFF in families else REFUSE
    else:
        wanted = ALLOW
    assert decide(program, number, architecture, argument) == wanted


@pytest.mark.parametrize("number", [0, 41, 56, 101])
def test_calls_of_another_architecture_end_the_process(machine, number):
    architecture, _ = machine
    program = confine._program(*machine, (1,))
    i386 = 0x40000003
    assert decide(program, number, i386) == KILL
    assert decide(program, number, ARM if architecture == X86 else X86) == KILL


@pytest.mark.parametrize(
    ("number", "argument", "decision"),
    [
        (0, 0, ALLOW),  # read
        (57, 0, ALLOW),  # fork
        (56, CLONE_VM | SIGCHLD, ALLOW),
        (56, CLONE_NEWUSER, REFUSE),
        (41, 1, ALLOW),  # socket(AF_UNIX)
        (41, 2, REFUSE),  # socket(AF_INET)
        (41, 16, REFUSE),  # socket(AF_NETLINK)
        (41, 1 << 32 | 1, ALLOW),  # the kernel reads the low half alone, too
        (101, 0, REFUSE),  # ptrace
        (0x40000000 + 101, 0, REFUSE),  # the same by its x32 number
        (272, 0, REFUSE),  # unshare
        (435, 0, ABSENT),  # clone3
    ],
)
def test_some_calls_of_x86_64(number, argument, decision):
    assert decide(confine._program(X86, 0, (1,)), number, X86, argument) == decision


# --- capabilities, users, namespaces ----------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("keep", "mask"),
    [((), 0), (("KILL",), 1 << 5), (("SETUID", "SETGID", "KILL"), 1 << 7 | 1 << 6 | 1 << 5), (("DAC_OVERRIDE",), 2)],
)
def test_only_kept_capabilities_are_left(keep, mask):
    source = f"""
bounding = int(status("CapBnd"), 16)
confine.drop_capabilities({keep})
seen = [int(status(name), 16) for name in ("CapEff", "CapPrm", "CapInh")] + [int(status("CapBnd"), 16), bounding]
"""
    effective, permitted, inheritable, bounding, before = confined(source)
    assert (effective, permitted, inheritable) == (mask, mask, 0)
    assert bounding == before & mask


@needs_root
def test_dropped_capabilities_do_not_come_back_with_a_new_program():
    source = """
import subprocess
confine.drop_capabilities(())
seen = subprocess.run(["/bin/sh", "-c", "grep CapEff /proc/self/status"], capture_output=True, text=True).stdout.split()
"""
    assert int(confined(source)[1], 16) == 0


@needs_root
def test_user_of_the_programs_cannot_become_root_again():
    source = """
os.setresgid(23456, 23456, 23456)
os.setresuid(23456, 23456, 23456)
seen = [*os.getresuid(), *os.getresgid(), int(status("CapEff"), 16), int(status("CapPrm"), 16)]
for attempt in (os.setuid, os.setgid):
    try:
        attempt(0)
        seen.append("root")
    except PermissionError:
        seen.append("refused")
"""
    assert confined(source) == [23456] * 6 + [0, 0, "refused", "refused"]


def test_box_of_one_user_gives_up_its_capabilities():
    source = """
confine.drop_capabilities(())
seen = [int(status(name), 16) for name in ("CapEff", "CapPrm", "CapInh")] + [os.getuid()]
"""
    assert confined(source) == [0, 0, 0, os.getuid()]


@needs_root
@needs_filter
def test_child_is_process_one_of_its_own_namespace():
    source = """
try:
    pid = confine.fork_into_namespace()
except OSError:
    pid = None
if pid == 0:
    import threading  # forks of Python tell their children; so does this one
    os._exit(10 * (os.getpid() == 1) + (threading.active_count() == 1))
seen = None if pid is None else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    seen = confined(source)
    if seen is None:
        pytest.skip("no process namespace can be made here")
    assert seen == 11


def test_refusal_of_the_kernel_is_an_oserror():
    source = """
try:
    confine.mount("none", "/no/such/place", "tmpfs")
    seen = "mounted"
except OSError as error:
    seen = str(error)
"""
    assert "mount none on /no/such/place: " in confined(source)
