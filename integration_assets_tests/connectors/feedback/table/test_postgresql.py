"""One SELECT per relation on a PostgreSQL server, read-only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from integration_assets.connectors.feedback.table.databases import unconnected
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    IntegrationError,
    PermanentError,
    TransientError,
)
from integration_assets_tests.connectors.feedback.table.tables import MAPPING, made, requests_of, votes_of
from integration_assets_tests.tenants.conftest import new_database

VARIABLE = "FEEDBACK_DATABASE_URL"
DATABASE = f'\n[database]\nkind = "postgresql"\nurl_variable = "{VARIABLE}"\n'


FAILED = 'connection failed: connection to server at "db", port 5432 failed: '


@pytest.fixture
def url(postgresql: str) -> str:
    """A database with the small tables, times as times."""
    made_for = new_database(postgresql)
    with psycopg.connect(made_for) as connection:
        connection.execute('CREATE TABLE votes (id bigint, "E-mail" text, at timestamptz)')
        connection.execute(
            "INSERT INTO votes VALUES (1, 'Ann@Acme.example', '2026-02-01 10:00Z'), "
            "(1, 'bob@beta.example', '2026-02-03T10:00:00+02:00'), (2, 'ann@acme.example', '2026-02-02 00:00Z')"
        )
    return made_for


@pytest.fixture
def mapping(tmp_path: Path) -> Callable[[str], Path]:
    """A mapping whose votes come from this SELECT."""

    def of(statement: str) -> Path:
        text = MAPPING.replace('file = "votes.csv"', f"select = '''{statement}'''")
        return made(tmp_path, mapping=text + DATABASE)

    return of


SELECT = 'SELECT id AS "Idea", "E-mail", at AS "Voted on" FROM votes'


def test_rows_of_a_select_are_those_of_a_file(tmp_path: Path, url: str, mapping: Callable[[str], Path]) -> None:
    """Also when it ends in a semicolon."""
    expected = votes_of(made(tmp_path))
    for statement in (SELECT, f"{SELECT} ;\n"):
        path = mapping(statement)
        assert votes_of(path, environment={VARIABLE: url}) == expected
    assert len(requests_of(path, environment={}).records) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM votes",
        "SELECT 1; DELETE FROM votes",
        "SELECT 1; COMMIT; DELETE FROM votes",
        "WITH gone AS (DELETE FROM votes RETURNING *) SELECT * FROM gone",
        "SELECT setval('s', 1)",
        "CREATE TABLE x AS SELECT 1",
        "COPY votes TO PROGRAM 'true'",
        "TRUNCATE votes",
        "SELECT FROM",
        "",
    ],
)
def test_nothing_is_ever_written(url: str, mapping: Callable[[str], Path], statement: str) -> None:
    """Neither by another statement nor by one inside the SELECT."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SEQUENCE s")
    with pytest.raises((ContractError, ConfigurationError), match=r"votes.*select") as caught:
        votes_of(mapping(statement), environment={VARIABLE: url})
    assert len(str(caught.value).splitlines()) == 1
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM votes").fetchall() == [(3,)]
        assert connection.execute("SELECT is_called FROM s").fetchall() == [(False,)]


def test_what_is_wrong_with_the_server_is_said_without_its_url(url: str, mapping: Callable[[str], Path]) -> None:
    """The variable is named, and never what is in it."""
    path = mapping(SELECT)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE} must be set"):
        votes_of(path, environment={})
    for wrong, kind in (
        ("postgresql://u:sesame@127.0.0.1:1/d", TransientError),
        ("not a url at all", ConfigurationError),
        ("postgresql://u:sesame@[::1", ConfigurationError),
    ):
        with pytest.raises(kind, match=VARIABLE) as caught:
            votes_of(path, environment={VARIABLE: wrong})
        assert "sesame" not in str(caught.value)
    # The server's own words, which are all that tells these apart.
    changes: tuple[tuple[tuple[str, str], type[IntegrationError], str], ...] = (
        (("/registry_", "/no_such_"), ConfigurationError, "has no database of that name"),
        (("//postgres", "//stranger"), CredentialError, "is none of that PostgreSQL's"),
    )
    for change, refusal, words in changes:
        with pytest.raises(refusal, match=words):
            votes_of(path, environment={VARIABLE: url.replace(*change)})
    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE nobody_of_note LOGIN")
    reader = url.replace("//postgres", "//nobody_of_note")
    with pytest.raises(CredentialError, match="may not read it"):
        votes_of(path, environment={VARIABLE: reader})


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (FAILED + 'FATAL:  password authentication failed for user "zelda"', CredentialError, "user or password"),
        (FAILED + "fe_sendauth: no password supplied", CredentialError, "user or password"),
        (FAILED + 'FATAL:  role "zelda" is not permitted to log in', CredentialError, "may not log in"),
        (FAILED + 'FATAL:  database "sales" does not exist', ConfigurationError, "no database of that name"),
        (FAILED + 'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "zelda"', PermanentError, "does not let"),
        ("failed to resolve host 'db': [Errno -2] Name or service not known", ConfigurationError, "known to no name"),
        ("failed to resolve host 'db': [Errno -3] Temporary failure in name resolution", TransientError, "no name"),
        ("failed to resolve host 'db': [Errno -8] Servname not supported", ConfigurationError, "port .* is no number"),
        (FAILED + "Connection refused", TransientError, "nothing listens"),
        ("connection timeout expired", TransientError, "does not answer within 10 s"),
        (FAILED + 'FATAL:  too many connections for role "zelda"', TransientError, "no connection now"),
        (FAILED + "FATAL:  the database system is starting up", TransientError, "no connection now"),
        (FAILED + "received invalid response to SSL negotiation: H", ConfigurationError, "another service"),
        ('connection is bad: invalid sslmode value: "bogus"', ConfigurationError, "a parameter"),
        (FAILED + "server closed the connection unexpectedly", TransientError, "cannot be reached"),
    ],
)
def test_why_there_is_no_connection_is_told_apart(said: str, kind: type[IntegrationError], words: str) -> None:
    """Who has to do something gets an exit code that says so; only what passes by itself is to be tried again."""
    error = unconnected(said, VARIABLE)
    assert type(error) is kind
    assert re.search(words, error.message)
    assert VARIABLE in error.message
    for name in ("zelda", "sales", '"db"'):
        assert name not in error.message
