"""Numeric primitives of selectors: sampling, ranking, greedy selection."""
