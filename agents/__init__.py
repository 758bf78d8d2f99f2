"""Agents that learn to write programs: one algorithm per file, run with ``python -m agents.<name>``."""

from agents.registry import AGENTS, Agent

__all__ = ["AGENTS", "Agent"]
