"""A simulated week: what is written and minted in each hour, and why."""
