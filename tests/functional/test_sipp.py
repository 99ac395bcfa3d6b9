# SPDX-License-Identifier: Apache-2.0
"""SIPp as caller and callee: many calls at once, each scenario by its XML in sipp/."""
import pathlib
import shutil
import subprocess

import pytest
from conftest import WAIT_S, free_port

pytestmark = pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed")
HERE = pathlib.Path(__file__).parent / "sipp"
TRANSPORT = {"udp": "u1", "tcp": "t1"}


def sipp(server, scenario, port, directory, proto="udp", calls=1, rate=10, background=False, extra=()):
    cmd = ["sipp", "%s:%d" % (server.ip, server.port), "-sf", str(HERE / scenario), "-i", "127.0.0.1",
           "-p", str(port), "-t", TRANSPORT[proto], "-m", str(calls), "-r", str(rate), "-nostdin",
           "-timeout", "%ds" % (4 * WAIT_S), "-timeout_error", "-trace_err", "-cid_str", "%u-%p-" + scenario + "@%s", *extra]
    log = open(directory / (scenario + ".out"), "wb")
    p = subprocess.Popen(cmd, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if background:
        server.wait_for(lambda: p.poll() is not None or has_socket(proto, port), scenario + " on its port")
        return p
    assert p.wait(5 * WAIT_S) == 0, "%s failed\n%s" % (scenario, errors(directory))
    return p


def has_socket(proto, port):
    """A caller that is quicker than the callee's start would be told that nobody listens."""
    state = {"udp": "07", "tcp": "0A"}[proto]
    with open("/proc/net/" + proto) as f:
        return any(w[1] == "0100007F:%04X" % port and w[3] == state for w in (l.split() for l in f))


def errors(directory):
    return "\n".join(f.read_text(errors="replace")[-3000:] for f in directory.glob("*errors*.log"))


def register(server, directory, ports, proto):
    if proto == "tcp":  # a binding follows the connection it was made by, and this one would close
        for p in ports:
            server.ctl("location", "add", "bob@example.com", "sip:bob@127.0.0.1:%d;transport=tcp" % p)
        return
    (directory / "ports.csv").write_text("SEQUENTIAL\n" + "".join("127.0.0.1:%d\n" % p for p in ports))
    sipp(server, "register.xml", free_port(), directory, proto, calls=len(ports),
         extra=["-inf", str(directory / "ports.csv")])


@pytest.mark.parametrize("proto", ["udp", "tcp"])
@pytest.mark.parametrize("uac,uas,calls", [
    ("uac.xml", "uas.xml", 200), ("uac_cancel.xml", "uas_cancelled.xml", 50),
    ("uac_486.xml", "uas_486.xml", 50), ("uac_302.xml", "uas_302.xml", 50)])
def test_sipp_scenario(server, tmp_path, proto, uac, uas, calls):
    port = free_port()
    callee = sipp(server, uas, port, tmp_path, proto, calls=calls, background=True)
    try:
        register(server, tmp_path, [port], proto)
        sipp(server, uac, free_port(), tmp_path, proto, calls=calls, rate=100)
        assert callee.wait(WAIT_S) == 0, errors(tmp_path)
    finally:
        if callee.poll() is None:
            callee.kill()
        callee.wait()


def test_sipp_fork_to_three_phones(server, tmp_path):
    """Two ring until they are cancelled, the third answers."""
    ports = [free_port() for _ in range(3)]
    scenarios = ["uas_cancelled.xml", "uas_cancelled.xml", "uas.xml"]
    phones = []
    try:
        for i, (port, scenario) in enumerate(zip(ports, scenarios)):
            d = tmp_path / str(i)
            d.mkdir()
            phones.append(sipp(server, scenario, port, d, calls=1, background=True))
        register(server, tmp_path, ports, "udp")
        sipp(server, "uac.xml", free_port(), tmp_path, calls=1)
        for i, p in enumerate(phones):
            assert p.wait(WAIT_S) == 0, errors(tmp_path / str(i))
    finally:
        for p in phones:
            if p.poll() is None:
                p.kill()
            p.wait()


def test_sipp_retransmissions_through_packet_loss(server, tmp_path):
    """A tenth of all that the caller sends or gets is lost: timers A, E, G and the stored responses mend it."""
    port = free_port()
    callee = sipp(server, "uas.xml", port, tmp_path, calls=100, background=True)
    try:
        register(server, tmp_path, [port], "udp")
        sipp(server, "uac.xml", free_port(), tmp_path, calls=100, rate=50, extra=["-lost", "10"])
    finally:
        callee.kill()
        callee.wait()
