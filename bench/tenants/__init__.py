"""Hostile tenants beside a good one, and what the good one notices of them."""
