"""`lfm2-colbert keys` as an operator meets it: the token once on standard output, everything else beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.cli.keys import ROLES
from service.keys import Keyring, Role

Run = Callable[..., Any]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "home")


def test_the_token_is_all_that_is_printed_and_opens(run: Run, keyring: Keyring) -> None:
    made = run("keys", "create", "検索")
    assert made.status == 0
    assert made.err == "shown once; store it now\n"
    key = keyring.authenticate(made.out.strip().encode())
    assert key is not None
    assert (key.name, key.role, key.collections) == ("検索", Role.READ, None)


def test_a_program_gets_the_key_with_its_token(run: Run, keyring: Keyring) -> None:
    made = run("keys", "create", "ci", "--role", "write", "-c", "faq", "-c", "handbook", "--json")
    assert set(made.json) == {"id", "name", "role", "collections", "created", "token"}
    key = keyring.authenticate(made.json.pop("token").encode())
    assert key is not None
    assert (made.json["id"], made.json["role"], made.json["collections"]) == (key.id, "write", ["faq", "handbook"])
    assert made.json["created"] == key.created.isoformat()
    assert made.err.splitlines()[0] == "shown once; store it now"


def test_a_scope_without_its_collection_is_told(run: Run) -> None:
    assert "there is no collection 'handbok' yet" in run("keys", "create", "ci", "-c", "handbok").err


@pytest.mark.parametrize("arguments", [("keys",), ("keys", "list")])
def test_keys_are_listed_without_tokens(run: Run, arguments: tuple[str, ...]) -> None:
    assert "lfm2-colbert keys create NAME" in run(*arguments).out
    assert run(*arguments, "--json").json == {"keys": []}
    tokens = [run("keys", "create", name, "-c", "faq").out.strip() for name in ("erste", "الثاني")]
    shown = run(*arguments)
    assert [line.split()[1:4] for line in shown.out.splitlines()] == [
        ["erste", "read", "faq"],
        ["الثاني", "read", "faq"],
    ]
    listed = run(*arguments, "--json")
    assert [key["name"] for key in listed.json["keys"]] == ["erste", "الثاني"]
    assert not [token for token in tokens if token in shown.out + listed.out]


def test_a_revoked_key_is_gone(run: Run, keyring: Keyring) -> None:
    token = run("keys", "create", "a").out.strip()
    (key,) = keyring.all()
    assert run("keys", "revoke", key.id).out == f"revoked '{key.id}'\n"
    assert keyring.authenticate(token.encode()) is None
    run("keys", "create", "b")
    (key,) = keyring.all()
    assert run("keys", "revoke", key.id, "--json").json == {"revoked": key.id}


def test_revoking_what_is_not_there_names_what_is(run: Run, keyring: Keyring) -> None:
    assert "there are none yet" in run("keys", "revoke", "abc").err
    key, _ = keyring.create("a", Role.READ)
    outcome = run("keys", "revoke", key.id[:-1])
    assert outcome.status == 2
    assert outcome.err.splitlines()[0] == f"error[not_found] no key '{key.id[:-1]}'"
    assert f"did you mean '{key.id}'?" in outcome.err


@pytest.mark.parametrize("arguments", [("a", "--role", "root"), ("a", "-c", "../x"), ("",), ()])
def test_a_wrong_call_makes_no_key(run: Run, keyring: Keyring, arguments: tuple[str, ...]) -> None:
    outcome = run("keys", "create", *arguments)
    assert outcome.status == 2
    assert "help: " in outcome.err
    assert not keyring.is_in_use


def test_the_command_knows_every_role() -> None:
    assert [str(role) for role in Role] == list(ROLES)


def test_options_before_a_subcommand_are_refused_rather_than_passed_over(run: Run, tmp_path: Path) -> None:
    outcome = run("keys", "--home", str(tmp_path / "other"), "create", "me")
    assert outcome.status == 2
    assert "options stand behind `create`" in outcome.err
    assert not (tmp_path / "other").exists()
