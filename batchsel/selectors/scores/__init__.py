"""Scores: the first part of a pipe, a number for each sample."""
