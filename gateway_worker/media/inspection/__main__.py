"""The helper process: reads a question, gives up everything else, and answers.

`python -m gateway_worker.media.inspection < question > answer`
"""

import sys
import traceback

import msgspec

from gateway_worker.media.inspection.helper.kinds import inspect
from gateway_worker.media.inspection.helper.refusal import RefusalError
from gateway_worker.media.inspection.limits import give_up
from gateway_worker.media.inspection.protocol import Answer, Broken, Question, Refused


def main() -> None:
    """Answer one question."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    answer: Answer
    try:
        give_up(question)
        answer = inspect(question)
    except RefusalError as refusal:
        answer = Refused(detail=str(refusal))
    except MemoryError:
        answer = Refused(detail="looking at the file takes more memory than it may")
    except Exception as error:  # noqa: BLE001 - the root of the process
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        answer = Broken(detail=detail)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
