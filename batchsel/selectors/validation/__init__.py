"""Validation of users' selectors before training: their declaration, and each method traced once."""
