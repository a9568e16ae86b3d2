"""One way to read a URL; whatever has two is refused."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.fetching.addresses import Reach, reach
from gateway_worker.media.fetching.permissions import Permissions
from gateway_worker.media.fetching.urls import MAX_URL_CHARACTERS, parse

REFUSED = [
    "",
    "files.example/a",
    "//files.example/a",
    "https:files.example/a",
    "https:/files.example/a",
    "https:///a",
    "https://",
    "file:///etc/passwd",
    "ftp://files.example/a",
    "gopher://files.example:6379/_INFO",
    "data:image/png;base64,AAAA",
    "javascript://files.example/a",
    "s3://bucket/key",
    # a user, or what another reader takes for one
    "https://user@files.example/a",
    "https://user:secret@files.example/a",
    "https://files.example@127.0.0.1/a",
    "https://files.example%40127.0.0.1/a",
    "https://127.0.0.1@files.example/a",
    "https://files.example\\@127.0.0.1/a",
    "https:\\\\files.example/a",
    "https://files.example\\a",
    # characters
    "https://files.example/a b",
    " https://files.example/a",
    "https://files.example/a\n",
    "https://files.example/\r\nHost: other",
    "https://files.example/a\0b",
    "https://files\t.example/a",
    "https://files.example/\u2028",
    "https://files.example/\ud800",
    "https://files.example/" + "a" * MAX_URL_CHARACTERS,
    # hosts
    "https://files_.ex ample/a",
    "https://files.example:/a",
    "https://files.example:0/a",
    "https://files.example:65536/a",
    "https://files.example:443443/a",
    "https://files.example:80:443/a",
    "https://files.example:-1/a",
    "https://files.example:\uff14\uff14\uff13/a",
    "https://files..example/a",
    "https://.files.example/a",
    "https://files.example../a",
    "https://./a",
    "https://-files.example/a",
    "https://files%2eexample/a",
    "https://%66iles.example/a",
    "https://" + "a" * 64 + ".example/a",
    "https://" + "a." * 130 + "example/a",
    "https://files,example/a",
    "https://files.example;127.0.0.1/a",
    "https://files.example&127.0.0.1/a",
    "https://xn--/a\u0378",
    # addresses in odd spellings
    "https://127.1/a",
    "https://127.0.1/a",
    "https://2130706433/a",
    "https://017700000001/a",
    "https://0x7f000001/a",
    "https://0x7f.0.0.1/a",
    "https://0x7f.1/a",
    "https://0177.0.0.1/a",
    "https://127.0.0.01/a",
    "https://127.0.0.0x1/a",
    "https://127.0.0.1./a",
    "https://127.0.0.1.0/a",
    "https://256.0.0.1/a",
    "https://99999999999/a",
    "https://files.example.1/a",
    "https://0/a",
    "https://0x/a",
    "https://①②⑦.⓪.⓪.①/a",
    "https://\uff11\uff12\uff17.0.0.1/a",
    "https://127。0。0。1/a",
    "https://8。8。8。8/a",
    "https://127%2e0%2e0%2e1/a",
    "https://[::1/a",
    "https://::1/a",
    "https://[::1]x/a",
    "https://[]/a",
    "https://[fe80::1%25eth0]/a",
    "https://[fe80::1%eth0]/a",
    "https://[::ffff:127.0.0.1.2]/a",
    "https://[::ffff:0177.0.0.1]/a",
    "https://[v1.fe80::a]/a",
    "https://[127.0.0.1]/a",
]
ACCEPTED = [
    ("https://files.example", "files.example", 443, "/"),
    ("HTTPS://Files.Example/A", "files.example", 443, "/A"),
    ("https://files.example./a", "files.example", 443, "/a"),
    ("https://files.example:8443/a?b=c#d", "files.example", 8443, "/a?b=c"),
    ("https://files.example?b=c", "files.example", 443, "/?b=c"),
    ("http://files.example/a", "files.example", 80, "/a"),
    ("https://files.example/%2e%2E/a%20b?x=%41~", "files.example", 443, "/%2e%2E/a%20b?x=%41~"),
    ("https://files.example/ä?q=ü", "files.example", 443, "/%C3%A4?q=%C3%BC"),
    ("https://files.example/a@b:c", "files.example", 443, "/a@b:c"),
    ("https://BÜCHER.example/", "xn--bcher-kva.example", 443, "/"),
    ("https://a_b.files.example/", "a_b.files.example", 443, "/"),
    ("https://8.8.8.8/a", "8.8.8.8", 443, "/a"),
    ("https://[2606:4700:0::1111]:443/a", "2606:4700::1111", 443, "/a"),
]


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    """What is no URL, or could be another one for somebody else."""
    with pytest.raises(MediaRefusedError) as refused:
        parse(url)
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(("url", "host", "port", "path"), ACCEPTED)
def test_accepted(url: str, host: str, port: int, path: str) -> None:
    """Path and query keep their spelling, which a signature may cover."""
    target = parse(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    ("location", "host", "path"),
    [
        ("/b?c", "files.example", "/b?c"),
        ("b", "files.example", "/x/b"),
        ("//other.example/b", "other.example", "/b"),
        ("https://other.example/b", "other.example", "/b"),
        ("?c", "files.example", "/x/a?c"),
    ],
)
def test_a_redirect_leads_on(location: str, host: str, path: str) -> None:
    """As browsers read it."""
    target = parse("https://files.example/x/a").follow(location)
    assert (target.host, target.path) == (host, path)


@pytest.mark.parametrize(
    "location",
    [
        "http://files.example/b",
        "file:///etc/passwd",
        "https://a@b.example/",
        "\\\\b.example\\",
        "b\n",
    ],
)
def test_a_redirect_leads_nowhere_else(location: str) -> None:
    """Neither without TLS nor to what would have been refused at first."""
    with pytest.raises(MediaRefusedError):
        parse("https://files.example/x/a").follow(location)


def _octets(address: IPv4Address, form: str) -> str:
    return ".".join(form.format(octet) for octet in address.packed)


SPELLINGS: dict[str, Callable[[IPv4Address], str]] = {
    "dotted": str,
    "octal": lambda address: _octets(address, "0{:o}"),
    "long octal": lambda address: _octets(address, "0000{:o}"),
    "hexadecimal": lambda address: _octets(address, "0x{:x}"),
    "capitals": lambda address: _octets(address, "0X{:X}"),
    "one number": lambda address: str(int(address)),
    "one hexadecimal number": lambda address: hex(int(address)),
    "one octal number": lambda address: f"0{int(address):o}",
    "two numbers": lambda address: f"{address.packed[0]}.{int(address) & 0xFFFFFF}",
    "three numbers": lambda address: ".".join(
        map(str, (address.packed[0], address.packed[1], int(address) & 0xFFFF))
    ),
    "mixed": lambda address: f"0x{address.packed[0]:x}.0{int(address) & 0xFFFFFF:o}",
}
DISGUISES: dict[str, Callable[[IPv4Address], str]] = {
    "mapped": lambda address: f"[::ffff:{address}]",
    "mapped in hexadecimal": lambda address: f"[0:0:0:0:0:FFFF:{_words(address)}]",
    "compatible": lambda address: f"[::{address}]",
    "translated": lambda address: f"[64:ff9b::{address}]",
    "6to4": lambda address: f"[2002:{_words(address)}::1]",
    "teredo": lambda address: f"[2001:0:{_words(address)}::1]",
    "wide digits": lambda address: str(address).translate({n: n + 0xFEE0 for n in range(48, 58)}),
    "ideographic dots": lambda address: str(address).replace(".", "\u3002"),
    "a dot at the end": lambda address: f"{address}.",
    "encoded": lambda address: str(address).replace(".", "%2E"),
}
NOT_PUBLIC = st.one_of(
    *(
        st.ip_addresses(network=network)
        for network in (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/4",
            "240.0.0.0/4",
        )
    )
).map(lambda address: IPv4Address(str(address)))
OPEN = Permissions(allowed=(), private=(), ports=(443,))


def _words(address: IPv4Address) -> str:
    return f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"


def _is_refused(host: str) -> bool:
    try:
        target = parse(f"https://{host}/a")
        OPEN.check_target(target)
        assert target.address is not None, f"{host} is taken for a name"
        OPEN.check_address(target, target.address)
    except MediaRefusedError:
        return True
    return False


@given(NOT_PUBLIC, st.sampled_from(sorted(SPELLINGS)))
def test_a_forbidden_address_is_refused_in_every_spelling(address: IPv4Address, how: str) -> None:
    """In each one that the machine's resolver understands."""
    assert reach(address) is not Reach.PUBLIC
    host = SPELLINGS[how](address)
    assert socket.inet_aton(host) == address.packed
    assert _is_refused(host)


@given(NOT_PUBLIC, st.sampled_from(sorted(DISGUISES)))
def test_a_forbidden_address_is_refused_in_every_disguise(address: IPv4Address, how: str) -> None:
    """In another address, and in letters that only look different."""
    assert _is_refused(DISGUISES[how](address))


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and what is read is plain."""
    for url in (text, f"https://{text}", f"https://files.example/{text}"):
        try:
            target = parse(url)
        except MediaRefusedError:
            continue
        assert target.path.isascii()
        assert target.host.isascii()
        assert target.path.isprintable()
