"""Registration of the environment ids with Gymnasium."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from codegym.tasks.datasets import environment_keywords


def register_all() -> None:
    """Register ``codegym/Token-v0``, ``codegym/Line-v0`` and the ids of every data set; ids that exist are kept."""
    environments = {"": dict[str, object]()} | {f"{name}-": kwargs for name, kwargs in environment_keywords().items()}
    for prefix, keywords in environments.items():
        for act in ("Token", "Line"):
            env_id = f"codegym/{prefix}{act}-v0"
            if env_id not in registry:
                register(
                    id=env_id,
                    entry_point=f"codegym.envs.env:{act}Env",
                    vector_entry_point=f"codegym.envs.vector:{act}VectorEnv",
                    kwargs=dict(keywords),
                )
