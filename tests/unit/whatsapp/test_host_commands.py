"""A host's requests run one by one, and none is begun by a host that leaves."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

import pytest

from gateway_worker.host_protocol.methods import Call

SCENE = """
import threading
from queue import Queue
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.host_protocol.methods.messages import SendMessage, Sent
from gateway_worker.host_protocol.failures import Failure
from gateway_worker.whatsapp.host.sending import SendFailedError
from gateway_worker.host_protocol.envelope import Request
from tests.support.eventually import eventually_blocking

class Sender:
    sending, may_end = Queue(), threading.Event()
    is_asking, is_given_up = {asking}, False
    def give_up(self, request):
        self.is_given_up = self.is_asking
        return self.is_asking
    def send(self, request):
        self.sending.put(request.call.to)
        self.may_end.wait()
        if self.is_given_up:
            raise SendFailedError(Failure(kind="timed_out", detail="given up"))
        return Sent(message_id="3EB0", chat=request.call.to, timestamp=1)
    chats = None  # nobody asks for them

def hear(frame):
    failure = frame.failure
    print("Failed" if failure else "Response", frame.request, failure.kind if failure else "")

sender = Sender()
commands = Commands(
    library=None,
    sender=sender,
    send=hear,
    unlinked=lambda: None,
    cut=lambda: None,
)

def ask(request):
    call = SendMessage(to="12025550101@s.whatsapp.net", content={"kind": "text", "text": "x"})
    commands.request(Request(request=request, call=call))

ask(1)
sender.sending.get()
ask(2)
{leave}
sender.may_end.set()
eventually_blocking(lambda: commands.is_idle, timeout_seconds=60)
print("begun:", 1 + sender.sending.qsize())
"""
"""In a process of its own, because it imports the library."""

PLAYER = """
import json, os, sys
from gateway_worker.whatsapp.host.preload import preload
preload()
import gateway_worker.whatsapp.host.commands, tests.support.eventually
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        exec(json.loads(line), {"__name__": "__main__"})
        sys.exit()
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""
"""Plays each scene in a fork of one process, as hosts are: to import the library takes a second."""

Played = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Runs a scene and returns its lines."""
    with subprocess.Popen(
        [sys.executable, "-c", PLAYER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as player:
        assert player.stdin is not None
        assert player.stdout is not None
        scenes, lines = player.stdin, player.stdout

        def play(code: str) -> list[str]:
            scenes.write(f"{json.dumps(code)}\n")
            scenes.flush()
            *told, end = up_to_the_end(lines)
            assert end == "ended 0"
            return told

        yield play


def up_to_the_end(lines: Iterable[str]) -> Iterator[str]:
    """Yield what is said, up to the line that tells how it ended."""
    for line in lines:
        yield line.rstrip("\n")
        if line.startswith("ended "):
            return
    pytest.fail("the player has left")


@pytest.mark.parametrize(
    ("leave", "heard"),
    [
        (
            "commands.close(); ask(3)",
            ["Failed 2 not_connected", "Failed 3 not_connected", "Response 1"],
        ),
        ("commands.abandon()", ["Response 1"]),
        ("", ["Response 1", "Response 2"]),
    ],
    ids=["leaves", "without a worker", "stays"],
)
def test_a_host_that_leaves_begins_nothing_more(
    played: Played, leave: str, heard: list[str]
) -> None:
    """What runs gets its answer; what waits and what comes is known not to have been sent."""
    code = SCENE.replace("{leave}", leave).replace("{asking}", "False")
    *told, begun = played(code)
    assert [line.strip() for line in told] == heard
    assert begun == f"begun: {sum(line.startswith('Response') for line in heard)}"


@pytest.mark.parametrize(
    ("leave", "heard"),
    [
        (
            "commands.close()",
            ["Failed 1 not_connected", "Failed 2 not_connected", "Failed 1 timed_out"],
        ),
        ("commands.abandon()", ["Failed 1 timed_out"]),
        ("commands.cancel(1)", ["Failed 1 timed_out", "Failed 1 timed_out", "Response 2"]),
    ],
    ids=["leaves", "without a worker", "waited too long"],
)
def test_a_message_whose_recipient_is_looked_up_is_never_handed_over(
    played: Played, leave: str, heard: list[str]
) -> None:
    """So it is known at once that nobody gets it; the first answer counts."""
    code = SCENE.replace("{asking}", "True").replace(
        "{leave}", leave + "; sender.is_asking = False"
    )
    *told, _begun = played(code.replace("self.is_given_up:", "request.request == 1:"))
    assert [line.strip() for line in told] == heard


UNWRITABLE = """
from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.framing import WireError
from gateway_worker.host_protocol.methods.messages import Chats, FindChats
from gateway_worker.whatsapp.host.commands import Commands
from tests.support.eventually import eventually_blocking

class Sender:
    def chats(self, request):
        return Chats(chats=(request.call.to,))

def hear(frame):
    if frame.request == 1 and frame.result is not None:
        raise WireError("too large")
    print(frame.request, frame.failure.kind if frame.failure else "answered")

commands = Commands(
    library=None, sender=Sender(), send=hear, unlinked=lambda: None, cut=lambda: None
)
for number in (1, 2):
    commands.request(Request(request=number, call=FindChats(to="12025550101")))
eventually_blocking(lambda: commands.is_idle, timeout_seconds=60)
"""
"""Likewise."""


def test_an_answer_that_no_frame_takes_is_told_as_a_failure(played: Played) -> None:
    """And the lane goes on with what comes after it."""
    assert played(UNWRITABLE) == ["1 timed_out", "2 answered"]


def test_every_method_is_run_by_something(played: Played) -> None:
    """And nothing is run that is no method."""
    code = "from gateway_worker.whatsapp.host.methods import RUNS\n"
    code += "print(*(one.__name__ for one in RUNS), sep='\\n')"
    assert sorted(played(code)) == sorted(one.__name__ for one in get_args(Call))


QUERIES = """
import threading
from queue import Queue
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.host_protocol.methods.messages import Chats, FindChats
from gateway_worker.host_protocol.envelope import Request
from tests.support.eventually import eventually_blocking

class Sender:
    asked, may_end = Queue(), threading.Event()
    def chats(self, request):
        self.asked.put(request.request)
        if request.request == 1:
            self.may_end.wait()
        return Chats(chats=(request.call.to,))
    def give_up(self, request):
        raise AssertionError("no query is a message")

def cut():
    raise AssertionError("the connection stays")

told = Queue()
commands = Commands(
    library=None, sender=Sender(), send=told.put, unlinked=lambda: None, cut=cut
)

def ask(request):
    commands.request(Request(request=request, call=FindChats(to="12025550101")))

def hear():
    frame = told.get()
    failure = frame.failure
    print("Failed" if failure else "Response", frame.request, failure.kind if failure else "")

ask(1)
Sender.asked.get()
ask(2)
ask(3)
commands.cancel(2)
hear()
commands.cancel(1)
hear()
hear()
ask(4)
hear()
Sender.may_end.set()
hear()
def lanes():
    return [one for one in threading.enumerate() if one.name == "queries"]

eventually_blocking(lambda: len(lanes()) <= 1, timeout_seconds=60)
print("threads:", len(lanes()))
"""
"""Four queries, of which the first is not answered until the others are through."""


def test_a_late_query_holds_up_no_other_one(played: Played) -> None:
    """It and what waits for it are given up as late, and what comes after them is asked at once."""
    assert [line.strip() for line in played(QUERIES)] == [
        "Failed 2 timed_out",
        "Failed 1 timed_out",
        "Response 3",
        "Response 4",
        "Response 1",
        "threads: 1",
    ]


ONCE = """
import threading
from queue import Queue
from types import SimpleNamespace
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.host_protocol.methods.groups import CreateGroup
from gateway_worker.host_protocol.envelope import Request
from neonize.proto.Neonize_pb2 import GroupInfo
from tests.support.eventually import eventually_blocking

class Journal:
    def submitted(self, command, *, secret=None):
        print("submitted", command)
    def acknowledged(self, answer):
        print("acknowledged", answer.command_id)
    def rejected(self, refusal):
        print("rejected", refusal.command_id, refusal.kind)

class Client:
    making, may_end = Queue(), Queue()
    def create_group(self, name, members):
        self.making.put(name)
        if error := self.may_end.get():
            raise Exception(error)
        return GroupInfo()

told, client = Queue(), Client()
commands = Commands(
    library=SimpleNamespace(client=client),
    sender=SimpleNamespace(journal=Journal()),
    send=told.put,
    unlinked=lambda: None,
    cut=lambda: None,
)

def create(request):
    call = CreateGroup(name=str(request))
    commands.request(Request(request=request, call=call, command_id=f"c{request}"))

def hear():
    frame = told.get(timeout=60)
    failure = frame.failure
    print("Failed" if failure else "Response", frame.request, failure.kind if failure else "")

create(1)
client.making.get()
create(2)
commands.cancel(2)
hear()
commands.cancel(1)
hear()
client.may_end.put("")
hear()
errors = "returned status 429: rate-overlimit", "websocket not connected", "client is nil"
for request, error in enumerate(errors, 3):
    create(request)
    client.may_end.put(error)
    hear()
"""
"""Groups that are made: a late one, one that waits for it, and some that fail."""


def test_what_is_done_once_is_told_apart(played: Played) -> None:
    """Late it may have had its effect, unless it had not begun; the journal knows how it ended."""
    assert [line.strip() for line in played(ONCE)] == [
        "submitted c1",
        "Failed 2 not_begun",
        "Failed 1 uncertain",
        "acknowledged c1",
        "Response 1",
        "submitted c3",
        "rejected c3 rate_limited",
        "Failed 3 rate_limited",
        "submitted c4",
        "rejected c4 uncertain",
        "Failed 4 uncertain",
        "submitted c5",
        "rejected c5 not_connected",
        "Failed 5 not_connected",
    ]


TRANSFERS = """
import threading
from queue import Queue
from gateway_worker.whatsapp.host import commands as module
from gateway_worker.whatsapp.host.commands import Commands
from gateway_worker.host_protocol.media import MediaType
from gateway_worker.host_protocol.methods.media import UploadMedia
from gateway_worker.host_protocol.methods.messages import Chats, FindChats
from gateway_worker.host_protocol.envelope import Request
from neonize.proto.Neonize_pb2 import UploadResponse

class Library:
    uploading, may_end = Queue(), Queue()
    def upload(self, path, media_type):
        self.uploading.put(path.name)
        if error := self.may_end.get():
            raise Exception(error)
        return UploadResponse(
            url="https://mmg", DirectPath="/v", Handle="", MediaKey=b"k", FileEncSHA256=b"e",
            FileSHA256=b"f", FileLength=1,
        )

class Sender:
    def chats(self, request):
        return Chats(chats=(request.call.to,))

module.ABANDONED_SECONDS = 0.01
told, cuts = Queue(), Queue()
library = Library()
commands = Commands(
    library=library,
    sender=Sender(),
    send=told.put,
    unlinked=lambda: None,
    cut=lambda: cuts.put("cut"),
)

def upload(request):
    call = UploadMedia(path=f"file-{request}", media_type=MediaType.IMAGE)
    commands.request(Request(request=request, call=call))

def hear():
    frame = told.get(timeout=60)
    failure = frame.failure
    print("Failed" if failure else "Response", frame.request, failure.kind if failure else "")

{scene}
"""


SCENES = {
    "beside queries": (
        """
upload(1); upload(2)
print(library.uploading.get())
commands.request(Request(request=3, call=FindChats(to="12025550101")))
hear()
library.may_end.put(""); hear()
print(library.uploading.get()); library.may_end.put(""); hear()
""",
        ["file-1", "Response 3", "Response 1", "file-2", "Response 2"],
    ),
    "given up": (
        """
upload(1); upload(2); library.uploading.get()
commands.cancel(2); hear()
commands.cancel(1); commands.cancel(1); hear()
upload(4)
print(cuts.get(timeout=60), library.uploading.qsize())
library.may_end.put("connection reset")
print(library.uploading.get()); library.may_end.put(""); hear()
""",
        ["Failed 2 timed_out", "Failed 1 timed_out", "cut 0", "file-4", "Response 4"],
    ),
    "leaves": (
        """
upload(1); upload(2); library.uploading.get()
commands.close(); hear(); upload(3); hear()
library.may_end.put(""); hear()
""",
        ["Failed 2 not_connected", "Failed 3 not_connected", "Response 1"],
    ),
    "refused": (
        """
for request, text in enumerate((
    "failed to upload: upload failed with status code 413",
    "upload failed with status code 429",
    "upload failed with status code 403",
    "unexpected EOF",
), 1):
    upload(request); library.uploading.get()
    library.may_end.put(text); hear()
""",
        ["Failed 1 rejected", "Failed 2 rate_limited", "Failed 3 timed_out", "Failed 4 timed_out"],
    ),
}


@pytest.mark.parametrize(("scene", "heard"), SCENES.values(), ids=SCENES.keys())
def test_transfers_run_one_at_a_time_beside_the_rest(
    played: Played, scene: str, heard: list[str]
) -> None:
    """One that was given up keeps its lane until the library ends it, which a cut brings about."""
    assert [line.strip() for line in played(TRANSFERS.replace("{scene}", scene))] == heard
