"""Groups: who is in which, what members may do, and how they are told of changes.

`group` is a group's state, `groups` all of them and what changes them, `changes` the way in which
their members are told, `elements` what the service tells of one.
"""
