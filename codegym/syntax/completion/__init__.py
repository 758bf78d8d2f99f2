"""An action mask that keeps a program completable."""

from codegym.syntax.completion.mask import CompletableMask

__all__ = ["CompletableMask"]
