"""A rolling update from an earlier release to this one, under traffic: `./dev rolling`.

`previous` checks the earlier release out, with an environment of its own; `update` replaces one
worker after the other, as an orchestrator does. Traffic, phones and audit are those of
`./dev chaos`.
"""
