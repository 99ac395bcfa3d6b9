# SPDX-License-Identifier: Apache-2.0
"""SIP peers for the functional tests: plain sockets and the standard library, no SIP stack.

A Peer is a phone, a trunk or a proxy next to the daemon: it sends what a test writes and hands back
what arrives. Every wait is for an event, with an upper bound that only a failing test reaches.
"""
import hashlib
import itertools
import os
import re
import select
import socket
import time

from ports import free_port

SLOW = float(os.environ.get("BELFRY_SLOW", "1"))  # factor for sanitizer builds
WAIT_S = 20.0 * SLOW  # for anything that comes: only a failing test waits so long
_serial = itertools.count(1)
COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
    "c": "content-type", "k": "supported", "s": "subject", "e": "content-encoding", "r": "refer-to",
    "b": "referred-by", "o": "event", "u": "allow-events", "x": "session-expires",
}


def unique(prefix=""):
    return "%s%s%d" % (prefix, hashlib.md5(b"%d%f" % (next(_serial), time.time())).hexdigest()[:12],
                       next(_serial))


def split_commas(value):
    """Splits a list header at commas outside of quotes and <>."""
    out, depth, quoted, cur, escaped = [], 0, False, "", False
    for c in value:
        if quoted:
            if escaped:
                escaped = False
            elif c == "\\":
                escaped = True
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c == "<":
            depth += 1
        elif c == ">":
            depth -= 1
        elif c == "," and depth == 0:
            out.append(cur.strip())
            cur = ""
            continue
        cur += c
    if cur.strip():
        out.append(cur.strip())
    return out


class Msg:
    """A received message; header names in any spelling, values as they were."""

    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            if line[:1] in " \t" and self.headers:
                self.headers[-1] = (self.headers[-1][0], self.headers[-1][1] + " " + line.strip())
                continue
            name, _, value = line.partition(":")
            self.headers.append((name.strip(), value.strip()))
        self.is_response = self.start.startswith("SIP/2.0")
        if self.is_response:
            self.status = int(self.start.split()[1])
            self.reason = (self.start.split(None, 2) + [""])[2]
            self.method = (self["CSeq"].split() + ["", ""])[1]
        else:
            self.method, self.uri, _ = (self.start.split(" ") + ["", ""])[:3]
            self.status = None

    def all(self, name):
        want = name.lower()
        return [v for n, v in self.headers
                if n.lower() == want or COMPACT.get(n.lower()) == want]

    def values(self, name):
        """All values of a list header, over all its fields."""
        return [x for v in self.all(name) for x in split_commas(v)]

    def __getitem__(self, name):
        found = self.all(name)
        return found[0] if found else ""

    def __contains__(self, name):
        return bool(self.all(name))

    @property
    def branch(self):
        m = re.search(r";\s*branch\s*=\s*([^;,\s]+)", self.values("Via")[0])
        return m.group(1) if m else ""

    @property
    def to_tag(self):
        return tag_of(self["To"])

    @property
    def from_tag(self):
        return tag_of(self["From"])

    @property
    def cseq(self):
        return int(self["CSeq"].split()[0])

    def __repr__(self):
        return "<%s>" % self.start


def tag_of(value):
    m = re.search(r";\s*tag\s*=\s*([^;,\s>]+)", value.split(">")[-1])
    return m.group(1) if m else ""


def uri_of(value):
    """The URI inside <>, or the bare one."""
    m = re.search(r"<([^>]*)>", value)
    return m.group(1) if m else value.split(";")[0].strip()


def param(value, name):
    """Header parameter (behind the >); None if absent, "" without value."""
    tail = value.split(">")[-1]
    m = re.search(r";\s*%s(\s*=\s*(\"[^\"]*\"|[^;,\s]*))?(?=[;,\s]|$)" % re.escape(name), tail, re.I)
    return None if not m else (m.group(2) or "")


class Stream:
    """One TCP connection carrying SIP."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.closed = False

    def fileno(self):
        return self.sock.fileno()

    def feed(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, OSError):
            data = b""
        if not data:
            self.closed = True
        self.buf += data

    def take(self):
        """Next whole message or None; lone CRLFs are handed out as bytes."""
        if self.buf.startswith(b"\r\n"):
            n = len(self.buf) - len(self.buf.lstrip(b"\r\n"))
            out, self.buf = self.buf[:n], self.buf[n:]
            return out
        head, sep, rest = self.buf.partition(b"\r\n\r\n")
        if not sep:
            return None
        m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
        n = int(m.group(1)) if m else 0
        if len(rest) < n:
            return None
        out = head + sep + rest[:n]
        self.buf = rest[n:]
        return out

    def close(self):
        self.sock.close()


def may_be_sent_again(data):
    """Does a timer of the server alone send this datagram again? (RFC 3261 17: A, E, G)"""
    if not data.startswith(b"SIP/2.0 "):
        return not data.startswith(b"ACK ")
    return data[8:9] in b"3456" and re.search(rb"(?im)^CSeq:\s*\d+\s+INVITE", data) is not None


class Peer:
    """A SIP element on a loopback address. proto: "udp" or "tcp".

    What a timer of the server sends again, because this machine was too busy for an answer in half a
    second, is dropped like any transaction layer would; repeats=True hands it out.
    """

    def __init__(self, server, proto="udp", ip="127.0.0.1", port=0, user=None, domain="example.com",
                 listen=True, repeats=False):
        self.proto, self.ip, self.user = proto, ip, user or unique("u")
        self.domain = domain
        self.server = server
        self.family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.streams = []
        self.inbox = []
        self.repeats, self.seen, self.sent = repeats, set(), set()
        port = port or free_port()
        if proto == "udp":
            self.sock = socket.socket(self.family, socket.SOCK_DGRAM)
            self.sock.bind((ip, port))
        else:
            self.sock = socket.socket(self.family, socket.SOCK_STREAM)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((ip, port))
            if listen:
                self.sock.listen(64)
        self.port = self.sock.getsockname()[1]

    # --- addresses
    @property
    def host(self):
        return "[%s]" % self.ip if ":" in self.ip else self.ip

    @property
    def hostport(self):
        return "%s:%d" % (self.host, self.port)

    @property
    def aor(self):
        return "sip:%s@%s" % (self.user, self.domain)

    @property
    def contact(self):
        t = "" if self.proto == "udp" else ";transport=" + self.proto
        return "sip:%s@%s%s" % (self.user, self.hostport, t)

    def via(self, branch=None, extra=";rport"):
        return "SIP/2.0/%s %s;branch=%s%s" % (self.proto.upper(), self.hostport,
                                               branch or unique("z9hG4bK"), extra)

    # --- sending
    def connect(self):
        """A stream of our own to the server."""
        s = socket.socket(self.family, socket.SOCK_STREAM)
        s.bind((self.ip, 0))
        s.connect((self.server.ip6 if ":" in self.ip else self.server.ip, self.server.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.streams.append(Stream(s))
        return self.streams[-1]

    def stream(self):
        for s in self.streams:
            if not s.closed:
                return s
        return self.connect()

    def send(self, data, to=None, stream=None):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if self.proto == "udp":
            if data in self.sent:  # who says it again wants to hear the answer again
                self.seen.clear()
            self.sent.add(data)
            self.sock.sendto(data, to or self.server.addr(":" in self.ip))
        else:
            (stream or self.stream()).sock.sendall(data)

    # --- receiving
    def _is_news(self, data):
        if self.repeats or not may_be_sent_again(data) or not data.strip(b"\r\n\0"):
            return True
        if data in self.seen:
            return False
        self.seen.add(data)
        return True

    def _pump(self, timeout):
        socks = [self.sock] + [s for s in self.streams if not s.closed]
        ready, _, _ = select.select(socks, [], [], max(0, timeout))
        came = False
        for r in ready:
            came = came or r is not self.sock or self.proto != "udp"
            if r is self.sock and self.proto == "udp":
                try:
                    data, src = self.sock.recvfrom(70000)
                except ConnectionRefusedError:
                    continue
                if self._is_news(data):
                    self.inbox.append((data, src, None))
                    came = True
            elif r is self.sock:
                conn, _ = self.sock.accept()
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.streams.append(Stream(conn))
            else:
                r.feed()
                while True:
                    m = r.take()
                    if m is None:
                        break
                    self.inbox.append((m, None, r))
        return came

    def recv_raw(self, timeout=WAIT_S):
        end = time.monotonic() + timeout
        while not self.inbox:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._pump(left)
        data, self.last_source, self.last_stream = self.inbox.pop(0)
        return data

    def recv(self, timeout=WAIT_S):
        """Next message; keepalives are skipped. None after the timeout."""
        end = time.monotonic() + timeout
        while True:
            data = self.recv_raw(end - time.monotonic())
            if data is None:
                return None
            if data.strip(b"\r\n\0"):
                m = Msg(data)
                m.source = self.last_source
                return m

    def expect(self, what, timeout=WAIT_S, skip=()):
        """Waits for a request method or a status (int, or "1xx"). Others fail the test, unless their
        method or status is in @skip (100 and retransmissions often are)."""
        end = time.monotonic() + timeout
        while True:
            m = self.recv(end - time.monotonic())
            assert m is not None, "%s: no %s within %.1f s" % (self.user, what, timeout)
            if matches(m, what):
                return m
            if any(matches(m, s) for s in skip) or (m.status == 100 and what != 100):
                continue
            raise AssertionError("%s: expected %s, got %s\n%s" % (
                self.user, what, m.start, m.raw.decode("utf-8", "replace")))

    def silent(self, timeout=0.3):
        """Nothing (but keepalives) arrives. Pair it with an event that comes later where possible."""
        m = self.recv(timeout)
        assert m is None, "%s: unexpected %s" % (self.user, m.start)

    # --- building
    def request(self, method, uri, to=None, from_=None, call_id=None, cseq=1, branch=None, tag=None,
                to_tag=None, headers=(), body=b"", contact=True, via_extra=";rport", max_forwards=70):
        from_ = from_ or "<%s>" % self.aor
        if ";tag=" not in from_:
            from_ += ";tag=" + (tag or unique("t"))
        to = to or "<%s>" % uri
        if to_tag:
            to += ";tag=" + to_tag
        lines = ["%s %s SIP/2.0" % (method, uri), "Via: " + self.via(branch, via_extra)]
        if max_forwards is not None:
            lines.append("Max-Forwards: %d" % max_forwards)
        lines += ["From: " + from_, "To: " + to, "Call-ID: " + (call_id or unique("c")),
                  "CSeq: %d %s" % (cseq, method)]
        if contact is True:
            lines.append("Contact: <%s>" % self.contact)
        elif contact:
            lines.append("Contact: " + contact)
        lines += list(headers)
        if isinstance(body, str):
            body = body.encode()
        if body and not any(h.lower().startswith("content-type") for h in headers):
            lines.append("Content-Type: application/sdp")
        lines.append("Content-Length: %d" % len(body))
        return Msg(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body)

    def reply(self, req, status, reason="Whatever", tag=None, headers=(), body=b"", contact=True,
              send=True):
        lines = ["SIP/2.0 %d %s" % (status, reason)]
        lines += ["Via: " + v for v in req.all("Via")]
        lines += ["Record-Route: " + v for v in req.all("Record-Route")]
        to = req["To"]
        if status != 100 and not tag_of(to):
            to += ";tag=" + (tag or self.tag_for(req))
        lines += ["From: " + req["From"], "To: " + to, "Call-ID: " + req["Call-ID"],
                  "CSeq: " + req["CSeq"]]
        if contact and req.method in ("INVITE", "SUBSCRIBE") and 100 < status < 300:
            lines.append("Contact: <%s>" % self.contact)
        lines += list(headers)
        if isinstance(body, str):
            body = body.encode()
        lines.append("Content-Length: %d" % len(body))
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body
        if send:
            self.answer(req, data)
        return Msg(data)

    def answer(self, req, data):
        """Sends a response along the top Via of @req (RFC 3261 18.2.2), over the stream it came on."""
        if self.proto == "udp":
            top = req.values("Via")[0]
            m = re.match(r"SIP/2.0/\S+\s+(\[[^\]]*\]|[^:;\s]+)(?::(\d+))?", top)
            host, port = m.group(1).strip("[]"), int(m.group(2) or 5060)
            source = getattr(req, "source", None)
            if source:  # RFC 3261 18.2.1, RFC 3581 4: received and rport as this element would add them
                host = source[0]
                port = source[1] if re.search(r";\s*rport", top) else port
            self.sock.sendto(data, (host, port))
        else:
            live = [s for s in self.streams if not s.closed]
            s = getattr(self, "last_stream", None)
            (s if s in live else live[-1]).sock.sendall(data)

    def tag_for(self, req):
        return "%s-%s" % (self.user, hashlib.md5((req["Call-ID"] + req.branch).encode()).hexdigest()[:8])

    # --- whole exchanges
    def ask(self, req, skip=(100,), timeout=WAIT_S):
        """Sends a request and returns its final response (provisionals are skipped)."""
        self.send(req.raw)
        return self.final(req, timeout)

    def final(self, req, timeout=WAIT_S):
        end = time.monotonic() + timeout
        while True:
            m = self.recv(end - time.monotonic())
            assert m is not None, "%s: no final response to %s" % (self.user, req.start)
            if m.is_response and m["Call-ID"] == req["Call-ID"] and m.cseq == req.cseq and m.status >= 200:
                return m

    def register(self, expires=3600, contact=None, headers=(), call_id=None, cseq=None, to=None,
                 password=None, expect=200, uri=None, **kw):
        """REGISTER, with digest when challenged and a password is there. Returns the final response."""
        self.reg_call_id = call_id or getattr(self, "reg_call_id", None) or unique("r")
        self.reg_cseq = cseq if cseq is not None else getattr(self, "reg_cseq", 0) + 1
        uri = uri or "sip:" + self.domain
        contact = "<%s>" % self.contact if contact is None else contact
        hs = list(headers) + (["Expires: %d" % expires] if expires is not None else [])
        to = to or "<%s>" % self.aor

        def build():
            return self.request("REGISTER", uri, to=to, from_=kw.get("from_") or to.split(";tag")[0],
                                call_id=self.reg_call_id, cseq=self.reg_cseq, headers=hs,
                                contact=contact, via_extra=kw.get("via_extra", ";rport"))
        r = self.ask(build())
        if r.status == 401 and password is not None:
            self.reg_cseq += 1
            hs.append("Authorization: " + digest(r, "REGISTER", uri, self.user, password))
            r = self.ask(build())
        if expect is not None:
            assert r.status == expect, "REGISTER: %s\n%s" % (r.start, r.raw.decode())
        return r

    def ack(self, req, resp):
        """ACK for a final response: to the next hop's rules of RFC 3261 (17.1.1.3 / 13.2.2.4)."""
        if resp.status >= 300:
            a = self.request("ACK", req.uri, to=resp["To"], from_=req["From"], call_id=req["Call-ID"],
                             cseq=req.cseq, branch=req.branch, contact=None)
        else:
            a = self.in_dialog("ACK", req, resp, cseq=req.cseq)
        self.send(a.raw)
        return a

    def in_dialog(self, method, req, resp, cseq=None, headers=(), body=b"", branch=None):
        """A request of the caller inside the dialog that @resp made."""
        routes = list(reversed(resp.values("Record-Route")))
        target = uri_of(resp["Contact"]) if resp["Contact"] else req.uri
        hs = ["Route: " + r for r in routes] + list(headers)
        return self.request(method, target, to=resp["To"], from_=req["From"], call_id=req["Call-ID"],
                            cseq=cseq if cseq is not None else req.cseq + 1, headers=hs, body=body,
                            branch=branch)

    def in_dialog_uas(self, method, req, resp, cseq=1, headers=(), body=b""):
        """A request of the callee inside the dialog; @req and @resp as the callee saw and sent them."""
        hs = ["Route: " + r for r in req.values("Record-Route")] + list(headers)
        return self.request(method, uri_of(req["Contact"]), to=req["From"], from_=resp["To"],
                            call_id=req["Call-ID"], cseq=cseq, headers=hs, body=body)

    def close(self):
        for s in self.streams:
            s.close()
        self.sock.close()


def first_of(*peers, timeout=WAIT_S):
    """Those for whom something has come, once there is one."""
    end = time.monotonic() + timeout
    while True:
        for p in peers:
            p._pump(0)
        found = [p for p in peers if p.inbox]
        if found:
            return found
        left = end - time.monotonic()
        assert left > 0, "nothing came for any of %s" % [p.user for p in peers]
        select.select([s for p in peers for s in [p.sock, *p.streams]], [], [], min(left, 1))


def via_param(via, name):
    m = re.search(r";\s*%s\s*=\s*([^;,\s]+)" % name, via)
    return m.group(1).strip("[]") if m else None


def matches(m, what):
    if isinstance(what, int):
        return m.is_response and m.status == what
    if re.fullmatch(r"[1-6]xx", what):
        return m.is_response and m.status // 100 == int(what[0])
    return not m.is_response and m.method == what


def auth_params(value):
    return {k.lower(): v.strip('"') for k, v in re.findall(r'([\w-]+)\s*=\s*("[^"]*"|[^\s,]+)', value)}


HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def H(algorithm, text):
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


def digest(resp, method, uri, user, password, algorithm=None, nc=1, cnonce="0a4f113b", realm=None, **over):
    """Credentials for a 401/407 (RFC 7616 3.4); algorithm None: the first offered."""
    name = "WWW-Authenticate" if resp.status == 401 else "Proxy-Authenticate"
    offers = [auth_params(v) for v in resp.all(name)]
    ch = offers[0] if algorithm is None else [o for o in offers if o.get("algorithm", "MD5") == algorithm][0]
    return digest_for(ch, method, uri, user, password, nc, cnonce, **over)


def digest_for(ch, method, uri, user, password, nc=1, cnonce="0a4f113b", **over):
    alg = ch.get("algorithm", "MD5")
    ha1 = H(alg, "%s:%s:%s" % (over.get("username", user), ch["realm"], password))
    ha2 = H(alg, "%s:%s" % (method, over.get("uri", uri)))
    if "qop" in ch and not over.get("no_qop"):
        response = H(alg, "%s:%s:%08x:%s:auth:%s" % (ha1, ch["nonce"], nc, cnonce, ha2))
        tail = ', qop=auth, nc=%08x, cnonce="%s"' % (nc, cnonce)
    else:
        response = H(alg, "%s:%s:%s" % (ha1, ch["nonce"], ha2))
        tail = ""
    return 'Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s%s' % (
        over.get("username", user), ch["realm"], over.get("nonce", ch["nonce"]), over.get("uri", uri),
        over.get("response", response), alg, tail)


def ringing(server, peer):
    """A call of alice's that rings at bob's: alice, bob, the INVITE as sent and as received. `peer`: the fixture."""
    alice, bob = peer(server), peer(server, user="bob")
    bob.register()
    inv = alice.request("INVITE", bob.aor)
    alice.send(inv.raw)
    got = bob.expect("INVITE")
    bob.reply(got, 180, "Ringing")
    alice.expect(180)
    return alice, bob, inv, got
