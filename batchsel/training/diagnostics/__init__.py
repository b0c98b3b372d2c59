"""Measurements of a run outside of its timed training: noise scale, feature SNR, selection cost."""
