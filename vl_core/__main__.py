"""`python -m vl_core`: traces, scores and the app from the command line; see `--help`."""

from vl_core.command import main

if __name__ == "__main__":
    main()
