"""Functions whose values, arguments and exceptions are unusual, with tests as authors write them (R2, S13, S14)."""

from helpers.corpus import Case, assert_task, call_task, text


def tested(name: str, why: str, program: str, *checks: str, exports: str = "f", examiner: str = "") -> Case:
    """Assert checks on a program that is its own solution."""
    source = text(program)
    task = assert_task(f"odd/{name}", source, checks, text(examiner), exports=tuple(exports.split()))
    return Case(f"odd-{name}", source, task, why)


def called(name: str, why: str, program: str, *calls: tuple[tuple, object]) -> Case:
    """Call checks on a program that is its own solution."""
    source = text(program)
    return Case(f"odd-{name}", source, call_task(f"odd/{name}", source, calls, "f"), why)


TYPES = [
    tested("value-enum", "R2: a member of a class of the program", "from enum import Enum\nclass Color(Enum):\n"
    "    RED = 1\n    BLUE = 2\n"
           "def f(n):\n    return Color(n)", "assert f(1) == Color.RED", "assert f(2) != Color.RED", exports="f Color"),
    tested("value-int-enum", "R2: an IntEnum is an int", "from enum import IntEnum\nclass A(IntEnum):\n"
    "    X = 7\ndef f():\n    return A.X", "assert f() == 7"),
    tested("value-named-tuple", "R2: a named tuple is a tuple", "from collections import namedtuple\n"
    "P = namedtuple('P', 'x y')\n"
           "def f(a):\n    return P(a, a + 1)", "assert f(1) == (1, 2)"),
    tested("value-counter", "R2: a Counter is a dict", "from collections import Counter\n"
    "f = Counter", "assert f('aab') == {'a': 2, 'b': 1}"),
    tested("value-defaultdict", "R2: a defaultdict is a dict", "from collections import defaultdict\n"
    "def f(words):\n    d = defaultdict(list)\n"
           "    for w in words:\n        d[len(w)].append(w)\n"
           "    return d", "assert f(['a', 'bb', 'c']) == {1: ['a', 'c'], 2: ['bb']}"),
    tested("value-ordered-dict", "R2: an OrderedDict is a dict", "from collections import OrderedDict\n"
    "def f(d):\n    return OrderedDict(sorted(d.items()))",
           "assert f({'b': 1, 'a': 2}) == {'a': 2, 'b': 1}", "assert list(f({'b': 1, 'a': 2})) == ['a', 'b']"),
    tested("value-deque", "R2: a deque", "from collections import deque\ndef f(x):\n"
    "    return deque(x)", "assert list(f([1, 2])) == [1, 2]"),
    tested("value-fraction", "R2: a Fraction", "from fractions import Fraction\ndef f(a, b):\n"
    "    return Fraction(a, b)",
           "assert f(2, 4) == Fraction(1, 2)", examiner="from fractions import Fraction"),
    tested("value-decimal", "R2: a Decimal", "from decimal import Decimal\ndef f(x):\n    return Decimal(x) / 3",
           "assert f('1.2') == Decimal('0.4')", examiner="from decimal import Decimal"),
    tested("value-complex", "R2: a complex number", "def f(a, b):\n"
    "    return complex(a, b)", "assert f(1, 2) == 1 + 2j"),
    tested("value-bytes", "R2: bytes", "def f(s):\n"
    "    return s.encode()", "assert f('a\\x00é') == b'a\\x00\\xc3\\xa9'"),
    tested("value-frozenset", "R2: sets", "def f(x):\n    return frozenset(x)", "assert f([1, 2, 1]) == {1, 2}"),
    tested("value-set-of-tuples", "R2: tuples in a set", "def f(x):\n"
    "    return {tuple(p) for p in x}", "assert f([[1, 2], [1, 2]]) == {(1, 2)}"),
    tested("value-range", "R2: a range", "def f(n):\n"
    "    return range(n)", "assert list(f(3)) == [0, 1, 2]", "assert f(3) == range(3)"),
    tested("value-date", "R2: dates", "from datetime import date, timedelta\ndef f(y):\n"
    "    return date(y, 2, 28) + timedelta(1)",
           "assert f(2024) == date(2024, 2, 29)", examiner="from datetime import date"),
    tested("value-datetime", "R2: moments", "from datetime import datetime\ndef f(s):\n"
    "    return datetime.fromisoformat(s)",
           "assert f('2024-01-02T03:04:05') == datetime(2024, 1, 2, 3, 4, 5)",
           examiner="from datetime import datetime"),
    tested("value-tuple", "R8: tuples are not lists", "def f(a, b):\n"
    "    return b, a", "assert f(1, 2) == (2, 1)", "assert isinstance(f(1, 2), tuple)"),
    tested("value-tuples-in-list", "R8: tuples in lists, as in MBPP", "def f(d):\n"
    "    return sorted(d.items())", "assert f({'b': 1, 'a': 2}) == [('a', 2), ('b', 1)]"),
    tested("value-none", "R2: None", "def f(x):\n    pass", "assert f(1) is None", "assert f(2) == None"),
    tested("value-bool", "R2: True itself", "def f(x):\n"
    "    return x > 1", "assert f(2) is True", "assert f(0) is False", "assert not f(1)"),
    tested("value-mixed-keys", "R2: keys of several types", "def f():\n"
    "    return {1: 'a', '1': 'b', (1, 2): 'c', None: 'd', 2.5: 'e'}",
           "assert f() == {1: 'a', '1': 'b', (1, 2): 'c', None: 'd', 2.5: 'e'}"),
    tested("value-arguments", "R2: arguments of many types", "def f(*a, **k):\n"
    "    return [type(x).__name__ for x in (*a, *k.values())]",
           "kinds = f((1,), {2}, {'a': 1}, b'x', 1.5, k=[1])\n"
           "assert kinds == ['tuple', 'set', 'dict', 'bytes', 'float', 'list']"),
    tested("value-keywords", "S13: defaults and keywords", "def f(a, b=2, *, c=3):\n"
    "    return a + b + c", "assert f(1) == 6", "assert f(1, c=0) == 3", "assert f(b=1, a=1) == 5"),
]  # fmt: skip

LAZY = [
    tested("lazy-generator", "R2: a generator", "def f(n):\n    for i in range(n):\n"
    "        yield i * i", "assert list(f(4)) == [0, 1, 4, 9]", "assert sum(f(3)) == 5"),
    tested("lazy-map", "R2: a map", "def f(x):\n    return map(str, x)", "assert list(f([1, 2])) == ['1', '2']"),
    tested("lazy-zip", "R2: a zip", "def f(x, y):\n"
    "    return zip(x, y)", "assert list(f([1], [2])) == [(1, 2)]", "assert dict(f([1], [2])) == {1: 2}"),
    tested("lazy-filter", "R2: a filter", "def f(x):\n"
    "    return filter(None, x)", "assert list(f([0, 1, 2])) == [1, 2]"),
    tested("lazy-views", "R2: views of a dict", "def f(d):\n"
    "    return d.keys()", "assert list(f({'a': 1})) == ['a']", "assert sorted(f({'b': 1, 'a': 1})) == ['a', 'b']"),
    tested("lazy-next", "R2: an iterator by hand", "def f(x):\n    return iter(x)", "it = f([1, 2])\n"
    "assert next(it) == 1\nassert next(it) == 2"),
    tested("lazy-for", "R2: a loop over a generator", "def f(n):\n    yield from range(n)", "total = 0\n"
    "for x in f(4):\n    total += x\nassert total == 6"),
]  # fmt: skip

SIZES = [
    tested("size-huge-int", "S14: an int of 5,001 digits", "def f(n):\n"
    "    return 10 ** n", "assert f(5000) == 10 ** 5000", "assert f(400) % 7 == 10 ** 400 % 7"),
    called("size-huge-int-call", "S14: the same by a call", "def f(n):\n"
    "    return 10 ** n", ((5000,), 10**5000), ((0,), 1)),
    tested("size-huge-argument", "S14: the same as an argument", "def f(n):\n"
    "    return n % 1000", "assert f(10 ** 5000 + 7) == 7"),
    tested("size-floats", "R2: floats that are not numbers", "def f(s):\n"
    "    return float(s)", "assert f('inf') == float('inf')", "assert f('nan') != f('nan')",
           "import math\nassert math.copysign(1, f('-0.0')) == -1", "assert f('1e-320') == 1e-320"),
    called("size-floats-call", "R2: the same by a call", "def f(s):\n"
    "    return float(s)", (("inf",), float("inf")), (("-inf",), float("-inf")), (("0.1",), 0.1)),
    tested("size-text", "S14: odd characters", "def f(s):\n    return s[::-1]", "assert f('a\\x00\\n"
    "\\u2028🎈') == '🎈\\u2028\\n\\x00a'", "assert f('\\ud800x') == 'x\\ud800'", "assert f('') == ''"),
    called("size-text-call", "S14: the same by a call", "def f(s):\n    return s[::-1]", (("a\x00\n"
    "\r\x85🎈",), "🎈\x85\r\n\x00a"), (('"}\\',), '\\}"')),
    tested("size-deep", "S14: nesting 200 deep", "def f(n):\n    x = []\n    for _ in range(n):\n"
    "        x = [x]\n    return x",
           "x = f(200)\nfor _ in range(200):\n    (x,) = x\nassert x == []"),
    called("size-deep-call", "S14: nesting 50 deep by a call", "def f(n):\n    x = 1\n    for _ in range(n):\n"
    "        x = [x]\n    return x", ((3,), [[[1]]]), ((0,), 1)),
    called("size-long", "S3: a list of 200,000 numbers", "def f(n):\n"
    "    return list(range(n))", ((200_000,), list(range(200_000)))),
    tested("size-long-argument", "S3: the same as an argument", "def f(x):\n"
    "    return sum(x)", "assert f(list(range(200_000))) == 19999900000"),
    called("size-shared", "S14: one list in two places", "def f():\n    x = [1]\n    return [x, x]", ((), [[1], [1]])),
    called("size-counter-call", "R2: a dict subclass by a call", "from collections import defaultdict\n"
    "def f(s):\n    d = defaultdict(int)\n"
           "    for c in s:\n        d[c] += 1\n    return d", (("aab",), {"a": 2, "b": 1})),
    called("size-print-in-call", "S13: talk during the call", "def f(x):\n    print('debug', x)\n"
    "    return x + 1", ((1,), 2), ((2,), 3)),
    called("size-input-in-module", "S13: stdin is empty, and the program copes", "try:\n    n = int(input())\n"
    "except (EOFError, ValueError):\n    n = 1\n"
           "def f(x):\n    return x + n", ((1,), 2)),
    called("size-state", "S13: state between calls of one program", "seen = {}\ndef f(x):\n"
    "    return seen.setdefault(x, x * 2)", ((1,), 2), ((1,), 2)),
]  # fmt: skip

ERRORS = [
    tested("error-expected", "S13: the test wants a ValueError", "def f(x):\n    if x < 0:\n"
    "        raise ValueError('negative')\n    return x",
           "try:\n    f(-1)\nexcept ValueError as error:\n    assert 'negative' in str(error)\nelse:\n"
           "    assert False", "assert f(1) == 1"),
    tested("error-own-class", "S13: an error class of the program, known by its base", "class Bad(ValueError):\n"
    "    pass\ndef f():\n    raise Bad('x')",
           "try:\n    f()\n    assert False\nexcept ValueError:\n    pass"),
    tested("error-natural", "S13: errors of the interpreter", "def f(d, k):\n    return d[k]",
           "try:\n    f({}, 'x')\n    assert False\nexcept KeyError:\n    pass", "try:\n    f([], 0)\n"
           "    assert False\nexcept IndexError:\n    pass"),
    tested("error-unittest", "S13: assertRaises", "def f(x):\n"
    "    return 1 // x", "t.assertRaises(ZeroDivisionError, f, 0)", "t.assertEqual(f(1), 1)",
           examiner="import unittest\nt = unittest.TestCase()"),
    tested("error-caught-inside", "S13: an error that the program handles", "def f(x):\n    try:\n"
    "        return int(x)\n    except ValueError:\n        return None",
           "assert f('x') is None", "assert f('7') == 7"),
    tested("error-assert-inside", "S13: an assert of the program that fails inside, and is handled",
           "def f(x):\n    try:\n        assert x > 0\n    except AssertionError:\n        return -1\n"
           "    return 1", "assert f(0) == -1", "assert f(1) == 1"),
]  # fmt: skip

ARGUMENTS = [
    tested("change-list", "S13: a list is sorted in place", "def f(x):\n    x.sort()", "x = [3, 1, 2]\nf(x)\n"
    "assert x == [1, 2, 3]"),
    tested("change-dict", "S13: a dict is changed in place", "def f(d):\n"
    "    d['n'] = d.pop('m', 0) + 1", "d = {'m': 4}\nassert f(d) is None\nassert d == {'n': 5}"),
    tested("change-set", "S13: a set is changed in place", "def f(s):\n    s.discard(1)\n"
    "    s.add(9)", "s = {1, 2}\nf(s)\nassert s == {2, 9}"),
    tested("change-nested", "S13: rows of a matrix are changed in place", "def f(m):\n    for row in m:\n"
    "        row.reverse()",
           "m = [[1, 2], [3, 4]]\nf(m)\nassert m == [[2, 1], [4, 3]]"),
    tested("change-and-return", "S13: the changed argument is returned", "def f(x):\n    x.append(1)\n"
    "    return x", "x = []\nassert f(x) == [1]\nassert x == [1]"),
    tested("change-nothing", "S13: the argument is left alone", "def f(x):\n    return sorted(x)", "x = [2, 1]\n"
    "assert f(x) == [1, 2]\nassert x == [2, 1]"),
]  # fmt: skip

CASES = TYPES + LAZY + SIZES + ERRORS + ARGUMENTS
