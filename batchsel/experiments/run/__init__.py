"""One run: training to a target, and its record."""
