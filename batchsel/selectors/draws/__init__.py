"""Draws: the part of a pipe that turns scores into batches."""
