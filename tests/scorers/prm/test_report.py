"""Reports, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from codegym.scorers.prm.report import PRMQualityError, ScoredProgram, calibration_error, make_report

PROGRAMS = [
    ScoredProgram("a", (1, 1, -1, -1), (0.9, 0.2, -0.6, 0.4)),  # first error found
    ScoredProgram("b", (1, -1), (-0.5, -0.5)),  # too early
    ScoredProgram("c", (1, 1), (0.5, 0.5)),  # no error
    ScoredProgram("d", (-1,), (0.5,)),  # missed
]


def test_a_report_by_hand():
    report = make_report(PROGRAMS)
    assert (report.programs, report.lines) == (4, 9)
    # right: 5 of 9, of which 4 are recognised; wrong: 4, of which 2 are
    assert report.positive_rate == report.majority_accuracy == pytest.approx(5 / 9)
    assert report.accuracy == pytest.approx(6 / 9)
    assert report.balanced_accuracy == pytest.approx((4 / 5 + 2 / 4) / 2)
    errors = [0.01, 0.64, 0.16, 1.96, 2.25, 0.25, 0.25, 0.25, 2.25]
    assert report.mean_squared_error == pytest.approx(sum(errors) / 9)
    assert report.first_error == {"exact": 1, "early": 1, "late": 0, "missed": 1, "false_alarm": 0, "none": 1}


def test_position_alone_tells_nothing_at_the_same_place():
    # first lines: .9, -.5 and .5 are right, the wrong one has .5; second lines: .2 and .5, the wrong one has -.5
    assert make_report(PROGRAMS).same_line_auc == pytest.approx((1 + 0 + 0.5 + 1 + 1) / 5)
    late_is_wrong = (0.9, 0.1, -0.8)
    by_number = [ScoredProgram("a", (1, 1, 1), late_is_wrong), ScoredProgram("b", (1, 1, -1), late_is_wrong)]
    assert make_report(by_number).same_line_auc == 0.5 and make_report(by_number[:1]).same_line_auc == 0.5


def test_calibration_error_by_hand():
    # bins [.0, .1): said .05 and .05, came 0 and 1; [.9, 1]: said 1, came 1
    said, came = np.array([0.05, 0.05, 1.0]), np.array([0.0, 1.0, 1.0])
    assert calibration_error(said, came) == pytest.approx((1 - 0.1) / 3)


@pytest.mark.parametrize("score", [-0.7, 0.7])
def test_a_constant_is_no_better_than_guessing(score):
    report = make_report([ScoredProgram(str(n), (1, 1, 1, -1), (score,) * 4) for n in range(50)])
    assert report.balanced_accuracy == 0.5 and report.majority_accuracy == 0.75
    assert max(report.accuracy, 1 - report.accuracy) == 0.75
    with pytest.raises(PRMQualityError, match="no better than chance"):
        report.check_quality()


def test_chance_does_not_pass_the_gate_and_a_weak_model_with_many_lines_does():
    rng = np.random.default_rng(0)
    labels = rng.choice([-1.0, 1.0], (100, 5))
    noise = rng.normal(size=(100, 5))

    def made(weight):
        scores = weight * labels + noise
        return make_report([ScoredProgram(str(n), [*labels[n]], [*scores[n]]) for n in range(100)])

    assert not made(0.0).is_useful and made(0.3).is_useful


def test_one_kind_of_line_shows_nothing():
    report = make_report([ScoredProgram("a", (-1, -1), (-0.9, -0.9))])
    assert report.accuracy == 1 and not report.is_useful and report.explained_variance == 0


def test_marginal_labels_count_as_wrong_where_the_share_drops_by_a_tenth():
    report = make_report([ScoredProgram("a", (0.0, -0.05, -0.6), (0.01, -0.02, -0.3))], "marginal")
    assert report.accuracy == 1 and report.first_error["exact"] == 1


def test_no_line_no_report():
    with pytest.raises(ValueError, match="no lines to compare"):
        make_report([ScoredProgram("a", (), ())])
