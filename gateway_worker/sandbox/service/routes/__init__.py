"""What the service does to a stanza, by the kind of address that it is for.

One module per kind: `direct` for people, `group` for groups, `status` for what contacts are shown,
`channel` for channels, `nowhere` for addresses that the service does not know. `table` chooses by
the server part of `to`.
"""
