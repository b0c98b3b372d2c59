"""Analyses of studies whose cards state factors in place of arms."""
