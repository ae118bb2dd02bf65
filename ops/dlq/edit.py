"""A dead letter in; its event edited by a person, the copy sent back, and the original settled when that is done.

The order of the calls says how nothing is lost: the audit's entry, both bodies in the bucket, the copy, evidence that
it is done, and only then the original is deleted. Ended in between, the original is still there.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws import sqs
from backstop.event import Parse, parser
from backstop.letter import ORDERED, Letter, sent_back
from backstop.message import Outgoing
from ops import audit
from ops.dlq import editor
from ops.dlq.revision import (
    REDRIVE_ID,
    Draft,
    Invalid,
    Revision,
    difference,
    draft,
    edited_letter,
    place_of,
    redrive_id,
    require_valid,
)
from ops.dlq.settling import Sleep, find, settle
from ops.failure import CallFailed, told_in_a_sentence
from ops.stack import Stack
from ops.tables import say, warn
from ops.terminal import is_a_person
from ops.typed import typed

SOURCES: Final = ("EventsQueue", "RetryQueue")
"""Where an edited copy may be sent."""
SCHEMA: Final = Path(__file__).parents[2] / "functions" / "process" / "schema.json"
"""What the function that reads them takes."""
_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


class Refused(Exception):
    """Raised when a letter is not edited, or not to its end; its text says why and what holds now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person typed. `words` is the command itself."""

    event_id: str
    words: str
    message_id: str | None = None
    schema: Path | None = None
    wait_seconds: int = 60
    is_agreed: bool = False


def edit(stack: Stack, asked: Asked, sleep: Sleep = time.sleep) -> int:
    """Edit a dead letter's event and send it back; returns 0 where nothing is left to do, else 1.

    Raises CallFailed where SQS does not answer, the editor fails or the schema is none, and what botocore raises
    where it cannot be written down.
    """
    try:
        letter = _found(stack, asked)
        url, parse = _destination(stack, letter), _parse(asked.schema or SCHEMA)
        before = draft(str(letter.record["body"]))
        body = _edited(before, _id_of(letter), parse)
        if body is None:
            say("Nothing was changed: the letter stays as it is.")
            return 0
        _show(before, body, url)
        if not asked.is_agreed and not is_a_person():
            say("Dry run: nothing was sent; --yes does it.")
            return 0
        if not asked.is_agreed and not typer.confirm("Send the edited event?"):
            say("Nothing was sent.")
            return 1
        return _carry_out(stack, asked, letter, body, url, sleep)
    except Refused as refused:
        warn(str(refused))
        return 1


def finish(stack: Stack, asked: Asked, redrive: str, sleep: Sleep = time.sleep) -> int:
    """Settle the original of an edit whose copy was sent before; returns 0 where it is, else 1."""
    if not REDRIVE_ID.fullmatch(redrive):
        raise CallFailed("--settle takes what `dlq edit` said: e20261121-093000-1f2e, say")
    try:
        revision = _kept(stack, asked.event_id, redrive)
    except Refused as refused:
        warn(str(refused))
        return 1
    return _settled(stack, asked, revision, audit.record(stack, asked.words, revision.place, 1), sleep)


def _found(stack: Stack, asked: Asked) -> Letter:
    """Return the letter that is meant. Raises Refused where there is none, or it has its place in an order."""
    with told_in_a_sentence():
        found = [one for one in find(stack, asked.event_id) if asked.message_id in (None, one.message_id)]
    if not found:
        raise Refused(f"no dead letter of event {asked.event_id} was seen: backstop dlq show tells which there are")
    if len(found) > 1:
        ids = ", ".join(letter.message_id for letter in found)
        raise Refused(f"event {asked.event_id} has {len(found)} dead letters: say which with --message: {ids}")
    if found[0].is_ordered or found[0].place.endswith(ORDERED):
        raise Refused(
            f"event {asked.event_id} has its place among the events of key {found[0].key}, and cannot be edited: "
            "backstop keys shows what waits behind it, and retries, skips or discards it"
        )
    return found[0]


def _destination(stack: Stack, letter: Letter) -> str:
    for name in SOURCES:
        url = stack.queue_urls.get(name, "")
        if letter.source_queue and url.rpartition("/")[2] == letter.source_queue:
            return url
    came_from = letter.source_queue or "a queue that is not known"
    raise Refused(f"it came from {came_from}: an edited event is sent back to {' or '.join(SOURCES)} only")


def _parse(schema: Path) -> Parse:
    try:
        told = json.loads(schema.read_bytes())
        if not isinstance(told, dict):
            raise CallFailed(f"{schema} is no JSON Schema: it is no object")
        return parser(told)
    except OSError as error:
        raise CallFailed(f"schema {schema} cannot be read: {error.strerror}; name it with --schema FILE") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CallFailed(f"{schema} is no JSON Schema: {error}") from None


def _id_of(letter: Letter) -> str:
    """Return the id that workers know the event by."""
    return letter.body_id or letter.event_id


def _edited(before: Draft, event_id: str, parse: Parse) -> str | None:
    """Let a person edit until it is an event; returns the new body, or None where nothing was changed."""
    text = before.text
    while True:
        text = editor.edit(text)
        if text in (before.text, before.text.removesuffix("\n")):
            return None
        try:
            require_valid(text, event_id, parse)
        except Invalid as wrong:
            warn(str(wrong))
            if not is_a_person() or not typer.confirm("Edit it again?", default=True):
                raise Refused("nothing was sent: the letter stays as it is") from None
            continue
        body = before.body_of(text)
        return None if body == before.body else body


def _show(before: Draft, body: str, url: str) -> None:
    for line in difference(before.text, draft(body).text):
        say(line, _COLOURS.get(line[:1], ""))
    say(f"It is sent to {url.rpartition('/')[2]}; the original stays until the copy is done.")


def _carry_out(stack: Stack, asked: Asked, letter: Letter, body: str, url: str, sleep: Sleep) -> int:
    now = datetime.now(UTC)
    redrive = redrive_id(now, secrets.token_hex(2))
    outgoing = sent_back(edited_letter(letter, body), redrive, now)
    if outgoing is None:
        raise Refused("nothing was sent: with its history it has over ten attributes, or over 1 MiB")
    _require_there(stack, letter)
    revision = Revision.of(letter, _id_of(letter), body, redrive, now)
    entry = audit.record(stack, asked.words, revision.place, 1)
    try:
        _send(stack, revision, outgoing, url)
    except (Refused, ClientError, BotoCoreError) as error:
        audit.conclude(stack, entry, str(error))
        raise
    say(f"The copy is sent: {redrive}. Both bodies are in s3://{stack.output('DataBucketName')}/{revision.place}")
    if not asked.wait_seconds:
        _conclude(stack, entry, "")
        say(f"The original stays. Once the copy is done: {_next(stack, revision)}")
        return 0
    return _settled(stack, asked, revision, entry, sleep)


def _require_there(stack: Stack, letter: Letter) -> None:
    """Require that nobody has dealt with the letter while it was edited: then a copy would be one too many."""
    with told_in_a_sentence():
        there = find(stack, letter.event_id)
    if letter.message_id not in {one.message_id for one in there}:
        raise Refused("nothing was sent: the letter is gone, or in somebody's hands just now. Look again")


def _send(stack: Stack, revision: Revision, outgoing: Outgoing, url: str) -> None:
    kept: Any = {"Body": revision.serialise().encode(), "ContentType": "application/json"}
    stack.s3.put_object(Bucket=stack.output("DataBucketName"), Key=revision.place, **kept)
    refused = sqs.send(stack.sqs, url, [outgoing])
    if refused:
        raise Refused(
            f"SQS did not take the copy, or did not say so: {refused[0].why}. The original stays; "
            f"if the copy was taken all the same, this settles it: {_next(stack, revision)}"
        )


def _settled(stack: Stack, asked: Asked, revision: Revision, entry: audit.Entry, sleep: Sleep) -> int:
    why = settle(stack, revision, asked.wait_seconds, sleep)
    _conclude(stack, entry, why and f"the original stays: {why}")
    if why:
        warn(f"the original stays: {why}. Once the copy is done: {_next(stack, revision)}")
        return 1
    say("The copy is done, and the original is settled.")
    return 0


def _kept(stack: Stack, event_id: str, redrive: str) -> Revision:
    place = place_of(event_id, redrive)
    try:
        answer = stack.s3.get_object(Bucket=stack.output("DataBucketName"), Key=place)
        return Revision.parse(answer["Body"].read().decode())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise Refused(f"no edit {redrive} of event {event_id} is known: {place} is not in the bucket") from None
    except (ValueError, TypeError, KeyError):
        raise CallFailed(f"{place} in the bucket was not written by dlq edit") from None


def _conclude(stack: Stack, entry: audit.Entry, failure: str) -> None:
    if unwritten := audit.conclude(stack, entry, failure):
        warn(f"what came of it could not be written down: {unwritten}")


def _next(stack: Stack, revision: Revision) -> str:
    return typed(stack, "dlq", "edit", "--settle", revision.redrive_id, argument=revision.event_id)
