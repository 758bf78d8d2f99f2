"""The critic: a causal trunk with one number at every token, from scratch or from a process reward model."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Critic(nn.Module):
    """Values of states, ``scale * head(trunk) + shift``.

    The trunk is its own: a process reward model or policy that it starts from is copied, not shared (peers' trap L7).

    Args:
        trunk: a causal model of ``transformers`` without a language-model head; gives [B, T, width].
        width: of its hidden states.
    """

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.squash = False

    def forward(self, tokens: Tensor) -> Tensor:
        """Value of the state before each token, [B, T]; that before the first one is 0."""
        raw = self.head(self.trunk(input_ids=tokens[:, :-1]).last_hidden_state)[..., 0]
        values = self.scale * (raw.tanh() if self.squash else raw) + self.shift
        return torch.cat([torch.zeros_like(values[:, :1]), values], 1)

    @torch.no_grad()
    def calibrate(self, values: Tensor, returns: Tensor, mask: Tensor) -> None:
        """Fit the affine map so that values meet returns in the least-squares sense, on masked entries of [B, T].

        A process reward model is optimistic (best of K) and of another range than returns; a plain copy of it makes
        every correct prefix look like a disappointment.
        """
        x, y = values[mask].double(), returns[mask].double()
        variance = x.var(unbiased=False)
        # values that are all alike, as those of a zero head, can only be shifted
        slope = ((x - x.mean()) * (y - y.mean())).mean() / variance if variance > 1e-12 else torch.ones(())
        self.shift.copy_(self.shift * slope + (y.mean() - slope * x.mean()))
        self.scale.mul_(slope)
