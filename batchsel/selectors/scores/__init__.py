"""Scores: the first part of a pipe, which assigns a number to each sample."""
