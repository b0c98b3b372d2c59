"""Selectors: which samples go into each batch. One file for each method; `resolve` builds them from text."""

from batchsel._lazy import attach

_PUBLIC = {
    "Anneal": "anneal",
    "Candidates": "candidates",
    "Choice": "exchange",
    "Context": "exchange",
    "Draw": "base",
    "ExploreExploit": "explore_exploit",
    "Fixed": "fixed",
    "Function": "function",
    "LossEMA": "loss_ema",
    "Mix": "mix",
    "Modifier": "base",
    "NumpyFunction": "function",
    "Part": "base",
    "Pipe": "pipe",
    "Plan": "exchange",
    "Proportional": "proportional",
    "RS2": "rs2",
    "Random": "random",
    "Score": "base",
    "Seen": "exchange",
    "Selector": "base",
    "Smart": "smart:smart",
    "Warmup": "warmup",
    "resolve": "resolver",
}

__getattr__, __dir__, __all__ = attach(__name__, _PUBLIC)
