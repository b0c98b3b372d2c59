"""Locks on files, and the processes that hold them."""
