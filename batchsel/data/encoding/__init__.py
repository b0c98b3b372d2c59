"""Encoders of texts: words and subwords."""
