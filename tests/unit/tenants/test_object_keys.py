"""Which objects of the bucket a tenant's session may send."""

import pytest

from gateway_worker.media.objects import may_read


@pytest.mark.parametrize(
    ("key", "is_readable"),
    [
        ("media/acme.support/1/file", True),
        ("media/acme.sales/1/file", True),
        ("media/mallory.support/1/file", False),
        ("media/support/1/file", False),
        ("media/acmes.support/1/file", False),
        ("shared/acme/catalogue.pdf", True),
        ("shared/catalogue.pdf", False),
        ("shared/mallory/catalogue.pdf", False),
        ("uploads/acme/0123456789abcdef", True),
        ("uploads/0123456789abcdef", False),
        ("uploads/mallory/0123456789abcdef", False),
    ],
)
def test_objects_are_their_tenants(key: str, is_readable: bool) -> None:  # noqa: FBT001
    """Without tenants all are everybody's."""
    assert may_read("acme.support", key) is is_readable
    assert may_read("support", key)
