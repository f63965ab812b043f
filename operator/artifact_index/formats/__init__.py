"""Output formats: each renders and reads back one kind of file. No I/O."""
