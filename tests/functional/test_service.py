# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told, and what the unit allows."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD, ROOT, WAIT_S
from test_daemon import ends

UNIT = ROOT / "systemd/belfry.service.in"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="without systemd-analyze")


class Manager:
    """What systemd is to the service: a datagram socket."""

    def __init__(self, directory):
        self.path = str(directory / "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.seen = []

    def wait(self, what):
        end = time.monotonic() + WAIT_S
        while not any(what in m for m in self.seen):
            self.sock.settimeout(max(end - time.monotonic(), 0.01))
            self.seen.append(self.sock.recv(4096).decode())

    def drain(self):
        """What is there now."""
        got = []
        while True:
            try:
                self.sock.setblocking(False)
                got.append(self.sock.recv(4096).decode())
            except (BlockingIOError, TimeoutError):
                return got


@pytest.fixture
def manager(tmpdir_short, monkeypatch):
    out = subprocess.run([BUILD / "src/belfryd", "-V"], capture_output=True, text=True).stdout
    if "watchdog: yes" not in out:
        pytest.skip("built without libsystemd")
    m = Manager(tmpdir_short)
    monkeypatch.setenv("NOTIFY_SOCKET", m.path)
    yield m
    m.sock.close()


def test_service_manager_is_told(manager, make_server):
    s = make_server(workers=2)
    manager.wait("READY=1")
    manager.seen.clear()
    s.ctl("reload")
    manager.wait("RELOADING=1\nMONOTONIC_USEC=")
    manager.wait("READY=1")
    s.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING=1")
    ends(s)


def test_watchdog_is_fed_while_all_workers_turn(manager, make_server, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    s = make_server(workers=2)
    for _ in range(3):
        manager.wait("WATCHDOG=1")
        manager.seen.clear()
    assert "watchdog.not_fed" not in s.log()


class Halted:
    """One thread of a process that does not go on, as in an endless loop: the others do."""
    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def __init__(self, tid):
        self.tid = tid
        self.ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def call(self, request):
        if self.ptrace(request, self.tid, None, None):
            pytest.skip("no ptrace here: " + os.strerror(ctypes.get_errno()))

    def __enter__(self):
        self.call(self.SEIZE)
        self.call(self.INTERRUPT)
        os.waitpid(self.tid, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        self.ptrace(self.DETACH, self.tid, None, None)


def threads(server):
    base = "/proc/%d/task" % server.process.pid
    for tid in os.listdir(base):
        with open("%s/%s/comm" % (base, tid)) as f:
            yield int(tid), f.read().strip()


def test_watchdog_is_not_fed_while_one_worker_hangs(manager, make_server, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    s = make_server(workers=2)
    manager.wait("WATCHDOG=1")
    worker = next(tid for tid, name in threads(s) if name == "belfry-w1")
    with Halted(worker):
        s.wait_log("event=watchdog.not_fed")
        # Whatever was said before the worker stopped has been read by then.
        manager.drain()
        refused = s.log().count("event=watchdog.not_fed")
        s.wait_for(lambda: s.log().count("event=watchdog.not_fed") >= refused + 3, "not fed for long")
        assert not any("WATCHDOG=1" in m for m in manager.drain())
    manager.seen.clear()
    manager.wait("WATCHDOG=1")


# --- the unit -------------------------------------------------------------------------------------

def unit():
    settings = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    return settings


def test_unit_says_what_the_daemon_does():
    u = unit()
    assert u["Type"] == ["notify"] and u["NotifyAccess"] == ["main"] and u["Restart"] == ["on-failure"]
    assert int(u["WatchdogSec"][0]) > 0 and int(u["LimitNOFILE"][0]) > 100000
    assert u["CapabilityBoundingSet"] == u["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    # A refused reload is told to who asked for it, and a wrong configuration is not tried again and again.
    assert u["ExecReload"] == ["@bindir@/belfryctl reload"] and u["RestartPreventExitStatus"] == ["1 64"]
    assert u["StartLimitIntervalSec"] == ["0"]
    for d in ("StateDirectory", "RuntimeDirectory", "ConfigurationDirectory"):
        assert u[d] == ["belfry"]


@needs_systemd
def test_unit_is_hardened(tmp_path):
    f = tmp_path / "belfry.service"
    f.write_text(UNIT.read_text().replace("@sbindir@", "/usr/sbin").replace("@bindir@", "/usr/bin"))
    r = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", f],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr


def system_calls(name):
    """Those of a set (@chown), sets in it included."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True,
                         check=True).stdout
    found = set()
    for word in (l.strip() for l in out.splitlines()[1:]):
        if word and not word.startswith("#"):
            found |= system_calls(word)
    return found


def allowed_system_calls():
    """As systemd.exec(5) reads SystemCallFilter=: the first line decides about all that is not named."""
    allowed = set()
    for line in unit()["SystemCallFilter"]:
        names = set().union(*(system_calls(n) for n in line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


class Filter:
    """The filter of system calls, for a child before it becomes the daemon."""

    def __init__(self, names):
        self.lib = lib = ctypes.CDLL("libseccomp.so.2")
        lib.seccomp_init.restype = ctypes.c_void_p
        for f in (lib.seccomp_load, lib.seccomp_rule_add):
            f.argtypes = [ctypes.c_void_p] + [ctypes.c_uint32, ctypes.c_int, ctypes.c_uint] * (f is lib.seccomp_rule_add)
        self.ctx = lib.seccomp_init(0x00050000 | 1)  # EPERM
        for name in names | system_calls("@default"):
            n = lib.seccomp_syscall_resolve_name(name.encode())
            if n >= 0:
                assert lib.seccomp_rule_add(self.ctx, 0x7fff0000, n, 0) == 0, name

    def load(self):
        if self.lib.seccomp_load(self.ctx):
            os._exit(99)


@needs_systemd
def test_daemon_lives_with_the_system_calls_of_the_unit(make_server, peer, monkeypatch):
    try:
        keep = Filter(allowed_system_calls())
    except OSError:
        pytest.skip("no libseccomp")
    # the leak check of a sanitized build traces its own process, which the unit does not allow
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, preexec_fn=keep.load, **k))
    s = make_server(workers=2, start=False)
    s.conf_file.write_text(s.conf_file.read_text().replace('group = ""; };', 'group = "nogroup"; };'))
    s.start()
    monkeypatch.undo()
    with open("/proc/%d/status" % s.process.pid) as f:
        assert "Seccomp:\t2" in f.read()
    alice, bob = peer(s), peer(s, user="bob", proto="tcp")
    bob.register()
    alice.send(alice.request("MESSAGE", bob.aor).raw)
    bob.reply(bob.expect("MESSAGE"), 200, "OK")
    alice.expect(200)
    s.ctl("reload")
    s.process.send_signal(signal.SIGTERM)
    assert "Operation not permitted" not in ends(s)


@needs_systemd
def test_filter_of_system_calls_is_what_it_should_be():
    assert {"capset", "fchownat"} <= allowed_system_calls()
    assert not {"setuid", "mount", "ptrace", "setrlimit"} & allowed_system_calls()
