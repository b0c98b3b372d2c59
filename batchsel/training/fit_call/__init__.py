"""One call of fit: its configuration, its loop over epochs, its record."""
