"""What is counted of sessions, and looked after beside their traffic.

Nothing is counted while messages go by: `counters` adds up the rows of a day when somebody asks,
and `review` looks at each session now and then: for days that are over (`days`), for what nobody
has confirmed (`undelivered`), and for how it does (`health`).
"""
