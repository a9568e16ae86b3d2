"""Commands that are executed later: sends with a time of their own, and the rows of bulks.

    command with `scheduled_at` ──► acceptance ──► row + `command.scheduled`      (one transaction)
    row whose time has come ──► feeder ──► scheduler ──► executor ──► outcome, no row  (one, again)

A row is executed the way a command from the broker is: under its own id, which the inbox knows, so
that its repeats and its interrupted runs are told apart as anybody's. It differs in three things:
sends that somebody waits for overtake it (`scheduler.Lane.DEFERRED`); it is in nobody's queue, so
that what is not executed here is simply left (`Settlement.REQUEUE`); and its row is deleted by the
change that commits its outcome. The feeder notes nothing: what it has handed on is in memory, and
the rows are the session's, whichever worker owns it.

What becomes of a row if the worker is killed, loses its lease or loses the database:

- before the commit of the acceptance: nothing is stored, and the broker brings the command again;
- after it, before the acknowledgement: the command comes again, the inbox has it as `received`, and
  it is told as scheduled once more (`repeated`);
- handed on, not entered: the row is there; whoever has the session next feeds it, and it is NEW;
- entered, and not handed to WhatsApp: the next run finds it INTERRUPTED, the notes of the host that
  was killed say that nothing was handed over, and it is sent;
- handed to WhatsApp, and not answered: INTERRUPTED again, and the notes say so: it ends `uncertain`
  and is not sent again;
- answered, and its outcome not committed: the notes have the answer, which becomes the outcome;
- the notes are gone with their disk: it ends `uncertain`;
- its outcome is committed: the row is gone, and nothing is fed any more;
- the lease is lost at any of these moments: what the former owner enters or commits is fenced by
  the session's epoch, and the next owner finds the row as it was.

So there is one outcome for each row, for only one transaction deletes it, the one that has the
outcome; and one message at most, for only a run that is known to have handed nothing over is
followed by another one. Two feeders never run the same row at the same time: entering it takes the
epoch that the database has. What a worker fed without the session's epoch is refused there.

A row of a bulk that finds its session disconnected has had no effect: it is put back, and fed again
when there is a connection. A scheduled send waits for that as any send does, and then fails.
"""
