"""Version of the installed package, in a module of its own because reading it takes as long as all other imports."""

import importlib.metadata

try:
    __version__ = importlib.metadata.version("batchsel")
except importlib.metadata.PackageNotFoundError:  # a bare checkout
    __version__ = "0+unknown"
