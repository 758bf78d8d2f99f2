"""Programs whose own classes the tests use, and tests that are more than one assert (S13)."""

from helpers.corpus import Case

from .values import tested

RECT = """
    class Rect:
        sides = 4

        def __init__(self, a, b=None):
            self.a, self.b = a, a if b is None else b

        def area(self):
            return self.a * self.b

        @property
        def square(self):
            return self.a == self.b

        @classmethod
        def unit(cls):
            return cls(1)

        @staticmethod
        def corners():
            return 4

        def scale(self, n):
            self.a *= n
            self.b *= n
            return self

    def area(rect):
        return rect.area()
"""
NODE = """
    class Node:
        def __init__(self, value, next=None):
            self.value, self.next = value, next

    def build(values):
        head = None
        for value in reversed(values):
            head = Node(value, head)
        return head

    def total(node):
        return 0 if node is None else node.value + total(node.next)
"""

CASES: list[Case] = [
    tested("class-argument", "S13: an instance goes back to the program", RECT, "assert area(Rect(2, 3)) == 6",
        "assert area(Rect(4)) == 16", exports="area Rect"),
    tested("class-methods", "S13: methods and properties", RECT, "r = Rect(2, 3)\nassert r.area() == 6\n"
    "assert r.square is False", "assert Rect(2).square", exports="Rect"),
    tested("class-set-attribute", "S13: an attribute is set by the test", RECT, "r = Rect(2, 3)\nr.a = 10\n"
    "assert r.a == 10\nassert area(r) == 30", exports="Rect area"),
    tested("class-members", "S13: class methods, static methods and class attributes", RECT,
        "assert Rect.unit().area() == 1", "assert Rect.corners() == 4",
           "assert Rect.sides == 4", exports="Rect"),
    tested("class-chained", "S13: methods that return the object", RECT,
           "assert Rect(1, 2).scale(2).scale(3).area() == 72", exports="Rect"),
    tested("class-linked-list", "S13: objects that hold objects", NODE, "assert total(build([1, 2, 3])) == 6",
        "assert build([5]).next is None",
           "assert total(Node(1, Node(2))) == 3", "assert build([1, 2]).next.value == 2", exports="Node build total"),
    tested("class-text", "S13: str of an object", "class A:\n    def __str__(self):\n        return 'a!'\n"
    "    def __len__(self):\n        return 3\n"
           "    def __getitem__(self, i):\n        return i * 2", "assert str(A()) == 'a!'", "assert len(A()) == 3",
           "assert A()[4] == 8", exports="A"),
    tested("class-iterates", "S13: an object of the program is iterated", "class A:\n    def __iter__(self):\n"
    "        yield from (1, 2)", "assert list(A()) == [1, 2]", exports="A"),
    tested("class-stack", "S13: state over many calls", "class Stack:\n    def __init__(self):\n"
    "        self.items = []\n    def push(self, x):\n        self.items.append(x)\n"
           "    def pop(self):\n        return self.items.pop()", "s = Stack()\ns.push(1)\ns.push(2)\n"
           "assert s.pop() == 2\nassert s.pop() == 1",
           "s = Stack()\nfor n in range(20):\n    s.push(n)\n"
           "assert [s.pop() for _ in range(20)] == list(range(19, -1, -1))", exports="Stack"),
    tested("class-dataclass", "S13: a dataclass of the program", "from dataclasses import dataclass\n"
    "@dataclass\nclass P:\n    x: int\n    y: int = 0\n"
           "def f(p):\n    return p.x + p.y", "assert f(P(1, y=2)) == 3", "assert P(4).x == 4", exports="f P"),
    tested("class-decorated", "S13: a decorated function", "import functools\ndef twice(g):\n"
    "    @functools.wraps(g)\n    def h(*a):\n        return g(*a) * 2\n    return h\n"
           "@twice\ndef f(x):\n    return x", "assert f(3) == 6"),
    tested("class-cached", "S13: a cached function", "import functools\n@functools.lru_cache(maxsize=None)\n"
    "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)", "assert f(80) == 23416728348467685"),
    tested("class-closure", "S13: a function that returns a function", "def f(n):\n"
    "    return lambda x: x + n", "assert f(2)(3) == 5", "add = f(1)\nassert add(1) + add(2) == 5"),
    tested("class-loop", "S13: a test with a loop and helpers of its own", "def f(x):\n"
    "    return x * x", "for n in range(50):\n    assert f(n) == want(n)",
           examiner="def want(n):\n    return n ** 2"),
    tested("class-tolerance", "R8: a test with a tolerance", "def f(x):\n"
    "    return x ** 0.5", "assert abs(f(2) - 1.41421356) < 1e-6", "import math\nassert math.isclose(f(9), 3)"),
    tested("class-membership", "S13: tests by in, set and sorted", "def f(x):\n"
    "    return [n % 3 for n in x]", "assert set(f([1, 2, 4])) == {1, 2}", "assert f([4])[0] in (1, 2)",
           "assert sorted(f([5, 4])) == [1, 2]"),
    tested("class-many-calls", "S1: a thousand calls in one check", "def f(x):\n"
    "    return x + 1", "assert [f(n) for n in range(1000)] == list(range(1, 1001))"),
    tested("class-two-functions", "S13: a round trip of two functions", "def enc(s):\n"
    "    return [ord(c) for c in s]\ndef dec(x):\n    return ''.join(map(chr, x))",
           "assert dec(enc('añ語')) == 'añ語'", exports="enc dec"),
    tested("class-names-like-ours", "R6: functions with names that a harness uses", "def check(x):\n"
    "    return x + 1\ndef candidate(x):\n    return x - 1\ndef report(x):\n    return x\n",
           "assert check(1) == 2", "assert candidate(1) == 0", "assert report(5) == 5",
           exports="check candidate report"),
]  # fmt: skip
