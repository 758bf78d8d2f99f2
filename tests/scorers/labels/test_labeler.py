"""The labeler against worlds whose truth is known: what it finds, what it costs, what it survives."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain

import pytest
from helpers.prm_worlds import SometimesBrokenJudge, TellingSampler, make_program, make_task
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym.errors import DatasetError, ResumeError, SandboxError
from codegym.judge import FakeJudge
from codegym.sampling import Completion
from codegym.scorers.labels import (
    BinarySearch,
    Labeler,
    LabelSettings,
    PrefixEvaluator,
    SampledProgram,
    agreement,
    append_labels,
    line_labels,
    read_label_card,
    read_labels,
    select,
)


def make_labeler(sampler=None, judge=None, **options) -> Labeler:
    return Labeler(sampler or TellingSampler(), judge or FakeJudge(), LabelSettings(**options))


def test_smallest_use():
    [found] = make_labeler().label([make_program(make_task(num_lines=4), first_wrong=3)])
    assert line_labels(found) == (1, 1, -1, -1)


@settings(max_examples=60)
@given(st.integers(1, 20), st.data())
def test_an_exact_sampler_finds_every_first_wrong_line_in_log_t_questions(num_lines, data):
    first_wrong = data.draw(st.none() | st.integers(1, num_lines))
    labeler = make_labeler()
    [found] = labeler.label([make_program(make_task(num_lines=num_lines), first_wrong)])
    assert found.num_correct_lines == (num_lines if first_wrong is None else first_wrong - 1)
    assert len(found.success_counts.keys() - {0}) <= math.ceil(math.log2(num_lines))
    assert (0 in found.success_counts) == (first_wrong == 1)  # was it the line, or is the task too hard?


@given(st.integers(1, 12), st.data())
def test_whatever_the_answers_the_search_ends_and_returns_the_last_that_was_proven(num_lines, data):
    plan, best, num_rounds = BinarySearch(range(1, num_lines + 1)), 0, 0
    while plan.queries:
        [length] = plan.queries
        proven = data.draw(st.just(0) | st.integers(length, num_lines + 2))
        best = max(best, min(proven, num_lines - 1))
        plan.update({length: proven})
        num_rounds += 1
    assert plan.num_correct_lines == best
    assert num_rounds <= 2 * num_lines + 2


def test_a_program_that_passes_costs_nothing():
    labeler = make_labeler()
    assert [found.num_correct_lines for found in labeler.label([make_program(make_task())])] == [8]
    assert labeler.cost.completions == labeler.cost.executions == 0


@pytest.mark.parametrize(("first_wrong", "expected"), [(8, [2, 2, 2]), (1, [20, 20, 20, 2])], ids=["right", "wrong"])
def test_a_prefix_costs_two_where_one_of_them_succeeds_and_else_exactly_k(first_wrong, expected):
    # 8 lines, of which the last is known: borders 4, 6, 7, all recoverable; or 4, 2, 1, none of them, then the prompt
    [found] = make_labeler(witnesses=False).label([make_program(make_task(), first_wrong)])
    assert [estimate.completions for estimate in found.success_counts.values()] == expected


def test_all_programs_advance_together_so_rounds_do_not_grow_with_their_number():
    programs = [make_program(make_task(f"t{number}"), number % 8 + 1) for number in range(100)]
    labeler = make_labeler()
    assert [found.task_id for found in labeler.label(programs)] == [f"t{number}" for number in range(100)]
    assert labeler.cost.rounds == 3 * 5 + 1  # log2(8) questions with 2, 4, 8, 16 and 20 completions, and the prompt


def test_prefixes_are_asked_about_once():
    task = make_task()
    sampler = TellingSampler()
    labeler = make_labeler(sampler)
    results = list(labeler.label([make_program(task, 5), make_program(task, 5), make_program(task, 7)]))
    asked = Counter()
    for request in chain.from_iterable(sampler.calls):
        asked[request.text] += request.num_completions
    assert max(asked.values()) == 20  # K: a second time would make it 40
    assert [found.num_correct_lines for found in results] == [4, 4, 6]
    completions = labeler.cost.completions
    list(labeler.label([make_program(task, 5)]))
    assert labeler.cost.completions == completions and labeler.cost.cache_hits >= 2


def test_a_noisy_sampler_errs_early_and_never_late():
    programs = [make_program(make_task(f"t{n}"), n % 7 + 2) for n in range(150)]
    truth = {program.task.task_id: n % 7 + 2 for n, program in enumerate(programs)}
    shares = {}
    for count, witnesses in [(4, False), (20, False), (4, True), (20, True)]:
        labeler = make_labeler(TellingSampler(0.2), num_completions=count, witnesses=witnesses)
        result = agreement(labeler.label(programs), lambda program: truth[program.task_id])
        assert result.late == 0
        shares[count, witnesses] = result.share
    # a true prefix is missed with .8 ** K: .41 and .012, in up to three questions
    assert shares[4, False] < 0.9 and shares[20, False] > 0.96
    assert shares[4, True] > shares[4, False] + 0.05 and shares[20, True] > 0.98


def test_a_witness_saves_questions_and_takes_bad_luck_back():
    # The first question, 4 of 8 lines, is lost by bad luck. The next, 2 lines, is answered by a program that goes on as
    # ours does up to line 6: so 4 lines are right as well, and only 7 is left to ask about.
    lucky, asked = TellingSampler(), []

    def sampler(requests):
        asked.extend(request.text.count("\n") for request in requests)
        answers = lucky(requests)
        return (
            [[Completion("lost\n", 1)] * request.num_completions for request in requests]
            if set(asked) == {4}
            else answers
        )

    [found] = make_labeler(sampler, num_completions=20).label([make_program(make_task(), 7)])
    assert found.num_correct_lines == 6 and asked == [4] * 5 + [2] + [7] * 5  # five rounds where none passes
    # without witnesses the bad luck stays
    asked.clear()
    [found] = make_labeler(sampler, num_completions=20, witnesses=False).label([make_program(make_task(), 7)])
    assert found.num_correct_lines == 3


def test_the_witness_that_goes_farthest_is_kept_and_all_of_it_is_right():
    [found] = make_labeler().label([make_program(make_task(num_lines=8), first_wrong=7)])
    assert found.lines[:6] == found.from_witness.lines[:6] and found.lines[6] != found.from_witness.lines[6]
    assert line_labels(found.from_witness) == (1,) * 8
    # a program that passes needs none, and PSGPO's procedure to the letter has none
    [passed] = make_labeler().label([make_program(make_task())])
    [plain] = make_labeler(witnesses=False).label([make_program(make_task(), 2)])
    assert passed.from_witness is None and plain.from_witness is None


def test_the_first_completions_of_each_prefix_are_kept_with_what_became_of_them(tmp_path):
    # 4 lines, the third one wrong: of prefix 2 the first completion is right already, of prefix 3 none of the 20 is
    options = {"witnesses": False, "keep_completions": 3}
    [found] = make_labeler(**options).label([make_program(make_task(num_lines=4), 3)])
    assert [(trial.num_lines, trial.passed) for trial in found.completions] == [(2, True)] * 2 + [(3, False)] * 3
    assert found.completions[0].text == "t_3 = 3\nt_4 = 4\n"
    assert found.all_completions[0] == (0, found.completion, False) and found.all_completions[1:] == found.completions
    path = tmp_path / "labels.jsonl"
    append_labels(path, [make_program(make_task(num_lines=4), 3)], make_labeler(**options))
    assert read_labels(path) == [found]
    with pytest.raises(ValueError, match="wrong keep_completions: got -1; expected at least 0"):
        LabelSettings(keep_completions=-1)


def test_a_task_that_only_its_prompt_can_solve_has_a_witness_too():
    [found] = make_labeler().label([make_program(make_task(num_lines=4), first_wrong=1)])
    assert found.num_correct_lines == 0 and line_labels(found.from_witness) == (1, 1, 1, 1)


def test_rates_measure_every_prefix_with_exactly_k_completions():
    [found] = make_labeler(TellingSampler(0.5), method="monte_carlo", num_completions=400).label(
        [make_program(make_task(num_lines=4), 3)]
    )
    assert {count: estimate.completions for count, estimate in found.success_counts.items()} == {
        0: 400,
        1: 400,
        2: 400,
        3: 400,
        4: 1,
    }
    # half of the completions of the right prefixes pass, give or take four standard deviations
    assert line_labels(found, "soft") == pytest.approx((0, 0, -1, -1), abs=0.2)
    assert line_labels(found, "marginal") == pytest.approx((0, 0, -0.5, 0), abs=0.15)
    assert line_labels(found) == (1, 1, -1, -1)


def test_rates_of_a_program_that_passes():
    [found] = make_labeler(method="monte_carlo").label([make_program(make_task(num_lines=2))])
    assert line_labels(found, "soft") == (1, 1)


@pytest.mark.parametrize("completion", ["", "# Nothing.\n", "\n"])
def test_a_program_without_code_has_no_label(completion):
    for method in ("binary_search", "monte_carlo"):
        [found] = make_labeler(method=method).label([SampledProgram(make_task(), completion, False)])
        assert set(line_labels(found)) <= {0.0} and found.label_class == "wrong"


def test_a_task_that_nobody_solves_is_hard_and_says_nothing_about_lines():
    programs = [make_program(make_task(name), 1) for name in ("solved", "hard")]
    sampler = TellingSampler()

    def sometimes(requests):
        return [
            [Completion("lost\n", 1)] * request.num_completions if request.task.task_id == "hard" else answer
            for request, answer in zip(requests, sampler(requests), strict=True)
        ]

    found = list(make_labeler(sometimes).label(programs))
    assert [(program.label_class, program.is_hard) for program in found] == [("wrong", False), ("wrong", True)]
    assert [program.task_id for program in select(found, "remove_hard")] == ["solved"]


def test_comments_are_no_borders():
    lines = "t_1 = 1\n# One.\n# Two.\n# Three.\nwrong = 2\n"
    labeler = make_labeler()
    [found] = labeler.label([SampledProgram(make_task(), lines, False)])
    assert [*found.success_counts] == [1] and line_labels(found) == (1, 0, 0, 0, -1)


def test_a_failure_of_the_machine_never_becomes_a_label():
    # whatever begins with bad_1 cannot be judged: not "wrong" but unknown, so the program has no label
    programs = [make_program(make_task("bad"), 5), make_program(make_task("good"), 5)]
    for method in ("binary_search", "monte_carlo"):
        labeler = make_labeler(judge=SometimesBrokenJudge("bad_1"), method=method)
        assert [found.task_id for found in labeler.label(programs)] == ["good"]
        assert labeler.skipped == 1


def test_a_machine_that_fails_for_everything_is_an_error():
    labeler = make_labeler(TellingSampler(0.5), SometimesBrokenJudge(""), method="monte_carlo")
    with pytest.raises(SandboxError, match="failed for all of"):
        list(labeler.label([make_program(make_task(), 5)]))


def test_sampled_programs_come_with_verdicts_and_are_the_same_again():
    tasks = [make_task(f"t{number}") for number in range(6)]
    first = list(make_labeler(TellingSampler(0.5), batch_size=4).sample(tasks, 3))
    assert first == list(make_labeler(TellingSampler(0.5), batch_size=4).sample(tasks, 3))
    assert [program.task.task_id for program in first] == [f"t{n}" for n in range(6) for _ in range(3)]
    assert {program.passed for program in first} == {True, False}
    assert all(program.passed == (program.completion == program.task.solution) for program in first)


def test_a_sampler_that_gives_too_little_is_told():
    labeler = make_labeler(lambda requests: [[] for _ in requests])
    with pytest.raises(ValueError, match="wrong number of completions: got "):
        list(labeler.label([make_program(make_task(), 5)]))


@pytest.mark.parametrize("options", [{"num_completions": 0}, {"batch_size": 0}, {"method": "guess"}])
def test_settings_that_cannot_be(options):
    with pytest.raises(ValueError, match="got .*; expected"):
        LabelSettings(**options)
    with pytest.raises(ValueError, match="wrong stages: got "):
        PrefixEvaluator(TellingSampler(), FakeJudge(), ())


class StopsAfter:
    """Raises in place of the program of that number, as Ctrl-C would."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, _) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def many_programs():
    return [make_program(make_task(f"t{number}"), number % 8 + 1 if number % 5 else None) for number in range(40)]


@pytest.mark.parametrize("half_a_line", [False, True])
def test_an_interrupted_run_goes_on_and_gives_the_same_file(tmp_path, half_a_line):
    def run(name, **options):
        return append_labels(
            tmp_path / name, many_programs(), make_labeler(TellingSampler(0.4), batch_size=8), **options
        )

    run("whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        run("part.jsonl", on_program=StopsAfter(17))
    part = tmp_path / "part.jsonl"
    if half_a_line:
        part.write_bytes(part.read_bytes() + b'{"task_id": "t1')
    assert len(read_labels(part)) == 17
    assert run("part.jsonl") == read_labels(tmp_path / "whole.jsonl")
    assert part.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_finished_file_costs_nothing_more_and_its_card_tells_what_it_did(tmp_path):
    path = tmp_path / "labels.jsonl"
    append_labels(path, many_programs(), make_labeler(TellingSampler(0.4)), about={"policy": "p"})
    card = read_label_card(path)
    append_labels(path, many_programs(), make_labeler(TellingSampler(0.4)), about={"policy": "p"})
    assert read_label_card(path) == card
    options = {"method": "binary_search", "num_completions": 20, "witnesses": True, "keep_completions": 0, "seed": 0}
    assert card["settings"] == options | {"batch_size": 256, "about": {"policy": "p"}}
    assert card["programs"] == 40 and card["classes"]["correct"] == 8
    assert card["cost"]["tokens"] == 3 * card["cost"]["completions"] > 0


def test_other_settings_need_another_file(tmp_path):
    path = tmp_path / "labels.jsonl"
    append_labels(path, many_programs()[:2], make_labeler())
    with pytest.raises(
        ResumeError, match="labels.jsonl was made with other settings: got num_completions=4; expected 20"
    ):
        append_labels(path, many_programs()[:2], make_labeler(num_completions=4))


def test_equal_programs_are_all_kept(tmp_path):
    programs = [make_program(make_task(), 5)] * 3
    path = tmp_path / "labels.jsonl"
    assert len(append_labels(path, programs, make_labeler())) == len(append_labels(path, programs, make_labeler())) == 3


@pytest.mark.parametrize("text", ["nonsense\n", "[1]\n", '{"task_id": "t"}\n'])
def test_a_file_of_something_else_is_told(tmp_path, text):
    path = tmp_path / "labels.jsonl"
    path.write_text(text)
    with pytest.raises(DatasetError, match="line 1: "):
        read_labels(path)


def test_a_file_without_witnesses_and_trials_is_read(tmp_path):
    path = tmp_path / "labels.jsonl"
    append_labels(path, [make_program(make_task(), 5)], make_labeler(witnesses=False))
    path.write_text(path.read_text().replace(', "witness": "", "completions": []', ""))
    assert "witness" not in path.read_text()
    assert read_labels(path)[0].from_witness is None
