"""HTML as text; whatever is no markup of ours is escaped."""

import re
from collections.abc import Sequence
from html import escape

_CODE = re.compile(r"`([^`]+)`")


def code(text: object) -> str:
    """Return something as code."""
    return f"<code>{escape(str(text))}</code>"


def link(anchor: str, text: str) -> str:
    """Return a link to another place of the page."""
    return f'<a href="#{escape(anchor)}">{code(text)}</a>'


def prose(text: str) -> str:
    """Return paragraphs; what stands between backticks is code."""
    return "".join(f"<p>{inline(part)}</p>" for part in text.strip().split("\n\n") if part)


def inline(text: str) -> str:
    """Return one paragraph's text."""
    return _CODE.sub(r"<code>\1</code>", escape(" ".join(text.split()), quote=False))


def table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of cells that are HTML."""
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>\n"


STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #0a7d5a }
@media (prefers-color-scheme: dark) { :root { --link: #5fd3ab } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; display: grid;
  grid-template-columns: 19rem minmax(0, 60rem) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem;
  box-sizing: border-box; border-right: 1px solid var(--line); font-size: 13px }
nav ul { list-style: none; padding: 0 }
main { padding: 1rem 2rem 6rem }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .5rem }
h3 { margin-bottom: 0; overflow-wrap: anywhere }
a { color: var(--link); text-decoration: none }
code, pre { font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace }
pre { background: var(--soft); padding: .8rem; overflow: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  padding: .3rem .6rem .3rem 0 }
td p { margin: 0 }
.where { opacity: .8 }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto } }
"""
