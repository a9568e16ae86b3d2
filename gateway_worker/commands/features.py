"""What works only where an operator has switched it on."""

from enum import StrEnum


class Feature(StrEnum):
    """Something that not everybody wants."""

    INTERACTIVE = "interactive"
    """Buttons and lists are sent, which many of WhatsApp's apps show otherwise or not at all."""

    @classmethod
    def parse(cls, names: str) -> frozenset["Feature"]:
        """Read names with commas between them.

        Raises:
            ValueError: One of them is no feature.
        """
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        unknown = sorted(set(wanted) - set(cls))
        if unknown:
            raise ValueError(f"not among {', '.join(cls)}")
        return frozenset(map(cls, wanted))
