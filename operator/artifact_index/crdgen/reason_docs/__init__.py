"""What each condition reason means and how to remedy it; printed in the API reference."""
