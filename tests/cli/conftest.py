"""Small models for the tests of this folder."""

from helpers.small_models import one_thread, policy_folder

__all__ = ["one_thread", "policy_folder"]
