"""Episodes side by side with their rewards and infos; the single and the vector environments are shells around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from codegym.envs.actions import check_tokens
from codegym.envs.config import EnvConfig
from codegym.envs.infos import Info
from codegym.envs.state import EpisodeReturns, EpisodeState, restore, snapshot
from codegym.judge import JudgeLike, Verdict
from codegym.plugins import suggest
from codegym.render import View
from codegym.step import Step
from codegym.syntax.completion import CompletableMask
from codegym.tasks.record import Task
from codegym.tasks.source import make_task_source
from codegym.tokenizers import load_tokenizer

RESET_OPTIONS = ("task_id", "prefix")


class StepResult(NamedTuple):
    """Result of one transition in one slot."""

    reward: float
    """Sum of the weighted reward terms."""
    terminated: bool
    """Whether the program has ended and was judged."""
    truncated: bool
    """Whether the program has ended and the machine could not judge it."""
    info: Info
    """Info of the step, without the action mask."""
    last: Step | None = None
    """Last step of the episode; None if the episode continues."""
    failure: str | None = None
    """Reason why the machine could not judge the program, if it could not."""


class EpisodeBatch:
    """``num_slots`` episodes with their actions, rewards and infos: the only way to drive ``CodeDynamics``.

    A transition is ``act`` (or ``append_chunk``), then ``advance`` for the slots in which a line or a program ended.

    Args:
        config: Environment configuration.
        num_slots: Number of episodes side by side.
    """

    def __init__(self, config: EnvConfig, num_slots: int) -> None:
        self.config = config
        self.num_slots = num_slots
        self.source = make_task_source(config.tasks, config.path)
        self.tokenizer = load_tokenizer(config.tokenizer)
        self.reward = config.make_reward()
        self.dynamics = config.make_dynamics(self.tokenizer, self.reward, num_slots)
        self.actions = config.make_actions(self.tokenizer)
        self.observation = config.make_observation(self.dynamics)
        self.returns = [EpisodeReturns() for _ in range(num_slots)]
        vocabulary = self.tokenizer.token_bytes
        self.text_mask = np.array([bool(piece) for piece in vocabulary])
        self.text_mask[self.tokenizer.eos_token_id] = True
        self.text_mask.flags.writeable = False
        self._text_masks = np.broadcast_to(self.text_mask, (num_slots, len(vocabulary)))
        self._no_terms = dict.fromkeys((term.name for term, _ in self.reward.terms), 0.0)
        self._completable = (
            CompletableMask(vocabulary, self.tokenizer.eos_token_id) if config.mask == "completable" else None
        )

    def start(self, slot: int, rng: np.random.Generator, options: Mapping[str, Any] | None = None) -> Info:
        """Begin an episode in a slot.

        Args:
            slot: Slot of the episode; what was in it is dropped.
            rng: Generator that draws the task.
            options: ``task_id`` chooses the task, ``prefix`` is the beginning of the completion.

        Raises:
            ValueError: There is no such option, or the prefix is too long or ends the program.
            InvalidAction: The prefix holds something else than token ids.
            KeyError: There is no task of that id.
        """
        options = options or {}
        if unknown := set(options) - set(RESET_OPTIONS):
            name = min(map(str, unknown))
            raise ValueError(
                f"unknown reset option: got {name!r}{suggest(name, RESET_OPTIONS)}; expected one of "
                f"{', '.join(RESET_OPTIONS)}"
            )
        wanted = options.get("task_id")
        task = self.source.draw(rng) if wanted is None else self.source.by_id(wanted)
        episode = self.dynamics.start(slot, task, self._prefix(options.get("prefix")))
        self.returns[slot] = EpisodeReturns()
        return {
            "task_id": episode.task.task_id,
            "prompt": episode.task.prompt,
            "prompt_truncated": episode.prompt_truncated,
            "text": self.text(slot),
        }

    def _prefix(self, prefix: str | Sequence[int] | None) -> list[int]:
        if prefix is None:
            return []
        if isinstance(prefix, str):
            return self.tokenizer.encode(prefix)
        return list(map(int, check_tokens(prefix, self.tokenizer.vocab_size)))

    def with_mask(self, slot: int, info: Info) -> Info:
        """Return ``info`` with the action mask of ``slot`` added, unless masks are off.

        Args:
            slot: Slot whose mask is added.
            info: Info to change.
        """
        if self.config.mask is not None:
            info["action_mask"] = self.action_mask(slot).copy()  # an info is the caller's own
        return info

    def action_mask(self, slot: int) -> NDArray[np.bool_]:
        """Return which tokens may come next in ``slot``, bool [vocab_size]."""
        episode = self.dynamics.episodes[slot]
        if self._completable is None or episode is None or episode.ended:
            return self.text_mask
        left = self.config.max_tokens - self.dynamics.num_tokens(slot)
        return self._completable.mask(self._bytes(slot), left, preamble=episode.task.preamble)

    def action_masks(self, slots: Sequence[int]) -> NDArray[np.bool_]:
        """Return the action masks of ``slots``, bool [num_slots, vocab_size]; rows of other slots are all False.

        The array may be read-only.
        """
        if self._completable is None and len(slots) == self.num_slots:
            return self._text_masks
        masks = np.zeros((self.num_slots, len(self.text_mask)), np.bool_)
        for slot in slots:
            masks[slot] = self.action_mask(slot)
        return masks

    def _bytes(self, slot: int) -> bytes:
        text = self.dynamics.episode(slot).text
        return text.encode("utf-8", "surrogatepass") + self.dynamics.open_line(slot)

    def text(self, slot: int) -> str:
        """Return the completion in ``slot`` so far."""
        return self.dynamics.episode(slot).text + self.dynamics.open_line(slot).decode("utf-8", "replace")

    @property
    def judge(self) -> JudgeLike:
        """Judge of the finished programs."""
        return self.dynamics.judge

    @property
    def num_tokens(self) -> NDArray[np.int64]:
        """Tokens of the completion in each slot, [num_slots]."""
        return self.dynamics.lengths - self.dynamics.prompt_lengths

    def task(self, slot: int) -> Task:
        """Return the task of the episode in ``slot``."""
        return self.dynamics.episode(slot).task

    def has_episode(self, slot: int) -> bool:
        """Return whether ``slot`` has had a reset."""
        return self.dynamics.episodes[slot] is not None

    def has_ended(self, slot: int) -> bool:
        """Return whether the program in ``slot`` has ended, judged or not."""
        return self.has_episode(slot) and self.dynamics.episode(slot).ended

    def pending_verdict(self, slot: int) -> Future[Verdict] | None:
        """Return the verdict that ``advance`` would wait for in ``slot``; None if it would not wait."""
        verdict = self.dynamics.episode(slot).verdict
        return None if verdict is None or verdict.done() else verdict

    def act(self, action: Any) -> bool:
        """Append an action to the program in slot 0 and return whether ``advance`` has something to report.

        An ended program whose end is not reported yet (its line scorer has failed) is left as it is.

        Args:
            action: Action of the action space.

        Raises:
            InvalidAction: It is not an action of the action space; the program is unchanged.
            ResetNeeded: There is no episode, or its end has been reported.
        """
        episode = self.dynamics.episodes[0]
        if episode is None or self.returns[0].last is not None:
            raise ResetNeeded("no episode to step: call reset first")
        return episode.ended or self.actions.apply(self.dynamics, action)

    def act_all(self, actions: Any, slots: NDArray[np.intp] | None) -> list[int]:
        """Append one action to the program in each of ``slots`` and return the slots that ``advance`` can report.

        Args:
            actions: One action for each slot of the batch.
            slots: Slots whose program has not ended; None for all.

        Raises:
            InvalidAction: One of them is not an action of the action space; all programs are unchanged.
        """
        changed: list[int] = self.actions.apply_all(self.dynamics, actions, slots).tolist()
        return changed

    def append_chunk(self, slot: int, tokens: Sequence[int]) -> None:
        """Append tokens to the program in a slot, up to its end; judging starts if it has ended.

        Args:
            slot: Slot whose program has not ended.
            tokens: Token ids; those after the end of the program are ignored.

        Raises:
            InvalidAction: They are not token ids; the program is unchanged.
            ResetNeeded: There is no episode in this slot, or its program has ended.
        """
        if self.dynamics.episode(slot).ended:
            raise ResetNeeded(f"the program in slot {slot} has ended: call reset first")
        self.dynamics.append_chunk(slot, check_tokens(tokens, self.tokenizer.vocab_size))
        self.dynamics.close_lines((slot,))

    def settle(self, slots: Sequence[int]) -> None:
        """Close the lines and end the programs in ``slots``, start judging, and get the line scores that are due.

        Settling twice changes nothing.

        Raises:
            LineScorerError: The line scorer broke its contract; ``settle`` can be called again.
        """
        self.dynamics.close_lines(slots)
        self.dynamics.score(slots)

    def wait_for_verdicts(self, slots: Sequence[int]) -> None:
        """Block until the ended programs in ``slots`` are judged."""
        for slot in slots:
            if (verdict := self.pending_verdict(slot)) is not None:
                wait((verdict,))

    def advance(self, slots: Sequence[int]) -> list[StepResult]:
        """Settle ``slots``, wait for their verdicts, and return what is new in each of them.

        Raises:
            LineScorerError: The line scorer broke its contract; ``advance`` can be called again.
        """
        self.settle(slots)
        self.wait_for_verdicts(slots)
        return [self._report(slot) for slot in slots]

    def _report(self, slot: int) -> StepResult:
        """Pay the new steps of a slot and describe them."""
        returns, lines, terms = self.returns[slot], list[str](), self._no_terms.copy()
        for step in self.dynamics.new_steps(slot):
            amounts = self.reward.stream(step)
            for name, amount in amounts.items():
                terms[name] += amount
            if step.line is not None:
                lines.append(step.line.text)
                returns.lines.append(sum(amounts.values()))
            if step.ended:
                returns.last = step
        reward = sum(terms.values())
        returns.total += reward
        if not returns.terms or any(terms.values()):
            returns.terms = {name: returns.terms.get(name, 0.0) + amount for name, amount in terms.items()}
        last, episode = returns.last, self.dynamics.episode(slot)
        info: Info = {"lines": tuple(lines), "text": episode.written, "reward_terms": terms}
        if last is None:
            if self.dynamics.score_per_line:
                info["line_scores"] = tuple([line.score for line in episode.lines[-len(lines) :]]) if lines else ()
            return StepResult(reward, False, False, info)
        failure = self.dynamics.failure(slot)
        info |= self._end_info(last) | {"failure": failure}
        return StepResult(reward, last.valid, not last.valid, info, last, failure)

    def _end_info(self, last: Step) -> Info:
        credit = np.zeros(self.config.max_tokens)
        credit[: last.num_tokens] = self.reward.credit(last)
        scores = {"line_scores": tuple([line.score for line in last.lines])} if self.dynamics.line_scorer else {}
        return scores | {
            "task_id": last.task.task_id,
            "verdict": last.verdict,
            "is_success": last.verdict is not None and last.verdict.passed,
            "reward_valid": last.valid,
            "budget_exhausted": last.budget_exhausted,
            "num_tokens": last.num_tokens,
            "credit": credit,
        }

    def view(self, slot: int) -> View:
        """Return the episode in ``slot`` as pictures show it."""
        episode, returns = self.dynamics.episode(slot), self.returns[slot]
        num_from_prefix = sum(line.from_prefix for line in episode.lines)
        return View(
            task=episode.task,
            lines=tuple(episode.lines),
            open_line=self.dynamics.open_line(slot).decode("utf-8", "replace"),
            line_rewards=(0.0,) * num_from_prefix + tuple(returns.lines),
            total=returns.total,
            terms=returns.terms,
            verdict=None if returns.last is None else returns.last.verdict,
            valid=returns.last is None or returns.last.valid,
            num_tokens=self.dynamics.num_tokens(slot),
            max_tokens=self.config.max_tokens,
            ended=episode.ended,
        )

    def get_state(self, slot: int, rng: np.random.Generator) -> EpisodeState:
        """Copy everything about an episode. Blocks for the verdict if its program has ended.

        Args:
            slot: Slot of the episode.
            rng: Generator that draws the tasks of the slot.

        Raises:
            ResetNeeded: The slot has had no reset yet.
        """
        return snapshot(self.dynamics, self.returns[slot], slot, rng)

    def set_state(self, slot: int, state: EpisodeState, rng: np.random.Generator) -> None:
        """Put a copied episode into a slot.

        Args:
            slot: Slot to fill.
            state: Copied state of an episode.
            rng: Generator of the slot, which is set to its state at the time of the copy.

        Raises:
            ValueError: The state was copied with another tokenizer, or does not fit into the sizes.
        """
        self.returns[slot] = restore(self.dynamics, state, slot, rng)

    def close(self) -> None:
        """Close the sandbox, if it was opened for these episodes."""
        close = getattr(self.dynamics.judge, "close", None)
        if close is not None and isinstance(self.config.sandbox, str):
            close()
