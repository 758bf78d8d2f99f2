"""A critic that starts from a process reward model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


class ValueModel(nn.Module):
    """A critic: ``a * tanh(z) + b`` after every token, where a and b are learned too.

    A process reward model says how likely the program can be completed, on a scale from -1 to 1 and by the best of K
    tries; a value is the expected return of one try. So fit a and b, and let it learn before the policy does.

    Args:
        trunk: a causal model without a head.
        head: gives z.
        scale: a at the start.
        shift: b at the start.
    """

    def __init__(self, trunk: PreTrainedModel, head: nn.Linear, scale: float, shift: float) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head
        self.scale, self.shift = nn.Parameter(torch.tensor(scale)), nn.Parameter(torch.tensor(shift))

    def forward(
        self, tokens: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """Give the value after every token, [B, L]; the arguments are those of the trunk, [B, L] each."""
        output = self.trunk(input_ids=tokens, attention_mask=attention_mask, position_ids=position_ids, use_cache=False)
        z: Tensor = self.head(output.last_hidden_state.to(self.head.weight.dtype))[..., 0].float()
        values: Tensor = self.scale * z.tanh() + self.shift
        return values
