"""`python -m bench`: the operator on a real API server, measured against a bare loop."""
