"""PPO in one function, in the style of CleanRL, on finished episodes with their credit.

Run ``python -m examples.cleanrl_style_ppo``.
"""

import gymnasium as gym
import numpy as np
import torch
from torch.distributions import Categorical
from torch.nn.functional import layer_norm, one_hot

import codegym
from examples.toy import SETTINGS

gym.register_envs(codegym)


def main(updates: int = 30, num_envs: int = 32) -> tuple[float, float]:
    """Return the mean reward in the first and in the last update.

    Args:
        updates: Number of updates.
        num_envs: Number of slots of the environment.
    """
    torch.manual_seed(0)
    envs = gym.make_vec("codegym/Token-v0", num_envs=num_envs, **SETTINGS)
    network = torch.nn.Sequential(
        torch.nn.Linear(5 * 7, 64), torch.nn.Tanh(), torch.nn.Linear(64, 7 + 1)
    )  # logits, value
    optimizer, history = torch.optim.Adam(network.parameters(), 5e-3), []
    observation, episodes = envs.reset(seed=0)[0], [[] for _ in range(num_envs)]
    for _ in range(updates):
        batch, totals = [], []
        while len(batch) < 1024:
            x = one_hot(torch.as_tensor(observation["tokens"]).long(), 7).flatten(1).float()
            policy = Categorical(logits=network(x)[:, :7].detach())
            actions = policy.sample()
            observation, _, terminated, truncated, infos = envs.step(actions.numpy())
            for slot, row in enumerate(zip(x, actions, policy.log_prob(actions), strict=True)):
                episodes[slot].append(row)
            for slot in np.flatnonzero(terminated | truncated):
                rows, episodes[slot] = episodes[slot], []
                if terminated[slot]:  # a truncated episode could not be judged: do not learn from it
                    to_go = infos["final_info"]["credit"][slot, : len(rows)][::-1].cumsum()[::-1]
                    totals.append(to_go[0])
                    batch += [(*row, torch.tensor(value)) for row, value in zip(rows, to_go, strict=True)]
        x, actions, log_probs, returns = map(torch.stack, zip(*batch, strict=True))
        for _ in range(10):
            output = network(x)
            policy, values = Categorical(logits=output[:, :7]), output[:, 7]
            advantages = layer_norm(returns - values.detach(), returns.shape)
            ratio = (policy.log_prob(actions) - log_probs).exp()
            gain = torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
            loss = (values - returns).square().mean() / 2 - gain - 0.1 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append(float(np.mean(totals)))
    envs.close()
    return history[0], history[-1]


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
