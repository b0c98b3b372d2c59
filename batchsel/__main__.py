"""``python -m batchsel``: the command line."""

from batchsel.cli.main import main

if __name__ == "__main__":
    main()
