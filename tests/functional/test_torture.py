# SPDX-License-Identifier: Apache-2.0
"""RFC 4475 and RFC 5118 messages against the real daemon: each gets the verdict of its manifest, and
the server is there afterwards."""
import csv
import pathlib
import re

import pytest
from siplib import Msg

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


def cases(folder):
    path = DATA / folder / "manifest.tsv"
    if not path.exists():
        return []
    with open(path) as f:
        rows = [r for r in csv.DictReader(f, delimiter="\t")]
    return [pytest.param(folder, r, id=folder + "/" + r["file"]) for r in rows]


REFUSALS = {403, 404, 407, 480, 481, 482, 483, 416, 420}


def acceptable(ok, r):
    """Does response @r (None: silence) fit one of the manifest's tokens?"""
    for token in ok.split(","):
        if token == "drop" and r is None:
            return True
        if token in ("fwd", "process") and (r is None or r.status != 400 and r.status // 100 not in (5,)
                                            or r.status in (500, 503)):
            return True  # forwarded to nowhere: silence, or what routing says of such a place
        if token == "close" and r is None:
            return True
        if token.isdigit() and r is not None and r.status == int(token):
            return True
    return False


@pytest.mark.parametrize("folder,row", cases("rfc4475") + cases("rfc5118"))
def test_torture_message(torture_server, torture_peer, folder, row):
    raw = (DATA / folder / row["file"]).read_bytes()
    p = torture_peer
    if "as-printed" in row["file"]:  # the same message as another case but for a number: another call
        raw = re.sub(rb"(?im)^(Call-ID:\s*)", rb"\1printed-", raw, 1)
    while p.recv(0):
        pass
    call_id = Msg(raw)["Call-ID"]
    p.send(raw)
    probe = p.request("OPTIONS", "sip:example.com")
    p.send(probe.raw)
    got = None
    while True:
        m = p.recv(8)
        assert m is not None, "the server does not answer any more"
        if m.is_response and m["Call-ID"] == probe["Call-ID"]:
            break
        if m.is_response and m.status != 100 and m["Call-ID"] == call_id:
            got = m
    if got is None and not p.sees_answers(raw):
        return  # the answer went to the port in its Via; that the server is there has been seen
    if got is None and "drop" not in row["proxy_ok"].split(","):
        m = p.recv(0.3)
        got = m if m is not None and m.status != 100 and m["Call-ID"] == call_id else None
    ours = row["start_line"].startswith("REGISTER sip:example.com")  # we are its registrar
    assert acceptable(row["proxy_ok"] + ("," + row["uas_ok"] if ours else ""), got), "%s: %s, wanted %s" % (row["file"], got, row["proxy_ok"])


@pytest.fixture(scope="module")
def torture_dir(tmp_path_factory):
    import shutil
    import tempfile
    d = pathlib.Path(tempfile.mkdtemp(prefix="belfry-"))
    yield d
    shutil.rmtree(d)


@pytest.fixture(scope="module", params=[1, 4], ids=["w1", "w4"])
def torture_server(request, torture_dir):
    from conftest import Daemon, free_port, make_conf
    d = torture_dir / str(request.param)
    d.mkdir()
    port = free_port()
    extra = "dns: { nameservers = ( \"127.0.0.1@%d\" ); timeout = 1; };" % free_port()
    s = Daemon(make_conf(d, port, workers=request.param, timers="t1 = 20; t2 = 80; t4 = 100;", extra=extra), d, port)
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def torture_peer(torture_server):
    from siplib import Peer

    class P(Peer):
        def sees_answers(self, raw):
            """Would an answer come to our port? Only when the top Via names it or asks for rport."""
            top = re.search(rb"(?im)^(?:via|v)\s*:(.*)$", raw)
            if not top:
                return False
            port = re.search(rb":\s*(\d+)", top.group(1))
            default = 5061 if b"TLS" in top.group(1) else 5060
            return b"rport" in top.group(1) or (int(port.group(1)) if port else default) == self.port
    try:
        p = P(torture_server, port=5060)
    except OSError:
        p = P(torture_server, port=0)
    yield p
    p.close()
