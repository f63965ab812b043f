"""What each output should hold: names, entries, fallbacks, bytes. Pure."""
