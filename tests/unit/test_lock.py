"""One writer at a time, whoever dies how."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index.lock import WriterLock
from lfm2_colbert.errors import IndexLockedError, PermissionDeniedError, StorageError

HOLD = """
import sys, time
from pathlib import Path
from index.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
sys.stdout.write("held\\n"); sys.stdout.flush()
time.sleep(60)
"""


def test_second_writer_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    with pytest.raises(IndexLockedError, match=f"is being written by process {os.getpid()} on .+ since 2") as caught:
        WriterLock(tmp_path)
    assert caught.value.help
    lock.release()


def test_refused_attempt_does_not_break_the_lock(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    for _ in range(3):
        with pytest.raises(IndexLockedError):
            WriterLock(tmp_path)
    lock.release()


def test_lock_is_free_after_release_and_release_may_be_repeated(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    lock.release()
    lock.release()
    WriterLock(tmp_path).release()


def test_file_says_who_holds_it(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_text("x" * 5000)  # a former holder's longer story must not show through
    lock = WriterLock(tmp_path)
    holder = json.loads((tmp_path / "LOCK").read_text())
    assert set(holder) == {"pid", "host", "boot_id", "started"}
    assert holder["pid"] == os.getpid()
    lock.release()


def test_holder_that_has_not_yet_said_who_it_is_is_refused_all_the_same(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    (tmp_path / "LOCK").write_text("")
    with pytest.raises(IndexLockedError, match="another process"):
        WriterLock(tmp_path)
    lock.release()


def test_kill_9_frees_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        if child.stdout is None:
            pytest.fail("no pipe to the child")
        child.stdout.readline()
        with pytest.raises(IndexLockedError, match=f"process {child.pid} "):
            WriterLock(tmp_path)
        child.send_signal(signal.SIGKILL)
        child.wait()
    WriterLock(tmp_path).release()


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("keep")
    (tmp_path / "LOCK").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageError):
        WriterLock(tmp_path)
    assert (tmp_path / "victim").read_text() == "keep"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_of_somebody_else_is_refused_by_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionDeniedError):
        WriterLock(tmp_path)
