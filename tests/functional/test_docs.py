# SPDX-License-Identifier: Apache-2.0
"""What the manuals name is there."""
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

CALL = re.compile(r'\blog_(debug|info|notice|warning|error|always)\(([^,]*),')
EVENT = re.compile(r'"([a-z_.]+)"')


def logged():
    """Event -> levels. An event is named in the call (perhaps one of two there), or handed to a function that logs."""
    found = {}
    for f in (f for folder in ("src", "modules") for f in (ROOT / folder).rglob("*.c")):
        text = f.read_text()
        for level, first in CALL.findall(text):
            events = EVENT.findall(first)
            if first == "event" and level != "always":
                function = re.findall(r"^static void (\w+)\(.*const char \*event", text, re.M)[0]
                events = re.findall(r'\b%s\([^";]*"([a-z_.]+)"' % function, text)
            for event in events:
                found.setdefault(event, set()).add(level)
    return found


def test_manual_has_every_log_event_with_its_level():
    rows = re.findall(r"^\| ((?:`[a-z_.]+`(?:, )?)+) \| (\w+) \|", (ROOT / "doc/operations.md").read_text(), re.M)
    told = {e: level for events, level in rows for e in re.findall(r"`([a-z_.]+)`", events)}
    code = logged()
    assert told.pop("log.suppressed") == "warning"
    assert set(told) == set(code)
    for event, level in told.items():
        assert code[event] == {level}, event


@pytest.mark.parametrize("page", ["operations", "security", "durability"])
def test_manual_names_files_and_tests_that_exist(page):
    text = (ROOT / "doc" / (page + ".md")).read_text()
    for path in re.findall(r"`((?:src|modules|tests|etc|systemd|debian)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / "doc" / link).exists(), link
    tests = "".join(f.read_text() for f in (ROOT / "tests").rglob("test_*") if f.suffix in (".c", ".py"))
    for name in re.findall(r"`((?!belfry_)[a-z0-9]+(?:_[a-z0-9]+){4,})`", text):
        assert re.search(r"(def |START_TEST\()%s\(?" % name, tests), name


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="without mandoc")
@pytest.mark.parametrize("page", ["belfry.conf.5", "belfryctl.8", "belfryd.8"])
def test_manual_page_is_well_formed(page):
    r = subprocess.run(["mandoc", "-Tlint", "-Wwarning", ROOT / "man" / page], capture_output=True, text=True)
    assert r.returncode == 0 and r.stdout == "", r.stdout
