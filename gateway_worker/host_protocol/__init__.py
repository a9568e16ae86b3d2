"""What a worker and a session's host say to each other; known to both, and knowing neither.

`wire` is what all of it has in common, `media` what files are told by. `methods` is what a host can
be asked for and `signals` what it tells of its connection; `envelope` has the frames in which these
and the arrivals travel, `forking` those of the fork server, `framing` their bytes. `layout` and the
two formats are what a host leaves on disk.
"""
