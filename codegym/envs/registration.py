"""The one list of environment ids."""

from __future__ import annotations

from typing import Any

from gymnasium.envs.registration import register, registry

_SMALL: dict[str, Any] = {"max_tokens": 512, "max_prompt_tokens": 1024}
_LARGE: dict[str, Any] = {"max_tokens": 2048, "max_prompt_tokens": 4096}

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "": {},
    "HumanEval-": {"tasks": "humaneval", **_SMALL},
    "HumanEvalPlus-": {"tasks": "humaneval+", **_SMALL},
    "MBPP-": {"tasks": "mbpp", **_SMALL},
    "MBPPSanitized-": {"tasks": "mbpp-sanitized", **_SMALL},
    "MBPPPlus-": {"tasks": "mbpp+", **_SMALL},
    "APPS-": {"tasks": "apps", **_LARGE},
    "TACO-": {"tasks": "taco", **_LARGE},
    "CodeContests-": {"tasks": "codecontests", **_LARGE},
    "LiveCodeBench-": {"tasks": "livecodebench", **_LARGE},
    "JSONL-": {"tasks": "jsonl", **_SMALL},
}
"""What stands before "Token-v0" and "Line-v0" in an id -> its keywords, each of which may be given anew."""


def register_all() -> None:
    """Register ``codegym/Token-v0``, ``codegym/Line-v0`` and the ids of every data set; twice does nothing."""
    for name, keywords in ENVIRONMENTS.items():
        for act in ("Token", "Line"):
            env_id = f"codegym/{name}{act}-v0"
            if env_id not in registry:
                register(
                    id=env_id,
                    entry_point=f"codegym.envs.env:{act}Env",
                    vector_entry_point=f"codegym.envs.vector:{act}VectorEnv",
                    kwargs=dict(keywords),
                )
