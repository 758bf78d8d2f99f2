"""Labels, classes, selections and agreement, worked out by hand."""

from __future__ import annotations

import pytest
from helpers.prm_worlds import make_labeled
from hypothesis import given
from hypothesis import strategies as st

from codegym.scorers.labels import LabelClass, SuccessCount, agreement, line_labels, select


def test_lines_up_to_the_last_right_one_are_plus_one_and_the_others_minus_one():
    assert line_labels(make_labeled(2)) == (1, 1, -1)


def test_comments_blank_lines_docstrings_and_lines_that_go_on_are_neutral():
    completion = 'def f(x):\n    """Doc."""\n\n    # Why.\n    y = g(\n        x)\n    return y\n'
    assert line_labels(make_labeled(4, completion)) == (1, 0, 0, 0, 0, -1, -1)


def test_a_last_line_without_newline_is_a_line():
    assert line_labels(make_labeled(1, "a = 1\nb =")) == (1, -1)


@given(st.lists(st.sampled_from(["x = 1\n", "# c\n", "\n", "f(\n", ")\n", "'''\n"]), max_size=12), st.data())
def test_without_zeros_labels_are_plus_ones_then_minus_ones(lines, data):
    num_correct_lines = data.draw(st.integers(0, len(lines)))
    labels = [label for label in line_labels(make_labeled(num_correct_lines, "".join(lines))) if label]
    assert labels == sorted(labels, reverse=True)
    assert set(labels) <= {1.0, -1.0}


PROBES = {0: SuccessCount(10, 20), 1: SuccessCount(12, 20), 2: SuccessCount(3, 20), 3: SuccessCount(0, 1)}


def test_soft_labels_are_the_share_that_passed_between_minus_one_and_one():
    # shares .6, .15, 0
    assert line_labels(make_labeled(2, success_counts=PROBES), "soft") == pytest.approx((0.2, -0.7, -1))


def test_marginal_labels_are_differences_of_shares_and_pass_over_neutral_lines():
    success_counts = {0: PROBES[0], 1: PROBES[1], 3: PROBES[2], 4: PROBES[3]}
    labels = line_labels(make_labeled(3, "a = 1\n# Two.\nb = 2\nc = 3\n", success_counts=success_counts), "marginal")
    assert labels == pytest.approx((0.1, 0, -0.45, -0.15))


def test_soft_labels_of_a_searched_program_are_refused():
    with pytest.raises(ValueError, match='need the method "monte_carlo"'):
        line_labels(make_labeled(2, success_counts={2: SuccessCount(1, 5)}), "soft")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"num_correct_lines": 3, "passed": True}, LabelClass.CORRECT),
        ({"num_correct_lines": 1}, LabelClass.REVISED),
        ({"num_correct_lines": 0}, LabelClass.WRONG),
    ],
    ids=lambda value: str(value),
)
def test_classes(fields, expected):
    assert make_labeled(**fields).label_class is expected


# task -> classes of its programs: Correct, Revised, Wrong
TASKS = {"easy": "CC", "medium": "CW", "revised": "RR", "mixed": "CRW", "hard": "WW"}
OF_CLASS = {"C": {"num_correct_lines": 3, "passed": True}, "R": {"num_correct_lines": 1}, "W": {"num_correct_lines": 0}}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("full", "easy easy medium medium revised revised mixed mixed mixed hard hard"),
        ("remove_hard", "easy easy medium medium revised revised mixed mixed mixed"),
        ("medium_only", "medium medium revised revised mixed mixed mixed"),
        ("revised_only", "revised revised mixed"),
    ],
)
def test_selections(selection, expected):
    programs = [make_labeled(**OF_CLASS[c], task_id=task) for task, classes in TASKS.items() for c in classes]
    assert " ".join(program.task_id for program in select(programs, selection)) == expected


def test_no_other_selection():
    with pytest.raises(ValueError, match="unknown selection: got 'best'"):
        select([], "best")


def test_agreement_counts_lines_and_says_on_which_side_labels_err():
    programs = [make_labeled(2), make_labeled(0), make_labeled(2), make_labeled(3, passed=True)]
    truth = iter([3, 2, 2, None])  # right; 1 line too early; 1 line too late; right
    found = agreement(programs, lambda _: next(truth))
    assert found == (12, 10, 4, 2, 1, 1)
    assert found.share == pytest.approx(10 / 12)


def test_a_failing_program_without_a_wrong_line_ended_too_early():
    assert agreement([make_labeled(2)], lambda _: None).exact == 1
