"""The critic: a number after every token, from scratch or from a process reward model, in the units of returns."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Critic(nn.Module):
    """Values of states: ``scale * body + shift``, where the body gives a number after every token.

    The body is the critic's own: the policy or process reward model that it starts from is copied, not shared, since
    what is trained for one of them spoils the other.

    Args:
        body: maps tokens [B, T] to numbers [B, T].
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def forward(self, tokens: Tensor) -> Tensor:
        """Value of the state before each token, [B, T]; that before the first one is 0."""
        values = self.scale * self.body(tokens[:, :-1]) + self.shift
        return torch.cat([torch.zeros_like(values[:, :1]), values], 1)

    @torch.no_grad()
    def calibrate(self, values: Tensor, returns: Tensor, mask: Tensor) -> None:
        """Fit scale and shift so that values meet returns in the least-squares sense, on masked entries of [B, T].

        A process reward model is optimistic (best of K) and of another range than returns; a plain copy of it makes
        every correct prefix look like a disappointment.
        """
        x, y = values[mask].double(), returns[mask].double()
        variance = x.var(unbiased=False)
        # values that are all alike, as those of a zero head, can only be shifted
        slope = ((x - x.mean()) * (y - y.mean())).mean() / variance if variance > 1e-12 else torch.ones(())
        self.shift.copy_(self.shift * slope + (y.mean() - slope * x.mean()))
        self.scale.mul_(slope)


class Body(nn.Module):
    """A causal trunk with a linear head that says 0 at first."""

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """A number after every token, [B, T]."""
        numbers: Tensor = self.head(self.trunk(input_ids=tokens, use_cache=False).last_hidden_state)[..., 0]
        return numbers


def critic_of(model: nn.Module) -> Critic:
    """Make a critic whose trunk is a copy of the policy's."""
    return Critic(Body(copy.deepcopy(model.base_model), model.config.hidden_size))
