"""The single environments: shells around a batch of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Unpack

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from codegym.envs.batch import EpisodeBatch
from codegym.envs.config import EnvConfig, EnvKeywords, LineEnvConfig, make_config, shows_keywords
from codegym.envs.infos import Info
from codegym.envs.state import EpisodeState
from codegym.plugins import suggest
from codegym.render import ansi, rgb_array, save_html

RENDER_MODES = ["ansi", "human", "rgb_array"]


class CodeEnv(gym.Env[Any, Any]):
    """Common base of ``TokenEnv`` and ``LineEnv``, which differ only in the form of an action.

    It can be pickled and copied, in the middle of an episode too, if the objects among its keywords can be.

    Args:
        render_mode: Form of ``render``: "ansi", "human", "rgb_array", or None.
        keywords: Keywords of ``EnvConfig`` or ``LineEnvConfig``.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012 - Gymnasium's form
    config_type: ClassVar[type[EnvConfig]] = EnvConfig

    def __init__(self, *, render_mode: str | None = None, **keywords: Unpack[EnvKeywords]) -> None:
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self._keywords = keywords
        self.batch = EpisodeBatch(make_config(self.config_type, keywords, own=["render_mode"]), 1)
        self.action_space = self.batch.actions.space
        self.observation_space = self.batch.observation.space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Begin an episode.

        Args:
            seed: Seed of the generator that draws tasks; None keeps the generator.
            options: ``task_id`` chooses the task, ``prefix`` (text or token ids) is the beginning of the completion.

        Raises:
            ValueError: There is no such option, or the prefix is too long or ends the program.
            KeyError: There is no task of that id.
        """
        super().reset(seed=seed)
        info = self.batch.start(0, self.np_random, options)
        if self.render_mode == "human":
            self.render()
        return self.batch.observation.observe(0), self.batch.with_mask(0, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Append an action to the program.

        Args:
            action: Action of the action space.

        Raises:
            InvalidAction: It is not an action of the action space; the episode is unchanged.
            LineScorerError: The line scorer broke its contract; the action is kept, and the next step reports it.
            ResetNeeded: There is no episode, or it has ended.
        """
        if not self.batch.act(action):
            return self.batch.observation.observe(0), 0.0, False, False, self.batch.with_mask(0, {})
        (result,) = self.batch.advance((0,))
        if self.render_mode == "human":
            self.render()
        info = self.batch.with_mask(0, result.info)
        return self.batch.observation.observe(0), result.reward, result.terminated, result.truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are allowed next, bool, in the form that sb3-contrib's MaskablePPO asks for."""
        return self.batch.actions.mask(self.batch.action_mask(0))

    @property
    def text(self) -> str:
        """Completion so far."""
        return self.batch.text(0)

    def get_state(self) -> EpisodeState:
        """Copy the episode and the state of the generator that draws the next tasks.

        Raises:
            ResetNeeded: There is no episode yet.
        """
        return self.batch.get_state(0, self.np_random)

    def set_state(self, state: EpisodeState) -> None:
        """Continue from ``state``, of this environment or of another one with the same tokenizer and sizes.

        Raises:
            ValueError: The state was copied with another tokenizer, or does not fit into the sizes.
        """
        self.batch.set_state(0, state, self.np_random)

    def __getstate__(self) -> dict[str, Any]:
        episode = self.get_state() if self.batch.has_episode(0) else None
        keywords = {"render_mode": self.render_mode} | self._keywords
        return {"keywords": keywords, "spec": self.spec, "rng": self.np_random, "episode": episode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        CodeEnv.__init__(self, **state["keywords"])
        self.spec = state["spec"]
        self.np_random = state["rng"]
        if state["episode"] is not None:
            self.set_state(state["episode"])

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
        """Write the episode as a self-contained page to ``path``, and return the path."""
        return save_html(self.batch.view(0), path)

    def close(self) -> None:
        """Close the sandbox, if this environment opened one."""
        self.batch.close()


def check_render_mode(render_mode: str | None) -> None:
    """Check that ``render_mode`` is one of ``RENDER_MODES`` or None.

    Raises:
        ValueError: There is no such mode.
    """
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(
            f"wrong render_mode: got {render_mode!r}{suggest(str(render_mode), RENDER_MODES)}; expected one of "
            f"{', '.join(RENDER_MODES)}, or None"
        )


@shows_keywords(EnvConfig)
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

    An episode is one program. ``reset`` draws a task and shows its prompt; each step appends to the completion. At the
    end ``preamble + completion`` runs in a sandbox and the judge decides which checks passed. A line scorer (a process
    reward model) can score every line when it is closed, for rewards that read scores.

    ## Action Space

    ``Discrete(vocab_size)``: the id of a token. With the default byte tokenizer 0 to 255 are bytes and 256 ends the
    program. Tokens that are no text (such as padding) add nothing. Anything that is not an id raises ``InvalidAction``
    and changes nothing. Bytes that are not UTF-8 become U+FFFD in the program.

    ``info["action_mask"]`` and ``action_masks()`` (for sb3-contrib) hold True for the actions that are allowed next:
    with ``mask="text"`` all tokens that are text, with ``mask="completable"`` only those after which some continuation
    is valid Python. Masks advise: a step with a masked token is carried out.

    ## Observation Space

    ``Dict`` of int32 ``Box`` spaces:

    | key | shape | meaning |
    |---|---|---|
    | tokens | [max_prompt_tokens + max_tokens] | prompt, then completion, then zeros |
    | length | [1] | tokens of prompt and completion |
    | prompt_length | [1] | tokens of the prompt; one longer than ``max_prompt_tokens`` loses its beginning |

    With ``observation="one_hot"`` a float32 ``Box`` of shape [window * vocab_size]: the last ``window`` tokens of
    prompt and completion, each as a block of zeros with a one, oldest first. Learners for vectors (the stock PPO of
    CleanRL, AgileRL, skrl or Stable-Baselines3) take it as it is.

    ## Rewards

    By default 1 at the end of a program that passes every check, else 0. ``reward`` takes a weighted sum of the terms
    of ``codegym.rewards`` by name, such as ``"outcome + 0.5*process"``, or functions of a ``codegym.Step``. The reward
    of a step is due when a line or the program ends. ``info["credit"]`` holds the same total at the end, with each part
    on the token that earned it.

    ## Starting State

    A task drawn uniformly by the generator that ``reset(seed=...)`` seeds, and an empty completion.
    ``options={"task_id": ..., "prefix": ...}`` chooses the task and sets the beginning of the completion, as text or as
    token ids. ``env.unwrapped.get_state()`` and ``env.unwrapped.set_state(state)`` return to any moment of any episode.

    ## Episode End

    The episode *terminates* with the end-of-sequence token and with the last token of the budget (``max_tokens``); in
    both cases the program is judged. It is *truncated* if the machine, not the program, failed
    (``info["reward_valid"]`` is False, ``info["failure"]`` has the reason, and the end pays nothing: do not learn from
    it), or by a limit from outside such as ``TimeLimit``.

    ## Information

    | key | when | meaning |
    |---|---|---|
    | task_id, prompt, text | reset | the task, and the completion so far: the prefix |
    | prompt_truncated | reset | whether the prompt lost its beginning to ``max_prompt_tokens`` |
    | action_mask | always, unless ``mask=None`` | bool, [vocab_size]: the tokens that are allowed next |
    | lines, text | a line was closed, end | the lines that this step closed; the completion so far |
    | line_scores | as above, with a line scorer | scores of ``lines``, None for neutral ones; at the end of all lines |
    | reward_terms | as above | contribution of each term to the reward of this step, weighted |
    | verdict | end | ``codegym.Verdict``; None if the machine failed |
    | is_success, reward_valid | end | whether all checks passed; whether the episode counts |
    | failure | end | why the machine could not judge the program; None if it did |
    | budget_exhausted, num_tokens | end | whether the budget ended the program; tokens of the completion |
    | credit | end | float64, [max_tokens]: the reward on the tokens that earned it, then zeros |
    | task_id | end | the task |

    ## Arguments

    | keyword | default | meaning |
    |---|---|---|
    | tasks | "arithmetic" | procedural family, data set, ``"module:object"``, tasks, or a task source |
    | path | None | file of the data set that ``tasks`` names; None takes it from the Hub |
    | tokenizer | "bytes" | "bytes", list of strings, folder or Hub id, ``"module:object"``, or a ``Tokenizer`` |
    | reward | "outcome" | terms by name, mapping to weights, function of a ``Step``, ``"module:object"``, ``Reward`` |
    | line_scorer | None | folder of a process reward model, "fake", ``"module:object"``, or a ``LineScorer`` |
    | sandbox | "auto" | "auto", "docker", "process", "fake", ``"module:object"``, a ``Sandbox``, or a judge |
    | limits | ``Limits()`` | resource limits of each program process: ``Limits`` or a mapping of its fields |
    | packages | () | packages that programs may import, such as ``["numpy"]`` |
    | max_tokens | 512 | token budget of a completion, the end-of-sequence token included |
    | max_prompt_tokens | 256 | tokens of the prompt in the observation |
    | mask | "text" | "text", "completable" or None, see *Action Space* |
    | observation | "dict" | "dict" or "one_hot", see *Observation Space* |
    | window | 8 | tokens in a "one_hot" observation |
    | render_mode | None | "ansi" (coloured text), "human" (the same, printed), "rgb_array" (for ``RecordVideo``) |

    Ids of data sets, such as ``codegym/MBPPToken-v0``, have other defaults of ``tasks`` and sizes.
    ``gym.make_vec`` makes a ``TokenVectorEnv``.

    Raises:
        ValueError: A keyword has a value out of its range, or two of them contradict each other.
        TypeError: There is no such keyword, or its value has the wrong type.
        SandboxUnavailable: The sandbox cannot work here; the message names what is missing.

    ## References

    Dai et al., Process Supervision-Guided Policy Optimization for Code Generation (arXiv 2410.17621).

    ## Version History

    * v0: first version.
    """


@shows_keywords(LineEnvConfig)
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

    ``MultiDiscrete([vocab_size] * max_line_tokens)``: tokens of a line. Everything after the first token that holds a
    newline, or after an end-of-sequence token, is padding. Without either, the next action continues the line. A
    shorter sequence of ids is accepted too, and so is text: it is tokenised, may hold several lines (up to the whole
    program), and ``""`` ends the program. ``info["action_mask"]`` is that of one token, [vocab_size];
    ``action_masks()`` that of the whole action, [max_line_tokens * vocab_size].

    ## Observation Space

    As ``TokenEnv``.

    ## Rewards

    As ``TokenEnv``.

    ## Starting State

    As ``TokenEnv``.

    ## Episode End

    As ``TokenEnv``.

    ## Arguments

    Those of ``TokenEnv``, and ``max_line_tokens`` (default 64): tokens of one action; a longer line takes several.

    Raises:
        ValueError: A keyword has a value out of its range, or two of them contradict each other.
        TypeError: There is no such keyword, or its value has the wrong type.
        SandboxUnavailable: The sandbox cannot work here; the message names what is missing.

    ## Version History

    * v0: first version.
    """

    config_type = LineEnvConfig
