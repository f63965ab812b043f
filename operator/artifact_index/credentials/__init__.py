"""Credentials: how tokens are minted, how long they last, and who shares one."""
