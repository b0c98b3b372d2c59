"""Learning rates over time and by layer."""
