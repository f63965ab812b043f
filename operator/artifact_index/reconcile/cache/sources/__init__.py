"""Source Secrets and ServiceAccounts: parsed, kept within bounds, and read by name."""
