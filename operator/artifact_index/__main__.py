"""`python -m artifact_index`: the same as the command `artifact-index`."""

from artifact_index.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
