"""Catalog of data sets: one loader for each set or family."""
