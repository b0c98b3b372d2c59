"""Proxy: a narrower copy of the model that scores pools in its place, and is trained beside it."""
