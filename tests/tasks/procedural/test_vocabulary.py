"""Corpus, vocabulary, English and the report of constructs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codegym.tasks.procedural import (
    FAMILIES,
    Pipelines,
    Syntax,
    construct_report,
    constructs,
    describe,
    mutants,
    sample_corpus,
    vocabulary,
)
from codegym.tokenizers import VocabularyTokenizer


def test_the_vocabulary_writes_every_text_of_a_family(family):
    tokenizer = VocabularyTokenizer(vocabulary(family))
    for horizon in (family.horizons[0], family.horizons[0] + 4):
        for text in sample_corpus(replace(family, horizon=horizon, difficulty=0.5), seed=1, count=20):
            assert b"".join(tokenizer.token_bytes[id] for id in tokenizer.encode(text)).decode() == text


def test_the_vocabulary_writes_every_wrong_line(family, tasks):
    tokenizer = VocabularyTokenizer(vocabulary(family))
    rng = np.random.default_rng(2)
    for task in tasks[:4]:
        assert all(tokenizer.encode(program) for program, _ in mutants(task, rng))


def test_pipelines_are_few_tokens():
    family = Pipelines(horizon=8)
    tokenizer = VocabularyTokenizer(vocabulary(family))
    rng = np.random.default_rng(3)
    lengths = [len(tokenizer.encode(family.draw(rng).solution)) for _ in range(200)]
    assert tokenizer.vocab_size <= 121
    assert 90 <= np.mean(lengths) <= 105


def test_a_corpus_is_the_same_again():
    assert (
        [*sample_corpus(Pipelines(), 4, 5)]
        == [*sample_corpus(Pipelines(), 4, 5)]
        != [*sample_corpus(Pipelines(), 5, 5)]
    )


DESCRIBED = {
    "s = a[1:-1:2]": "set s to a from 1 to minus 1 by 2",
    "s //= t + 1": "set s to itself over (t plus 1)",
    "s, t = t, s % 3": "set s and t to t and (s modulo 3)",
    "s = 1 if a[0] > 2 and not t else len(a)": "set s to 1 if (item 0 of a is above 2) and not t otherwise length of a",
    "a.append(i)": "do append i of a",
    "while s > 3:\n        s -= 1\n        break": "while s is above 3 (take 1 from s; leave the loop)",
}


@pytest.mark.parametrize("statement", [*DESCRIBED])
def test_a_statement_is_described(statement):
    said = describe(f"def f(a):\n    {statement}\n    return s\n")
    assert said == f"define f of a: {DESCRIBED[statement]}; return s\n"


@pytest.mark.parametrize("source", ["x = 1", "def f(a):\n    import os\n", "def f(a):\n    return {1}\n"])
def test_what_has_no_words_is_refused(source):
    with pytest.raises(ValueError, match="no words|one function"):
        describe(source)


def test_descriptions_tell_programs_apart():
    rng = np.random.default_rng(5)
    tasks = [Syntax(horizon=4).draw(rng) for _ in range(60)]
    programs = {}
    for task in tasks:
        assert programs.setdefault(task.prompt, task.solution) == task.solution


def test_constructs_are_reported():
    tasks = [Syntax(horizon=6).draw(np.random.default_rng(seed)) for seed in range(12)]
    report = construct_report((task, "for" in task.metadata["constructs"]) for task in tasks)
    assert report["for"][0] == report["for"][1] == sum("for" in constructs(task.solution) for task in tasks)
    assert all(solved <= total <= 12 for solved, total in report.values())


def test_other_families_report_their_operations():
    task = FAMILIES["strings"]().draw(np.random.default_rng(6))
    assert set(construct_report([(task, True)])) == set(task.metadata["operations"])
