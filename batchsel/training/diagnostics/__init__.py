"""Measurements of a run off the clock: noise scale, feature SNR, selection cost."""
