"""The process reward model: a causal transformer with a scalar head that is read at the ends of lines.

Source: Dai et al., arXiv 2410.17621, a language model with a scalar head that is trained by regression to the labels of
lines. The output z of the head gives the score ``tanh(z)`` in (-1, 1), so ``sigmoid(2 z) = (score + 1) / 2`` is the
probability that the program can still be completed.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, LlamaConfig, LlamaModel, PreTrainedModel

from codegym.sampling.batching import batch_by_tokens
from codegym.sampling.loading import load_causal
from codegym.scorers.base import ScoreRequest
from codegym.scorers.prm.encoding import LineEncoder
from codegym.scorers.prm.value import ValueModel
from codegym.tokenizers import Tokenizer, load_tokenizer, save_tokenizer

_LONGEST = 2048
_SETTINGS, _CARD, _HEAD, _TRUNK, _TOKENIZER = "prm.json", "card.json", "head.safetensors", "trunk", "tokenizer"


class EncodedProgram(NamedTuple):
    """A program to be read, and the positions that are read out."""

    ids: list[int]
    """Token ids of prompt and program."""
    positions: list[int]
    """Indices of the tokens after which the head is read."""


class ProcessRewardModel(nn.Module):
    r"""Line scorer that is learned from labeled programs.

        model = ProcessRewardModel.from_policy("runs/policy")     # or .from_scratch("bytes")
        train_prm(model, read_labels(Path("labels.jsonl")))
        model.save("runs/prm")
        env = gym.make("codegym/Token-v0", line_scorer="runs/prm", ...)

    Scores are in (-1, 1). A program is read once for all of its lines. A score does not depend on later lines, on the
    rest of the batch, or on the number of calls, up to rounding. The tokenizer need not be the policy's. A line that
    ends beyond ``max_tokens`` is not read and has the score 0.

    Args:
        trunk: Causal model of ``transformers`` without a head.
        tokenizer: Tokenizer of the trunk: anything that ``codegym.tokenizers.load_tokenizer`` takes.
        max_tokens: Largest number of tokens of prompt and program together; by default the trunk's number of
            positions, at most 2,048.
        max_prompt_tokens: Largest number of prompt tokens; by default half of ``max_tokens``. A longer prompt keeps its
            last tokens.
        batch_tokens: Largest number of tokens that are read at once, padding included.
        card: Record of the model's labels and quality, saved with it.

    Raises:
        ValueError: The tokenizer has more tokens than the trunk, or there is no room for a program.
    """

    def __init__(
        self,
        trunk: PreTrainedModel,
        tokenizer: object,
        *,
        max_tokens: int | None = None,
        max_prompt_tokens: int | None = None,
        batch_tokens: int = 1 << 14,
        card: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.tokenizer = trunk, load_tokenizer(tokenizer)
        rows = cast(nn.Embedding, trunk.get_input_embeddings()).weight.shape[0]
        if self.tokenizer.vocab_size > rows:
            raise ValueError(
                f"wrong tokenizer: got {self.tokenizer.vocab_size} tokens; expected at most the trunk's {rows}"
            )
        limit = max_tokens or min(_LONGEST, getattr(trunk.config, "max_position_embeddings", None) or _LONGEST)
        self.encoder = LineEncoder(
            self.tokenizer, limit, limit // 2 if max_prompt_tokens is None else max_prompt_tokens
        )
        self.batch_tokens = batch_tokens
        self.card = dict(card or {})
        self.head = nn.Linear(trunk.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)  # every line has the score 0 at first
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_policy(
        cls, source: str | os.PathLike[str], tokenizer: object = None, **options: Any
    ) -> ProcessRewardModel:
        """Start from the trunk of a policy.

        Args:
            source: A folder that ``save_pretrained`` wrote, also of a LoRA adapter, or an id on the Hub.
            tokenizer: Tokenizer of the model; by default that in the folder of the policy.
            options: Further keyword arguments of the class.
        """
        trunk = cast(PreTrainedModel, load_causal(source).base_model)
        return cls(trunk, load_tokenizer(source) if tokenizer is None else tokenizer, **options)

    @classmethod
    def from_scratch(
        cls, tokenizer: object, *, width: int = 96, num_layers: int = 2, seed: int = 0, **options: Any
    ) -> ProcessRewardModel:
        """Start from random weights of a small Llama-type trunk.

        Args:
            tokenizer: Tokenizer of the model: anything that ``load_tokenizer`` takes.
            width: Width of the hidden states, a multiple of 32.
            num_layers: Number of layers of the trunk.
            seed: Seed of the weights.
            options: Further keyword arguments of the class.
        """
        tokenizer = load_tokenizer(tokenizer)
        config = LlamaConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=width,
            intermediate_size=width * 3,
            num_hidden_layers=num_layers,
            num_attention_heads=max(1, width // 32),
            max_position_embeddings=options.get("max_tokens") or _LONGEST,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(LlamaModel(config), tokenizer, **options)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the output z of the head after every token, float32 [B, L].

        A causal trunk does not read padding at the right, so there is no mask.

        Args:
            tokens: Token ids, [B, L], padded at the right.
        """
        hidden = self.trunk(input_ids=tokens, use_cache=False).last_hidden_state
        outputs: Tensor = self.head(hidden.to(self.head.weight.dtype))[..., 0].float()
        return outputs

    def outputs(self, rows: Sequence[EncodedProgram]) -> Tensor:
        """Return z at the positions of all ``rows``, one after the other, [N], with gradients if they are enabled."""
        tokens = pad([row.ids for row in rows]).to(self.head.weight.device)
        z = self(tokens)
        which = [index for index, row in enumerate(rows) for _ in row.positions]
        positions = [position for row in rows for position in row.positions]
        picked: Tensor = z[which, positions]
        return picked

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[float]]:
        """Return the scores of every request."""
        return self.score_lines([(request.task.prompt, request.lines, request.indices) for request in requests])

    def score_lines(self, programs: Sequence[tuple[str, Sequence[str], Sequence[int]]]) -> list[list[float]]:
        """Return the scores of lines of programs.

        Args:
            programs: Prompt, lines, and the ascending indices of the lines to score, for each program.
        """
        scores = [[0.0] * len(indices) for _, _, indices in programs]
        rows, places = [], []
        for index, (prompt, lines, indices) in enumerate(programs):
            encoded = self.encoder.encode(prompt, lines[: max(indices, default=-1) + 1])
            ends = {place: end for place, line in enumerate(indices) if (end := encoded.ends[line]) is not None}
            if ends:
                rows.append(EncodedProgram(encoded.ids, list(ends.values())))
                places.append([(index, place) for place in ends])
        for batch in batch_by_tokens([len(row.ids) for row in rows], self.batch_tokens):
            values = self._values([rows[number] for number in batch])
            for (index, place), value in zip((p for number in batch for p in places[number]), values, strict=True):
                scores[index][place] = value
        return scores

    @torch.inference_mode()
    def _values(self, rows: Sequence[EncodedProgram]) -> list[float]:
        was_training = self.training
        self.eval()
        try:
            values: list[float] = self.outputs(rows).tanh().tolist()
        finally:
            self.train(was_training)
        return values

    def value_model(self, tokenizer: Tokenizer, *, scale: float = 1.0, shift: float = 0.0) -> ValueModel:
        """Return a critic that starts from a copy of trunk and head.

        Args:
            tokenizer: Tokenizer of the policy, on whose tokens the critic works.
            scale: Factor a of the value ``a * score + b``. Scores are in (-1, 1): returns of 0 or 1 need a = b = 0.5.
            shift: Summand b of the value.

        Raises:
            ValueError: The policy has another tokenizer, so the weights cannot be copied.
        """
        if tokenizer != self.tokenizer:
            raise ValueError(
                f"no weights for a critic: got a policy with {tokenizer!r}; expected the model's {self.tokenizer!r}. "
                "Distill the scores instead, or train a model with the policy's tokenizer"
            )
        return ValueModel(copy.deepcopy(self.trunk), copy.deepcopy(self.head), scale, shift)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model and its card into a ``folder``, from which ``load`` reads them."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self.trunk.save_pretrained(path / _TRUNK)
        save_tokenizer(self.tokenizer, path / _TOKENIZER)
        save_file({name: value.contiguous() for name, value in self.head.state_dict().items()}, path / _HEAD)
        settings = {"max_tokens": self.encoder.max_tokens, "max_prompt_tokens": self.encoder.max_prompt_tokens}
        (path / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        (path / _CARD).write_text(json.dumps(self.card, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ProcessRewardModel:
        """Read a model that ``save`` wrote into a ``folder``.

        Raises:
            ValueError: There is no model in that folder.
        """
        path = Path(folder)
        if not (path / _SETTINGS).is_file():
            raise ValueError(
                f"no process reward model: got {str(path)!r} without {_SETTINGS}; expected a folder that codegym prm "
                "train or ProcessRewardModel.save wrote"
            )
        settings = json.loads((path / _SETTINGS).read_text(encoding="utf-8"))
        card = json.loads((path / _CARD).read_text(encoding="utf-8"))
        trunk = AutoModel.from_pretrained(path / _TRUNK)
        model = cls(trunk, load_tokenizer(path / _TOKENIZER), **settings, card=card)
        model.head.load_state_dict(load_file(path / _HEAD))
        return model.eval()


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return ``rows`` of token ids as a tensor, [B, L], with zeros after their ends."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
