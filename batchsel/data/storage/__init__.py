"""What downloads, archives and caches share: locks, hashes, disk space, the cache folder, progress."""
