"""Each name has its old or its new content at every moment.

Kills are real, at each call that changes anything; errors are put in place of each.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit import kills
from kit.kills import NEW, OLD, targets_in

import daq2lh5
from daq2lh5.publishing import locks, naming
from daq2lh5.publishing import publish as publish_module
from daq2lh5.publishing.repair import Leftovers, repair
from daq2lh5.publishing.temporary import parse

PATHS = [str(Path(daq2lh5.__file__).parents[1]), str(Path(__file__).parents[1])]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(PATHS)}


def contents(folder: Path) -> list[bytes | None]:
    """Return the contents of the names; None for a missing file."""
    return [p.read_bytes() if p.exists() else None for p in targets_in(folder)]


def hidden(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob(".*"))


def check_each_old_or_new(folder: Path, before: list[bytes | None]) -> None:
    for now, old in zip(contents(folder), before, strict=True):
        assert now in (old, NEW)


def by_repair(folder: Path) -> None:
    for sub in (folder, folder / "other"):
        assert repair(sub).left == []


def by_next_run(folder: Path) -> None:
    """A conversion to one of the names completes the others, too."""
    Leftovers(folder / "other").complete(folder / "other" / "b.lh5")
    for target in targets_in(folder):
        leftovers = Leftovers(target.parent)
        leftovers.complete(target)
        leftovers.remove(target)


@pytest.mark.parametrize("heal", [by_repair, by_next_run])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_killed_at_each_step(tmp_path, overwrite, several, heal):
    """After the repair all names have one set, without hidden files."""
    arguments = [str(tmp_path), "-w" if overwrite else "-", *["several"] * several]
    done = subprocess.run(
        [sys.executable, kills.__file__, *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [s["killed"] for s in steps[-2:]] == [True, False]
    assert len(steps) >= (15 if several else 3)
    before = [OLD, OLD, None] if overwrite else [None] * 3
    n = 3 if several else 1
    if not several:
        before = before[:1] + [None] * 2
    mixed = 0
    for step in steps:
        folder = Path(step["folder"])
        check_each_old_or_new(folder, before)
        found = contents(folder)
        heal(folder)
        assert hidden(folder) == []
        healed = contents(folder)
        if NEW in found:
            assert healed[:n] == [NEW] * n
        else:
            # killed before or after the renaming
            assert healed[:n] in (before[:n], [NEW] * n)
        mixed += NEW in found[:n] and found[:n] != [NEW] * n
    assert healed[:n] == [NEW] * n
    assert mixed >= (2 if several else 0)


NUMBERS = [errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EACCES, errno.EPERM]


@pytest.fixture
def interposed(monkeypatch):
    """Make a call fail; undone after the test, and on request."""

    def interpose(step: int, number: int, again: bool = False) -> list[int]:
        names = [n for n in kills.CALLS if n not in ("open", "listdir", "fchmod")]
        count = [0]

        def failing(call):
            def wrapper(*args, **kwargs):
                count[0] += 1
                if count[0] == step or (again and count[0] > step):
                    raise OSError(number, os.strerror(number))
                return call(*args, **kwargs)

            return wrapper

        for name in names:
            monkeypatch.setattr(os, name, failing(getattr(os, name)))
        monkeypatch.setattr(
            naming, "_rename_noreplace", failing(naming._rename_noreplace)
        )
        return count

    return interpose


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_an_error_at_each_step(
    tmp_path, overwrite, several, number, interposed, monkeypatch
):
    """All names have their old content, or the call was dispensable."""
    failed = 0
    for step in range(1, 100):
        folder = tmp_path / str(step)
        targets = kills.prepare(folder, overwrite, several)
        before = contents(folder)
        with monkeypatch.context():
            count = interposed(step, number)
            try:
                kills.publish_all(targets, overwrite)
            except OSError as e:
                failed += 1
                assert contents(folder) == before, step
                assert f"[Errno {number}]" in str(e)  # noqa: PT017
            else:
                assert contents(folder)[: len(targets)] == [NEW] * len(targets)
            monkeypatch.undo()
        by_repair(folder)
        assert hidden(folder) == []
        if count[0] < step:
            break
    assert step > (10 if several else 1)
    assert failed >= (1 if several or number != errno.EPERM else 0)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("overwrite", [False, True])
def test_all_fails_from_some_step_on(
    tmp_path, overwrite, number, interposed, monkeypatch
):
    """A disk disappears and comes back: the repair completes everything."""
    for step in range(1, 100):
        folder = tmp_path / str(step)
        targets = kills.prepare(folder, overwrite, several=True)
        before = contents(folder)
        count = interposed(step, number, again=True)
        try:
            kills.publish_all(targets, overwrite)
        except OSError as e:
            text = str(e)
        else:
            text = ""
        monkeypatch.undo()
        check_each_old_or_new(folder, before)
        mixed = contents(folder) not in (before, [NEW] * 3)
        assert mixed == ("daq2lh5 repair" in text), text
        by_repair(folder)
        assert hidden(folder) == []
        assert contents(folder) in (before, [NEW] * 3)
        if count[0] < step:
            break
    assert step > 10


@pytest.mark.parametrize("number", sorted(naming.NO_LINKS), ids=errno.errorcode.get)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_file_systems_without_hard_links(
    tmp_path, overwrite, several, number, monkeypatch
):
    """Without renameat2 and links, the name is reserved first."""

    def none(*_, **__):
        raise OSError(number, os.strerror(number))

    def not_there(*_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "link", none)
    monkeypatch.setattr(naming, "_rename_noreplace", not_there)
    targets = kills.prepare(tmp_path / "x", overwrite, several)
    kills.publish_all(targets, overwrite)
    assert contents(tmp_path / "x")[: len(targets)] == [NEW] * len(targets)
    assert hidden(tmp_path / "x") == []
    targets[0].write_bytes(OLD)
    with pytest.raises(FileExistsError, match="appeared meanwhile"):
        kills.publish_all(targets[:1], overwrite=False)
    assert targets[0].read_bytes() == OLD


@pytest.mark.parametrize("way", ["rename", "link", "reserve"])
@pytest.mark.parametrize("several", [False, True])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path, way, several, monkeypatch
):
    def not_there(*_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def none(*_, **__):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if way != "rename":
        monkeypatch.setattr(naming, "_rename_noreplace", not_there)
    if way == "reserve":
        monkeypatch.setattr(os, "link", none)
    targets = kills.prepare(tmp_path / "x", overwrite=False, several=several)
    targets[-1].write_bytes(b"of another")
    with pytest.raises(FileExistsError, match="appeared meanwhile"):
        kills.publish_all(targets, overwrite=False)
    assert targets[-1].read_bytes() == b"of another"
    assert not [t for t in targets[:-1] if t.exists()]
    assert hidden(tmp_path / "x") == []


def test_an_answer_that_gets_lost_on_its_way(tmp_path, monkeypatch):
    """NFS repeats a rename that was done, and gets ENOENT."""
    replace = os.replace

    def twice(*args, **kwargs):
        replace(*args, **kwargs)
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "replace", twice)
    targets = kills.prepare(tmp_path / "x", overwrite=True, several=True)
    kills.publish_all(targets, overwrite=True)
    assert contents(tmp_path / "x") == [NEW] * 3


def test_a_temporary_file_that_is_gone_is_an_error(tmp_path, monkeypatch):
    targets = kills.prepare(tmp_path / "x", overwrite=True, several=False)

    def remove_before(*_):
        for path in (tmp_path / "x").glob(".*partial"):
            path.unlink()

    monkeypatch.setattr(publish_module, "check_replaceable", remove_before)
    with pytest.raises(FileNotFoundError, match=r"a\.lh5"):
        kills.publish_all(targets, overwrite=True)
    assert targets[0].read_bytes() == OLD


def test_files_that_changed_after_the_kill_are_kept(tmp_path, monkeypatch):
    """Later changes are kept; the rest of the old set is removed."""
    folder = tmp_path / "x"
    targets = kills.prepare(folder, overwrite=True, several=True)
    rest = interrupted(targets, monkeypatch)
    assert contents(folder) == [NEW, OLD, None]
    targets[0].write_bytes(b"from another")
    (text,) = [t for t in repair(folder).done if "killed" in t]
    assert "a.lh5 changed since" in text
    assert contents(folder) == [b"from another", OLD, None]
    assert hidden(folder) == []
    assert rest


def interrupted(targets: list[Path], monkeypatch) -> list[Path]:
    """Stop after the first rename, as a kill does; return the hidden files."""

    class Killed(BaseException):
        pass

    replace, calls = os.replace, []

    def second(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        replace(*args, **kwargs)

    with monkeypatch.context() as m:
        m.setattr(os, "replace", second)
        m.setattr(publish_module._Step, "undo", lambda _: (_ for _ in ()).throw(Killed))
        m.setattr(kills.Temporary, "discard", kills.Temporary.release)
        with pytest.raises(Killed):
            kills.publish_all(targets, overwrite=True)
    return [p for p in targets[0].parent.iterdir() if parse(p.name)]


def test_a_moved_folder_is_completed_where_it_is(tmp_path, monkeypatch):
    """As seen by a container under another path."""
    targets = kills.prepare(tmp_path / "x", overwrite=True, several=True)
    interrupted(targets, monkeypatch)
    (tmp_path / "x").rename(tmp_path / "y")
    by_repair(tmp_path / "y")
    assert contents(tmp_path / "y") == [NEW] * 3


def change(journal: Path, replace: dict) -> None:
    content = json.loads(journal.read_text())
    content["files"][1] |= replace
    journal.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temporary": "passwd"},
        {"temporary": "../../.a.lh5.00000000.000000000000.daq2lh5-partial"},
        {"before": "passwd"},
        {"target": 5},
        {"replace": "yes"},
        {"size": True},
        {"mtime_ns": None},
    ],
    ids=str,
)
def test_lists_that_are_not_ours_are_not_followed(tmp_path, monkeypatch, wrong):
    folder = tmp_path / "x"
    targets = kills.prepare(folder, overwrite=True, several=True)
    rest = interrupted(targets, monkeypatch)
    (journal,) = (p for p in rest if p.name.endswith("journal"))
    change(journal, wrong)
    before = contents(folder)
    assert [text for text in repair(folder).left if journal.name in text]
    Leftovers(folder).complete(targets[0])
    assert contents(folder) == before


def test_lists_of_other_users_are_not_followed(tmp_path, monkeypatch):
    folder = tmp_path / "x"
    targets = kills.prepare(folder, overwrite=True, several=True)
    interrupted(targets, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "another user" in "".join(repair(folder).left)
    assert contents(folder) == [NEW, OLD, None]


def test_who_gives_names_is_not_disturbed(tmp_path, monkeypatch):
    """Another conversion waits for the lock, and finds the renaming done."""
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.05)
    folder = tmp_path / "x"
    targets = kills.prepare(folder, overwrite=True, several=True)
    replace, seen = os.replace, []

    def look(*args, **kwargs):
        seen.append(repair(folder).left)
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "replace", look)
    kills.publish_all(targets, overwrite=True)
    assert len(seen) == 3
    for left in seen:
        assert [text for text in left if "others may be working" in text]
        assert [text for text in left if "may be writing" in text]
    assert contents(folder) == [NEW] * 3
    assert hidden(folder) == []
