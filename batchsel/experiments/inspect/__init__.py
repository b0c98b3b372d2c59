"""Inspection of trained models: data maps and predictions."""
