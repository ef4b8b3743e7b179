import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cccamd.ids import Caid
from cccamd.lab.cas import CardKeys, ManagementKey, ServiceKey
from cccamd.lab.storage import StorageError, permission_warnings, read_key_file, replace_key_file

WRITER = Path(__file__).with_name("endless_writer.py")
ROUNDS = 5


def keys() -> CardKeys:
    management = ManagementKey(key=bytes(16))
    expires = "2100-01-01T00:00:00Z"
    held = {
        number: ServiceKey.model_validate({"key": "00" * 16, "expires": expires})
        for number in range(200)
    }
    return CardKeys(caid=Caid(1), ua=bytes(8), card=management, all=management, service_keys=held)


def test_kill_at_any_moment_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    """Each round a real process is killed in the middle of its writing."""
    path = tmp_path / "lab.keys"
    replace_key_file(path, keys())
    moments = random.Random(1)
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, str(WRITER), str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(moments.uniform(0, 0.01))
            writer.kill()
            confirmed = [int(line) for line in writer.stdout.read().splitlines()]
        found = read_key_file(path, CardKeys)
        assert found.card.serial == found.all.serial, "one whole state, not parts of two"
        last = confirmed[-1] if confirmed else 1
        assert found.card.serial >= last, "what was confirmed is there"
        assert len(found.service_keys) == 200
        assert path.stat().st_mode & 0o777 == 0o600
    replace_key_file(path, keys())
    assert [file.name for file in tmp_path.iterdir()] == ["lab.keys"], "no litter"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "lab.keys"
    link.symlink_to(tmp_path / "real" / "card")
    replace_key_file(link, keys())
    assert link.is_symlink()
    assert read_key_file(tmp_path / "real" / "card", CardKeys) == keys()


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"absent/lab\.keys: No such file or directory"):
        replace_key_file(tmp_path / "absent" / "lab.keys", keys())
    with pytest.raises(StorageError, match="this is a directory, not a file"):
        read_key_file(tmp_path, CardKeys)


def test_private_file_is_not_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "lab.keys"
    replace_key_file(path, keys())
    assert permission_warnings(path) == ()
