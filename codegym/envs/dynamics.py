"""The one implementation of the MDP: tokens go in, ``Step`` records come out.

Episodes live side by side in ``num_slots`` slots, so that one call of the line scorer serves all slots of a transition
and the sandbox runs their programs in parallel; a single environment is a batch of one. A token costs a handful of
array operations; bytes, text and lines are read only when a line or a program ends. A chunk is one token, one line or
a whole completion.
"""

from __future__ import annotations

import functools
import hashlib
import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from codegym.errors import LineScorerError, SandboxError
from codegym.judge import JudgeLike, Verdict
from codegym.scorers import LineScorer, ScoreRequest
from codegym.step import Line, Step, iter_steps
from codegym.syntax.lines import INITIAL_STATE, LexerState, LineKind, line_kind
from codegym.tasks.record import Task
from codegym.tokenizers import Tokenizer

Tokens = NDArray[np.int32]


@dataclass(slots=True)
class Episode:
    """State of one episode, except its tokens."""

    task: Task
    num_prompt: int
    """Tokens of the prompt in the context."""
    num_prefix_tokens: int = 0
    """Tokens of the completion that came from the prefix of ``reset``."""
    prompt_truncated: bool = False
    """Whether the prompt had more tokens than ``max_prompt_tokens`` and lost its beginning."""
    num_scanned: int = 0
    """Tokens of the completion whose bytes have been read."""
    unfinished: bytes = b""
    """Bytes of the open line, as far as they have been read."""
    first_token: int = 0
    """Index of the token that holds the first byte of the open line."""
    lexer: LexerState = INITIAL_STATE
    lines: list[Line] = field(default_factory=list)
    text: str = ""
    """Text of the closed lines."""
    texts: list[str] = field(default_factory=list)
    """Text of each closed line, in the form that a line scorer gets."""
    num_scored: int = 0
    """Closed lines that are scored or neutral."""
    num_reported: int = 0
    """Closed lines whose step has been reported."""
    ended: bool = False
    budget_exhausted: bool = False
    verdict: Future[Verdict] | None = None
    """Verdict of the program; None until the program has ended."""

    @property
    def written(self) -> str:
        """Text of the completion as far as it has been read: all of it when a line or the program has just ended."""
        return self.text + self.unfinished.decode("utf-8", "replace") if self.unfinished else self.text


class CodeDynamics:
    """Episodes of writing programs, in slots.

    Args:
        tokenizer: Tokenizer between text and token ids.
        judge: Judge of the finished programs.
        num_slots: Number of episodes side by side.
        max_tokens: Token budget of a completion, the end-of-sequence token included.
        max_prompt_tokens: Tokens kept of a prompt; a longer one loses its beginning.
        line_scorer: Scorer of closed lines; None if no term of the reward reads scores.
        score_per_line: Score a line when it is closed, instead of all lines when the program has ended.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        judge: JudgeLike,
        num_slots: int,
        *,
        max_tokens: int,
        max_prompt_tokens: int,
        line_scorer: LineScorer | None = None,
        score_per_line: bool = False,
    ) -> None:
        self.tokenizer = tokenizer
        self.judge = judge
        self.max_tokens = max_tokens
        self.max_prompt_tokens = max_prompt_tokens
        self.line_scorer = line_scorer
        self.score_per_line = score_per_line
        self.tokens: Tokens = np.zeros((num_slots, max_prompt_tokens + max_tokens), np.int32)
        """[num_slots, max_prompt_tokens + max_tokens]: prompt, then completion, then zeros."""
        self.lengths = np.zeros(num_slots, np.int64)
        """[num_slots]: tokens of prompt and completion."""
        self.prompt_lengths = np.zeros(num_slots, np.int64)
        """[num_slots]: tokens of the prompt."""
        self.episodes: list[Episode | None] = [None] * num_slots
        """Episode of each slot; None before the first reset."""
        self._limits = np.zeros(num_slots, np.int64)
        self._all = np.arange(num_slots)
        self._bytes = tuple(tokenizer.token_bytes)
        self._eos = tokenizer.eos_token_id
        self._notable = np.array([b"\n" in piece for piece in self._bytes])
        self._notable[self._eos] = True

    @functools.cached_property
    def vocabulary_digest(self) -> str:
        """Digest of the bytes of all tokens and the end-of-sequence token: equal digests, equal meaning of ids."""
        digest = hashlib.sha256(str(self._eos).encode())
        for piece in self._bytes:
            digest.update(len(piece).to_bytes(4, "little") + piece)
        return digest.hexdigest()

    def episode(self, slot: int) -> Episode:
        """Return the episode in ``slot``.

        Raises:
            ResetNeeded: The slot has had no reset yet.
        """
        episode = self.episodes[slot]
        if episode is None:
            raise ResetNeeded(f"no episode in slot {slot}: call reset first")
        return episode

    def start(self, slot: int, task: Task, prefix: Sequence[int] = ()) -> Episode:
        """Begin an episode.

        Args:
            slot: Slot of the episode; what was in it is dropped.
            task: Task of the episode.
            prefix: Token ids at the beginning of the completion; no reward is due for them.

        Raises:
            ValueError: The prefix has an end-of-sequence token or leaves no room for a token of the policy.
        """
        if len(prefix) >= self.max_tokens:
            raise ValueError(
                f"prefix too long: got {len(prefix)} tokens; expected fewer than max_tokens={self.max_tokens}"
            )
        if self._eos in prefix:
            raise ValueError(f"prefix ends the program: got token {self._eos}, the end of sequence; leave it out")
        whole = self.tokenizer.encode(task.prompt)
        prompt = whole[-self.max_prompt_tokens :]
        episode = Episode(task, len(prompt), len(prefix), prompt_truncated=len(prompt) < len(whole))
        self.put(slot, episode, np.array([*prompt, *prefix], np.int32))
        self._scan(slot, episode)
        episode.num_reported = len(episode.lines)
        return episode

    def put(self, slot: int, episode: Episode, context: Tokens) -> None:
        """Replace the episode in a slot.

        Args:
            slot: Slot to fill.
            episode: State of the episode.
            context: Tokens of prompt and completion, [length].
        """
        row = self.tokens[slot]
        row[: len(context)] = context
        row[len(context) :] = 0
        self.lengths[slot] = len(context)
        self.prompt_lengths[slot] = episode.num_prompt
        self._limits[slot] = episode.num_prompt + self.max_tokens
        self.episodes[slot] = episode

    def append(self, tokens: NDArray[np.integer], slots: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
        """Append one token to each slot and return the slots in which it ended a line or the program.

        Args:
            tokens: Token ids, [len(slots)].
            slots: Slots whose program has not ended, [len(slots)]; None for all.
        """
        if slots is None:
            self.tokens[self._all, self.lengths] = tokens
            self.lengths += 1
            notable: NDArray[np.bool_] = self._notable[tokens]
            notable |= self.lengths == self._limits
            return notable.nonzero()[0]
        lengths = self.lengths[slots]
        self.tokens[slots, lengths] = tokens
        self.lengths[slots] = lengths + 1
        ended: NDArray[np.intp] = slots[self._notable[tokens] | (lengths + 1 == self._limits[slots])]
        return ended

    def append_chunk(self, slot: int, chunk: NDArray[np.integer], *, one_line: bool = False) -> int:
        """Append tokens up to the first end of sequence and within the budget, and return their number.

        Args:
            slot: Slot whose program has not ended.
            chunk: Token ids, [n].
            one_line: Stop after the first token that closes a line, too.
        """
        start = int(self.lengths[slot])
        chunk = chunk[: int(self._limits[slot]) - start]
        stops = self._notable[chunk] if one_line else chunk == self._eos
        if stops.any():
            chunk = chunk[: int(stops.argmax()) + 1]
        self.tokens[slot, start : start + len(chunk)] = chunk
        self.lengths[slot] = start + len(chunk)
        return len(chunk)

    def close_lines(self, slots: Sequence[int]) -> None:
        """Close lines and end programs in ``slots``, and start judging the programs that have ended.

        Raises:
            ResetNeeded: One of the slots has had no reset yet.
        """
        for slot in slots:
            episode = self.episode(slot)
            self._scan(slot, episode)
            if episode.ended and episode.verdict is None:
                episode.verdict = self.judge.submit(episode.task, episode.text)

    def score(self, slots: Sequence[int]) -> None:
        """Get the scores that are due in ``slots``, by at most one call of the line scorer.

        Raises:
            LineScorerError: The answer is not one finite number for each requested line.
        """
        if self.line_scorer is not None:
            episodes = [(slot, self.episode(slot)) for slot in slots]
            self._score([(slot, episode) for slot, episode in episodes if self.score_per_line or episode.ended])

    def new_steps(self, slot: int) -> Iterator[Step]:
        """Yield the steps in ``slot`` that were not reported yet; call ``close_lines`` and ``score`` before.

        Blocks for the verdict if the program has ended.
        """
        episode = self.episode(slot)
        if episode.ended:
            yield from iter_steps(self._last_step(slot, episode), episode.num_reported)
        elif len(episode.lines) > episode.num_reported:
            newest = episode.lines[-1]
            step = self._step(episode, newest, num_tokens=newest.last_token + 1)
            yield from iter_steps(step, episode.num_reported)
        episode.num_reported = len(episode.lines)

    def _last_step(self, slot: int, episode: Episode) -> Step:
        closed_by_end = bool(episode.lines) and not episode.lines[-1].text.endswith("\n")
        step = self._step(episode, episode.lines[-1] if closed_by_end else None, self.num_tokens(slot))
        verdict = None if self.failure(slot) is not None or episode.verdict is None else episode.verdict.result()
        return step._replace(ended=True, verdict=verdict, budget_exhausted=episode.budget_exhausted)

    def _step(self, episode: Episode, line: Line | None, num_tokens: int) -> Step:
        return Step(
            task=episode.task,
            lines=tuple(episode.lines),
            line=line,
            num_tokens=num_tokens,
            max_tokens=self.max_tokens,
            num_prefix_tokens=episode.num_prefix_tokens,
        )

    def failure(self, slot: int) -> str | None:
        """Return why the machine could not judge the program in ``slot``; None if it could or need not.

        Blocks for the verdict if the program has ended.
        """
        verdict = self.episode(slot).verdict
        error = None if verdict is None else verdict.exception()
        return str(error) if isinstance(error, SandboxError) else None

    def num_tokens(self, slot: int) -> int:
        """Return the number of tokens of the completion in ``slot``, those of a prefix included."""
        return int(self.lengths[slot] - self.prompt_lengths[slot])

    def open_line(self, slot: int) -> bytes:
        """Return the bytes of the line in ``slot`` that is not closed yet."""
        episode = self.episode(slot)
        if episode.ended:
            return b""
        return b"".join(
            [episode.unfinished, *[self._bytes[token] for token in self._unscanned(slot, episode).tolist()]]
        )

    def _unscanned(self, slot: int, episode: Episode) -> Tokens:
        return self.tokens[slot, episode.num_prompt + episode.num_scanned : int(self.lengths[slot])]

    def _scan(self, slot: int, episode: Episode) -> None:
        """Read the bytes of new tokens, close lines and detect the end of the program."""
        tokens = self._unscanned(slot, episode)
        if not len(tokens):
            return
        ids = tokens.tolist()
        pieces = [self._bytes[token] for token in ids]
        begin = 0
        if b"\n" in b"".join(pieces[:-1]):
            for stop, piece in enumerate(pieces[:-1], start=1):
                if b"\n" in piece:
                    self._read(episode, pieces[begin:stop])
                    begin = stop
        self._read(episode, pieces[begin:])
        by_eos = ids[-1] == self._eos
        if by_eos or self.lengths[slot] == self._limits[slot]:
            self._end(episode, budget_exhausted=not by_eos)

    def _read(self, episode: Episode, pieces: list[bytes]) -> None:
        """Read tokens of which at most the last one holds newlines."""
        if not episode.unfinished:  # the line begins with the first token that has bytes at all
            episode.first_token = episode.num_scanned + next((at for at, piece in enumerate(pieces) if piece), 0)
        episode.num_scanned += len(pieces)
        *closed, rest = b"".join([episode.unfinished, *pieces]).split(b"\n")
        for line in closed:
            self._close(episode, (line + b"\n").decode("utf-8", "replace"))
        episode.unfinished = rest

    def _close(self, episode: Episode, text: str) -> None:
        """Close a line at the last token that was scanned."""
        last = episode.num_scanned - 1
        kind, episode.lexer = line_kind(text, episode.lexer)
        from_prefix = last < episode.num_prefix_tokens
        episode.lines.append(Line(len(episode.lines) + 1, text, kind, episode.first_token, last, None, from_prefix))
        episode.texts.append(text)
        episode.text += text
        episode.first_token = last  # of what follows in the same token; else the next read sets it

    def _end(self, episode: Episode, budget_exhausted: bool) -> None:
        """Close the rest as a line of its own and mark the end."""
        episode.ended = True
        episode.budget_exhausted = budget_exhausted
        if episode.unfinished:
            self._close(episode, episode.unfinished.decode("utf-8", "replace"))
            episode.unfinished = b""

    def _score(self, episodes: Sequence[tuple[int, Episode]]) -> None:
        """Score all lines of code of these episodes that have no score yet, by one call of the line scorer."""
        asked: list[Episode] = []
        requests: list[ScoreRequest] = []
        for slot, episode in episodes:
            new = range(episode.num_scored, len(episode.lines))
            wanted = tuple([index for index in new if episode.lines[index].kind is LineKind.CODE])
            if wanted:
                asked.append(episode)
                requests.append(ScoreRequest(episode.task, tuple(episode.texts), wanted, slot))
        if not requests or self.line_scorer is None:
            return
        answers = checked_answers(requests, self.line_scorer.score(requests))
        for episode, request, scores in zip(asked, requests, answers, strict=True):
            episode.num_scored = len(episode.lines)
            for index, score in zip(request.indices, scores, strict=True):
                episode.lines[index] = episode.lines[index]._replace(score=score)


def checked_answers(requests: Sequence[ScoreRequest], answers: object) -> list[list[float]]:
    """Return the answers of a line scorer as lists of floats.

    Args:
        requests: Requests that the line scorer was called with.
        answers: Return value of its ``score``.

    Raises:
        LineScorerError: They are not one finite number for each wanted line of each request.
    """
    counts = [len(request.indices) for request in requests]
    wanted = f"expected a list with one list of scores for each request, of lengths {counts}"
    try:
        scores = [[_number(score) for score in _sequence(answer)] for answer in _sequence(answers)]
    except (TypeError, ValueError) as error:
        raise LineScorerError(f"wrong answer of the line scorer: got {reprlib.repr(answers)}; {wanted}") from error
    if (found := [len(answer) for answer in scores]) != counts:
        raise LineScorerError(f"wrong number of line scores: got lists of lengths {found}; {wanted}")
    for request, answer in zip(requests, scores, strict=True):
        for index, score in zip(request.indices, answer, strict=True):
            if not math.isfinite(score):
                raise LineScorerError(
                    f"wrong score of line {index + 1} of task {request.task.task_id!r}: got {score}; "
                    "expected a finite number"
                )
    return scores


def _number(value: object) -> float:
    if isinstance(value, str | bytes):
        raise TypeError("text is no number")
    return float(value)  # type: ignore[arg-type]  # anything that can be a float, such as a scalar tensor


def _sequence(value: object) -> Iterable[object]:
    """Return ``value`` if it can hold scores: text, numbers and None cannot."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(type(value).__name__)
    return value
