"""Keys: what they open, what is kept of them, and that every process knows of them at once."""

import multiprocessing
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.home import list_collections
from lfm2_colbert.errors import CorruptionError, FormatVersionError, InvalidArgumentError, PermissionDeniedError
from service.keys import Key, Keyring, Role

FILE = Path(".service") / "keys.db"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def keyring(home: Path) -> Keyring:
    return Keyring(home)


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.READ, {Role.READ}),
        (Role.WRITE, {Role.READ, Role.WRITE}),
        (Role.ADMIN, {Role.READ, Role.WRITE, Role.ADMIN}),
    ],
)
def test_a_role_covers_what_is_below_it(role: Role, covered: set[Role]) -> None:
    assert {other for other in Role if role.covers(other)} == covered


def test_a_token_opens_with_its_own_key(keyring: Keyring) -> None:
    made = {}
    for name, role in (("Suche", Role.READ), ("索引", Role.WRITE), ("مدير", Role.ADMIN)):
        key, token = keyring.create(name, role)
        made[token] = key
    assert {token: keyring.authenticate(token.encode()) for token in made} == made
    assert [key.name for key in keyring.all()] == ["Suche", "索引", "مدير"]


def test_a_token_is_long_random_and_known_by_its_prefix(keyring: Keyring) -> None:
    tokens = {keyring.create("a", Role.READ)[1] for _ in range(5)}
    assert len(tokens) == 5
    assert {len(token) for token in tokens} == {len("lfm2_colbert_") + 43}
    assert all(token.startswith("lfm2_colbert_") and token.isascii() for token in tokens)


@pytest.mark.parametrize(
    "token",
    [b"", b"\0", b"lfm2_colbert_", "lfm2_colbert_ключ".encode(), b"\xff" * 40, b"\x80", b"x" * 10**6],
    ids=["empty", "NUL", "prefix", "Cyrillic", "no UTF-8", "a stray byte", "a megabyte"],
)
def test_any_other_bytes_open_nothing(keyring: Keyring, token: bytes) -> None:
    assert keyring.authenticate(token) is None
    keyring.create("a", Role.READ)
    assert keyring.authenticate(token) is None


@given(cut=st.integers(0, 60), byte=st.binary(max_size=3))
def test_no_token_but_the_whole_one_opens(tmp_path_factory: pytest.TempPathFactory, cut: int, byte: bytes) -> None:
    keyring = Keyring(tmp_path_factory.mktemp("home"))
    key, token = keyring.create("a", Role.READ)
    sent = token.encode()[:cut] + byte + token.encode()[cut:]
    assert keyring.authenticate(sent) == (key if sent == token.encode() else None)


def test_a_key_sees_its_collections_and_one_without_a_scope_sees_all(keyring: Keyring) -> None:
    some, _ = keyring.create("some", Role.ADMIN, ["handbook", "faq", "handbook"])
    every, _ = keyring.create("every", Role.READ)
    assert some.collections == ("handbook", "faq")
    assert [some.may_see(name) for name in ("handbook", "faq", "hand", "Handbook", "")] == [True, True, *[False] * 3]
    assert every.may_see("handbook")
    assert keyring.all() == [some, every]


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\x1b[2J", "a\0", "\udcff"])
def test_a_name_that_cannot_be_shown_is_refused(keyring: Keyring, home: Path, name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        keyring.create(name, Role.READ)
    assert not home.exists()


@pytest.mark.parametrize("collections", [[], [""], ["../other"], ["a", "b/c"], [".service"]])
def test_a_scope_names_collections(keyring: Keyring, home: Path, collections: list[str]) -> None:
    with pytest.raises(InvalidArgumentError):
        keyring.create("a", Role.READ, collections)
    assert not home.exists()


def test_asking_makes_no_file(keyring: Keyring, home: Path) -> None:
    assert not keyring.is_in_use
    assert keyring.all() == []
    assert keyring.authenticate(b"a") is None
    assert not keyring.revoke("a")
    assert not home.exists()


def test_the_folder_of_keys_is_no_collection(keyring: Keyring, home: Path) -> None:
    keyring.create("a", Role.READ)
    assert list_collections(home) == []


def test_only_the_owner_may_read_the_keys(keyring: Keyring, home: Path) -> None:
    keyring.create("a", Role.READ)
    assert stat.S_IMODE((home / ".service").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home / ".service").iterdir()} == {0o600}


def test_no_token_is_ever_in_a_file(keyring: Keyring, home: Path) -> None:
    tokens = [keyring.create("a", Role.READ)[1] for _ in range(3)]
    keyring.revoke(keyring.all()[0].id)
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert stored
    assert not [token for token in tokens if token.removeprefix("lfm2_colbert_").encode() in stored]


def test_a_revoked_key_opens_nothing(keyring: Keyring) -> None:
    (gone, token), (kept, other) = keyring.create("a", Role.READ), keyring.create("a", Role.READ)
    assert keyring.revoke(gone.id)
    assert not keyring.revoke(gone.id)
    assert not keyring.revoke("\udcff")
    assert keyring.authenticate(token.encode()) is None
    assert keyring.authenticate(other.encode()) == kept
    assert keyring.all() == [kept]


def test_what_one_keyring_does_another_knows_at_once(home: Path) -> None:
    one, other = Keyring(home), Keyring(home)
    assert not other.is_in_use  # looked before there was a file
    key, token = one.create("a", Role.WRITE)
    assert other.is_in_use
    assert other.authenticate(token.encode()) == key
    second, second_token = other.create("b", Role.READ)
    assert one.authenticate(second_token.encode()) == second
    one.revoke(key.id)
    assert other.authenticate(token.encode()) is None
    other.revoke(second.id)
    assert one.is_in_use  # with no key left nobody gets in, rather than everybody
    assert one.all() == []


def test_what_another_process_does_is_known_at_once(keyring: Keyring, home: Path) -> None:
    assert not keyring.is_in_use
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        key, token = pool.apply(_create, (home,))
        assert keyring.authenticate(token.encode()) == key
        assert pool.apply(_revoke, (home, key.id))
        assert keyring.authenticate(token.encode()) is None


def _create(home: Path) -> tuple[Key, str]:
    return Keyring(home).create("a", Role.READ)


def _revoke(home: Path, key_id: str) -> bool:
    return Keyring(home).revoke(key_id)


def test_a_file_that_is_put_in_its_place_or_taken_away_is_noticed(keyring: Keyring, home: Path, tmp_path: Path) -> None:
    _, token = keyring.create("a", Role.READ)
    assert keyring.is_in_use
    elsewhere = Keyring(tmp_path / "elsewhere")
    key, other = elsewhere.create("b", Role.READ)
    (tmp_path / "elsewhere" / FILE).rename(home / FILE)
    assert keyring.authenticate(other.encode()) == key
    assert keyring.authenticate(token.encode()) is None
    (home / FILE).unlink()
    assert not keyring.is_in_use


def test_threads_may_ask_while_keys_come_and_go(keyring: Keyring) -> None:
    key, token = keyring.create("a", Role.READ)

    def ask(turn: int) -> Key | None:
        if turn % 10 == 0:
            keyring.revoke(keyring.create(f"{turn}", Role.READ)[0].id)
        return keyring.authenticate(token.encode())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(80))) == {key}


def test_two_who_create_the_first_key_at_once_both_have_one(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = dict(pool.map(lambda turn: Keyring(home).create(f"{turn}", Role.READ)[::-1], range(8)))
    assert {token: Keyring(home).authenticate(token.encode()) for token in made} == made


def test_an_empty_file_is_one_whose_first_key_was_never_committed(keyring: Keyring, home: Path) -> None:
    (home / ".service").mkdir(parents=True)
    (home / FILE).touch()
    assert not keyring.is_in_use
    key, token = keyring.create("a", Role.READ)
    assert keyring.authenticate(token.encode()) == key


def test_closing_lets_go_and_the_next_question_opens_again(keyring: Keyring) -> None:
    key, token = keyring.create("a", Role.READ)
    keyring.close()
    keyring.close()
    assert keyring.authenticate(token.encode()) == key


@pytest.mark.parametrize("change", ["garbage", "role", "scope", "date"])
def test_damage_lets_nobody_in_and_says_so(keyring: Keyring, home: Path, change: str) -> None:
    _, token = keyring.create("a", Role.READ)
    keyring.close()
    if change == "garbage":
        (home / FILE).write_bytes(b"no database" * 1000)
    else:
        spoilt = {"role": "role = 'root'", "scope": "collections = '{'", "date": "created = 'then'"}[change]
        with sqlite3.connect(home / FILE) as connection:
            connection.execute(f"UPDATE keys SET {spoilt}")
        connection.close()
    for ask in (lambda: keyring.authenticate(token.encode()), lambda: keyring.is_in_use, keyring.all):
        with pytest.raises(CorruptionError) as raised:
            ask()
        assert "create the keys anew" in raised.value.help


@pytest.mark.parametrize("pragma", ["application_id=1", "user_version=2"])
def test_a_file_of_another_program_or_format_is_refused(keyring: Keyring, home: Path, pragma: str) -> None:
    keyring.create("a", Role.READ)
    with sqlite3.connect(home / FILE) as connection:
        connection.execute(f"PRAGMA {pragma}")
    connection.close()
    with pytest.raises(FormatVersionError):
        keyring.authenticate(b"a")
    with pytest.raises(FormatVersionError):
        keyring.create("b", Role.READ)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_may_not_be_written_is_an_error_with_a_way_out(home: Path) -> None:
    home.mkdir(mode=0o500)
    with pytest.raises(PermissionDeniedError) as raised:
        Keyring(home).create("a", Role.READ)
    assert raised.value.help
