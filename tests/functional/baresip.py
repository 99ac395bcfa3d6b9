# SPDX-License-Identifier: Apache-2.0
"""A real phone: baresip, driven by its ctrl_tcp module (JSON in netstrings)."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from siplib import WAIT_S

MODULES = "/usr/lib/baresip/modules"
CONFIG = """
module_path {modules}
module uuid.so
module account.so
module g711.so
module aubridge.so
module ctrl_tcp.so
module_app menu.so
ctrl_tcp_listen 127.0.0.1:{ctrl}
sip_listen 127.0.0.1:{sip}
audio_source aubridge,{name}
audio_player aubridge,{name}
audio_alert aubridge,{name}
call_max_calls 4
rtp_ports {rtp}-{rtp_end}
"""


def installed():
    return shutil.which("baresip") is not None


class Baresip:
    def __init__(self, directory, name, server, sip_port, ctrl_port, rtp, proto="udp", domain="example.com",
                 password="secret", extra=""):
        self.dir = pathlib.Path(directory) / name
        self.dir.mkdir()
        (self.dir / "config").write_text(CONFIG.format(modules=MODULES, ctrl=ctrl_port, sip=sip_port,
                                                       name=name, rtp=rtp, rtp_end=rtp + 19))
        (self.dir / "accounts").write_text(
            '<sip:%s@%s;transport=%s>;auth_pass=%s;outbound="sip:%s:%d;transport=%s";regint=60;%s\n' % (
                name, domain, proto, password, server.ip, server.port, proto, extra))
        (self.dir / "contacts").write_text("")
        self.log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen(["baresip", "-f", str(self.dir)], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=dict(os.environ, HOME=str(self.dir)))
        self.buf, self.events = b"", []
        end = time.monotonic() + WAIT_S
        while True:
            try:
                self.ctrl = socket.create_connection(("127.0.0.1", ctrl_port))
                break
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, self.text()
                time.sleep(0.02)
        self.command("about")  # an answer: it knows of us, and will tell us what happens
        self.next(lambda m: m.get("response"), "answer")

    def text(self):
        self.log.flush()
        return (self.dir / "log").read_text(errors="replace")

    def registered(self, text="200 OK", timeout=WAIT_S):
        """It registers before anybody listens to its events: its output tells."""
        end = time.monotonic() + timeout
        while text not in self.text():
            assert time.monotonic() < end and self.process.poll() is None, self.text()
            time.sleep(0.02)

    def command(self, name, params=""):
        data = json.dumps({"command": name, "params": params, "token": "t"}).encode()
        self.ctrl.sendall(b"%d:%s," % (len(data), data))

    def event(self, kind, timeout=WAIT_S):
        """Waits for an event of that type (CALL_ESTABLISHED, ...); others before it are dropped."""
        return self.next(lambda m: m.get("event") and m.get("type") == kind, kind, timeout)

    def next(self, is_it, what, timeout=WAIT_S):
        end = time.monotonic() + timeout
        while True:
            while b":" in self.buf:
                n, _, rest = self.buf.partition(b":")
                if len(rest) < int(n) + 1:
                    break
                self.events.append(json.loads(rest[:int(n)]))
                self.buf = rest[int(n) + 1:]
            while self.events:
                e = self.events.pop(0)
                if is_it(e):
                    return e
            left = end - time.monotonic()
            assert left > 0, "baresip: no %s\n%s" % (what, self.text())
            self.ctrl.settimeout(left)
            try:
                data = self.ctrl.recv(65536)
            except socket.timeout:
                continue
            assert data, "baresip ended\n" + self.text()
            self.buf += data

    def close(self):
        try:
            self.command("quit")
            self.process.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.ctrl.close()
        self.log.close()
