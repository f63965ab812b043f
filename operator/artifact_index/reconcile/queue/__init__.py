"""The workqueue, and the limiter of writes to the API server."""
