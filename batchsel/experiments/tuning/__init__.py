"""Tuning: the same space and number of trials for every arm."""
