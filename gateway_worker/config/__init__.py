"""The configuration: the only reader of the environment, and the only place that knows its names.

`variables` lists every variable and the setting behind it; `settings` composes the packages' own
settings and can describe them; `environment` reads what is set, from the process's environment, a
`.env` file or a directory of secrets; `loading` brings all of that together, checks the rules that
hold between variables and turns whatever is wrong into one list of problems.
"""

from gateway_worker.config.loading import InvalidSettingsError, Problem, load_settings
from gateway_worker.config.settings import Environment, Settings

__all__ = ["Environment", "InvalidSettingsError", "Problem", "Settings", "load_settings"]
