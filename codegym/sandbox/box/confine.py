"""Giving up privileges: system call filter, capabilities, users, process namespaces; on Linux, through libc."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_CAPABILITIES = {"DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_syscall = ctypes.PyDLL(None).syscall  # keeps the interpreter's lock: it is used to fork
_MACHINE = os.uname().machine
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Calls that no program needs and that outlive a process, watch others or reach into the kernel: (x86_64, aarch64).
_DENIED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "personality": (135, 92), "syslog": (103, 116),
    "open_by_handle_at": (304, 265), "kexec_load": (246, 104), "init_module": (175, 105), "acct": (163, 89),
}  # fmt: skip
_SOCKET, _CLONE, _CLONE3 = (41, 198), (56, 220), (435, 435)
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10


def _number(x86_64: int, aarch64: int) -> int:
    """Return the number of a system call on this machine."""
    return {"x86_64": x86_64, "aarch64": aarch64}[_MACHINE]


def prctl(option: int, argument: int = 0) -> bool:
    """Call prctl; return False if the kernel refuses."""
    return _prctl(option, argument, 0, 0, 0) == 0  # type: ignore[no-any-return]


def check(result: int, what: str) -> None:
    """Raise the error that libc left in errno, if there is one."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces given by ``flags``."""
    check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system; all paths and options are strings."""
    check(
        _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {source} on {target}",
    )


def pivot_root(new_root: str) -> None:
    """Make ``new_root`` the root of this mount namespace and detach the old one."""
    os.chdir(new_root)
    check(_libc.syscall(_number(155, 41), b".", b"."), "pivot_root")
    check(_libc.umount2(b".", 2), "umount2")  # MNT_DETACH: the old root is mounted below the new one
    os.chdir("/")


def drop_capabilities(keep: Iterable[str]) -> None:
    """Drop every capability but those in ``keep``, forever."""
    kept = {_CAPABILITIES[name] for name in keep}
    for number in range(64):
        if number not in kept:
            prctl(PR_CAPBSET_DROP, number)
    mask = sum(1 << number for number in kept)
    header = struct.pack("=Ii", 0x20080522, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=6I", low, low, 0, high, high, 0)
    check(_libc.syscall(_number(126, 91), header, data), "capset")


def fork_into_namespace() -> int:
    """Fork a child that is process 1 of a namespace of its own: it can reach no process outside it."""
    pid: int = _syscall(_number(*_CLONE), CLONE_NEWPID | 17, 0, 0, 0, 0)  # 17: SIGCHLD at its end
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, "clone: the server may not make a process namespace")
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid


def filter_system_calls(network: bool) -> bool:
    """Refuse the calls above with EPERM from now on; ``network`` keeps sockets of the internet families allowed."""
    if _MACHINE not in _MACHINES:
        return False
    audit, column = _MACHINES[_MACHINE]
    return _install(_program(audit, column, (AF_UNIX, AF_INET, AF_INET6) if network else (AF_UNIX,)))


def refuse_memory_files() -> bool:
    """Refuse ``memfd_create`` from now on: without a control group, memory that no process maps is not counted."""
    return _install([(0x20, 0, 0, 0), (0x15, 0, 1, _number(319, 279)), (0x06, 0, 0, _EPERM), (0x06, 0, 0, _ALLOW)])


def _install(program: list[tuple[int, int, int, int]]) -> bool:
    instructions = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(instructions)
    header = struct.pack("=HxxxxxxQ", len(program), ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(header)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    return _prctl(PR_SET_SECCOMP, 2, ctypes.addressof(holder), 0, 0) == 0  # type: ignore[no-any-return]


def _program(audit: int, column: int, families: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Classic BPF over struct seccomp_data: number at 0, architecture at 4, low words of the arguments from 16."""
    load, equal, at_least, some_bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, eperm, enosys = _ALLOW, 0x80000000, _EPERM, 0x00050026
    program = [
        (load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill),
        (load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, eperm),  # the x32 numbers
        (equal, 0, 1, _CLONE3[column]), (give, 0, 0, enosys),  # its flags cannot be seen; libc falls back to clone
        (equal, 0, 3, _CLONE[column]), (load, 0, 0, 16), (some_bits, 0, 1, CLONE_NEWUSER), (give, 0, 0, eperm),
        (load, 0, 0, 0), (equal, 0, 3 + len(families), _SOCKET[column]), (load, 0, 0, 16),
    ]  # fmt: skip
    program += [(equal, len(families) - index, 0, family) for index, family in enumerate(families)]
    program += [(give, 0, 0, eperm), (load, 0, 0, 0)]
    for numbers in _DENIED.values():
        program += [(equal, 0, 1, numbers[column]), (give, 0, 0, eperm)]
    return [*program, (give, 0, 0, allow)]
