"""RLlib's PPO on single environments, in the process of the driver.

Run ``python -m examples.rllib_ppo`` in a separate virtual environment, because RLlib pins another Gymnasium.
"""

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

from examples.toy import Flat


def main(iterations: int = 28) -> tuple[float, float]:
    """Return the mean reward in the first and in the last iteration.

    Args:
        iterations: Number of iterations.
    """
    register_env("toy", lambda config: Flat())
    config = (
        PPOConfig()
        .environment("toy")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=16)
        .learners(num_learners=0)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64]))
        .training(lr=3e-3, gamma=1.0, entropy_coeff=0.05, use_kl_loss=False)
        .training(train_batch_size=1024, minibatch_size=256, num_epochs=10)
        .reporting(metrics_num_episodes_for_smoothing=200)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    history = [algorithm.train()["env_runners"]["episode_return_mean"] for _ in range(iterations)]
    algorithm.stop()
    return history[0], history[-1]


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
