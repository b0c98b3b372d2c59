"""Measurements of a run outside its timed training: noise scale, feature SNR, selection cost."""
