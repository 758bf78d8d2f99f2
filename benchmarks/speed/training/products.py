"""Matrix products and attention: their number of operations, and their time without anything in between."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.speed.training.generation import clock

aten = torch.ops.aten


class Operand(NamedTuple):
    """A tensor without its numbers."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def make(self) -> Tensor:
        """Return random numbers in the same layout."""
        room = 1 + sum((size - 1) * stride for size, stride in zip(self.size, self.stride, strict=True))
        return torch.randn(room, dtype=self.dtype).as_strided(self.size, self.stride)


class Call(NamedTuple):
    """An operation with its operands, and how often it occurs."""

    operation: Any
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]

    @property
    def flops(self) -> float:
        """Floating-point operations: two for each multiplication with its addition."""
        return FLOPS[self.operation.overloadpacket](self)

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Sizes of the operands that are tensors."""
        return [each.size for each in self.arguments if isinstance(each, Operand)]

    @torch.no_grad()
    def seconds(self) -> float:
        """Return the CPU time, best of three; operands are in the cache if they fit."""
        arguments, options = [*map(_made, self.arguments)], {name: _made(value) for name, value in self.options}
        return min(clock(lambda: self.operation(*arguments, **options))[1] for _ in range(3))


def _product(call: Call) -> float:
    """Return the operations of [.., M, K] and [.., K, N], which are the last two operands."""
    left, right = call.sizes[-2:]
    return 2.0 * math.prod(left) * right[-1]


def _attention(call: Call) -> float:
    """Return the operations of queries [B, H, T, D], keys and values [B, H, S, D]: two products, halved if causal."""
    queries, keys = call.sizes[:2]
    causal = any(each is True for each in (*call.arguments, *dict(call.options).values()))
    return 4.0 * math.prod(queries) * keys[-2] * (0.5 if causal else 1.0)


def _attention_backward(call: Call) -> float:
    """Return the operations of five products for two in the forward pass, of which the first is recomputed."""
    return 2.5 * _attention(call._replace(arguments=call.arguments[1:]))  # the gradient comes first


FLOPS: dict[Any, Callable[[Call], float]] = {
    aten.mm: _product,
    aten.addmm: _product,
    aten.bmm: _product,
    aten.baddbmm: _product,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def large_rate(size: int = 1024) -> float:
    """Return the GFLOP per CPU second of a product of two square matrices: the best that a core can do.

    Args:
        size: Rows and columns.
    """
    operand = Operand((size, size), (size, 1), torch.float32)
    call = Call(aten.mm.default, (operand, operand), ())
    return call.flops / call.seconds() / 1e9


class Products(TorchDispatchMode):
    """Records the operations of ``FLOPS`` while it is entered, each under the current stage.

    Args:
        stage: Function that returns the name of the current stage.
    """

    def __init__(self, stage: Callable[[], str]) -> None:
        super().__init__()
        self._stage = stage
        self.calls: dict[str, Counter[Call]] = {}

    def __torch_dispatch__(
        self, operation: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        """Record the operation and execute it."""
        options = options or {}
        if operation.overloadpacket in FLOPS:
            described = tuple((name, _described(value)) for name, value in options.items())
            call = Call(operation, tuple(map(_described, arguments)), described)
            self.calls.setdefault(self._stage(), Counter())[call] += 1
        return operation(*arguments, **options)

    def gflop(self) -> dict[str, float]:
        """Return the operations of each stage, in units of 10^9."""
        return {stage: sum(n * call.flops for call, n in calls.items()) / 1e9 for stage, calls in self.calls.items()}

    def seconds(self) -> dict[str, float]:
        """Return the CPU time of the operations of each stage alone, one after the other."""
        return {stage: sum(n * call.seconds() for call, n in calls.items()) for stage, calls in self.calls.items()}


def _described(value: Any) -> Any:
    return Operand((*value.shape,), (*value.stride(),), value.dtype) if isinstance(value, Tensor) else value


def _made(value: Any) -> Any:
    return value.make() if isinstance(value, Operand) else value
