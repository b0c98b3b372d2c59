"""Draws: the last part of a pipe, which samples batches from scores."""
