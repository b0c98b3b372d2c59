"""Modifiers: the parts of a pipe that change scores."""
