"""Downloads: resumable, locked, verified by SHA-256."""
