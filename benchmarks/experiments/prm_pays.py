"""Does a process reward model (PRM) pay? Arms that use it for rewards, for the critic, for both or for nothing.

python -m benchmarks.lab prm_pays
python -m benchmarks.lab prm_pays --full
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.lab.design import AgentOptions, Arm, Design, Setting
from benchmarks.lab.experiment import Experiment, Panel
from benchmarks.lab.report import markdown_table, table_rows
from benchmarks.lab.results import Results
from benchmarks.lab.stats import TARGET_PASS_RATE, format_count, median

_USUAL: AgentOptions = {"learning_rate": 3e-4}
_SLOW: AgentOptions = {"learning_rate": 1.5e-4}
_FAST: AgentOptions = {"learning_rate": 4.5e-4}
_FADING: AgentOptions = {"learning_rate": 3e-4, "shaping_iterations": 12}
_SLOW_CRITIC: AgentOptions = {"learning_rate": 3e-4, "critic_learning_rate": 1e-4}
_PPO: AgentOptions = {"critic_epochs": 2}

ARMS = (
    Arm(
        "sparse PPO",
        "PPO with the unit tests as its only reward",
        options=_PPO,
        trials=(_USUAL, _SLOW, _FAST),
        tuned=_FAST,
        label="PPO, tests only",
        color="#9a9a9a",
    ),
    Arm(
        "sparse GRPO",
        "GRPO with the unit tests as its only reward",
        agent="grpo",
        trials=(_USUAL, _SLOW, _FAST),
        tuned=_SLOW,
        label="GRPO, tests only",
        color="#333333",
    ),
    Arm(
        "dense",
        "PPO with a reward from the PRM for every line",
        dense=True,
        options=_PPO,
        trials=(_USUAL, _SLOW, _FADING),
        tuned=_FADING,
        label="PRM rewards",
        color="#e69f00",
    ),
    Arm(
        "value init",
        "PPO whose critic starts from the PRM",
        agent="psgpo",
        value_init="prm",
        options=_PPO,
        trials=(_USUAL, _SLOW, _FAST),
        tuned=_USUAL,
        label="PRM critic",
        color="#56b4e9",
    ),
    Arm(
        "both",
        "PPO with line rewards and a critic from the PRM",
        dense=True,
        agent="psgpo",
        value_init="prm",
        options=_PPO,
        trials=(_USUAL, _SLOW, _FADING),
        tuned=_USUAL,
        label="PRM rewards + critic",
        color="#d55e00",
    ),
    Arm(
        "curriculum",
        "PPO on tasks of all lengths, with the unit tests as its only reward",
        curriculum=True,
        options=_PPO,
        trials=(_USUAL, _SLOW, _FAST),
        tuned=_SLOW,
        label="curriculum, tests only",
        color="#0072b2",
    ),
    Arm(
        "curriculum + both",
        "the curriculum with line rewards and a critic from the PRM",
        dense=True,
        agent="psgpo",
        value_init="prm",
        curriculum=True,
        options=_PPO,
        trials=(_USUAL, _SLOW, _FADING),
        tuned=_USUAL,
        label="curriculum + PRM",
        color="#009e73",
    ),
    Arm(
        "value model",
        "PPO whose critic starts from a value model, which is the PRM fine-tuned on outcomes of completions",
        agent="psgpo",
        value_init="value_model",
        options=_PPO,
        trials=(_USUAL, _SLOW, _SLOW_CRITIC),
        tuned=_USUAL,
        label="value-model critic",
        color="#cc79a7",
    ),
)
QUICK = Design(settings=(Setting(6, difficulty=1.0, num_iterations=20, num_seeds=1),), arms=ARMS[:5])
"""A quarter of an hour on two cores."""
FULL = Design(
    settings=(
        Setting(3, num_iterations=30),
        Setting(5, num_iterations=40, num_seeds=5),
        Setting(6, difficulty=1.0, num_iterations=40, num_seeds=5),
        Setting(8, num_iterations=40),
        Setting(8, difficulty=1.0, num_iterations=80, match_label_budget=True),
    ),
    arms=ARMS,
    max_lines=8,
    sft_programs=16_000,
    num_completions=16,
    keep_completions=4,
    stop_at_pass_rate=0.6,
    initial_eval_programs=16_384,
    tuning=Setting(6, difficulty=1.0, num_iterations=20, num_seeds=1),
)
"""The map of when a PRM pays: hours on two cores, in any number of sessions."""
PANELS = (
    Panel("On hard tasks a PRM saves most programs", ("sparse PPO", "sparse GRPO", "both")),
    Panel("The hardest tasks need both uses of the PRM", ("dense", "value init", "value model", "both")),
    Panel("The rival to beat is a curriculum", ("curriculum", "curriculum + both", "both")),
    Panel("With its labels counted, one run rarely gains", ("sparse GRPO", "curriculum", "both"), with_labels=True),
)


def summarize(results: Results) -> str:
    """Return the summary of ``results`` for readers who have read no paper."""
    prm, design = results.prm, results.design
    arms = "\n".join(f"- **{arm.name}**: {arm.description}." for arm in design.arms)
    return f"""# Does a process reward model pay?

A small policy was taught to write programs, mistakes included, and then trained by reinforcement learning on the
results of unit tests. A task of n lines is solved only if all n lines are correct. The question is whether the policy
learns faster if a process reward model (PRM) also predicts after every line whether the program can still be saved. The
arms:

{arms}

The PRM has a price: for the labels of {prm.programs:,} programs, prefixes were completed {prm.completions:,} times
({prm.executions:,} executions, {prm.label_seconds:.0f} s). The labels agree with the true first wrong line in
{prm.agreement_with_oracle:.1%} of the lines. On unseen tasks the PRM separates correct from wrong lines with a balanced
accuracy of {prm.balanced_accuracy:.3f} (chance: 0.5) and a calibration error of {prm.calibration_error:.3f}. Of two
lines with the same number in two programs, one correct and one the first wrong line, it prefers the correct one in
{prm.same_line_auc:.1%} of the cases (chance: 50 %).

{markdown_table(table_rows(results))}
"Start" is the share of programs that pass before any training. "Sampled" and "greedy" are final pass rates on
{2 * design.eval_programs} unseen tasks, with 95 % intervals. "Programs to {TARGET_PASS_RATE:.0%}" is the number of
programs written until {TARGET_PASS_RATE:.0%} of the sampled ones passed; "with labels" adds the completions that the
labels took, each counted as one program. {seeds_caution(results)}

{chr(10).join(f"- {sentence(results, setting)}" for setting in results.settings)}
"""


def seeds_caution(results: Results) -> str:
    """Return what the number of seeds of ``results`` allows to conclude."""
    design = results.design
    seeds = max(len(results.runs_of(setting, arm)) for setting in design.settings for arm in design.arms)
    if seeds == 1:
        return "One seed proves little: a difference counts only if it appears again with others."
    return f"Intervals are over up to {seeds} seeds; with fewer than 3 they are the smallest and the largest value."


def sentence(results: Results, setting: Setting) -> str:
    """Return which arm needed the fewest programs in a setting; arms with a curriculum are compared apart.

    Args:
        results: Results of the experiment.
        setting: The setting.
    """
    arms = results.arms_of(setting)
    alone, mixed = ([arm for arm in arms if arm.curriculum is curriculum] for curriculum in (False, True))
    start = f"**{setting.name}**, initial pass rate {results.initial_pass_rate(setting)}"
    if not mixed or not alone:
        return f"{start}: {comparison(results, setting, arms)}."
    without, using = comparison(results, setting, alone), comparison(results, setting, mixed)
    return f"{start}. On these tasks alone: {without}. With a curriculum: {using}."


def comparison(results: Results, setting: Setting, arms: Sequence[Arm]) -> str:
    """Return which of some arms needed the fewest programs, with and without labels.

    Args:
        results: Results of the experiment.
        setting: The setting.
        arms: Arms to compare.
    """
    sparse = _cheapest(results, setting, [arm for arm in arms if not arm.needs_labels])
    labeled = _cheapest(results, setting, [arm for arm in arms if arm.needs_labels])
    if sparse is None and labeled is None:
        return f"no arm reached {TARGET_PASS_RATE:.0%}"
    if labeled is None:
        return f"{_fewest(sparse)}, and no arm with the PRM reached {TARGET_PASS_RATE:.0%}"
    if sparse is None:
        return f"{_fewest(labeled)} besides its labels, and {_without_rival(results, setting, arms, labeled[1])}"
    saved = sparse[1] - labeled[1]
    if saved <= 0:
        return f"{_fewest(sparse)}; the PRM saves nothing ({labeled[0]}: {format_count(labeled[1])})"
    runs = math.ceil(results.prm.completions / saved)
    return (
        f"{_fewest(labeled)}; the best arm without the PRM, {sparse[0]}, needed {format_count(sparse[1])}. The labels "
        f"pay off if {runs} runs share them"
    )


def _without_rival(results: Results, setting: Setting, arms: Sequence[Arm], cost: float) -> str:
    """Return that no arm without the PRM reached the target, and whether their budget proves anything."""
    rivals = [run for arm in arms if not arm.needs_labels for run in results.runs_of(setting, arm)]
    if not rivals:
        return "no arm without the PRM was run"
    budget = min(run.setting.num_iterations for run in rivals) * results.design.batch_size
    whole = cost + results.prm.completions
    than = f"{'more' if budget >= whole else 'less'} than the {format_count(whole)}"  # a smaller budget proves nothing
    return f"no arm without the PRM reached {TARGET_PASS_RATE:.0%} in {budget:,}, which is {than} with the labels"


def _fewest(arm: tuple[str, float] | None) -> str:
    assert arm is not None
    return f"{arm[0]} needed the fewest programs ({format_count(arm[1])})"


def _cheapest(results: Results, setting: Setting, arms: Sequence[Arm]) -> tuple[str, float] | None:
    """Return the arm with the lowest median cost without labels, or None if none reached the target."""
    costs = {arm.name: median(results.costs(setting, arm)) for arm in arms}
    best = min(costs, key=lambda name: costs[name], default="")
    return (best, costs[best]) if best and not math.isinf(costs[best]) else None


EXPERIMENT = Experiment("prm_pays", QUICK, FULL, summarize, PANELS)
