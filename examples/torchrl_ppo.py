"""TorchRL's PPO on batched single environments.

Run ``python -m examples.torchrl_ppo``.
"""

import torch
from tensordict.nn import TensorDictModule
from torch.distributions import Categorical
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper, RewardSum, SerialEnv, TransformedEnv
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from examples.toy import Flat


def network(outputs: int) -> torch.nn.Module:
    """Return a small network over the tokens with ``outputs`` outputs."""
    return torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Tanh(), torch.nn.Linear(64, outputs))


def main(rollouts: int = 25) -> tuple[float, float]:
    """Return the mean reward of an episode in the first and in the last rollout.

    Args:
        rollouts: Number of rollouts of 1,024 tokens.
    """
    torch.manual_seed(0)
    envs = TransformedEnv(SerialEnv(16, lambda: GymWrapper(Flat(), categorical_action_encoding=True)), RewardSum())
    logits = TensorDictModule(network(7), in_keys=["observation"], out_keys=["logits"])
    policy = ProbabilisticActor(
        logits, in_keys=["logits"], spec=envs.action_spec, distribution_class=Categorical, return_log_prob=True
    )
    critic = ValueOperator(network(1), in_keys=["observation"])
    loss = ClipPPOLoss(policy, critic, entropy_coeff=0.03, normalize_advantage=True)
    gae = GAE(gamma=1.0, lmbda=0.95, value_network=critic)
    options = {"frames_per_batch": 1024, "total_frames": 1024 * rollouts, "auto_register_policy_transforms": True}
    optimizer, history = torch.optim.Adam(loss.parameters(), 2e-3), []
    for rollout in Collector(envs, policy, **options):
        history.append(rollout["next", "episode_reward"][rollout["next", "done"]].mean().item())
        for _ in range(10):
            gae(rollout)
            rows = rollout.flatten()
            for part in rows[torch.randperm(len(rows))].split(256):
                values = loss(part)
                optimizer.zero_grad()
                sum(values[key] for key in ("loss_objective", "loss_critic", "loss_entropy")).backward()
                optimizer.step()
    return history[0], history[-1]


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
