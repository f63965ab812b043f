"""How rendered files differ from what a cluster has: `render --diff`."""
