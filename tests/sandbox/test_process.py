"""What a program finds when it looks around in a box of the process back end, at each level that works here."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from codegym.sandbox import process
from codegym.sandbox.base import CallJob, CheckResult, Limits, Request, ScriptJob
from codegym.sandbox.process import (
    ENVIRONMENT,
    LEVELS,
    ProcessSandbox,
    random_uid,
    strongest_level,
    sweep,
    unavailable_reason,
)

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(cpu_seconds=2, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=8)
CONFINED = ("root", "user")


def test_a_sandbox_takes_the_strongest_level_and_runs_a_program():
    with ProcessSandbox(LIMITS, num_workers=1) as sandbox:
        assert sandbox.level == strongest_level()
        request = Request("def f(n):\n    return n + 1", CallJob("f", ((1,),)), LIMITS)
        assert sandbox.submit(request).result(60).outcomes == (CheckResult(2),)


@pytest.fixture(scope="module", params=LEVELS)
def level(request):
    if (reason := unavailable_reason(request.param)) is not None:
        pytest.skip(f"no level {request.param!r} here: {reason}")
    return request.param


@pytest.fixture(scope="module")
def sandbox(level):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEGYM_SECRET", "of the host")
        with ProcessSandbox(LIMITS, num_workers=1, level=level) as sandbox:
            yield sandbox


@pytest.fixture
def look(sandbox):
    """Runs source in the box; gives its variable ``seen``, for each stdin where there are several."""

    def look(source, *stdins):
        text = f"import json, os, sys\n{source}\nprint(json.dumps(seen))\n"
        execution = sandbox.submit(Request(text, ScriptJob(stdins or ("",)), LIMITS)).result(60)
        assert execution.syntax_error is None
        assert [run.error for run in execution.runs] == [None] * len(execution.runs)
        values = [json.loads(run.stdout) for run in execution.runs]
        return values if stdins else values[0]

    return look


def skip_unless(level, *levels):
    if level not in levels:
        pytest.skip(f"not promised at level {level!r}")


def test_r4_no_file_of_the_host_is_in_sight(look, level, tmp_path):
    skip_unless(level, *CONFINED)
    secret = tmp_path / "answers"
    secret.write_text("42")
    python = os.path.realpath(sys.base_prefix)
    paths = [str(secret), str(ROOT), "/etc/shadow", "/root", "/home", "/var", "/sys", "/run", "/opt", "/srv", "/mnt"]
    paths = [path for path in paths if not python.startswith(path)]
    assert look(f"seen = [path for path in {paths} if os.path.exists(path)]") == []
    top = look("seen = os.listdir('/')")
    programs = ["bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "codegym_box", "codegym_packages"]
    known = [*programs, "dev", "etc", "proc", "tmp", Path(python).parts[1]]
    assert {*top} <= {*known}
    assert {*look("seen = os.listdir('/etc')")} == {"passwd", "group", "hosts", "nsswitch.conf"}


def test_root_cannot_be_written_to(look, level):
    skip_unless(level, *CONFINED)
    source = """
seen = []
for folder in ("/", "/usr", "/etc", "/bin", "/lib", "/dev", "/proc", sys.base_prefix, os.path.dirname(json.__file__)):
    try:
        with open(folder + "/new", "w"):
            seen.append(folder)
    except OSError:
        pass
"""
    assert look(source) == []


def test_r7_temporary_space_is_fresh_for_every_program(look, level):
    skip_unless(level, *CONFINED)
    source = """
seen = [os.listdir(folder) for folder in ("/tmp", "/dev/shm")]
for folder in ("/tmp", "/dev/shm"):
    os.makedirs(folder + "/a/b")
    open(folder + "/a/b/file", "w").write("left over")
    os.symlink("/etc/passwd", folder + "/link")
    os.chmod(folder + "/a", 0)
"""
    assert look(source, "", "", "") == [[[], []]] * 3


def test_temporary_directory_is_found_and_empty(look):
    seen = look("import tempfile\nseen = [os.listdir('.'), os.listdir(tempfile.gettempdir()), os.getcwd()]")
    assert seen[:2] == [[], []]


def test_environment_is_the_same_everywhere(look, level):
    seen = look("seen = dict(os.environ)")
    seen.pop("LC_CTYPE", None)  # the interpreter sets it
    if level == "plain":
        assert seen.pop("TMPDIR") == seen["HOME"]
        assert seen.pop("HOME").startswith(tempfile.gettempdir())
        assert seen == {name: value for name, value in ENVIRONMENT.items() if name != "HOME"}
    else:
        assert seen == ENVIRONMENT


def test_r4_environment_of_no_process_holds_a_secret(look):
    source = """
seen = []
for name in os.listdir("/proc"):
    try:
        text = open(f"/proc/{name}/environ", "rb").read() if name.isdigit() and int(name) != PARENT else b""
    except OSError:
        continue
    if b"CODEGYM_SECRET" in text:
        seen.append(open(f"/proc/{name}/cmdline").read()[:200])
"""
    found = look(source.replace("PARENT", str(os.getpid())))
    assert [command for command in found if str(process.BOX) in command] == []


def test_proc_shows_the_box_and_nothing_else(look, level):
    skip_unless(level, *CONFINED)
    seen = look("seen = sorted(int(name) for name in os.listdir('/proc') if name.isdigit())")
    assert seen[0] == 1
    assert len(seen) <= 5  # server, forker and the program
    assert os.getpid() not in seen or os.getpid() < 100
    names = look("seen = [open(f'/proc/{n}/cmdline').read() for n in os.listdir('/proc') if n.isdigit()]")
    assert all("box" in name for name in names)


def test_no_signal_reaches_another_process(look, level):
    skip_unless(level, *CONFINED)
    source = """
import signal
seen = []
for pid in (*range(1, 20), os.getppid()):
    try:
        os.kill(pid, signal.SIGKILL)
        seen.append(pid)
    except OSError:
        pass
"""
    if level == "user":  # the program is process 1 of a namespace of its own, and that one cannot be killed from inside
        source = source.replace("os.getppid()", "1")
        assert look(source) == [1, 1]
    else:
        own = "os.getpid()"
        assert look(source.replace("try:", f"if pid == {own}:\n        continue\n    try:")) == []


def test_programs_run_as_nobody_in_particular(look, level):
    uids = look("seen = [*os.getresuid(), *os.getresgid(), *os.getgroups()]")
    if level == "root":
        assert len({*uids}) == 1
        assert 20_000 <= uids[0] < 60_000
        assert uids[0] % 2 == 0
    elif level == "plain":
        assert uids[:3] == [os.getuid()] * 3


def test_nothing_is_left_to_gain(look):
    source = """
wanted = ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
seen = dict(line.split() for line in open("/proc/self/status") if line.split(":")[0] in wanted)
"""
    seen = look(source)
    assert [int(seen[f"Cap{kind}:"], 16) for kind in ("Eff", "Prm", "Inh", "Amb")] == [0, 0, 0, 0]
    assert (seen["NoNewPrivs:"], seen["Seccomp:"]) == ("1", "2")


def test_no_network_is_in_reach(look, level):
    skip_unless(level, *CONFINED)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0codegym-test-{os.getpid()}")
        abstract.listen()
        source = f"""
import socket
seen = []
for family, address in (
    (socket.AF_INET, ("127.0.0.1", {listener.getsockname()[1]})), (socket.AF_INET, ("10.0.0.1", 53)),
    (socket.AF_INET6, ("::1", 80)), (socket.AF_UNIX, "\\0codegym-test-{os.getpid()}"),
):
    with socket.socket(family) as connection:
        connection.settimeout(1)
        try:
            connection.connect(address)
            seen.append(address)
        except OSError:
            pass
"""
        assert look(source) == []


def test_internet_sockets_are_refused_where_there_is_no_network_of_its_own(look, level):
    skip_unless(level, "plain")
    source = """
import socket
seen = []
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try:
        socket.socket(family)
        seen.append(family)
    except PermissionError:
        pass
"""
    assert look(source) == []


def test_only_what_belongs_to_the_program_is_open(look):
    source = """
folder = os.open("/proc/self/fd", os.O_RDONLY)
seen = {}
for name in os.listdir(folder):
    try:
        seen[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass
"""
    seen = look(source)
    targets = {target.partition(" ")[0] for name, target in seen.items() if not target.endswith("/fd")}
    assert {target for target in targets if not target.startswith("/memfd:")} <= {"/dev/null"}
    assert len(seen) <= 8


def test_installed_packages_are_out_of_sight_unless_they_are_wanted(look, level):
    skip_unless(level, *CONFINED)
    source = """
import importlib.util
names = ("pytest", "docker", "hypothesis", "sortedcontainers", "codegym")
seen = [name for name in names if importlib.util.find_spec(name)]
"""
    assert look(source) == []
    with ProcessSandbox(LIMITS, num_workers=1, level=level, packages=("sortedcontainers",)) as sandbox:
        program = "import sortedcontainers\nprint(*sortedcontainers.SortedList([2, 1]))"
        execution = sandbox.submit(Request(program, ScriptJob(("",)), LIMITS)).result(60)
    assert execution.runs[0].stdout == b"1 2\n"


def test_preloaded_module_is_there_before_it_is_imported(level):
    with ProcessSandbox(LIMITS, num_workers=1, level=level, preload=("fractions",)) as sandbox:
        program = "import sys\nprint('fractions' in sys.modules, 'wave' in sys.modules)"
        execution = sandbox.submit(Request(program, ScriptJob(("",)), LIMITS)).result(60)
    assert execution.runs[0].stdout == b"True False\n"


def test_random_numbers_are_the_same_each_time_and_others_in_a_fork(look):
    source = """
import random
first = random.random()
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.write(writing, repr(random.random()).encode())
    os._exit(0)
os.waitpid(child, 0)
seen = [first, random.random(), float(os.read(reading, 100))]
"""
    (first, second, of_fork), (first_again, second_again, of_other_fork) = look(source, "", "")
    assert (first, second) == (first_again, second_again)
    assert len({second, of_fork, of_other_fork}) == 3


def test_exit_and_help_are_there_although_the_site_module_is_not(look):
    assert look("seen = [callable(name) for name in (exit, quit, help)]") == [True] * 3


OWNING = """
import sys, time
from codegym.sandbox.base import Limits, Request, ScriptJob
from codegym.sandbox.process import ProcessSandbox
sandbox = ProcessSandbox(Limits(memory_mb=128), num_workers=1, level=sys.argv[1])
program = "import os, time\\nos.fork()\\ntime.sleep(100)"
future = sandbox.submit(Request(program, ScriptJob(("",)), Limits(memory_mb=128, wall_seconds=100)))
time.sleep(1)
print("running", flush=True)
time.sleep(100)
"""


def descendants(pid):
    """Every process below this one, with the time it was started, since numbers come again."""
    stats = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stats[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
    found = [pid]
    for parent in found:
        found += [child for child, fields in stats.items() if int(fields[1]) == parent]
    return {(child, stats[child][19]) for child in found[1:]}


def is_there(pid, started):
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19] == started and fields[0] != "Z"
    return False


def test_s9_box_ends_when_its_owner_is_killed(level):
    owner = subprocess.Popen([sys.executable, "-c", OWNING, level], cwd=ROOT, stdout=subprocess.PIPE)
    with owner:
        assert owner.stdout.readline() == b"running\n"
        processes = descendants(owner.pid)
        assert len(processes) >= 4  # server, forker and the program's two
        owner.kill()
    deadline = time.monotonic() + 30  # the program would take 100 s
    while left := {process for process in processes if is_there(*process)}:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_every_box_has_two_users_of_its_own():
    uids = {random_uid() for _ in range(1000)}
    assert all(20_000 <= uid < 60_000 and uid % 2 == 0 for uid in uids)
    assert len(uids) > 900  # of 20,000; about 25 meet by chance


def test_s9_folders_of_processes_that_were_killed_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = next(pid for pid in range(4_000_000, 5_000_000) if not os.path.exists(f"/proc/{pid}"))
    for name in (f"codegym-{dead}-a", f"codegym-{os.getpid()}-b", "codegym-mine", f"other-{dead}-c"):
        (tmp_path / name).mkdir()
    (tmp_path / f"codegym-{dead}-full").mkdir()
    (tmp_path / f"codegym-{dead}-full" / "file").touch()
    sweep()
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"codegym-{os.getpid()}-b", "codegym-mine", f"other-{dead}-c", f"codegym-{dead}-full")
    }
