"""The one small port to the API server."""
