"""A whole gateway on this machine, for whoever writes a backend: services, sandbox, phones, worker.

`running` brings it up; `addresses` says where it is, to people and to other processes;
`instructions` are the lines that a newcomer can paste; `talk` (`./dev talk`) and `ctl` (`./dev
ctl`, which becomes `gateway-worker ctl`) are the commands behind them. To run
`python -m gateway_worker.devkit.gateway` is `./dev run --sandbox`, and what the pytest plugin does.
"""
