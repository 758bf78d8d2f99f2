"""The same program earns the same, token by token, line by line or at once; the stream has the total of the credit."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.env_judges import FAILED, JudgeSays
from helpers.env_play import AWKWARD, AWKWARD_TASKS, EOS, TASK, assert_same, small
from helpers.make_steps import VERDICTS
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym.envs.config import EnvConfig
from codegym.envs.env import LineEnv, TokenEnv
from codegym.envs.vector import TokenVectorEnv
from codegym.errors import SandboxError
from codegym.rewards import REWARDS, Reward
from codegym.tasks.record import StdinCheck, Task

ROOM = 6
"""Tokens of a line action; longer lines take several actions."""
OF_A_STEP = {"lines", "reward_terms", "action_mask"}
"""What an info says of the last step alone, which depends on the unit of action."""
EVERY_TERM = dict.fromkeys(REWARDS, 1.0)


class Told:
    """What an episode told: sums over its stream, and what stood there at its end."""

    def __init__(self):
        self.total, self.terms, self.lines, self.info, self.last = 0.0, {}, (), {}, None
        self.text = ""

    def add(self, reward, terminated, truncated, info):
        self.total += reward
        for name, amount in info.get("reward_terms", {}).items():
            self.terms[name] = self.terms.get(name, 0.0) + amount
        self.lines += info.get("lines", ())
        if terminated or truncated:
            assert terminated is not truncated
            self.info, self.text = info, info["text"]
        return terminated or truncated


def by_token(tokens, prefix=(), **keywords):
    env, told = TokenEnv(**keywords), Told()
    env.reset(seed=0, options={"prefix": prefix})
    for token in tokens:
        if told.add(*env.step(token)[1:]):
            break
    told.last = env.batch.returns[0].last
    return told


def by_line(tokens, prefix=(), padded=True, **keywords):
    """Actions go to the first token that holds a newline; with padding that means something else."""
    env, told = LineEnv(max_line_tokens=ROOM, **keywords), Told()
    env.reset(seed=0, options={"prefix": prefix})
    notable = [b"\n" in piece for piece in env.batch.tokenizer.token_bytes]
    notable[env.batch.tokenizer.eos_token_id] = True
    while tokens:
        stop = next((at for at, token in enumerate(tokens, 1) if notable[token]), len(tokens))
        action, tokens = tokens[: min(stop, ROOM)], tokens[min(stop, ROOM) :]
        if padded and notable[action[-1]]:
            action = action + [len(notable) - 2] * (ROOM - len(action))
        if told.add(*env.step(np.array(action))[1:]):
            break
    told.last = env.batch.returns[0].last
    return told


def at_once(tokens, prefix=(), **keywords):
    """The whole completion as one chunk, as a trainer of sequences does it."""
    env, told = TokenVectorEnv(1, **keywords), Told()
    env.reset(seed=0, options={"prefix": prefix})
    env.append_chunk(0, tokens)
    (result,) = env.finish()
    assert told.add(*result[:4])
    told.last = env.batch.returns[0].last
    return told


def as_text(texts, prefix="", **keywords):
    """Texts as actions of the line environment, then the end."""
    env, told = LineEnv(**keywords), Told()
    env.reset(seed=0, options={"prefix": prefix})
    for text in [*texts, ""]:
        if told.add(*env.step(text)[1:]):
            break
    told.last = env.batch.returns[0].last
    return told


def assert_agree(one, *others):
    """Facts and credit are the very same; sums agree but for the order of their summands."""
    for other in others:
        assert other.last == one.last
        assert (other.lines, other.text) == (one.lines, one.text)
        assert_same(*[{key: told.info[key] for key in told.info.keys() - OF_A_STEP} for told in (other, one)])
        assert other.total == pytest.approx(one.total, abs=1e-9)
        assert other.terms == pytest.approx(one.terms, abs=1e-9)


def assert_stream_is_credit(told, reward: Reward):
    """Of the sum, and of every term alone."""
    assert told.total == pytest.approx(told.info["credit"].sum(), abs=1e-9)
    for term, weight in reward.terms:
        assert told.terms[term.name] == pytest.approx(weight * term.credit(told.last).sum(), abs=1e-9)
    assert not told.info["credit"][told.info["num_tokens"] :].any()


# --- worked examples ----------------------------------------------------------------------------------------------


def test_a_program_earns_the_same_however_it_is_written():
    program = "def f(x):\n    x = x * 3\n    x = x + 2\n    return x"
    keywords = {"sandbox": "fake", "line_scorer": "fake", "reward": "outcome + 0.5*process"}
    tokens = [*program.encode(), EOS]
    tokenwise = by_token(tokens, **keywords)
    assert_agree(tokenwise, by_line(tokens, **keywords), at_once(tokens, **keywords), as_text([program], **keywords))
    assert np.flatnonzero(tokenwise.info["credit"]).tolist() == [
        9,
        23,
        37,
        50,
    ]  # the newlines, and the end for the last


def scored(*tokens, **keywords):
    """The credit of plain process reward where line n of the program has the score n."""

    class Counting:
        def score(self, requests):
            return [[index + 1.0 for index in request.indices] for request in requests]

    keywords = {"tokenizer": AWKWARD, "tasks": AWKWARD_TASKS[0], "max_tokens": 12} | keywords
    keywords |= {"sandbox": JudgeSays(FAILED), "reward": "process", "line_scorer": Counting()}
    ids = [AWKWARD.eos_token_id if token is None else AWKWARD.token_bytes.index(token) for token in tokens]
    told = [by_token(ids, **keywords), by_line(ids, **keywords), at_once(ids, **keywords)]
    assert_agree(*told)
    return told[0].info["credit"][: told[0].info["num_tokens"]].tolist(), told[0]


def test_t1_a_token_that_ends_a_line_and_begins_the_next_earns_for_the_line_it_ends():
    credit, told = scored(b"a", b"\ny", b"a", b"\n", None)  # a | ya |
    assert (credit, told.lines) == ([0, 1, 0, 2, 0], ("a\n", "ya\n"))
    assert [(line.first_token, line.last_token) for line in told.last.lines] == [(0, 1), (1, 3)]


def test_t1_a_token_that_ends_several_lines_earns_for_all_of_them():
    credit, told = scored(b"a", b"\n", b"# c\ny = 2\n", b"x = 1\n", None)  # a | # c, neutral | y = 2 | x = 1 |
    assert (credit, told.lines) == ([0, 1, 3, 4, 0], ("a\n", "# c\n", "y = 2\n", "x = 1\n"))
    credit, told = scored(b"a", b")\n\n# d", b"\n", None)  # a) | blank | # d |
    assert (credit, told.lines) == ([0, 1, 0, 0], ("a)\n", "\n", "# d\n"))


def test_t4_an_unfinished_last_line_counts_once_at_the_end():
    credit, told = scored(b"a", b"\n", b"a", None)
    assert (credit, told.lines) == ([0, 1, 0, 2], ("a\n", "a"))
    credit, told = scored(b"a", b"\n", b"a", b"a", max_tokens=4)  # the budget ends it
    assert (credit, told.lines) == ([0, 1, 0, 2], ("a\n", "aa"))
    assert told.info["budget_exhausted"]


def test_t6_what_stands_after_the_end_of_sequence_does_not_count():
    credit, told = scored(b"a", b"\n", None, b"a", b"\n", None)
    assert (credit, told.text, told.info["num_tokens"]) == ([0, 1, 0], "a\n", 3)


def test_e9_halves_of_a_character_in_two_tokens_are_one_character():
    credit, told = scored(b"a", b"\xc3", b"\xa9", b"\n", None)
    assert (credit, told.lines) == ([0, 0, 0, 1, 0], ("aé\n",))


def test_e9_half_a_character_before_a_newline_or_the_end_is_a_replacement_character():
    assert scored(b"a", b"\xc3\n", b"\xa9", None)[1].lines == ("a\ufffd\n", "\ufffd")
    assert scored(b"\xff", b"\xed\xa0\x80", b"\n", None)[1].lines == ("\ufffd" * 4 + "\n",)


def test_an_empty_program_has_no_lines_and_is_judged():
    credit, told = scored(None)
    assert (credit, told.lines, told.text, told.info["verdict"]) == ([0], (), "", FAILED)


def test_tokens_without_bytes_add_nothing():
    class Padded:
        """The byte tokenizer with a padding token."""

        vocab_size, eos_token_id = 258, 256
        token_bytes = (*(bytes([byte]) for byte in range(256)), b"", b"")

        def encode(self, text):
            return list(text.encode())

    keywords = {"tokenizer": Padded(), "tasks": TASK, "sandbox": "fake", "reward": "process", "line_scorer": "fake"}
    tokens = [257, 257, *b"x = 1", 257, *b"\n", 257, EOS]
    tokenwise = by_token(tokens, **keywords)
    assert_agree(tokenwise, by_line(tokens, padded=False, **keywords), at_once(tokens, **keywords))
    (line,) = tokenwise.last.lines
    assert (line.text, line.first_token, line.last_token) == ("x = 1\n", 2, 8)
    assert not TokenEnv(**keywords).batch.text_mask[257]


# --- any program, any verdict ---------------------------------------------------------------------------------------

EOS_AWKWARD = AWKWARD.eos_token_id
PIECES = st.integers(0, EOS_AWKWARD - 1)
ANY_VERDICT = st.none() | VERDICTS
WEIGHTS = st.floats(-2, 2, allow_subnormal=False)
REWARD = st.just(EVERY_TERM) | st.dictionaries(st.sampled_from(sorted(REWARDS)), WEIGHTS, min_size=1, max_size=4)


@st.composite
def programs(draw, pieces=PIECES, eos=EOS_AWKWARD):
    """Tokens, a prefix and a budget: ended by the end of sequence somewhere, or by the budget."""
    prefix = draw(st.lists(pieces, max_size=8))
    tokens = draw(st.lists(pieces, min_size=1, max_size=24))
    if draw(st.booleans()):
        return tokens, prefix, len(prefix) + len(tokens)
    tokens.insert(draw(st.integers(0, len(tokens))), eos)
    return tokens, prefix, len(prefix) + len(tokens) + draw(st.integers(0, 5))


def judge_that_says(verdict):
    return JudgeSays(SandboxError("the machine failed") if verdict is None else verdict)


@given(programs(), ANY_VERDICT, REWARD)
def test_every_way_of_driving_earns_the_same_and_stream_is_credit(program, verdict, reward):
    tokens, prefix, max_tokens = program
    keywords = small("Token", tokenizer=AWKWARD, tasks=AWKWARD_TASKS, max_prompt_tokens=4, line_scorer="fake")
    keywords |= {"reward": reward, "sandbox": judge_that_says(verdict), "max_tokens": max_tokens}
    tokenwise = by_token(tokens, prefix, **keywords)
    assert_agree(
        tokenwise,
        by_line(tokens, prefix, **keywords),
        by_line(tokens, prefix, padded=False, **keywords),
        at_once(tokens, prefix, **keywords),
    )
    assert_stream_is_credit(tokenwise, EnvConfig(**keywords).make_reward())
    if verdict is None:
        assert not tokenwise.info["reward_valid"]


LINES = st.sampled_from(
    ["def f(x):\n", "    return x\n", "\n", "# note\n", "'''doc'''\n", "x = (\n", ")\n", "é = 'ß'\n", "a\rb\n", "x"]
)


@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=3), st.integers(0, 3), ANY_VERDICT)
def test_text_is_an_action_that_earns_the_same(lines, prefix, cut, verdict):
    prefix, program = "".join(prefix), "".join(lines)
    keywords = {"tasks": TASK, "line_scorer": "fake", "reward": EVERY_TERM, "sandbox": judge_that_says(verdict)}
    tokens = [*program.encode(), EOS]
    tokenwise = by_token(tokens, prefix, **keywords)
    assert_agree(
        tokenwise,
        at_once(tokens, prefix, **keywords),
        as_text(lines, prefix, **keywords),
        as_text([program] if program else [], prefix, **keywords),
        as_text([part for part in (program[:cut], program[cut:]) if part], prefix, **keywords),
    )


@given(programs(), VERDICTS)
def test_scores_are_the_same_asked_for_at_once_and_at_the_end(program, verdict):
    tokens, prefix, max_tokens = program
    keywords = small("Token", tokenizer=AWKWARD, tasks=AWKWARD_TASKS, max_prompt_tokens=4, line_scorer="fake")
    keywords |= {"sandbox": JudgeSays(verdict), "max_tokens": max_tokens}
    late = by_token(tokens, prefix, reward="psgpo", **keywords)
    early = by_token(tokens, prefix, reward="psgpo + 0*process", **keywords)
    assert late.last == early.last
    np.testing.assert_array_equal(late.info["credit"], early.info["credit"])
    assert late.info["line_scores"] == early.info["line_scores"]


@pytest.mark.parametrize("term", REWARDS)
@settings(max_examples=40)
@given(program=programs(), verdict=ANY_VERDICT)
def test_stream_of_every_term_is_its_credit(term, program, verdict):
    tokens, prefix, max_tokens = program
    keywords = small("Token", tokenizer=AWKWARD, tasks=AWKWARD_TASKS, max_prompt_tokens=4, line_scorer="fake")
    keywords |= {"reward": term, "sandbox": judge_that_says(verdict), "max_tokens": max_tokens}
    reward = EnvConfig(**keywords).make_reward()
    told = by_token(tokens, prefix, **keywords)
    assert_stream_is_credit(told, reward)
    if verdict is not None:
        assert reward.low - 1e-9 <= told.total <= reward.high + 1e-9


@given(programs(), VERDICTS)
def test_a_prefix_earns_nothing_and_is_part_of_the_program(program, verdict):
    tokens, prefix, max_tokens = program
    judge = JudgeSays(verdict)
    keywords = small("Token", tokenizer=AWKWARD, tasks=AWKWARD_TASKS, max_prompt_tokens=4, line_scorer="fake")
    keywords |= {"reward": EVERY_TERM, "sandbox": judge, "max_tokens": max_tokens}
    told = by_token(tokens, prefix, **keywords)
    stop = tokens.index(EOS_AWKWARD) if EOS_AWKWARD in tokens else len(tokens)
    written = b"".join(AWKWARD.token_bytes[token] for token in [*prefix, *tokens[:stop]])
    assert (
        judge.programs == [told.text] == ["\n".join(line.decode("utf-8", "replace") for line in written.split(b"\n"))]
    )
    given_lines = [line for line in told.last.lines if line.from_prefix]
    assert len(given_lines) == b"".join(AWKWARD.token_bytes[token] for token in prefix).count(b"\n")
    closed = max((line.last_token + 1 for line in given_lines), default=0)
    assert not told.info["credit"][:closed].any()
    assert told.lines == tuple(line.text for line in told.last.lines if not line.from_prefix)


# --- whole programs in one call -------------------------------------------------------------------------------------


def test_many_programs_at_once_ask_the_scorer_once_and_earn_what_they_earn_alone():
    calls = []

    class Counting:
        def score(self, requests):
            calls.append(len(requests))
            return [[0.5] * len(request.indices) for request in requests]

    task = Task("t", "Print.\n", (StdinCheck("", "1"),), solution="print(1)\n")
    keywords = {"tasks": task, "reward": "outcome + process", "line_scorer": Counting(), "sandbox": "fake"}
    completions = [[*b"print(1)\n", EOS], [*b"x = 1\ny\n", EOS], [EOS]]
    env = TokenVectorEnv(3, **keywords)
    env.reset(seed=0)
    for slot, tokens in enumerate(completions):
        env.append_chunk(slot, tokens)
    outcomes = env.finish()
    assert calls == [2]  # one call, for the two that have lines
    assert [outcome.reward for outcome in outcomes] == [1.5, 1.0, 0.0]
    for tokens, outcome in zip(completions, outcomes, strict=True):
        alone = by_token(tokens, **keywords)
        assert alone.total == outcome.reward
        np.testing.assert_array_equal(alone.info["credit"], outcome.info["credit"])
