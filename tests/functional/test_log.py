# SPDX-License-Identifier: Apache-2.0
"""The log: formats, levels at run time, what an attack can write into it, and that no secret is in it."""
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, WAIT_S
from siplib import auth_params, digest_for
from test_daemon import rewrite

LEVELS = ("debug", "info", "notice", "warning", "error")
PASSWORD = "corr3ct-h0rse-battery"


def fields(line):
    """One logfmt line, strictly."""
    found = {}
    rest = line
    while rest:
        m = re.match(r'([a-z0-9_.]+)=("((?:[^"\\]|\\.)*)"|[^ "=]*)(?: |$)', rest)
        assert m, line
        assert m[1] not in found, line
        found[m[1]] = m[3] if m[3] is not None else m[2]
        rest = rest[m.end():]
    return found


def events(server):
    return [fields(l) for l in server.log().splitlines()]


def garbage(server, n, text=b"GARBAGE sip:x SIP/2.0\r\nVia: nonsense\r\n\r\n"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(n):
            s.sendto(text, server.addr())


def test_every_line_is_logfmt_with_time_level_and_event(server, peer):
    peer(server, user="bob").register()
    garbage(server, 3)
    server.wait_log("event=message.unparsable")
    for e in events(server):
        assert list(e)[:3] == ["ts", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", e["ts"])
        assert e["level"] in LEVELS and re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", e["event"])


def test_every_line_is_json_when_asked(make_server):
    s = make_server(start=False, workers=2)
    rewrite(s, 'target = "stderr"', 'target = "stderr"; format = "json"')
    s.start(wait=False)
    s.wait_log('"event":"ready"')
    garbage(s, 3, b'GARBAGE "\x00\xff\\\r\n\r\n')
    s.ctl("reload")
    s.wait_log('"event":"reloaded"')
    lines = [json.loads(l) for l in s.log().splitlines()]
    assert all({"ts", "level", "event"} <= set(l) and l["level"] in LEVELS for l in lines)
    ready = next(l for l in lines if l["event"] == "ready")
    assert ready["workers"] == 2 and ready["version"]


def test_level_changes_at_run_time(server):
    server.ctl("log-level", "warning")
    server.ctl("reload")
    garbage(server, 1)
    before = server.log()
    server.ctl("log-level", "debug")
    garbage(server, 1)
    server.wait_log("event=message.unparsable")
    r = server.ctl("log-level", "loud", check=False)
    assert r.returncode == 1 and "loud" in r.stderr
    assert "event=ready" in before


def test_level_of_the_start_holds_until_it_is_changed(make_server):
    s = make_server(start=False, workers=1)
    rewrite(s, 'level = "debug"', 'level = "error"')
    s.start()
    garbage(s, 5)
    s.ctl("log-level", "debug")
    garbage(s, 1)
    s.wait_log("event=message.unparsable")
    assert [e["event"] for e in events(s)][0] == "ready"
    assert sum(e["event"] == "message.unparsable" for e in events(s)) == 1


def test_a_flood_cannot_fill_the_disk(server):
    """50 lines a second of one event; what was left out is told, none is uncounted."""
    n = 3000
    sent = server.stat("belfry_parse_errors_total")
    begin = time.monotonic()
    garbage(server, n)
    server.wait_for(lambda: "event=log.suppressed" in server.log(), "suppressed lines")
    server.wait_for(lambda: sum(int(e["lines"]) for e in events(server) if e["event"] == "log.suppressed") +
                    sum(e["event"] == "message.unparsable" for e in events(server))
                    >= server.stat("belfry_parse_errors_total") - sent, "all of them counted")
    seconds = time.monotonic() - begin
    written = sum(e["event"] == "message.unparsable" for e in events(server))
    assert server.stat("belfry_parse_errors_total") - sent > n / 4
    assert 0 < written <= 50 * (int(seconds) + 2)
    assert all(e["of"] == "message.unparsable" for e in events(server) if e["event"] == "log.suppressed")


def test_no_secret_is_told_at_any_level(make_server, peer):
    s = make_server(workers=2, relay="users", auth='register = true; calls = "local";')
    said = [s.ctl("user", "add", "alice@example.com", "--password-stdin", stdin=PASSWORD + "\n").stdout]
    made = json.loads(s.ctl("--json", "user", "add", "bob@example.com").stdout)["password"]
    trace = subprocess.Popen([BUILD / "src/belfryctl", "-s", s.socket, "trace", "-v"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    shown = []
    reader = threading.Thread(target=lambda: shown.extend(trace.stdout))
    reader.start()
    s.wait_for(lambda: s.ctl("status") and trace.poll() is None, "trace")
    alice = peer(s, user="alice")
    secrets = {PASSWORD, made}
    ids = []
    for password in (PASSWORD, "wr0ng-guess-of-mine"):
        req = lambda cseq, extra=(): alice.request("REGISTER", "sip:example.com", to="<%s>" % alice.aor, cseq=cseq,
                                                   headers=list(extra))
        ask = alice.ask(req(1))
        assert ask.status == 401
        ch = auth_params(ask["WWW-Authenticate"])
        auth = digest_for(ch, "REGISTER", "sip:example.com", "alice", password)
        secrets |= {re.search(r'response="([0-9a-f]+)"', auth)[1], "wr0ng-guess-of-mine"}
        again = req(2, ["Authorization: " + auth])
        ids.append(again["Call-ID"])
        assert alice.ask(again).status == (200 if password == PASSWORD else 401)
    garbage(s, 1, b"REGISTER sip:example.com SIP/2.0\r\nVia: x\r\nAuthorization: " + auth.encode() + b"\r\n\r\n")
    s.wait_log("event=message.unparsable")
    s.wait_log("event=auth.failed")
    db = s.dir / "state/belfry.db"
    hashes = subprocess.run(["sqlite3", db, "SELECT ha1_md5, ha1_sha256, ha1_sha512_256 FROM subscriber"],
                            capture_output=True, text=True).stdout.replace("|", " ").split()
    assert len(hashes) == 6
    secrets |= set(hashes) | {(s.dir / "state/secret").read_bytes().hex()}
    for call in ids:
        said.append(s.ctl("why", call, check=False).stdout)
    for command in (("user", "list"), ("location", "list"), ("status",), ("ban", "list"), ("transactions",)):
        said += [s.ctl(*command).stdout, s.ctl("--json", *command).stdout]
    trace.terminate()
    trace.wait()
    reader.join()
    assert any("REGISTER" in l for l in shown), shown
    text = s.log() + "".join(said) + "".join(shown)
    for secret in secrets:
        assert secret not in text, secret


@pytest.mark.skipif(shutil.which("unshare") is None or subprocess.run(
    ["unshare", "-m", "true"], capture_output=True).returncode != 0, reason="needs mount namespaces")
def test_journal_gets_native_fields(make_server, tmpdir_short):
    """A journal of our own, in a name space of its own: the daemon sees it at the usual place."""
    if "journal and watchdog: yes" not in subprocess.run([BUILD / "src/belfryd", "-V"], capture_output=True,
                                                         text=True).stdout:
        pytest.skip("built without libsystemd")
    s = make_server(start=False, workers=1)
    rewrite(s, 'target = "stderr"', 'target = "journal"')
    where = tmpdir_short / "journal"
    where.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as j:
        j.bind(str(where / "socket"))
        j.settimeout(WAIT_S)
        script = ('mount -t tmpfs none /run && mkdir -p /run/systemd/journal && '
                  'mount --bind "$1" /run/systemd/journal && shift && exec "$@"')
        s.process = subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", where, BUILD / "src/belfryd", "-f",
                                      "-c", s.conf_file], stderr=subprocess.PIPE)
        s.log_pos = 0
        s.log_file.write_text("")
        while True:
            entry = j.recv(65536).decode()
            got = dict(l.split("=", 1) for l in entry.splitlines() if "=" in l)
            assert got["MESSAGE"].startswith("level=") and got["SYSLOG_IDENTIFIER"] == "belfryd"
            if got["BELFRY_EVENT"] == "ready":
                break
    assert got["PRIORITY"] == "5" and got["BELFRY_WORKERS"] == "1"
    assert got["BELFRY_CONTROL"] == str(s.socket)
