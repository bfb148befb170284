"""`python -m app` is `wiregrad`."""

from app.cli import main

if __name__ == "__main__":
    main()
