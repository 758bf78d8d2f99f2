"""The critic that starts from the weights of a process reward model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


class ValueModel(nn.Module):
    """Critic with the value ``scale * tanh(z) + shift`` after every token; scale and shift are learned, too.

    A process reward model estimates whether the best of K completions passes, on a scale from -1 to 1, while a value is
    the expected return of one completion. So fit scale and shift, and let the critic learn before the policy does.

    Args:
        trunk: Causal model without a head.
        head: Linear layer from hidden states to z.
        scale: Factor at the start.
        shift: Summand at the start.
    """

    def __init__(self, trunk: PreTrainedModel, head: nn.Linear, scale: float, shift: float) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head
        self.scale, self.shift = nn.Parameter(torch.tensor(scale)), nn.Parameter(torch.tensor(shift))

    def forward(
        self, tokens: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Tensor:
        """Return the value after every token, [B, L].

        Args:
            tokens: Token ids, [B, L].
            attention_mask: Mask of the trunk, [B, L], or None for none.
            position_ids: Positions of the trunk, [B, L], or None for the usual ones.
        """
        output = self.trunk(input_ids=tokens, attention_mask=attention_mask, position_ids=position_ids, use_cache=False)
        z: Tensor = self.head(output.last_hidden_state.to(self.head.weight.dtype))[..., 0].float()
        values: Tensor = self.scale * z.tanh() + self.shift
        return values
