"""Reconciling: observe, queue, gather, check, plan, apply, summarise."""
