"""Commands that search for settings."""
