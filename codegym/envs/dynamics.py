"""The one implementation of the MDP: tokens go in, facts come out.

Episodes live side by side in ``num_slots`` slots, so that a line scorer is asked once and the sandbox works on
several programs for all slots of a transition; a single environment is a batch of one. A token costs a handful of
array operations; bytes, text and lines are looked at only where a line or a program ends. A chunk is one token, one
line or a whole completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codegym.errors import LineScorerError, SandboxError
from codegym.judge import JudgeLike, Verdict
from codegym.scorers import LineScorer, ScoreRequest
from codegym.step import Line, Step
from codegym.syntax.lines import INITIAL_STATE, LexerState, LineKind, line_kind
from codegym.tasks.record import Task
from codegym.tokenizers import Tokenizer

Tokens = NDArray[np.int32]


@dataclass(slots=True)
class Episode:
    """What is known of one program besides its tokens."""

    task: Task
    num_prompt: int
    """Tokens of the prompt in the context."""
    num_prefix_tokens: int = 0
    """Tokens of the completion that a prefix gave."""
    prompt_truncated: bool = False
    """The prompt had more tokens than there was room for, and lost its beginning."""
    num_scanned: int = 0
    """Tokens of the completion whose bytes have been looked at."""
    unfinished: bytes = b""
    """Bytes of the line that is not closed yet, as far as scanned."""
    first_token: int = 0
    """Index of the token that holds the first byte of that line."""
    lexer: LexerState = INITIAL_STATE
    lines: list[Line] = field(default_factory=list)
    text: str = ""
    """The closed lines."""
    texts: list[str] = field(default_factory=list)
    """Text of each closed line, as a line scorer gets it."""
    num_scored: int = 0
    """Closed lines that the line scorer has been asked about, or that are neutral."""
    num_reported: int = 0
    """Closed lines of which a step has been told."""
    ended: bool = False
    budget_exhausted: bool = False
    verdict: Future[Verdict] | None = None
    """Set when the program has ended."""


class CodeDynamics:
    """Episodes of writing programs, in slots.

    Args:
        tokenizer: between text and tokens.
        judge: judges finished programs.
        num_slots: episodes side by side.
        max_tokens: token budget of a completion, the end-of-sequence token included.
        max_prompt_tokens: of a longer prompt only the last so many tokens are kept.
        line_scorer: scores closed lines, if there is one.
        score_per_line: score lines when they are closed, not when the program has ended.
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
        self.episodes: list[Episode | None] = [None] * num_slots
        self._limits = np.zeros(num_slots, np.int64)
        self._all = np.arange(num_slots)
        self._bytes = tuple(tokenizer.token_bytes)
        self._eos = tokenizer.eos_token_id
        self._notable = np.array([b"\n" in piece for piece in self._bytes])
        self._notable[self._eos] = True

    def start(self, slot: int, task: Task, prefix: Sequence[int] = ()) -> Episode:
        """Begin an episode; ``prefix`` are tokens of the completion that are given.

        Raises:
            ValueError: the prefix has an end-of-sequence token or leaves no room for a token of the policy.
        """
        if len(prefix) >= self.max_tokens:
            raise ValueError(f"a prefix of {len(prefix)} tokens leaves no room in max_tokens={self.max_tokens}")
        if self._eos in prefix:
            raise ValueError(f"the prefix ends the program already: token {self._eos} is the end of sequence")
        whole = self.tokenizer.encode(task.prompt)
        prompt = whole[-self.max_prompt_tokens :]
        episode = Episode(task, len(prompt), len(prefix), prompt_truncated=len(prompt) < len(whole))
        self.put(slot, episode, np.array([*prompt, *prefix], np.int32))
        self._scan(slot, episode)
        episode.num_reported = len(episode.lines)
        return episode

    def put(self, slot: int, episode: Episode, context: Tokens) -> None:
        """Set what stands in a slot; ``context`` is [length], tokens of prompt and completion."""
        row = self.tokens[slot]
        row[: len(context)] = context
        row[len(context) :] = 0
        self.lengths[slot] = len(context)
        self.prompt_lengths[slot] = episode.num_prompt
        self._limits[slot] = episode.num_prompt + self.max_tokens
        self.episodes[slot] = episode

    def append(self, tokens: NDArray[np.integer], slots: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
        """Append one token to each slot and return those slots where a line or the program ended by it.

        Args:
            tokens: [len(slots)], ids of the tokenizer.
            slots: [len(slots)], slots whose program has not ended; None for all.
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
        told: NDArray[np.intp] = slots[self._notable[tokens] | (lengths + 1 == self._limits[slots])]
        return told

    def append_chunk(self, slot: int, chunk: NDArray[np.integer], *, one_line: bool = False) -> int:
        """Append tokens up to the first end of sequence and within the budget, and return how many those were.

        Args:
            slot: whose program has not ended.
            chunk: [n], ids of the tokenizer.
            one_line: leave out what comes after the first token that closes a line, too.
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
        """Close lines and end programs of these slots, and start judging those that have ended."""
        for slot in slots:
            episode = self.episodes[slot]
            assert episode is not None
            self._scan(slot, episode)
            if episode.ended and episode.verdict is None:
                episode.verdict = self.judge.submit(episode.task, episode.text)

    def score(self, slots: Sequence[int]) -> None:
        """Ask the line scorer, once for all slots, for the scores that are due.

        Raises:
            LineScorerError: it gave something else than one finite number for each line.
        """
        if self.line_scorer is not None:
            episodes = [(slot, episode) for slot in slots if (episode := self.episodes[slot]) is not None]
            self._score([(slot, episode) for slot, episode in episodes if self.score_per_line or episode.ended])

    def new_steps(self, slot: int) -> Iterator[Step]:
        """Steps of a slot, its lines closed and scored, that were not told yet; waits for the verdict at the end."""
        episode = self.episodes[slot]
        assert episode is not None
        lines = tuple(episode.lines)
        closed_by_end = episode.ended and bool(lines) and not lines[-1].text.endswith("\n")
        for count in range(episode.num_reported + 1, len(lines) + 1 - closed_by_end):
            line = lines[count - 1]
            tokens, given = line.last_token + 1, episode.num_prefix_tokens
            yield Step(episode.task, lines[:count], line, tokens, self.max_tokens, num_prefix_tokens=given)
        episode.num_reported = len(lines)
        if episode.ended:
            last = lines[-1] if closed_by_end else None
            verdict = _verdict(episode.verdict)
            budget, given = episode.budget_exhausted, episode.num_prefix_tokens
            yield Step(episode.task, lines, last, self.num_tokens(slot), self.max_tokens, True, verdict, budget, given)

    def num_tokens(self, slot: int) -> int:
        """Tokens of the completion in a slot."""
        return int(self.lengths[slot] - self.prompt_lengths[slot])

    def open_line(self, slot: int) -> bytes:
        """Bytes of the line in a slot that is not closed yet."""
        episode = self.episodes[slot]
        assert episode is not None
        if episode.ended:
            return b""
        return b"".join(
            [episode.unfinished, *[self._bytes[token] for token in self._unscanned(slot, episode).tolist()]]
        )

    def _unscanned(self, slot: int, episode: Episode) -> Tokens:
        return self.tokens[slot, episode.num_prompt + episode.num_scanned : int(self.lengths[slot])]

    def _scan(self, slot: int, episode: Episode) -> None:
        """Read the bytes of new tokens, close lines, see whether the program has ended."""
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
        given = last < episode.num_prefix_tokens
        episode.lines.append(Line(len(episode.lines) + 1, text, kind, episode.first_token, last, None, given))
        episode.texts.append(text)
        episode.text += text
        episode.first_token = last  # what follows in the same token; else the next read sets it

    def _end(self, episode: Episode, budget_exhausted: bool) -> None:
        """Close what is left as a line of its own and note the end."""
        episode.ended = True
        episode.budget_exhausted = budget_exhausted
        if episode.unfinished:
            self._close(episode, episode.unfinished.decode("utf-8", "replace"))
            episode.unfinished = b""

    def _score(self, episodes: Sequence[tuple[int, Episode]]) -> None:
        """Ask the line scorer once for all lines of code of these episodes that have no score yet."""
        asked: list[Episode] = []
        requests: list[ScoreRequest] = []
        for slot, episode in episodes:
            new = range(episode.num_scored, len(episode.lines))
            wanted = tuple([index for index in new if episode.lines[index].kind is LineKind.CODE])
            if wanted:
                asked.append(episode)
                requests.append(ScoreRequest(episode.task, tuple(episode.texts), wanted, slot))
        if not requests:
            return
        assert self.line_scorer is not None
        answers = self.line_scorer.score(requests)
        _check_answers(requests, answers)
        for episode, request, scores in zip(asked, requests, answers, strict=True):
            episode.num_scored = len(episode.lines)
            for index, score in zip(request.indices, scores, strict=True):
                episode.lines[index] = episode.lines[index]._replace(score=float(score))


def _check_answers(requests: Sequence[ScoreRequest], answers: Sequence[Sequence[float]]) -> None:
    if [len(answer) for answer in answers] != [len(request.indices) for request in requests]:
        raise LineScorerError(
            f"the line scorer was asked for {[len(request.indices) for request in requests]} scores "
            f"and gave {[len(answer) for answer in answers]}: it must give one for each wanted line"
        )
    for request, answer in zip(requests, answers, strict=True):
        for index, score in zip(request.indices, answer, strict=True):
            if not np.isfinite(score):
                raise LineScorerError(
                    f"the line scorer gave {score} for line {index + 1} of task {request.task.task_id!r}: "
                    "a score must be a finite number"
                )


def _verdict(future: Future[Verdict] | None) -> Verdict | None:
    """The verdict, or None where the machine failed."""
    assert future is not None
    try:
        return future.result()
    except SandboxError:
        return None
