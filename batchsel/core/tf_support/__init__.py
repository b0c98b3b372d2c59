"""Support for TensorFlow code: its import without noise, and static shapes."""
