"""The workqueue and the limiter of writes."""
