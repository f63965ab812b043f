"""What runs inside a builder pod, without the API server."""
