"""Groups: who is in which, what members may do, and how they are told of changes.

`group` is a group's state, `groups` all of them and who comes and goes, `invitations` the ways in,
`settings` what a group is; `changes` is how its members are told, `elements` what they are told.
"""
