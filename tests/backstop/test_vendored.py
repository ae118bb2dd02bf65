from __future__ import annotations

from pathlib import Path

import pytest

from backstop.wiring.vendored import vendored_in

RECORD = "six.py,,\nshop_api/__init__.py,,\n../bin/run,,\nShop-1.0.dist-info/RECORD,,\nfast.cpython-311-x86_64.so,,\n"


def install(root: Path, name: str, **files: str) -> None:
    folder = root / f"{name}-1.0.dist-info"
    folder.mkdir()
    for file, text in files.items():
        (folder / {"top_level": "top_level.txt", "record": "RECORD"}[file]).write_text(text)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        pytest.param({"top_level": "requests\nurllib3\n", "record": RECORD}, {"requests", "urllib3"}, id="names"),
        pytest.param({"record": RECORD}, {"six", "shop_api", "fast"}, id="files"),
        pytest.param({}, set(), id="neither"),
    ],
)
def test_what_was_installed_beside_the_handler_is_told_by_its_distribution(
    files: dict[str, str], names: set[str], tmp_path: Path
) -> None:
    (tmp_path / "handler.py").touch()
    install(tmp_path, "Shop", **files)
    assert vendored_in(str(tmp_path)) == names


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert vendored_in(str(tmp_path / "nowhere")) == frozenset()


def test_a_folder_is_read_once(tmp_path: Path) -> None:
    before = vendored_in(str(tmp_path))
    install(tmp_path, "Late", top_level="late")
    assert vendored_in(str(tmp_path)) is before
