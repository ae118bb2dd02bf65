from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.redact import redact

SECRET = "Zanzibar7"  # in each text; in no result
SECRETS = {
    "password": f"password={SECRET}",
    "password, quoted": f"login failed: password='{SECRET} two'",
    "password, spaced": f"password : {SECRET}",
    "password, spaced wide": f"password  =  {SECRET}",
    "password, upper case": f"DB_PASSWORD={SECRET}",
    "password, prefixed": f"db.password={SECRET}",
    "passphrase": f"passphrase: {SECRET}",
    "password in JSON": f'{{"user": "a", "password": "{SECRET}"}}',
    "password in JSON, with a quote in it": f'{{"password": "a\\"{SECRET}"}}',
    "password in a dict": f"{{'pwd': '{SECRET}'}}",
    "password in a query": f"https://shop.example/?password={SECRET}&page=2",
    "API key": f"api_key={SECRET}",
    "API key, header": f"X-Api-Key: {SECRET}",
    "client secret": f"client_secret={SECRET}",
    "AWS secret key": f"aws_secret_access_key={SECRET}",
    "AWS access key id": "AKIAZANZIBAR70000000",
    "session": f"session_id={SECRET}",
    "token": f"refresh_token={SECRET}",
    "cookie": f"Cookie: {SECRET}",
    "signature": f"https://bucket.example/x?X-Amz-Signature={SECRET}",
    "bearer": f"Authorization: Bearer {SECRET}.abc-def",
    "bearer, alone": f"sent 'bearer {SECRET}'",
    "basic": f"Basic {SECRET}==",
    "JWT": f"eyJhbGciOi.eyJzdWIi{SECRET}.c2ln",
    "Stripe": f"sk_live_{SECRET}",
    "GitHub": f"ghp_{SECRET}",
    "GitHub, fine-grained": f"github_pat_{SECRET}{SECRET}",
    "Slack": f"xoxb-{SECRET}",
    "database address": f"postgres://shop:{SECRET}@db.example/orders",
    "cache address, no user": f"redis://:{SECRET}@cache:6379/0",
    "private key, one line": f"-----BEGIN PRIVATE KEY-----{SECRET}-----END PRIVATE KEY-----",
    "private key, many lines": f"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    "private key, cut off": f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
    "e-mail address": f"{SECRET}@example.com",
    "e-mail address with a tag": f"a+{SECRET}@mail.example.co.uk",
    "IBAN named": f"iban: {SECRET}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_not_told(text: str) -> None:
    assert SECRET.lower() not in redact(text).lower()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        pytest.param("mail to zoe@example.com failed", "mail to [email] failed", id="e-mail"),
        pytest.param("card 4111 1111 1111 1111 refused", "card [card] refused", id="card"),
        pytest.param("card 4111-1111-1111-1111", "card [card]", id="card, hyphens"),
        pytest.param("card 4111111111111111", "card [card]", id="card, digits"),
        pytest.param("from DE89 3704 0044 0532 0130 00", "from [account]", id="IBAN"),
        pytest.param("from DE89370400440532013000", "from [account]", id="IBAN, no spaces"),
        pytest.param("call +49 (0)30 1234567", "call [phone]", id="phone"),
        pytest.param(f"key=AIza{'b' * 35}, x", "key=[redacted], x", id="API key"),
        pytest.param(f"no user={'aB3/' * 10}, x", "no user=[redacted], x", id="secret access key"),
        pytest.param("user=zoe password=abc rest", "user=zoe password=[redacted] rest", id="what stands around stays"),
        pytest.param("amqp://zoe:abc@mq:5672/x", "amqp://[redacted]@mq:5672/x", id="the address itself stays"),
    ],
)
def test_what_was_there_is_named(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "connection refused",
        "no price for c-1024",
        "timed out after 30 s, attempt 3 of 6",
        "list index out of range",
        "data.items[0].quantity must be integer",
        "invalid literal for int() with base 10: 'x'",
        "arn:aws:sqs:eu-west-1:123456789012:events",
        "https://shop.example/orders/17?page=2",
        "550e8400-e29b-41d4-a716-446655440000",
        "2026-01-01T12:00:00.123Z",
        "10.0.0.1:5432",
        "a @ b",
        "1 + 12345 items",
        "a+1234567890 items",
        "the password was wrong",
        "author=Tolstoy",
        "cardinality=5",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "aB3/" * 11,
        "Gruß aus 東京 😀",
    ],
)
def test_what_helps_to_understand_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        pytest.param("a\x1b[31mb", "a [31mb", id="escape sequence"),
        pytest.param("a\x00b\x07", "a b ", id="null, bell"),
        pytest.param("a\rb", "a b", id="carriage return"),
        pytest.param("a\x9bb", "a b", id="one-byte escape"),
        pytest.param("a\ud800b", "a b", id="lone surrogate"),
        pytest.param("a\n\tb", "a\n\tb", id="lines and tabs stay"),
    ],
)
def test_what_a_terminal_obeys_is_blanked(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@settings(deadline=None)
@given(st.text(st.characters(codec=None) | st.sampled_from("\x00\x1b\x7f\x9b\ud800\udfff=:@'\""), max_size=200))
def test_any_text_can_be_redacted(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", redact(text))


@pytest.mark.parametrize(
    "unit",
    ["token", "password=", "eyJ-", "a@", "a.", "x@a-.", "1-", "+1 ", "'", "'\"", "\\'", "-----BEGIN ", "a://", "aa00 "],
)
def test_hostile_text_costs_bounded_work(unit: str) -> None:
    """Each of these meets a pattern's repetitions again and again. Were the work exponential, this would not end."""
    assert isinstance(redact((unit * 4096)[:4096]), str)
