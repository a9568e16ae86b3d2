"""The export writes what is committed, and its check tells when the two have drifted apart."""

import json
import re
import shutil
from pathlib import Path

import pytest

from gateway_contracts import Topology
from gateway_contracts.export import documents, main
from gateway_contracts.spec.catalog import MESSAGES
from gateway_contracts.spec.examples import load_examples
from tests.contracts.support import references


def test_the_committed_documents_are_what_the_models_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("written")
    assert main(["--out", str(directory)]) == 0
    return directory


@pytest.fixture
def exported(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "exported"))


def test_writes_every_document(exported: Path) -> None:
    written = {str(file.relative_to(exported)) for file in exported.rglob("*.*")}
    assert written == {
        "contract.html",
        "asyncapi.json",
        "rabbitmq/definitions.json",
        "rabbitmq/users.json",
        *(f"schemas/{name}.json" for name in ("common", "content", *MESSAGES)),
        *(f"examples/{example.name}.json" for example in load_examples()),
    }
    assert main(["--check", "--out", str(exported)]) == 0


def test_a_change_is_shown_as_a_difference(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(list(exported.rglob("*.*")))
    file = exported / "schemas/common.json"
    file.write_text(file.read_text("utf-8").replace('"maxLength": 255', '"maxLength": 254'))
    assert main(["--check", "--out", str(exported)]) == 1
    told = capsys.readouterr().out
    assert re.search(r'^- +"maxLength": 254', told, re.MULTILINE)
    assert re.search(r'^\+ +"maxLength": 255', told, re.MULTILINE)
    assert f"1 of {count} documents differ" in told
    assert main(["--out", str(exported)]) == 0
    assert main(["--check", "--out", str(exported)]) == 0


def test_a_missing_document_is_a_difference(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (exported / "asyncapi.json").unlink()
    assert main(["--check", "--out", str(exported)]) == 1
    assert "asyncapi.json: missing" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["schemas", "examples"])
def test_a_document_of_no_message_is_a_difference_and_is_removed(
    folder: str, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = exported / folder / "wa.session.pause.v1.json"
    old.write_text("{}")
    assert main(["--check", "--out", str(exported)]) == 1
    assert "belongs to no message any more" in capsys.readouterr().out
    mine = exported / folder / "package.json"
    mine.write_text("{}")
    assert main(["--out", str(exported)]) == 0
    assert not old.exists()
    assert mine.exists(), "files of others in a folder of that name are left alone"
    assert main(["--check", "--out", str(exported)]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "/dev/null"], "Not a directory"),
        (["--prefix", "a b", "--check"], "no prefix of AMQP names"),
        (["--backend", "a b", "--out", "/dev/null"], "no name of a service"),
        (["--dead-letter-days", "0", "--check"], "1 to 49 days"),
    ],
)
def test_wrong_arguments_are_told_as_such(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_written_asyncapi_document_finds_all_that_it_refers_to(exported: Path) -> None:
    document = json.loads((exported / "asyncapi.json").read_text("utf-8"))
    files = {name for name in references(document) if not name.startswith("#")}
    assert len(files) == len(MESSAGES) + len(load_examples())
    assert all((exported / name).is_file() for name in files)


def test_another_fleets_names(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--prefix", "fleet2", "--vhost", "shared"]
    assert main(arguments) == 0
    definitions = json.loads((tmp_path / "rabbitmq/definitions.json").read_text())
    assert {queue["vhost"] for queue in definitions["queues"]} == {"shared"}
    names = {exchange["name"] for exchange in definitions["exchanges"]}
    assert names == {exchange.name for exchange in Topology(prefix="fleet2").exchanges()}


def test_no_password_is_written() -> None:
    text = documents(Topology())["rabbitmq/users.json"]
    users = json.loads(text)["users"]
    assert {user["password_hash"] for user in users} == {""}
    assert '"password"' not in text
