"""The single environments: a shell over a batch of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from codegym.envs.batch import EpisodeBatch, Observation
from codegym.envs.config import EnvConfig, LineEnvConfig
from codegym.envs.infos import Info
from codegym.envs.state import EpisodeState
from codegym.render import ansi, rgb_array, save_html

RENDER_MODES = ["ansi", "human", "rgb_array"]


class CodeEnv(gym.Env[Observation, Any]):
    """What ``TokenEnv`` and ``LineEnv`` have in common: all but the form of an action."""

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012 - Gymnasium's form
    config_type: ClassVar[type[EnvConfig]] = EnvConfig

    def __init__(self, *, render_mode: str | None = None, **settings: Any) -> None:
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self.batch = EpisodeBatch(self.config_type(**settings), 1)
        self.actions = self.batch.config.make_actions(self.batch.tokenizer)
        self.action_space = self.actions.space
        self.observation_space = self.batch.observation_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin an episode.

        Args:
            seed: of the generator that draws tasks.
            options: ``task_id`` chooses the task, ``prefix`` (text or token ids) is a given part of the completion.

        Raises:
            ValueError: unknown options, or a prefix that is not one.
            KeyError: no task of that id.
        """
        super().reset(seed=seed)
        info = self.batch.start(0, self.np_random, options)
        if self.render_mode == "human":
            self.render()
        return self.batch.observe(0), self.batch.with_mask(0, info)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Append an action to the program.

        Raises:
            InvalidAction: not an action of the space; the episode stands where it stood.
            LineScorerError: the line scorer broke its contract; the action is written, and the next step tells of it.
            ResetNeeded: there is no episode, or it has ended.
        """
        dynamics = self.batch.dynamics
        episode = dynamics.episodes[0]
        if episode is None or self.batch.returns[0].last is not None:
            raise ResetNeeded("there is no episode to step: call reset first")
        if not episode.ended and not self.actions.apply(dynamics, action):  # ended: its line scorer has failed before
            return self.batch.observe(0), 0.0, False, False, self.batch.with_mask(0, {})
        dynamics.close_lines((0,))
        dynamics.score((0,))
        reward, terminated, truncated, info = self.batch.outcome(0)
        if self.render_mode == "human":
            self.render()
        return self.batch.observe(0), reward, terminated, truncated, self.batch.with_mask(0, info)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are allowed next, as sb3-contrib's MaskablePPO asks for it."""
        return self.actions.mask(self.batch.action_mask(0))

    @property
    def text(self) -> str:
        """The completion so far."""
        return self.batch.text(0)

    def get_state(self) -> EpisodeState:
        """Copy the episode and the state of the generator that draws the next ones."""
        return self.batch.get_state(0, self.np_random)

    def set_state(self, state: EpisodeState) -> None:
        """Go on from a state, of this environment or of another one with the same tokenizer and sizes."""
        self.batch.set_state(0, state, self.np_random)

    def render(self) -> str | NDArray[np.uint8] | None:
        """Show the program, every line coloured by its reward, in the form that ``render_mode`` names."""
        view = self.batch.view(0)
        if self.render_mode == "rgb_array":
            return rgb_array(view)
        if self.render_mode == "human":
            print(ansi(view))
            return None
        return ansi(view) if self.render_mode == "ansi" else None

    def save_html(self, path: str | Path) -> Path:
        """Write the episode as a self-contained page."""
        return save_html(self.batch.view(0), path)

    def close(self) -> None:
        """Give back the sandbox, where this environment opened one."""
        self.batch.close()


def check_render_mode(render_mode: str | None) -> None:
    """Raise ``ValueError`` where there is no such mode."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be one of {', '.join(RENDER_MODES)} or None, got {render_mode!r}")


class TokenEnv(CodeEnv):
    r"""A Python program, written token by token, that has to pass the checks of a task.

    >>> import gymnasium as gym, codegym
    >>> env = gym.make("codegym/Token-v0", sandbox="fake")
    >>> observation, info = env.reset(seed=1, options={"task_id": "arithmetic:*3+2"})
    >>> for token in b"def f(x):\n    x = x * 3\n    x = x + 2\n    return x\n":
    ...     observation, reward, terminated, truncated, info = env.step(token)
    >>> observation, reward, terminated, truncated, info = env.step(256)  # the end-of-sequence token
    >>> reward, terminated, info["verdict"].status.value
    (1.0, True, 'passed')

    ## Description

    An episode is one program. ``reset`` draws a task and shows its prompt; each step appends to the completion; at the
    end ``preamble + completion`` runs in a sandbox and the judge says which checks passed. A line scorer (a process
    reward model) can score every line when it is closed, for rewards that use it.

    ## Action Space

    ``Discrete(vocab_size)``: the id of a token. With the default byte tokenizer 0 to 255 are bytes and 256 ends the
    program. Tokens that are no text (padding and the like) add nothing; ``info["action_mask"]`` and ``action_masks()``
    leave them out, with ``mask="completable"`` also tokens after which no continuation would be Python. Anything that
    is not an id raises ``InvalidAction`` and changes nothing. Bytes that are not UTF-8 become U+FFFD in the program.

    ## Observation Space

    ``Dict`` of int32 ``Box`` spaces:

    | key | shape | meaning |
    |---|---|---|
    | tokens | [max_prompt_tokens + max_tokens] | prompt, then completion, then zeros |
    | length | [1] | tokens of prompt and completion |
    | prompt_length | [1] | tokens of the prompt; of a longer one than ``max_prompt_tokens`` the end is kept |

    ## Rewards

    By default 1 at the end of a program that passes every check, else 0. ``reward`` takes a weighted sum of the terms
    of ``codegym.rewards`` by name, such as ``"outcome + 0.5*process"``, or functions of a ``codegym.step.Step``. What
    a step pays comes when a line or the program ends. ``info["credit"]`` holds the same total at the end, with each
    part on the token that earned it.

    ## Starting State

    A task drawn uniformly by the generator that ``reset(seed=...)`` seeds, and an empty completion.
    ``options={"task_id": ..., "prefix": ...}`` chooses the task and gives the start of the completion, as text or as
    token ids. ``get_state()`` and ``set_state(state)`` go back to any moment of any episode.

    ## Episode End

    The episode *terminates* with the end-of-sequence token and with the last token of the budget (``max_tokens``);
    either way the program is judged. It is *truncated* where the machine, not the program, failed
    (``info["reward_valid"]`` is False and the end pays nothing: do not learn from it), or by a limit from outside such
    as ``TimeLimit``.

    ## Info

    | key | when | meaning |
    |---|---|---|
    | task_id, prompt, text | reset | the task, and the completion so far: the prefix |
    | prompt_truncated | reset | whether the prompt lost its beginning to ``max_prompt_tokens`` |
    | action_mask | always, unless ``mask=None`` | bool, [vocab_size]: which tokens may come next |
    | lines, text | a line was closed, end | the lines that this step closed; the completion so far |
    | line_scores | as above, with a line scorer | scores of ``lines``, None for neutral ones; at the end of all lines |
    | reward_terms | as above | what each term of the reward contributed to this step, weighted |
    | verdict | end | ``codegym.Verdict``, None where the machine failed |
    | is_success, reward_valid | end | whether all checks passed; whether the episode counts |
    | budget_exhausted, num_tokens | end | whether the budget ended it; tokens of the completion |
    | credit | end | float64, [max_tokens]: the reward on the tokens that earned it, then zeros |
    | task_id | end | the task |

    ## Arguments

    All keywords of ``codegym.envs.config.EnvConfig`` (``tasks``, ``path``, ``tokenizer``, ``reward``, ``line_scorer``,
    ``sandbox``, ``limits``, ``max_tokens``, ``max_prompt_tokens``, ``mask``) and ``render_mode``: "ansi" (text with
    colours), "human" (the same, printed), "rgb_array" (for ``RecordVideo``). ``gym.make_vec`` gives ``TokenVectorEnv``.

    ## References

    Dai et al., Process Supervision-Guided Policy Optimization for Code Generation (arXiv 2410.17621).

    ## Version History

    * v0: first version.
    """


class LineEnv(CodeEnv):
    r"""A Python program, written line by line, that has to pass the checks of a task.

    >>> import gymnasium as gym, codegym
    >>> env = gym.make("codegym/Line-v0", sandbox="fake")
    >>> observation, info = env.reset(seed=1, options={"task_id": "arithmetic:*3+2"})
    >>> for line in ("def f(x):\n", "    x = x * 3\n", "    x = x + 2\n", "    return x\n", ""):
    ...     observation, reward, terminated, truncated, info = env.step(line)
    >>> reward, terminated, info["num_tokens"]
    (1.0, True, 52)

    ## Description

    As ``TokenEnv``, with a line as the unit of action: the same program gets the same total reward and the same credit.

    ## Action Space

    ``MultiDiscrete([vocab_size] * max_line_tokens)``: tokens of a line. What stands after the first token that holds a
    newline, and after an end-of-sequence token, is padding. Without either, the line goes on with the next action.
    A shorter sequence of ids is taken too, and so is text: it is tokenised, may hold several lines (up to the whole
    program), and ``""`` ends the program. ``info["action_mask"]`` is that of one token, [vocab_size];
    ``action_masks()`` that of the whole action, as sb3-contrib wants it.

    ## Observation Space

    As ``TokenEnv``.

    ## Rewards

    As ``TokenEnv``.

    ## Starting State

    As ``TokenEnv``.

    ## Episode End

    As ``TokenEnv``.

    ## Arguments

    Those of ``TokenEnv``, and ``max_line_tokens``, room for the tokens of one action.

    ## Version History

    * v0: first version.
    """

    config_type = LineEnvConfig
