"""Messages both ways between an account and somebody's phone."""

from gateway_worker.sandbox.phones.phone import Phone
from tests.integration.whatsapp.stage import Account
from tests.support.calls import send_text
from tests.support.eventually import eventually


async def send(account: Account, to: Phone, text: str) -> None:
    """Send a text and wait until the phone shows it."""
    await account.host.request(send_text(to=to.number, text=text))
    await to.inbox.wait_for(lambda message: message.text == text, timeout=30)


async def receive(account: Account, by: Phone, text: str) -> None:
    """Have a text sent and wait until it has arrived."""
    await arrived(account, await by.send_text(account.phone.number, text))


async def arrived(account: Account, message_id: str) -> None:
    """Wait until a message has arrived, or see that it has."""
    await eventually(
        lambda: any(message.message_id == message_id for message in account.messages()),
        reason="the message arrives",
        timeout_seconds=30,
    )


async def talk(account: Account, other: Phone, word: str, *, times: int = 3) -> None:
    """Send and receive a few texts, one after the other."""
    for number in range(times):
        await send(account, other, f"{word} out {number}")
        await receive(account, other, f"{word} in {number}")


def texts(phone: Phone) -> list[str | None]:
    """Return what a phone shows, in its order."""
    return [message.text for message in phone.inbox]


def shows(phone: Phone, text: str) -> bool:
    """Whether a phone shows a text."""
    return text in texts(phone)
