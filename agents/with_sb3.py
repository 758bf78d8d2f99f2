"""Stable-Baselines3's PPO on the native vector environment, with credit placed before every update.

    python -m agents.with_sb3

A single environment goes as it is: ``PPO("MultiInputPolicy", gym.make("codegym/Token-v0", ...))``.
"""

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from agents.toy import SETTINGS
from codegym.adapters.sb3 import CreditCallback, SB3VecEnv


class OneHot(BaseFeaturesExtractor):
    """Tokens are names, not amounts: one column for each."""

    def __init__(self, space: gym.spaces.Dict) -> None:
        self.vocab_size = int(space["tokens"].high.max()) + 1
        super().__init__(space, space["tokens"].shape[0] * self.vocab_size)

    def forward(self, observation: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.nn.functional.one_hot(observation["tokens"].long(), self.vocab_size).flatten(1).float()


def main(steps: int = 40_000) -> tuple[float, float]:
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=32, **SETTINGS))
    options = {"n_steps": 64, "batch_size": 512, "learning_rate": 3e-3, "ent_coef": 0.01, "gamma": 1.0, "seed": 0}
    model = PPO("MultiInputPolicy", envs, policy_kwargs={"features_extractor_class": OneHot}, **options)
    before, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    model.learn(steps, callback=CreditCallback())
    after, _ = evaluate_policy(model, envs, n_eval_episodes=200, deterministic=False)
    envs.close()
    print(f"mean reward before {before:.2f}, after {after:.2f}")
    return before, after


if __name__ == "__main__":
    main()
