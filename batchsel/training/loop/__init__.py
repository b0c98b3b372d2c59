"""The traced training loop and everything it runs."""
