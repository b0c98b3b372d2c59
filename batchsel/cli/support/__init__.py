"""Helpers that commands share: options, output, progress."""
