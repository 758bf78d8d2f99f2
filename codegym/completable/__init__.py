"""An action mask that keeps a program completable."""

from codegym.completable.mask import CompletableMask

__all__ = ["CompletableMask"]
