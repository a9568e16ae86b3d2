"""Commands, from delivery to outcome.

`dispatcher` takes one through, `inbox` makes each happen once, `handlers` hold what each type does,
`forwarding` hands on what another worker owns.
"""
