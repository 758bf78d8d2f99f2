"""Stable-Baselines3's PPO on the native vector environment; rewards become credit before every update.

Run ``python -m examples.sb3_ppo``. A single environment needs no adapter:
``PPO("MultiInputPolicy", gym.make("codegym/Token-v0", ...))``.
"""

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

import codegym
from codegym.adapters.sb3 import CreditCallback, SB3VecEnv
from examples.toy import SETTINGS

gym.register_envs(codegym)

OPTIONS = {"n_steps": 32, "batch_size": 256, "learning_rate": 2e-3, "ent_coef": 0.03, "gamma": 1.0}
OPTIONS |= {"seed": 0, "device": "cpu", "verbose": 1}  # verbose: print a table after every rollout


def main(steps: int = 16_000) -> tuple[float, float]:
    """Return the mean reward before and after training.

    Args:
        steps: Number of tokens to train on.
    """
    torch.set_num_threads(1)  # more make a network of this size slower
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=32, **SETTINGS))
    model = PPO("MultiInputPolicy", envs, **OPTIONS)
    before, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    model.learn(steps, callback=CreditCallback())
    after, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    envs.close()
    return before, after


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
