"""What the caller's own rights show of a cluster: both kinds, and what their statuses mean."""
