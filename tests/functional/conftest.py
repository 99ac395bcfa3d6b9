# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the real daemon from a build tree (BELFRY_BUILD, default build), on loopback, each test
with its own state directory and ports. Every test that takes `server` runs with one worker and with
four; BELFRY_WORKERS=1 (or 4) picks one."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import siplib
from ports import free_port
from siplib import SLOW, WAIT_S

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BELFRY_BUILD", ROOT / "build")).resolve()


class Daemon:
    """belfryd with a configuration text, its log, and belfryctl."""

    def __init__(self, conf, directory, port, ip="127.0.0.1", ip6="::1"):
        self.dir = pathlib.Path(directory)
        self.ip, self.ip6, self.port = ip, ip6, port
        self.conf_file = self.dir / "belfry.conf"
        self.conf_file.write_text(conf)
        self.log_file = self.dir / "log"
        self.socket = self.dir / "run" / "control.sock"
        self.process = None

    def addr(self, v6=False):
        return (self.ip6 if v6 else self.ip, self.port)

    def start(self, wait=True, args=()):
        self.log_pos = self.log_file.stat().st_size if self.log_file.exists() else 0
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([BUILD / "src/belfryd", "-f", "-c", self.conf_file, *args],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        if wait:
            self.wait_log("event=ready")
        return self

    def log(self):
        return self.log_file.read_text(errors="replace")[self.log_pos:]

    def wait_log(self, text, timeout=WAIT_S):
        end = time.monotonic() + timeout
        while text not in self.log():
            if self.process.poll() is not None and text not in self.log():
                raise AssertionError("belfryd ended with %s\n%s" % (self.process.returncode, self.log()))
            assert time.monotonic() < end, "no %r in the log\n%s" % (text, self.log())
            time.sleep(0.005)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=2 * WAIT_S):
        """SIGTERM; fails the test when the daemon crashed or a sanitizer complained."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("belfryd did not end after SIGTERM\n" + self.log())
        self.process = None
        assert code == 0, "belfryd ended with %d\n%s" % (code, self.log()[-6000:])

    def ctl(self, *args, check=True, stdin=None):
        r = subprocess.run([BUILD / "src/belfryctl", "-s", self.socket, *args], input=stdin,
                           capture_output=True, text=True, timeout=2 * WAIT_S)
        if check:
            assert r.returncode == 0, "belfryctl %s: %d %s" % (" ".join(args), r.returncode, r.stderr)
        return r

    def json(self, *args):
        return json.loads(self.ctl("--json", *args).stdout)

    def stat(self, name):
        """Sum of a counter over its labels."""
        total = 0
        for line in self.ctl("stats", name).stdout.splitlines():
            f = line.split()
            if f and f[0].split("{")[0] == name:
                total += float(f[-1])
        return total

    def wait_for(self, fn, what="condition", timeout=WAIT_S):
        end = time.monotonic() + timeout
        while True:
            v = fn()
            if v:
                return v
            assert time.monotonic() < end, "%s did not come about\n%s" % (what, self.log()[-3000:])
            time.sleep(0.01)


BASE = """
server: {{ name = "{name}"; workers = {workers}; user = ""; group = ""; state_dir = "{dir}/state";
  run_dir = "{dir}/run"; drain_timeout = 3; {server} }};
listen = ( {listen} );
domains = ( {domains} );
modules = ( {modules} );
proxy: {{ relay = "{relay}"; {proxy} }};
timers: {{ {timers} }};
auth: {{ {auth} }};
registrar: {{ {registrar} }};
log: {{ level = "debug"; target = "stderr"; }};
control: {{ group = ""; }};
{extra}
"""


def make_conf(directory, port, workers=1, name="127.0.0.1", ip="127.0.0.1", v6=False, listen=None,
              domains=("example.com",), modules=("auth", "registrar"), relay="any", proxy="", timers="",
              auth='register = false; calls = "none";', registrar='durability = "process";', server="",
              extra=""):
    if listen is None:
        ips = [ip] + (["::1"] if v6 else [])
        listen = ", ".join('{ transport = "%s"; address = "%s"; port = %d; }' % (t, a, port)
                           for a in ips for t in ("udp", "tcp"))
    quote = lambda xs: ", ".join('"%s"' % x for x in xs)
    if "auth" not in modules:
        auth = None
    text = BASE.format(dir=directory, name=name, workers=workers, listen=listen, domains=quote(domains),
                       modules=quote(modules), relay=relay, proxy=proxy, timers=timers,
                       auth=auth or "", registrar=registrar, server=server, extra=extra)
    if auth is None:
        text = text.replace("auth: {  };\n", "")
    return text


WORKERS = [int(os.environ["BELFRY_WORKERS"])] if "BELFRY_WORKERS" in os.environ else [1, 4]


@pytest.fixture(params=WORKERS, ids=lambda n: "w%d" % n)
def workers(request):
    return request.param


@pytest.fixture
def tmpdir_short():
    """Short path: a unix socket lives below it."""
    d = tempfile.mkdtemp(prefix="belfry-")
    yield pathlib.Path(d)
    shutil.rmtree(d, ignore_errors=True)


@pytest.fixture
def make_server(tmpdir_short):
    """Factory: make_server(workers=4, relay="none", ...) -> a running Daemon; stopped at the end."""
    made = []

    def make(start=True, conf=None, subdir="d", **kw):
        d = tmpdir_short / ("%s%d" % (subdir, len(made)))
        d.mkdir()
        ip = kw.get("ip", "127.0.0.1")
        port = kw.pop("port", None) or free_port()
        text = conf(d, port) if conf else make_conf(d, port, **kw)
        s = Daemon(text, d, port, ip=ip)
        made.append(s)
        if start:
            s.start()
        return s
    yield make
    errors = []
    for s in made:
        try:
            s.stop()
        except AssertionError as e:
            errors.append(str(e))
    assert not errors, "\n".join(errors)


@pytest.fixture
def server(make_server, workers):
    """No authentication, domain example.com, UDP and TCP on 127.0.0.1 and ::1."""
    return make_server(workers=workers, v6=True)


@pytest.fixture
def peer(request):
    """Factory: peer(server, user="bob", proto="tcp")."""
    made = []

    def make(server, **kw):
        p = siplib.Peer(server, **kw)
        made.append(p)
        return p
    yield make
    for p in made:
        p.close()
