"""The process reward model: a causal transformer with a scalar read out where lines end.

Source: Dai et al., arXiv 2410.17621: a language model with a scalar head that is trained by regression to the labels
of lines. The head's output z gives the score ``tanh(z)`` in (-1, 1), so that ``sigmoid(2 z) = (score + 1) / 2`` is the
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

from codegym.sampling.batching import batches
from codegym.sampling.loading import load_causal
from codegym.scorers import ScoreRequest
from codegym.scorers.prm.encoding import LineEncoder
from codegym.scorers.prm.value import ValueModel
from codegym.tokenizers import Tokenizer, load_tokenizer, save_tokenizer

_LONGEST = 2048
_SETTINGS, _CARD, _HEAD, _TRUNK, _TOKENIZER = "prm.json", "card.json", "head.safetensors", "trunk", "tokenizer"


class EncodedProgram(NamedTuple):
    """A program to be read, and the positions that are looked at."""

    ids: list[int]
    positions: list[int]


class ProcessRewardModel(nn.Module):
    r"""A line scorer that is learned.

        model = ProcessRewardModel.from_policy("runs/policy")     # or .from_scratch("bytes")
        train(model, read_labels(Path("labels.jsonl")))
        model.save("runs/prm")
        env = gym.make("codegym/Token-v0", line_scorer="runs/prm", ...)

    Scores are in (-1, 1). A program is read once for all of its lines; a score does not depend on later lines, on what
    else is in the batch or on how often it was asked for (up to rounding). Its tokenizer need not be the policy's. A
    line that ends beyond ``max_tokens`` cannot be read and has the score 0.

    Args:
        trunk: a causal model of ``transformers`` without a head.
        tokenizer: of the trunk; anything that ``codegym.tokenizers.load_tokenizer`` takes.
        max_tokens: of prompt and program together; by default what the trunk has positions for, at most 2,048.
        max_prompt_tokens: of a longer prompt only the last so many are kept; by default half of ``max_tokens``.
        batch_tokens: how many tokens are read at once, padding included.
        card: what is known of the model's labels and quality; saved with it.

    Raises:
        ValueError: the tokenizer has more tokens than the trunk, or there is no room for a program.
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
            raise ValueError(f"the tokenizer has {self.tokenizer.vocab_size} tokens, the trunk only knows {rows}")
        limit = max_tokens or min(_LONGEST, getattr(trunk.config, "max_position_embeddings", None) or _LONGEST)
        self.encoder = LineEncoder(
            self.tokenizer, limit, limit // 2 if max_prompt_tokens is None else max_prompt_tokens
        )
        self.batch_tokens = batch_tokens
        self.card = dict(card or {})
        self.head = nn.Linear(trunk.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)  # so every line starts with the score 0
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_policy(
        cls, source: str | os.PathLike[str], tokenizer: object = None, **options: Any
    ) -> ProcessRewardModel:
        """Start from the trunk of a policy.

        Args:
            source: a folder that ``save_pretrained`` wrote, a LoRA adapter's too, or an id on the Hub.
            tokenizer: by default the one that lies with the policy.
            options: as for the class.
        """
        trunk = cast(PreTrainedModel, load_causal(source).base_model)
        return cls(trunk, load_tokenizer(source) if tokenizer is None else tokenizer, **options)

    @classmethod
    def from_scratch(
        cls, tokenizer: object, *, width: int = 96, num_layers: int = 2, seed: int = 0, **options: Any
    ) -> ProcessRewardModel:
        """Start from random weights of a small Llama-type trunk.

        Args:
            tokenizer: anything that ``load_tokenizer`` takes.
            width: of the hidden states, a multiple of 32.
            num_layers: of the trunk.
            seed: of the weights.
            options: as for the class.
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
        """Give the output of the head after every token, z, [B, L] float32; ``tokens`` [B, L] are padded at the right.

        A causal trunk never looks at the padding, so there is no mask.
        """
        hidden = self.trunk(input_ids=tokens, use_cache=False).last_hidden_state
        outputs: Tensor = self.head(hidden.to(self.head.weight.dtype))[..., 0].float()
        return outputs

    def outputs(self, rows: Sequence[EncodedProgram]) -> Tensor:
        """Give z at the positions of all rows, one after the other; with gradients where they are on."""
        tokens = pad([row.ids for row in rows]).to(self.head.weight.device)
        z = self(tokens)
        which = [index for index, row in enumerate(rows) for _ in row.positions]
        positions = [position for row in rows for position in row.positions]
        picked: Tensor = z[which, positions]
        return picked

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[float]]:
        """Score the wanted lines of every request."""
        return self.score_lines([(request.task.prompt, request.lines, request.indices) for request in requests])

    def score_lines(self, programs: Sequence[tuple[str, Sequence[str], Sequence[int]]]) -> list[list[float]]:
        """Score lines of programs, each of them a prompt, lines, and the ascending 0-based indices of those wanted."""
        scores = [[0.0] * len(wanted) for _, _, wanted in programs]
        rows, places = [], []
        for index, (prompt, lines, wanted) in enumerate(programs):
            encoded = self.encoder.encode(prompt, lines[: max(wanted, default=-1) + 1])
            ends = {place: end for place, line in enumerate(wanted) if (end := encoded.ends[line]) is not None}
            if ends:
                rows.append(EncodedProgram(encoded.ids, list(ends.values())))
                places.append([(index, place) for place in ends])
        for batch in batches([len(row.ids) for row in rows], self.batch_tokens):
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
        """Give a critic that starts from a copy of trunk and head.

        Args:
            tokenizer: the policy's, on whose tokens the critic works.
            scale: a in ``a * score + b``: scores are in (-1, 1), while returns of 0 or 1 want a = b = 0.5.
            shift: b.

        Raises:
            ValueError: the policy has another tokenizer: there is no weight to copy then, distil instead.
        """
        if tokenizer != self.tokenizer:
            raise ValueError(
                f"the policy's tokens ({tokenizer!r}) are not the model's ({self.tokenizer!r}): its weights cannot "
                "become those of a critic; distil its scores, or train it with the policy's tokenizer"
            )
        return ValueModel(copy.deepcopy(self.trunk), copy.deepcopy(self.head), scale, shift)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write everything that ``load`` needs, and the card, into a folder."""
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
        """Read a model that was saved.

        Raises:
            ValueError: there is none in that folder.
        """
        path = Path(folder)
        if not (path / _SETTINGS).is_file():
            raise ValueError(f"{path} has no {_SETTINGS}: wanted is a folder that ProcessRewardModel.save wrote")
        settings = json.loads((path / _SETTINGS).read_text(encoding="utf-8"))
        card = json.loads((path / _CARD).read_text(encoding="utf-8"))
        trunk = AutoModel.from_pretrained(path / _TRUNK)
        model = cls(trunk, load_tokenizer(path / _TOKENIZER), **settings, card=card)
        model.head.load_state_dict(load_file(path / _HEAD))
        return model.eval()


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Align rows at their starts, [B, L], with zeros after their ends."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
