"""Tianshou's PPO on a vector of single environments.

Run ``python -m examples.tianshou_ppo``.
"""

import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

from examples.toy import Flat


def main(epochs: int = 16) -> tuple[float, float]:
    """Return the mean reward before and after training.

    Args:
        epochs: Number of rollouts of 1,024 tokens.
    """
    torch.manual_seed(0)
    envs = DummyVectorEnv([Flat] * 16)
    envs.seed(0)
    actor, critic = (Net(state_shape=5, hidden_sizes=[64], activation=torch.nn.Tanh) for _ in range(2))
    actor = DiscreteActor(preprocess_net=actor, action_shape=7, softmax_output=False)
    policy = DiscreteActorPolicy(actor=actor, action_space=envs.action_space[0])
    critic, optimizer = DiscreteCritic(preprocess_net=critic), AdamOptimizerFactory(lr=2e-3)
    algorithm = PPO(policy=policy, critic=critic, optim=optimizer, ent_coef=0.03, gamma=1.0)
    collector = Collector(algorithm, envs, VectorReplayBuffer(2048, 16))
    collector.reset()
    before = collector.collect(n_episode=200).returns.mean()
    collector.reset()
    rollouts = {"epoch_num_steps": 1024, "collection_step_num_env_steps": 1024}
    updates = {"batch_size": 256, "update_step_num_repetitions": 10, "verbose": False, "show_progress": False}
    algorithm.run_training(
        OnPolicyTrainerParams(training_collector=collector, max_epochs=epochs, **rollouts, **updates)
    )
    collector.reset()
    return float(before), float(collector.collect(n_episode=200).returns.mean())


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
