"""Breaks everything on purpose while messages flow, then judges: `./dev chaos`.

A run goes through these modules: `plan` draws a schedule of faults from a seed; `harness` brings up
services, links, sandbox, backend and the workers that `fleet` keeps alive; `traffic` writes in both
directions while `worker_faults`, `service_faults` and `hostile_faults` are injected; `quiescence`
waits until all has come to its end; `audit` judges the `history`, which holds only what a backend
and the simulated phones have seen; `report` prints.
"""
