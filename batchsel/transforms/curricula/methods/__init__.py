"""The catalogue of curricula."""
