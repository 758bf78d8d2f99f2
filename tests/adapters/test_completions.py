"""A completion earns what the environment pays for the same program, and a broken machine pays nothing at all."""

from __future__ import annotations

import pytest
from helpers.env_judges import PASSED, FailingAtTimes, HeldJudge, JudgeSays, ScorerSays
from helpers.env_play import EOS, TASK, small

from codegym import StdinCheck, Task
from codegym.adapters.completions import CompletionReward, fenced_code, to_dataset
from codegym.envs.env import TokenEnv
from codegym.rewards import REWARDS

OTHER = Task("other", "Print nothing.\n", (StdinCheck("", ""),), solution="pass\n")
PROGRAM = "# c\nx = 1\nif x:\n    y = (1 +\n2)\n\nprint(x)"


def rewarded(*completions, task_id="double", strip_fences=False, **settings):
    reward = CompletionReward([TASK, OTHER], strip_fences=strip_fences, **({"sandbox": "fake"} | settings))
    return reward(prompts=["?"] * len(completions), completions=completions, task_id=[task_id] * len(completions))


def test_a_completion_that_passes_earns_more():
    assert rewarded("x = 1\n", "x = 2\n") == [1.0, 0.0]


@pytest.mark.parametrize("name", REWARDS)
def test_the_total_is_that_of_the_environment_token_by_token(name):
    settings = {"reward": name, "line_scorer": "fake"}
    env = TokenEnv(**small("Token", tasks=TASK, **settings | {"max_tokens": 60}))
    env.reset()
    total = sum(env.step(token)[1] for token in [*PROGRAM.encode(), EOS])
    assert rewarded(PROGRAM, max_tokens=60, **settings) == [pytest.approx(total)]


def test_the_task_is_chosen_by_its_id():
    judge = JudgeSays(PASSED)
    reward = CompletionReward([TASK, OTHER], sandbox=judge)
    outcomes = reward.outcomes(["a", "b"], ["other", "double"])
    assert [outcome.info["task_id"] for outcome in outcomes] == ["other", "double"]
    with pytest.raises(KeyError, match="nowhere"):
        rewarded("a", task_id="nowhere")
    with pytest.raises(ValueError, match="expected one for each of 2 completions"):
        reward.outcomes(["a", "b"], ["other"])


def test_what_the_machine_failed_to_judge_is_none():
    assert rewarded("x = 1\n", "#", sandbox=FailingAtTimes("#")) == [1.0, None]


def test_all_programs_are_with_the_judge_before_one_is_waited_for():
    class Releases(HeldJudge):
        def submit(self, task, completion):
            future = super().submit(task, completion)
            if len(self.held) == 3:  # would wait for ever if they came one by one
                self.release()
            return future

    assert rewarded("x = 1\n", "a", "x = 1\n", sandbox=Releases()) == [1.0, 0.0, 1.0]


def test_all_lines_are_scored_in_one_call():
    scorer = ScorerSays()
    rewarded("x = 1\n", PROGRAM, reward="process", line_scorer=scorer)
    assert len(scorer.calls) == 1 and len(scorer.calls[0]) == 2


def test_the_same_object_serves_batches_of_every_size():
    reward = CompletionReward(TASK, sandbox="fake")
    for size in (3, 1, 0, 5):
        assert reward([TASK.solution] * size, ["double"] * size, trainer_state=None) == [1.0] * size


@pytest.mark.parametrize(
    "completion",
    [
        [{"role": "assistant", "content": "x = 1\n"}],
        [
            {"role": "assistant", "content": "?"},
            {"role": "tool", "content": "!"},
            {"role": "assistant", "content": "x = 1\n"},
        ],
        [{"role": "assistant", "content": [{"type": "text", "text": "x = "}, {"type": "text", "text": "1\n"}]}],
    ],
    ids=["one", "last", "parts"],
)
def test_of_a_conversation_the_last_answer_counts(completion):
    assert rewarded(completion, "x = 1\n") == [1.0, 1.0]


def test_a_conversation_without_an_answer_is_an_empty_program():
    judge = JudgeSays(PASSED)
    rewarded([], [{"role": "assistant", "content": None}], "", sandbox=judge)
    assert judge.programs == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("", ""),
        ("So:\n```python\nx = 1\n```\nGood.", "x = 1\n"),
        ("```\nx = 0\n```\nNo:\n```py\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n", "x = 1\n"),
        ("```python\n```", ""),
        ("s = '''\n  ```\n'''", "s = '''\n  ```\n'''"),
        ("use `x` or ```x```", "use `x` or ```x```"),
    ],
    ids=["none", "empty", "one", "two", "unclosed", "nothing-inside", "indented", "inline"],
)
def test_fences(text, code):
    assert fenced_code(text) == code


def test_fences_are_taken_off_only_where_wanted():
    judge = JudgeSays(PASSED)
    rewarded("```\nx\n```", sandbox=judge)
    rewarded("```\nx\n```", sandbox=judge, strip_fences=True)
    assert judge.programs == ["```\nx\n```", "x\n"]


def test_odd_text_is_a_program_too():
    judge = JudgeSays(PASSED)
    assert rewarded("é\ud800\0", sandbox=judge) == [1.0]
    assert judge.programs == ["é?\0"]


def test_a_completion_is_cut_at_the_budget():
    judge = JudgeSays(PASSED)
    reward = CompletionReward(TASK, sandbox=judge, max_tokens=3)
    assert [each.info["budget_exhausted"] for each in reward.outcomes(["abcdef", "ab"], ["double"] * 2)] == [
        True,
        False,
    ]
    assert judge.programs == ["abc", "ab"]


def test_trainers_log_it_under_the_names_of_its_terms():
    assert (
        CompletionReward(TASK, reward="outcome + 0.1*syntax_penalty", sandbox="fake").__name__
        == "outcome+syntax_penalty"
    )


def test_real_programs_are_judged():
    reward = CompletionReward(TASK, reward="pass_ratio", sandbox="process")
    assert reward(["print(2 * int(input()))", "print(2)"], ["double"] * 2) == [1.0, 0.5]
    reward.close()


def test_a_data_set_has_a_row_for_each_task():
    assert to_dataset([TASK, OTHER]) == [
        {"prompt": "Print twice the number.\n", "task_id": "double"},
        {"prompt": "Print nothing.\n", "task_id": "other"},
    ]


def test_prompts_can_be_messages():
    (row,) = to_dataset(TASK, conversational=True)
    assert row["prompt"] == [{"role": "user", "content": TASK.prompt}]


def test_tasks_without_end_are_drawn_and_found_again():
    with pytest.raises(ValueError, match="num_tasks"):
        to_dataset("arithmetic")
    rows = to_dataset("arithmetic", num_tasks=5, seed=3)
    assert len(rows) == 5 and rows == to_dataset("arithmetic", num_tasks=5, seed=3) != to_dataset(
        "arithmetic", num_tasks=5
    )
    reward = CompletionReward("arithmetic", sandbox="fake")
    assert reward(["?"] * 5, [row["task_id"] for row in rows]) == [0.0] * 5
