"""The device store of a session on this machine: which files it has, and when they are copied."""
