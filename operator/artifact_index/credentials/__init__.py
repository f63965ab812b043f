"""Credentials: how tokens are issued, how long they last, and who shares one."""
