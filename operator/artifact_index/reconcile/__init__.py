"""Reconciling: cache, queue, resolve, plan, apply, report."""
