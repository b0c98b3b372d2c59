"""Figures of studies: batch sizes, budgets, factors, noise scale."""
