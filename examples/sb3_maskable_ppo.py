"""MaskablePPO of sb3-contrib, which samples only tokens with which the program can still become valid Python.

Run ``python -m examples.sb3_maskable_ppo``.
"""

import gymnasium as gym
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy

import codegym
from codegym.adapters.sb3 import CreditCallback, SB3VecEnv
from examples.sb3_ppo import OPTIONS
from examples.toy import SETTINGS

gym.register_envs(codegym)


def main(steps: int = 14_000) -> tuple[float, float]:
    """Return the mean reward before and after training.

    Args:
        steps: Number of tokens to train on.
    """
    torch.set_num_threads(1)
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=32, mask="completable", **SETTINGS))
    model = MaskablePPO("MultiInputPolicy", envs, **OPTIONS)
    before, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    model.learn(steps, callback=CreditCallback())
    after, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    envs.close()
    return before, after


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
