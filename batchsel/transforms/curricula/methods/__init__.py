"""The catalog of curricula."""
