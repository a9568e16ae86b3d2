"""Commands, from delivery to outcome.

`dispatcher` takes one through: `session_lanes` says what may run, and `scheduler` runs it;
`command_router` says where it belongs, `handover_path` and `hold_back_queue` keep the order while
its session moves, `forwarding` hands on what another worker owns, `execution` brings it to its end.
`inbox` makes each happen once, `handlers` are what each type does, `stranded` answers for sessions
that nobody can run.
"""
