"""What a worker and a session's host say to each other; known to both, and knowing neither.

`wire` is what all of it has in common, `methods` what a host can be asked for.
"""
