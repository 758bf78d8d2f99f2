"""An action mask that keeps a program completable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class CompletableMask:
    """Which tokens keep a program completable."""

    def __init__(self, token_bytes: Sequence[bytes], eos_token_id: int) -> None:
        self._text = np.array([bool(piece) for piece in token_bytes])
        self._text[eos_token_id] = True
        self._text.flags.writeable = False

    def mask(self, text: bytes, remaining: int | None = None, *, preamble: str = "") -> NDArray[np.bool_]:
        """Tokens that may come next: [vocab_size], True where allowed."""
        return self._text
