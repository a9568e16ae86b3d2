"""What WhatsApp is told anew of presence after each connection."""

from gateway_worker.whatsapp.host.presence_keeper import PresenceKeeper


class Told:
    """What was told, in order; `refused` is not taken."""

    def __init__(self, keeper: PresenceKeeper) -> None:
        self.keeper = keeper
        self.told: list[str] = []
        self.refused = ""

    def restore(self) -> list[str]:
        """Let the keeper tell what it has to, and return what that was."""
        self.told.clear()
        self.keeper.restore(self._state, self._person)
        return self.told.copy()

    def _state(self, state: str) -> None:
        self.told.append(state)
        self.keeper.told_state(state)

    def _person(self, person: str) -> None:
        if person == self.refused:
            raise ValueError(person)
        self.told.append(person)
        self.keeper.told_of(person)


def test_each_connection_is_told_once() -> None:
    """What was told over it already is not told again, nor what is not wanted any more."""
    told = Told(keeper := PresenceKeeper())
    assert not keeper.is_wanted
    assert told.restore() == []
    keeper.want("available", ("1", "2"))
    assert told.restore() == ["available", "1", "2"]
    assert told.restore() == []
    keeper.connected()
    keeper.want("available", ("2", "3"))
    assert told.restore() == ["available", "2", "3"]


def test_what_was_shown_by_a_request_is_kept() -> None:
    """The next connection shows it again."""
    told = Told(keeper := PresenceKeeper())
    keeper.told_state("unavailable")
    assert told.restore() == []
    keeper.connected()
    assert told.restore() == ["unavailable"]


def test_what_is_refused_holds_up_nothing() -> None:
    """It is said, and tried again over the next connection."""
    failures: list[None] = []
    told = Told(keeper := PresenceKeeper(failed=lambda: failures.append(None)))
    keeper.want("", ("1", "2"))
    told.refused = "1"
    assert told.restore() == ["2"]
    assert len(failures) == 1
    told.refused = ""
    assert told.restore() == ["1"]
