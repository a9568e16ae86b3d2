"""The contract as one HTML page: every message with fields and examples, nothing from elsewhere.

It is made from the AsyncAPI document and the schemas beside it. `contents` puts the page together,
`fields` describes schemas as tables, `markup` writes HTML.
"""

from gateway_contracts.spec.page.contents import contract_page

__all__ = ["contract_page"]
