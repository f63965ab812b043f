"""What the caller's own rights show of a cluster: our kinds, and what their statuses mean."""
