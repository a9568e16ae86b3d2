"""Grafana's dashboards as code: `python -m gateway_worker.devkit.dashboards` writes deploy/grafana.

`board` has the words in which a dashboard is described, a module each describes one, and `grafana`
makes JSON of them with Grafana's own SDK. A unit test holds every figure that is asked for against
what a worker exports.
"""
