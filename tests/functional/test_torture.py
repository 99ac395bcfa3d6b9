# SPDX-License-Identifier: Apache-2.0
"""RFC 4475 and RFC 5118 messages against the real daemon: each gets the verdict of its manifest, and
the server is there afterwards."""
import csv
import pathlib
import re

import pytest
from conftest import Daemon, make_conf
from ports import free_port
from siplib import Msg, Peer, unique

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


def as_a_call_of_its_own(raw, row):
    """Another Call-ID than any other message: an answer that comes late is not taken for another's.
    What differs from another message in a number alone is another transaction, too."""
    raw = re.sub(rb"(?im)^((?:Call-ID|i)[ \t]*:\s*)", rb"\g<1>%s-" % unique().encode(), raw, count=1)
    if "as-printed" in row["file"]:
        raw = re.sub(rb"(branch=z9hG4bK)", rb"\g<1>printed", raw, count=1)
    return raw


@pytest.mark.parametrize("folder,row", cases("rfc4475") + cases("rfc5118"))
def test_torture_message(torture_server, torture_peer, folder, row):
    raw = as_a_call_of_its_own((DATA / folder / row["file"]).read_bytes(), row)
    ours = row["start_line"].startswith("REGISTER sip:example.com")  # we are its registrar
    ok = row["proxy_ok"] + ("," + row["uas_ok"] if ours else "")
    p = torture_peer
    call_id = Msg(raw)["Call-ID"]
    p.send(raw)
    probe = p.request("OPTIONS", "sip:example.com")
    p.send(probe.raw)
    got, is_there = None, False
    # The answer may go to the port in its Via; the probe's answer, of another worker, may be earlier.
    must_come = p.sees_answers(raw) and not acceptable(ok, None)
    while not is_there or (must_come and got is None):
        m = p.recv()
        assert m is not None, "%s: the server answers %s, wanted %s" % (row["file"], is_there, ok)
        if m.is_response and m["Call-ID"] == probe["Call-ID"]:
            is_there = True
        elif m.is_response and m.status != 100 and m["Call-ID"] == call_id:
            got = m
    assert got is None or acceptable(ok, got), "%s: %s, wanted %s" % (row["file"], got, ok)


@pytest.fixture(scope="module")
def torture_dir(tmp_path_factory):
    import shutil
    import tempfile
    d = pathlib.Path(tempfile.mkdtemp(prefix="belfry-"))
    yield d
    shutil.rmtree(d)


@pytest.fixture(scope="module", params=[1, 4], ids=["w1", "w4"])
def torture_server(request, torture_dir):
    d = torture_dir / str(request.param)
    d.mkdir()
    port = free_port()
    extra = "dns: { nameservers = ( \"127.0.0.1@%d\" ); timeout = 1; };" % free_port()
    s = Daemon(make_conf(d, port, workers=request.param, timers="t1 = 20; t2 = 80; t4 = 100;", extra=extra), d, port)
    s.start()
    yield s
    s.stop()


class TorturePeer(Peer):
    """Many of these messages want their answer at port 5060: an address where that is free."""

    def __init__(self, server):
        for n in range(1, 255):
            try:
                super().__init__(server, ip="127.50.60.%d" % n, port=5060)
                return
            except OSError:
                continue
        super().__init__(server)

    def sees_answers(self, raw):
        """Would an answer come to our port? Only when the top Via names it or asks for rport."""
        top = re.search(rb"(?im)^(?:via|v)\s*:\s*\S+\s+(\[[^\]]*\]|[^\s:;,]*)\s*(?::\s*(\d+))?(.*)$", raw)
        if not top:
            return False
        default = 5061 if b"TLS" in top.group(0) else 5060
        return b"rport" in top.group(3) or int(top.group(2) or default) == self.port


@pytest.fixture(scope="module")
def torture_peer(torture_server):
    p = TorturePeer(torture_server)
    yield p
    p.close()
