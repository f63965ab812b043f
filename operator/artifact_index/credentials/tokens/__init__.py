"""The token manager: issues each token once and refreshes it ahead of its expiry."""
