"""Storage shared by downloads, archives and caches: locks, hashes, disk space, the cache folder, progress."""
