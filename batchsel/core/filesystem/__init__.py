"""Files: reading those of users, and temporary ones beside those that are written."""
