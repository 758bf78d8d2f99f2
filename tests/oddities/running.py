"""Scripts that recurse, start threads and processes, use files or bend the language (S2, S5, S10, S12, S13)."""

from helpers.corpus import Case, stdin_task

from .inputs_outputs import NONE, script

RECURSION = [
    script("recursion-limit", "S12: pure recursion 50,000 deep", "import sys\nsys.setrecursionlimit(10**6)\n"
           "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(50_000))", ("", "50000\n")),
    script("recursion-thread", "S12: a thread with a large stack", "import sys, threading\n"
    "sys.setrecursionlimit(10**6)\n"
           "threading.stack_size(64 * 1024 * 1024)\ndef f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n"
           "t = threading.Thread(target=lambda: print(f(50_000)))\nt.start()\nt.join()", ("", "50000\n")),
    script("recursion-thread-256", "S12: a thread with a stack of 256 MiB", "import threading\n"
    "threading.stack_size(1 << 28)\n"
           "t = threading.Thread(target=print, args=('ok',))\nt.start()\nt.join()", NONE),
    script("recursion-cache", "S12: recursion through lru_cache", "import sys\nfrom functools import lru_cache\n"
           "sys.setrecursionlimit(10**6)\n@lru_cache(None)\ndef f(n):\n"
           "    return 0 if n == 0 else 1 + f(n - 1)\nprint(f(3000))", ("", "3000\n")),
    script("recursion-caught", "S12: RecursionError is caught", "def f():\n    f()\ntry:\n    f()\n"
    "except RecursionError:\n    print('ok')", NONE),
    script("recursion-generators", "S12: the trampoline of generators", "def f(n):\n"
    "    yield 0 if n == 0 else 1 + (yield f(n - 1))\n"
           "stack, value = [f(20_000)], None\nwhile stack:\n    value = stack[-1].send(value)\n"
           "    if hasattr(value, 'send'):\n        stack.append(value)\n        value = None\n    else:\n"
           "        stack.pop()\nprint(value)", ("", "20000\n")),
]  # fmt: skip

PARALLEL = [
    script("parallel-pool", "S13: multiprocessing.Pool", "import multiprocessing\ndef f(n):\n    return n * n\n"
    "if __name__ == '__main__':\n"
           "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
           "        print(pool.map(f, range(4)))", ("", "[0, 1, 4, 9]\n")),
    script("parallel-process", "S13: Process, Queue and Lock", "import multiprocessing\n"
    "context = multiprocessing.get_context('fork')\n"
           "queue, lock = context.Queue(), context.Lock()\ndef f():\n    with lock:\n        queue.put('ok')\n"
           "p = context.Process(target=f)\np.start()\nprint(queue.get())\np.join()", NONE),
    script("parallel-shared-value", "S13: Value and Array in shared memory", "import multiprocessing\n"
    "context = multiprocessing.get_context('fork')\n"
           "value = context.Value('i', 1)\ndef f():\n    value.value += 41\np = context.Process(target=f)\n"
           "p.start()\np.join()\nprint(value.value)", ("", "42\n")),
    script("parallel-subprocess", "S13: a second interpreter", "import subprocess, sys\n"
           "done = subprocess.run([sys.executable, '-c', 'print(\"ok\")'], capture_output=True, text=True)\n"
           "print(done.stdout.strip())", NONE),
    script("parallel-subprocess-stdout", "S13: a second interpreter on the same output", "import subprocess, sys\n"
           "subprocess.run([sys.executable, '-c', 'print(\"ok\")'], check=True)", NONE),
    script("parallel-subprocess-stdin", "S13: a second interpreter on the same input", "import subprocess, sys\n"
           "subprocess.run([sys.executable, '-c', 'print(input())'], check=True)", ("ok\n", "ok\n")),
    script("parallel-fork", "S13: os.fork, a pipe and wait", "import os\nr, w = os.pipe()\nif os.fork() == 0:\n"
    "    os.write(w, b'ok')\n    os._exit(0)\n"
           "os.wait()\nprint(os.read(r, 2).decode())", NONE),
    script("parallel-threads", "S13: twenty threads and a lock", "import threading\n"
    "lock, total = threading.Lock(), [0]\ndef f():\n    with lock:\n"
           "        total[0] += 1\nthreads = [threading.Thread(target=f) for _ in range(20)]\n"
           "[t.start() for t in threads]\n[t.join() for t in threads]\nprint(total[0])", ("", "20\n")),
    script("parallel-thread-executor", "S13: ThreadPoolExecutor", "from concurrent.futures import ThreadPoolExecutor\n"
           "with ThreadPoolExecutor(4) as pool:\n    print(sum(pool.map(abs, range(-5, 5))))", ("", "25\n")),
    script("parallel-process-executor", "S13: ProcessPoolExecutor", "import multiprocessing\n"
    "from concurrent.futures import ProcessPoolExecutor\n"
           "with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork')) as pool:\n"
           "    print(sum(pool.map(abs, range(-5, 5))))", ("", "25\n")),
    script("parallel-asyncio", "S13: asyncio.run and gather", "import asyncio\nasync def f(n):\n"
    "    await asyncio.sleep(0.01)\n    return n\n"
           "async def main():\n    print(sum(await asyncio.gather(*map(f, range(5)))))\n"
           "asyncio.run(main())", ("", "10\n")),
    script("parallel-asyncio-input", "S13: input in a thread of asyncio", "import asyncio\nasync def main():\n"
           "    print(await asyncio.to_thread(input))\nasyncio.run(main())", ("ok\n", "ok\n")),
]  # fmt: skip

MACHINE = [
    script("time-alarm", "S2: a handler of its own for SIGALRM", "import signal, time\ndef f(*_):\n"
    "    raise TimeoutError\n"
           "signal.signal(signal.SIGALRM, f)\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntry:\n"
           "    time.sleep(5)\nexcept TimeoutError:\n    print('ok')", NONE),
    script("time-sleep", "S1: a short sleep", "import time\ntime.sleep(0.2)\nprint('ok')", NONE),
    script("time-until", "S1: a search until a moment of its own choice", "import time\n"
    "end = time.perf_counter() + 0.2\n"
           "while time.perf_counter() < end:\n    pass\nprint('ok')", NONE),
    script("switch-interval", "S12: the switch interval is set", "import sys\nsys.setswitchinterval(1e-6)\n"
    "print('ok')", NONE),
    script("gc-off", "S12: the collector is switched off", "import gc\ngc.disable()\ngc.freeze()\nprint('ok')", NONE),
    script("random-seed", "S12: a seeded generator", "import random\nrandom.seed(1)\n"
    "print(random.randrange(10**6))", ("", "140891\n")),
    script("hash-order", "S12: sets whose order does not matter", "print(''.join(sorted(set(input()))))",
        ("banana\n", "abn\n")),
    script("locale", "S12: locale and time zone are asked for", "import locale, time\nlocale.getlocale()\n"
    "time.tzset()\nprint('ok')", NONE),
    script("limits-own", "S12: the program lowers its own limits", "import resource\n"
    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
           "print('ok')", NONE),
    script("memory-200-mb", "S4: 200 MB for a while", "x = bytearray(200_000_000)\n"
    "x[::4096] = b'1' * len(x[::4096])\nprint(len(x))", ("", "200000000\n")),
    script("memory-mapping", "S4: anonymous mappings", "import mmap\nwith mmap.mmap(-1, 4096) as m:\n"
    "    m[:2] = b'ok'\n    print(m[:2].decode())", NONE),
    script("files-cwd", "S10: a file in the working directory", "with open('x.txt', 'w') as f:\n"
    "    f.write('ok')\nprint(open('x.txt').read())", NONE),
    script("files-tmp", "S10: a file in /tmp, the same for each input", "import os\n"
    "assert not os.path.exists('/tmp/odd.txt')\n"
           "with open('/tmp/odd.txt', 'w') as f:\n    f.write(input())\nprint(open('/tmp/odd.txt').read())\n"
           "os.remove('/tmp/odd.txt')", ("a\n", "a\n"), ("b\n", "b\n")),
    script("files-tempfile", "S10: tempfile", "import tempfile\n"
    "with tempfile.TemporaryDirectory() as d, open(d + '/x', 'w+') as f:\n"
           "    f.write('ok')\n    f.seek(0)\n    print(f.read())\nwith tempfile.NamedTemporaryFile() as f:\n"
           "    f.write(b'x')", NONE),
    script("files-makedirs", "S10: a tree of directories", "import os, shutil, tempfile\n"
    "d = tempfile.mkdtemp()\nos.makedirs(d + '/a/b/c')\n"
           "os.chdir(d + '/a')\nprint(os.listdir('.'))\nos.chdir('/')\nshutil.rmtree(d)", ("", "['b']\n")),
    script("files-sqlite", "S13: sqlite in memory", "import sqlite3\ndb = sqlite3.connect(':memory:')\n"
    "db.execute('create table t (x)')\n"
           "db.execute('insert into t values (41)')\n"
           "print(db.execute('select x + 1 from t').fetchone()[0])", ("", "42\n")),
    script("files-pickle", "S14: pickle of a class of its own", "import pickle\nclass A:\n    pass\na = A()\n"
    "a.x = 'ok'\nprint(pickle.loads(pickle.dumps(a)).x)", NONE),
    script("files-argv", "S13: sys.argv has only the name", "import sys\nprint(len(sys.argv))", ("", "1\n")),
]  # fmt: skip

LANGUAGE = [
    script("names-builtins", "R6: names of builtins for its own things",
           "list, str, type, map, len, sum, max = 1, 2, 3, 4, 5, 6, 7\n"
           "id = dict = set = object = int = 8\nprint(list + str + type + map + len + sum + max + id)", ("", "36\n")),
    script("names-modules", "R6: names of modules for its own things",
           "json, os, sys, time, struct = 1, 2, 3, 4, 5\nprint(json + os + sys + time + struct)", ("", "15\n")),
    script("names-patched-builtins", "R6: a builtin is wrapped for everyone", "import builtins\nold = builtins.print\n"
           "builtins.print = lambda *a, **k: old(*a, **{**k, 'flush': True})\nprint('ok')", NONE),
    script("names-star", "S13: from math import *", "from math import *\nfrom collections import *\n"
    "print(floor(pi), Counter('aa')['a'], pow(2, 3))", ("", "3 2 8.0\n")),
    script("names-global", "S13: global at module level", "global x\nx = 1\ndef f():\n    global x\n"
    "    x += 41\nf()\nprint(x)", ("", "42\n")),
    script("names-unicode", "S13: names that are not ASCII", "größe = 41\n数 = größe + 1\nprint(数)", ("", "42\n")),
    script("names-main", "S13: a function called main, check or test", "def main(): return 1\n"
    "def check(): return 2\ndef test(): return 3\n"
           "print(main() + check() + test())", ("", "6\n")),
    script("language-exec", "R11: exec, eval and compile", "exec('x = 41')\n"
    "exec(compile('y = eval(\"x + 1\")', 'z', 'exec'))\nprint(y)", ("", "42\n")),
    script("language-metaclass", "S13: metaclasses and slots", "class M(type):\n    def __call__(cls, *a):\n"
    "        return super().__call__(*a)\n"
           "class A(metaclass=M):\n    __slots__ = ('x',)\n    def __init__(self, x):\n        self.x = x\n"
           "print(A('ok').x)", NONE),
    script("language-dataclass", "S13: dataclasses look their module up", "from dataclasses import dataclass\n"
    "from typing import ClassVar\n"
           "@dataclass(order=True, frozen=True)\nclass A:\n    x: int\n    y: 'ClassVar[int]' = 2\n"
           "print(A(1) < A(2), A(1))", ("", "True A(x=1)\n")),
    script("language-hints", "S13: type hints are resolved", "from __future__ import annotations\n"
    "import typing\nclass A:\n    pass\ndef f(a: A) -> A: ...\n"
           "print(typing.get_type_hints(f)['a'] is A)", ("", "True\n")),
    script("language-match", "S13: match", "match input().split():\n    case [a, b]:\n"
    "        print(b, a)", ("x y\n", "y x\n")),
    script("language-walrus", "S13: the walrus", "while (line := input()) != 'end':\n    print(line)", ("a\nb\n"
    "end\n", "a\nb\n")),
    script("language-raised", "S13: an exception hook of its own", "import sys\n"
    "sys.excepthook = lambda *_: None\nprint('ok')", NONE),
    script("language-trace", "S13: settrace and setprofile", "import sys\nsys.settrace(lambda *_: None)\n"
    "sys.setprofile(lambda *_: None)\n"
           "print('ok')\nsys.settrace(None)\nsys.setprofile(None)", NONE),
    script("language-frames", "R11: an honest look at a frame", "import sys\ndef f():\n"
    "    return sys._getframe(1).f_lineno\nprint(f())", ("", "4\n")),
    script("language-inspect", "R11: inspect on a function", "import inspect\ndef f(a, *, b=1): ...\n"
    "print(inspect.signature(f))", ("", "(a, *, b=1)\n")),
]  # fmt: skip


def layout(name: str, why: str, source: str, *checks: tuple[str, str]) -> Case:
    """A script whose characters matter: taken as they are."""
    return Case(f"odd-layout-{name}", source, stdin_task(f"odd/layout-{name}", source, *(checks or (NONE,))), why)


LAYOUT = [
    layout("crlf", "S13: lines end in CR LF", "if True:\r\n    print('ok')\r\n"),
    layout("tabs", "S13: tabs", "if True:\n\tif True:\n\t\tprint('ok')\n"),
    layout("bom", "S13: a byte order mark", "\ufeffprint('ok')\n"),
    layout("form-feed", "S13: a form feed between functions", "def f():\n    return 'ok'\n\f\nprint(f())\n"),
    layout("backslash", "S13: a line continued by a backslash", "x = 'o' + \\\n    'k'\nprint(x)\n"),
    layout("no-newline", "S13: no line end at the end", "print('ok')"),
    layout("comment-last", "S13: a comment at the end", "print('ok')\n# the end"),
    layout("blank-start", "S13: blank lines at the start", "\n\n\nprint('ok')\n\n\n"),
    layout("semicolons", "S13: statements on one line", "x = 'ok'; print(x);\n"),
    layout("coding", "S13: a declared encoding", "# -*- coding: utf-8 -*-\nprint('ñ')\n", ("", "ñ\n")),
    layout("shebang", "S13: a first line for a shell", "#!/usr/bin/env python3\nprint('ok')\n"),
    layout("old-mac", "S13: text with a carriage return inside", "x = 'ok'\rprint(x)\n"),
    layout("long-line", "S3: a line of 100,000 characters", "x = '" + "o" * 100_000 + "'\nprint('ok')\n"),
    layout("many-lines", "S2: 20,000 lines", "x = 1\n" * 20_000 + "print('ok')\n"),
    layout("data-after-end", "S13: text in a string at the end", "print('ok')\n'''\nassert False\n"
    "raise SystemExit(1)\n'''\n"),
]  # fmt: skip

CASES = RECURSION + PARALLEL + MACHINE + LANGUAGE + LAYOUT
