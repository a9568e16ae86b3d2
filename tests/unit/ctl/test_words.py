"""The words of the command line: all there, explained, and light."""

import subprocess
import sys
from importlib import import_module

import pytest
import typer

from gateway_worker.cli import main
from gateway_worker.ctl.app import WORDS

HEAVY = ("gateway_contracts", "pydantic", "aio_pika", "sqlalchemy", "rich", "structlog")
SAY_HELP = """
import sys
from gateway_worker.cli import main
code = main(sys.argv[1:])
heavy = {name.partition(".")[0] for name, module in sys.modules.items() if module} & set(%r)
sys.exit(f"imported: {heavy}" if heavy else code)
"""


@pytest.mark.parametrize("word", WORDS)
def test_each_word_is_there_and_explains_itself(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the list of words explains it."""
    assert main(["ctl", word, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Usage: gateway-worker ctl {word}" in shown
    module = import_module(f"gateway_worker.ctl.words.{WORDS[word].module}")
    group = typer.main.get_group(module.app)
    assert WORDS[word].is_group or word in group.commands


def test_no_module_has_a_word_that_nobody_can_say() -> None:
    """Every command of a module that is no group is listed."""
    for module in {word.module for word in WORDS.values() if not word.is_group}:
        app = import_module(f"gateway_worker.ctl.words.{module}").app
        assert set(typer.main.get_group(app).commands) <= set(WORDS)


@pytest.mark.parametrize(
    "words", [["--help"], ["ctl", "--help"], ["ctl", "send", "--help"], ["ctl", "dead", "--help"]]
)
def test_help_imports_nothing_that_takes_time(words: list[str]) -> None:
    """It is there at once."""
    done = subprocess.run(
        [sys.executable, "-c", SAY_HELP % (HEAVY,), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: gateway-worker" in done.stdout


def test_a_worker_carries_nothing_of_the_command_line() -> None:
    """Until its settings are found to be none, it has imported all that it needs."""
    done = subprocess.run(
        [sys.executable, "-c", SAY_HELP % (("typer", "rich", "click"),), "run"],
        capture_output=True,
        text=True,
        env={"DATABASE_URL": "nonsense"},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "imported" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ctl", "status", "shop", "--amqp-url", "x"], "No such option"),
        (["ctl", "--amqp-url", "http://x", "status", "shop"], "say where the broker is"),
        (["ctl", "--amqp-url", "amqp://x:99999", "status", "shop"], "say where the broker is"),
        (["ctl", "--amqp-url", "amqp://[::1", "status", "shop"], "say where the broker is"),
        (["ctl", "--amqp-url", "amqp://x", "status", "shop", "--timeout", "nan"], "seconds"),
        (["ctl", "--amqp-url", "amqp://x", "tail", "--timeout", "inf"], "seconds"),
        (["ctl", "--amqp-url", "amqp://x", "send", "shop", "nobody", "Hi"], "/data/to"),
        (["ctl", "--amqp-url", "amqp://x", "send", "a shop", "+15550100002", "Hi"], "/subject"),
        (["ctl", "--amqp-url", "amqp://x", "group", "set", "shop", "1@g.us"], "one thing"),
        (["ctl", "undead"], "No such command"),
        (["ctl", "--amqp-url", "amqp://x", "--tenant", "a.b", "sessions"], "can be called"),
        (["ctl", "--amqp-url", "amqp://x", "--token-file", "/nowhere", "top"], "no token"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_contacted(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2."""
    assert main(words) == 2
    assert said in capsys.readouterr().err
