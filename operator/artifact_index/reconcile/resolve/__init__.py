"""From spec, policy, Secret and ServiceAccount to a login, or to the first problem."""
