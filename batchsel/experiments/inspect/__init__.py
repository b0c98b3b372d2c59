"""What trained models say: maps of data sets, predictions."""
