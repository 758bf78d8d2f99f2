"""sb3-contrib's MaskablePPO, which samples only tokens that keep the program completable.

Run ``python -m examples.sb3_maskable_ppo``.
"""

import gymnasium as gym
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy

from codegym.adapters.sb3 import CreditCallback, SB3VecEnv
from examples.sb3_ppo import OPTIONS
from examples.toy import SETTINGS


def main(steps: int = 14_000) -> tuple[float, float]:
    """Give the mean reward before and after training."""
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=32, mask="completable", **SETTINGS))
    model = MaskablePPO("MultiInputPolicy", envs, **OPTIONS)
    before, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    model.learn(steps, callback=CreditCallback())
    after, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    envs.close()
    return before, after


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
