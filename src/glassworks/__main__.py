"""`python -m glassworks` is the command line."""

from glassworks.cli import main

if __name__ == "__main__":
    main()
