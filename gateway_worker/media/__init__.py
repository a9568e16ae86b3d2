"""Files that messages carry: fetched, looked at and prepared on the way out, stored on the way in.

A file is always a path or a stream here, never bytes in a frame or in a command. What a stranger
has made is only ever decoded in a process of its own (`inspection`), and what a stranger names is
only ever fetched through `fetching`, which decides where the worker may be sent.
"""
