"""``python -m daq2lh5``: the command line."""

from .installation import main

if __name__ == "__main__":
    main(prog_name="python -m daq2lh5")
