"""Comparisons, studies, figures and reports from records. Needs no TensorFlow."""
