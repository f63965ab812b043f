"""The adapter that connects kopf to the operator; kopf is imported nowhere else."""
