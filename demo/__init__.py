"""The main job of the operator, shown between real parts: `make demo`."""
