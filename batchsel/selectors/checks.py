"""Checks of the parameters of selectors: those of `batchsel.checks`."""

from batchsel.checks import in_range, one_of, one_word, whole

__all__ = ["in_range", "one_of", "one_word", "whole"]
