"""Looks at files that strangers have made, in a process that can be killed and can do no harm.

`inspector` asks about one file and waits for the answer, for as long as is set. `helpers` has a
process forked for it from `python -m gateway_worker.media.inspection`, which has imported all that
decodes. That process gives up everything but a directory of its own (`limits`), learns what the
file is, makes of it what its kind needs (`helper`), and answers with one line of JSON (`protocol`).
Nothing that decodes is ever imported by the worker.
"""
