"""Labels of lines, from how often a policy can still complete the prefixes of a program."""

from codegym.scorers.labels.agreement import Agreement, agreement
from codegym.scorers.labels.files import (
    append_labels,
    from_row,
    read_label_card,
    read_labels,
    split_by_task,
    summarize_labels,
    to_row,
)
from codegym.scorers.labels.labeler import Labeler, LabelSettings
from codegym.scorers.labels.labels import (
    JudgedCompletion,
    LabelClass,
    LabeledProgram,
    LabelKind,
    Selection,
    SuccessCount,
    code_line_indices,
    line_labels,
    select,
)
from codegym.scorers.labels.prober import PrefixEvaluator
from codegym.scorers.labels.search import BinarySearch, ExhaustiveSearch, PrefixSearch, SampledProgram

__all__ = [
    "Agreement",
    "BinarySearch",
    "ExhaustiveSearch",
    "JudgedCompletion",
    "LabelClass",
    "LabelKind",
    "LabelSettings",
    "LabeledProgram",
    "Labeler",
    "PrefixEvaluator",
    "PrefixSearch",
    "SampledProgram",
    "Selection",
    "SuccessCount",
    "agreement",
    "append_labels",
    "code_line_indices",
    "from_row",
    "line_labels",
    "read_label_card",
    "read_labels",
    "select",
    "split_by_task",
    "summarize_labels",
    "to_row",
]
