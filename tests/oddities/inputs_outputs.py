"""Scripts that read and print in ways which graders have broken (S3, S8, S13)."""

from helpers.corpus import Case, stdin_task, text


def script(name: str, why: str, program: str, *checks: tuple[str, str], **options: object) -> Case:
    """A script with pairs of stdin and stdout; the program is its own solution."""
    source = text(program)
    return Case(f"odd-{name}", source, stdin_task(f"odd/{name}", source, *checks), why, **options)


SUM = (("1 2 3\n", "6\n"), ("10 -4 0\n", "6\n"), ("7 70 700\n", "777\n"))
LINES = (("3\n1\n2\n3\n", "6\n"), ("2\n40\n2\n", "42\n"))
NONE = ("", "ok\n")

READING = [
    script("read-input", "S13: the plain form", "print(sum(map(int, input().split())))", *SUM),
    script("read-buffer", "S13: bytes of stdin", "import sys\n"
    "print(sum(map(int, sys.stdin.buffer.read().split())))", *SUM),
    script("read-buffer-line", "S13: a line of bytes", "import sys\n"
    "print(sum(map(int, sys.stdin.buffer.readline().split())))", *SUM),
    script("read-open-zero", "S13: open(0)", "print(sum(map(int, open(0).read().split())))", *SUM),
    script("read-open-zero-lines", "S13: open(0) by lines", "n, *rest = open(0)\nprint(sum(map(int, rest)))", *LINES),
    script("read-dev-stdin", "S13: the device", "print(sum(map(int, open('/dev/stdin').read().split())))", *SUM),
    script("read-os", "S13: os.read on the descriptor", "import os\n"
    "print(sum(map(int, os.read(0, 1 << 16).split())))", *SUM),
    script("read-fstat", "S13: os.fstat for the size, as fast readers do",
           "import io, os\nrest = io.BytesIO(os.read(0, max(os.fstat(0).st_size, 8192))).read()\n"
           "print(sum(map(int, rest.split())))", *SUM),
    script("read-lines", "S13: readlines", "import sys\nlines = sys.stdin.readlines()\n"
    "print(sum(map(int, lines[1:])))", *LINES),
    script("read-iterate", "S13: a loop over stdin", "import sys\nnext(sys.stdin)\n"
    "print(sum(int(x) for x in sys.stdin))", *LINES),
    script("read-iter-input", "S13: iter(input, '')", "n = int(input())\n"
    "print(sum(map(int, iter(input, ''))))", ("2\n1\n2\n\n", "3\n")),
    script("read-fileinput", "S13: fileinput", "import fileinput\n"
    "print(sum(map(int, list(fileinput.input())[1:])))", *LINES),
    script("read-rebound-input", "S13: input is readline", "import sys\ninput = sys.stdin.readline\nn = int(input())\n"
           "print(sum(int(input()) for _ in range(n)))", *LINES),
    script(
        "read-past-end",
        "S13: EOFError is caught",
        """
        total = 0
        while True:
            try:
                total += int(input())
            except EOFError:
                break
        print(total)
        """,
        ("1\n2\n3\n", "6\n"),
        ("", "0\n"),
        ("41\n1", "42\n"),
    ),
    script("read-no-last-newline", "S13: the last line has no end", "print(input() + input())", ("a\nb", "ab\n")),
    script("read-crlf", "S13: lines that end in CR LF", "print(input().strip(), input().strip())", ("a\r\nb\r\n"
    "", "a b\n")),
    script("read-unicode", "S13: text that is not ASCII", "print(input()[::-1])", ("añ語🎈\n", "🎈語ña\n")),
    script("read-nothing", "S13: no input at all", "import sys\nprint(len(sys.stdin.read()))", ("", "0\n")),
    script("read-unused", "S13: input that nobody reads", "print('ok')", ("x\n" * 100_000, "ok\n")),
    script("read-large", "S3: five megabytes of input", "import sys\nprint(len(sys.stdin.read()))", ("12345 78\n"
    "" * 555_556, "5000004\n")),
    script("read-long-line", "S3: a line of a megabyte", "print(len(input()))", ("x" * 1_000_000 + "\n", "1000000\n")),
    script("read-isatty", "S13: a question for a terminal", "import sys\n"
    "print('ok' if not sys.stdin.isatty() else 'tty')", NONE),
    script("read-close", "S13: stdin is closed after use", "import sys\nx = input()\nsys.stdin.close()\n"
    "print(x)", ("ok\n", "ok\n")),
]  # fmt: skip

PRINTING = [
    script("print-200-kb", "S3: more than the 64 KB of a pipe", "for n in range(20_000):\n    print('123456789')",
           ("", "123456789\n" * 20_000)),
    script("print-5-mb", "S3: five megabytes", "print('\\n'.join(['123456789'] * 500_000))", ("", "123456789\n"
    "" * 500_000)),
    script("print-long-line", "S3: one line of a megabyte", "print('x' * 1_000_000)", ("", "x" * 1_000_000 + "\n")),
    script("print-write", "S13: sys.stdout.write", "import sys\nsys.stdout.write('ok\\n')", NONE),
    script("print-buffer", "S13: sys.stdout.buffer.write", "import sys\nsys.stdout.buffer.write(b'ok\\n')", NONE),
    script("print-writelines", "S13: writelines", "import sys\nsys.stdout.writelines(['o', 'k', '\\n'])", NONE),
    script("print-os-write", "S13: os.write", "import os\nos.write(1, b'ok\\n')", NONE),
    script("print-dev-stdout", "S13: the device", "with open('/dev/stdout', 'w') as file:\n"
    "    print('ok', file=file)", NONE),
    script("print-open-one", "S13: open(1)", "with open(1, 'w', closefd=False) as file:\n    file.write('ok\\n"
    "')", NONE),
    script("print-flush", "S13: flush after each line", "for n in range(2000):\n    print(n, flush=True)",
           ("", "".join(f"{n}\n" for n in range(2000)))),
    script("print-end", "S13: a line in parts", "for n in range(3):\n    print(n, end=' ' if n < 2 else '')\n"
    "print()", ("", "0 1 2\n")),
    script("print-separator", "S13: sep and star", "print(*range(3), sep=', ')", ("", "0, 1, 2\n")),
    script("print-no-newline", "R8: no line end at the end", "print('ok', end='')", NONE),
    script("print-trailing-blank", "R8: a blank at the end of a line", "for n in range(3):\n"
    "    print(n, end=' ')\nprint()", ("", "0 1 2\n")),
    script("print-extra-newline", "R8: one line end too many", "print('ok\\n')", NONE),
    script("print-partial", "S13: functools.partial(print, flush=True)",
           "from functools import partial\nprint = partial(print, flush=True)\nprint('ok')", NONE),
    script("print-stringio", "S13: output is collected first",
           "import io, sys\nout = io.StringIO()\nprint('ok', file=out)\nsys.stdout.write(out.getvalue())", NONE),
    script("print-redirect", "S13: stdout is replaced and restored",
           "import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\nprint('hidden')\nsys.stdout = old\n"
           "print('ok')", NONE),
    script("print-redirect-context", "S13: redirect_stdout",
           "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    print('ok')\n"
           "print(out.getvalue(), end='')", NONE),
    script("print-rewrapped", "S13: stdout is wrapped again",
           "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)\nprint('ok')", NONE),
    script("print-reconfigured", "S13: encoding and buffering are set", "import sys\n"
           "sys.stdout.reconfigure(encoding='utf-8', line_buffering=True)\nprint('añ語🎈')", ("", "añ語🎈\n")),
    script("print-fast-io", "S13: the usual block of fast input and output", "import sys\nfrom io import BytesIO\n"
           "data = BytesIO(sys.stdin.buffer.read())\ninput = lambda: data.readline().decode().rstrip()\n"
           "print = lambda *a: sys.stdout.write(' '.join(map(str, a)) + '\\n')\n"
           "print(sum(map(int, input().split())))", *SUM),
    script("print-stderr", "S3: 200 KB on stderr", "import sys\nfor n in range(20_000):\n"
    "    print('123456789', file=sys.stderr)\nprint('ok')", NONE),
    script("print-logging", "S3: logging on stderr", "import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
           "for n in range(100):\n    logging.debug(n)\nprint('ok')", NONE),
    script("print-logging-stdout", "S13: output by logging", "import logging, sys\n"
           "logging.basicConfig(stream=sys.stdout, format='%(message)s', level=20)\nlogging.info('ok')", NONE),
    script("print-warnings", "S3: warnings on stderr", "import warnings\nfor n in range(100):\n"
    "    warnings.warn(str(n))\nprint('ok')", NONE),
    script("print-traceback", "S3: a traceback on stderr of an error that was handled",
           "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()\n"
           "print('ok')", NONE),
    script("print-floats", "S12: floats as Python writes them", "print(0.1 + 0.2, 1e22, 1.0, -0.0)", ("",
        "0.30000000000000004 1e+22 1.0 -0.0\n")),
    script("print-huge-int", "S14: an int of 5,000 digits", "import sys\nsys.set_int_max_str_digits(0)\n"
    "print(10**4999)", ("", "1" + "0" * 4999 + "\n")),
    script("print-looks-forged", "R5: honest output that looks like a verdict",
           "print('{\"passed\": false, \"error\": \"AssertionError\"}')\nprint('---END---')",
           ("", '{"passed": false, "error": "AssertionError"}\n---END---\n')),
    script("print-nothing", "S13: a program that has nothing to say", "pass", ("x\n", "")),
]  # fmt: skip

CASES = READING + PRINTING
