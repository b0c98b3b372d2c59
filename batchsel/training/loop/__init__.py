"""The traced training loop and its parts."""
