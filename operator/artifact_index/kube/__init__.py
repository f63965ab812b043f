"""The port to the API server, and its implementation over HTTP."""
