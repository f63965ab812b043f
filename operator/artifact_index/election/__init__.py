"""Leader election: one replica writes, the others stand by; a Lease says which."""
