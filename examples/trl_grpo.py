"""TRL's GRPO on the same judge, with a tiny language model from scratch: nothing is downloaded.

Run ``python -m examples.trl_grpo``. ``RLOOTrainer`` takes the same reward function and data set.
"""

from tempfile import TemporaryDirectory

from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

from codegym.adapters.completions import CompletionReward, to_dataset
from examples.toy import SETTINGS, TASK


def make_tokenizer(pieces: list[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one id for each of ``pieces``, as in the environment, and two more for end and padding."""
    ids = {piece: number for number, piece in enumerate([*pieces, "<eos>", "<pad>"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("# twice x\n|x|1|2| [+*] "), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>")


def main(steps: int = 100) -> tuple[float, float]:
    """Return the mean reward in the first and in the last step.

    Args:
        steps: Number of updates.
    """
    options = {"per_device_train_batch_size": 64, "num_generations": 64, "max_completion_length": 4, "beta": 0.0}
    options |= {"learning_rate": 5e-3, "logging_steps": 1, "use_cpu": True, "bf16": False, "save_strategy": "no"}
    sizes = {"vocab_size": 8, "n_positions": 8, "n_embd": 32, "n_layer": 1, "n_head": 2}
    sizes |= {"bos_token_id": 6, "eos_token_id": 6}
    reward = CompletionReward(TASK, reward="outcome", sandbox="process")
    with TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            GPT2LMHeadModel(GPT2Config(**sizes)),
            reward,
            GRPOConfig(folder, max_steps=steps, report_to="none", **options),
            Dataset.from_list(to_dataset(TASK) * 64),
            processing_class=make_tokenizer(SETTINGS["tokenizer"]),
        )
        trainer.train()
    reward.close()
    history = [row["reward"] for row in trainer.state.log_history if "reward" in row]
    return history[0], history[-1]


if __name__ == "__main__":
    print("mean reward before {:.2f}, after {:.2f}".format(*main()))
