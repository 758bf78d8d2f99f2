"""Programs that end in unusual but honest ways (R1, S13)."""

from helpers.corpus import GOLD, MAIN, METHOD, PREAMBLE, TASKS, Case, rival, text

from .inputs_outputs import NONE, script

SCRIPTS = [
    script("end-exit-zero", "R1: sys.exit(0)", "import sys\nprint('ok')\nsys.exit(0)", NONE),
    script("end-exit", "R1: sys.exit()", "import sys\nprint('ok')\nsys.exit()", NONE),
    script("end-exit-builtin", "R1: exit()", "print('ok')\nexit()", NONE),
    script("end-quit", "R1: quit()", "print('ok')\nquit()", NONE),
    script("end-raise", "R1: raise SystemExit", "print('ok')\nraise SystemExit", NONE),
    script("end-exit-in-main", "R1: sys.exit(main())",
           "import sys\ndef main():\n    print('ok')\nif __name__ == '__main__':\n    sys.exit(main())", NONE),
    script("end-exit-early", "R1: exit in the middle of nested calls", "import sys\ndef f(n):\n    if n == 0:\n"
    "        print('ok')\n"
           "        sys.exit()\n    f(n - 1)\nf(50)\nprint('never')", NONE),
    script("end-os-exit", "R1: os._exit(0) after a flush", "import os, sys\nprint('ok')\nsys.stdout.flush()\n"
    "os._exit(0)", NONE),
    script("end-atexit", "R1: the output comes from atexit", "import atexit\natexit.register(print, 'ok')", NONE),
    script("end-finally", "R1: the output comes from finally", "import sys\ntry:\n    sys.exit(0)\nfinally:\n"
    "    print('ok')", NONE),
    script("end-del", "R1: the output comes from a finaliser",
           "class A:\n    def __del__(self):\n        print('ok')\na = A()\ndel a", NONE),
    script("end-del-at-exit", "R1: a global is finalised at the end",
           "class A:\n    def __del__(self):\n        print('ok')\na = A()", NONE),
    script("end-weakref-finalize", "R1: weakref.finalize at the end", "import weakref\nclass A:\n    pass\na = A()\n"
           "weakref.finalize(a, print, 'ok')", NONE),
    script("end-thread", "S13: a thread prints after the main thread is done", "import threading, time\n"
    "def f():\n    time.sleep(0.2)\n"
           "    print('ok')\nthreading.Thread(target=f).start()", NONE),
    script("end-daemon-thread", "S13: a daemon thread still runs at the end", "import threading, time\n"
           "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('ok')", NONE),
    script("end-timer", "S13: a timer prints after the main thread is done", "import threading\n"
    "threading.Timer(0.1, print, ['ok']).start()", NONE),
    script("end-buffered", "S13: output that nobody flushes", "import sys\nsys.stdout.write('ok')", NONE),
    script("end-main-guard", "S13: the script's __name__", "if __name__ == '__main__':\n    print('ok')", NONE),
    script("end-main-module", "S13: import __main__ finds the script", "import __main__\nx = 'ok'\n"
    "print(__main__.x)", NONE),
]  # fmt: skip

LEAVING = (
    ("exit-zero", "import sys\nsys.exit(0)\n"),
    ("exit-builtin", "exit()\n"),
    ("raise", "raise SystemExit\n"),
    ("exit-main", "import sys\nif True:\n    sys.exit(print(mix([1], 2)))\n"),
)
AROUND = (
    ("main-input", "R1: a main block that would read input", MAIN),
    ("print", "S13: talk at module level and in the call", "\nprint('hello')\n"),
    ("own-tests", "S13: tests of its own at the end", "\nassert mix([], 5) == 5\nassert mix([2, 7, 18], 28) > 0\n"),
    (
        "guarded-call",
        "S13: a main block that calls an undefined name",
        "\nif __name__ == '__main__':\n    undefined()\n",
    ),
    (
        "words",
        "R11: words that a black list forbids",
        "\n# os.system, subprocess, eval, exec, __import__, fork, kill, rm -rf /, sys._getframe, open('/etc/passwd')\n"
        "NOTE = 'import os; os._exit(0); __eq__; ctypes; socket'\n",
    ),
    ("atexit", "R1: a handler for the end", "\nimport atexit\natexit.register(print, 'bye')\n"),
    (
        "thread",
        "S13: a daemon thread in the background",
        "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
    ),
    ("all", "S13: __all__ and a docstring", "\n__all__ = ['mix']\n__doc__ = 'Mixing.'\n"),
    ("globals", "S13: globals() is looked into", "\nif 'mix' in globals():\n    alias = globals()['mix']\n"),
    (
        "name",
        "S13: __name__ is only read",
        "\nimport logging\nlogger = logging.getLogger(__name__)\nlogger.info('x')\n",
    ),
)
KINDS = ("assert", "call", "humaneval", "solution")


def _completion(kind: str, extra: str) -> str:
    return rival(kind) + ("\n" if kind == "humaneval" else "") + extra


MODULES = [
    *[
        Case(
            f"odd-leave-{name}@{kind}",
            _completion(kind, extra),
            TASKS[kind],
            "R1: the module leaves after its definitions",
        )
        for name, extra in LEAVING
        for kind in KINDS
    ],
    *[
        Case(f"odd-around-{name}@{kind}", _completion(kind, extra), TASKS[kind], why)
        for name, why, extra in AROUND
        for kind in KINDS
    ],
]

RESTATED = [
    Case("odd-whole-function@humaneval", "    return 0\n\n\n" + GOLD, TASKS["humaneval"],
         "S13: the completion defines the function again"),
    Case("odd-prompt-repeated@humaneval", "    pass\n\n" + PREAMBLE + rival("humaneval"), TASKS["humaneval"],
         "S13: the completion repeats the prompt"),
    Case("odd-helper-below@humaneval", "    return helper(numbers, key)\n\n\n" + GOLD.replace("def mix", "def helper"),
         TASKS["humaneval"], "S13: a helper below the function"),
    Case("odd-alias@assert", GOLD.replace("def mix", "def other") + "\n\nmix = other\n", TASKS["assert"],
         "S13: the function is a name for another"),
    Case("odd-lambda@call", GOLD.replace("def mix", "def other") + "\n\nmix = lambda *a: other(*a)\n", TASKS["call"],
         "S13: the function is a lambda"),
    Case("odd-partial@call", GOLD.replace("def mix(numbers, key)", "def other(_, numbers, key)")
         + "\n\nfrom functools import partial\nmix = partial(other, None)\n", TASKS["call"],
         "S13: the function is a partial"),
    Case("odd-callable@assert", text("""
        class Mixer:
            def __call__(self, numbers, key):
                for number in numbers:
                    key = (key * 48271 + number) % 2147483647
                return key


        mix = Mixer()
    """), TASKS["assert"], "S13: the function is an object that can be called"),
    Case("odd-static@solution", METHOD.replace("    def mix(self,", "    @staticmethod\n    def mix(") + GOLD,
         TASKS["solution"], "S13: the method is static"),
    Case("odd-init@solution", "class Solution:\n    def __init__(self, start=0):\n        self.start = start\n\n"
         "    def mix(self, numbers, key):\n        return mix(numbers, key + self.start)\n\n\n" + GOLD,
         TASKS["solution"], "S13: the class has a constructor with defaults"),
]  # fmt: skip

CASES = SCRIPTS + MODULES + RESTATED
