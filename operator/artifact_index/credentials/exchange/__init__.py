"""Token exchange: a ServiceAccount's token for one of a registry that trusts the cluster."""
