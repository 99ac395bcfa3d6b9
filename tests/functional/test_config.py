# SPDX-License-Identifier: Apache-2.0
"""The command line and the configuration: belfryd -t, -D, -V, exit codes, messages."""
import os
import re
import socket
import subprocess

import pytest

from conftest import BUILD, ROOT, free_port, make_conf
from siplib import WAIT_S

GOOD = 'domains = ( "example.com" );\nmodules = ( "registrar" );\n' \
       'server: { user = ""; group = ""; };\ncontrol: { group = ""; };\n'


def belfryd(*args, cwd=None, **kw):
    r = subprocess.run([BUILD / "src/belfryd", *args], capture_output=True, text=True, timeout=2 * WAIT_S, cwd=cwd,
                       stdin=subprocess.DEVNULL, **kw)
    # A coverage build that has become another user may not write its counts.
    r.stderr = re.sub(r"(?m)^profiling:.*\n", "", r.stderr)
    return r


@pytest.fixture
def check(tmp_path):
    """check(text, *args): belfryd -t on a file of that text."""
    def run(text, *args):
        f = tmp_path / "belfry.conf"
        f.write_text(text)
        return belfryd("-t", "-c", f, *args)
    return run


def test_good_configuration_is_fine(check):
    r = check(GOOD)
    assert r.returncode == 0 and "is fine" in r.stdout, r.stderr


def test_checking_opens_and_writes_nothing(tmp_path):
    port = free_port()
    with socket.socket() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        s.bind(("127.0.0.1", port))
        s.listen()
        u.bind(("127.0.0.1", port))
        f = tmp_path / "belfry.conf"
        f.write_text(make_conf(tmp_path, port))
        r = belfryd("-t", "-c", f)
    assert r.returncode == 0, r.stderr
    assert os.listdir(tmp_path) == ["belfry.conf"]


@pytest.mark.parametrize("text, where, what", [
    ("proxy: { rely = \"any\"; };", 5, 'unknown setting "rely"; did you mean "relay"?'),
    ("prxy: { };", 5, 'unknown section "prxy"; did you mean "proxy"?'),
    ("registrar: {\n max_contact = 3; };", 6, 'did you mean "max_contacts"?'),
    ("registrar: { max_contacts = 0; };", 5, "0 is out of range; 1 to"),
    ("registrar: { durability = \"fsync\"; };", 5, 'use "full", "process" or "async"'),
    ("proxy: { timer_c = true; };", 5, "a number (without quotes) is wanted, not true or false"),
    ("listen = ( { transport = \"tls\"; } );", 5, "this build has no tls"),
    ("tls: { };", 5, "this build has no TLS"),
    ("identity: { };", 5, "this build has no module of that name; leave it out"),
    ("registrar: { gruu = true; };", 5, "registrar.gruu: gruu comes in a later release"),
    ("registrar: { store = \"redis\"; };", 5, 'store "redis" comes in a later release'),
    ("routes = ( { to = \"trunk:x\"; } );", 5, 'there is no trunk "x"'),
    ("proxy: { fork = ; };", 5, "syntax error"),
    ("proxy: { mtu = 1; mtu = 2; };", 5, "duplicate setting name"),
])
def test_mistake_is_told_with_file_line_and_hint(check, text, where, what):
    r = check(GOOD + text + "\n")
    assert r.returncode == 1
    assert re.match(r"\S*belfry\.conf:%d: .*%s" % (where, re.escape(what)), r.stderr), r.stderr
    assert len(r.stderr.splitlines()) == 1 and r.stdout == ""


def test_unknown_module_is_refused(check):
    r = check(GOOD.replace('"registrar"', '"registrar", "regstrar"'))
    assert r.returncode == 1 and 'there is no module "regstrar"' in r.stderr
    assert 'did you mean "registrar"?' in r.stderr
    r = check(GOOD.replace('"registrar"', '"registrar", "outbound"'))
    assert r.returncode == 1 and '"outbound": this build has no module of that name' in r.stderr


def test_misspelt_domains_are_not_just_missing(check):
    r = check(GOOD.replace("domains", "doamins"))
    assert r.returncode == 1 and re.search(r':1: unknown section "doamins"; did you mean "domains"\?', r.stderr)


def test_section_of_a_module_that_is_not_loaded_is_checked_and_warned_about(check):
    r = check(GOOD + "auth: { register = false; };\n")
    assert r.returncode == 0 and "warning: " in r.stderr and ":5: auth: the module is not in `modules`" in r.stderr
    assert check(GOOD + "auth: { registr = false; };\n").returncode == 1


def test_included_file_is_named(tmp_path):
    (tmp_path / "belfry.conf").write_text(GOOD + '@include "more.conf"\n')
    (tmp_path / "more.conf").write_text('\nproxy: { relay = "all"; };\n')
    r = belfryd("-t", "-c", tmp_path / "belfry.conf")
    assert r.returncode == 1 and "more.conf:2: proxy.relay: unknown word" in r.stderr
    (tmp_path / "more.conf").write_text('proxy: { relay = "any"; };\n')
    assert belfryd("-t", "-c", "belfry.conf", cwd=tmp_path).returncode == 0


def test_override(check):
    assert check(GOOD, "-D", "server.workers=3", "-D", "proxy.relay=any").returncode == 0
    r = check(GOOD, "-D", "server.workers=300")
    assert r.returncode == 1 and r.stderr.startswith("-D server.workers=300: server.workers: 300 is out of range")
    assert check(GOOD, "-D", "registrar.max_contacts=0").returncode == 1
    assert check(GOOD, "-D", 'domains=( "a.com", "b.com" )', "-D", 'server.name="sip.a.com"').returncode == 0
    r = check(GOOD, "-D", 'listen=( { transport = "udp"; adress = "127.0.0.1"; } )')
    assert r.returncode == 1 and 'did you mean "address"?' in r.stderr
    assert check("", "-D", "domains=a.com,b.com", "-D", "modules=", "-D", "server.user=", "-D",
                 "server.group=").returncode == 0


def test_file_that_cannot_be_read_is_exit_2(tmp_path):
    r = belfryd("-t", "-c", tmp_path / "none.conf")
    assert r.returncode == 2 and "none.conf: No such file" in r.stderr


@pytest.mark.parametrize("args", [["-x"], ["-c"], ["word"], ["-t", "word"], ["-D"], ["-D", "nonsense"]])
def test_wrong_usage_is_exit_64(args):
    r = belfryd(*args)
    assert r.returncode == 64 and "usage: belfryd" in r.stderr


def test_version_and_help():
    r = belfryd("-V")
    assert r.returncode == 0 and re.match(r"belfryd \d+\.\d+", r.stdout) and "udp tcp" in r.stdout
    r = belfryd("-h")
    assert r.returncode == 0 and "usage: belfryd [-c FILE]" in r.stdout and r.stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="as root only")
def test_unknown_user_or_group_is_exit_2_as_root(check, make_server):
    r = check(GOOD.replace('user = ""', 'user = "no-such-user"'))
    assert r.returncode == 2 and 'server.user: unknown user "no-such-user"' in r.stderr
    r = check(GOOD.replace('group = ""', 'group = "no-such-group"', 1))
    assert r.returncode == 2 and 'server.group: unknown group "no-such-group"' in r.stderr
    r = check(GOOD.replace('control: { group = ""; }', 'control: { group = "no-such-group"; }'))
    assert r.returncode == 2 and 'control.group: unknown group "no-such-group"' in r.stderr
    s = make_server(start=False, extra="")
    s.conf_file.write_text(s.conf_file.read_text().replace('user = "";', 'user = "no-such-user";'))
    s.start(wait=False)
    assert s.process.wait(WAIT_S) == 2 and "no-such-user" in s.log()
    s.process = None


@pytest.mark.skipif(os.geteuid() != 0, reason="as root only")
def test_file_that_the_user_cannot_read_is_warned_about(tmpdir_short):
    tmpdir_short.chmod(0o755)
    f = tmpdir_short / "belfry.conf"
    f.write_text(GOOD.replace('user = ""', 'user = "nobody"'))
    r = belfryd("-t", "-c", f)
    assert r.returncode == 0 and r.stderr == ""
    f.chmod(0o600)
    r = belfryd("-t", "-c", f)
    assert r.returncode == 0 and "belfry.conf: server.user cannot read it" in r.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="as root only")
def test_dnssec_without_the_key_of_the_root_is_exit_2(tmpdir_short):
    """libunbound would miss it with the first question only, and then find no name at all."""
    f = tmpdir_short / "belfry.conf"
    f.write_text(make_conf(tmpdir_short, free_port(), extra='dns: { dnssec = "permit"; };'))
    hidden = ["unshare", "-m", "sh", "-c", 'mkdir -p /usr/share/dns && mount -t tmpfs none /usr/share/dns && exec "$@"', "sh"]
    for args in (["-t"], ["-f"]):
        r = subprocess.run([*hidden, BUILD / "src/belfryd", *args, "-c", f], capture_output=True, text=True,
                           timeout=2 * WAIT_S, stdin=subprocess.DEVNULL)
        assert r.returncode == 2 and "install the package dns-root-data" in r.stderr, r.stderr
    assert belfryd("-t", "-c", f).returncode == (0 if os.path.exists("/usr/share/dns/root.key") else 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="not as root")
def test_users_are_ignored_when_not_root(check):
    assert check(GOOD.replace('user = ""', 'user = "no-such-user"')).returncode == 0


def test_example_and_demo_configurations_are_fine():
    as_is = ["-D", "server.user=", "-D", "server.group=", "-D", "control.group="]
    r = belfryd("-t", "-c", ROOT / "etc/belfry.conf", *as_is)
    assert r.returncode == 0 and r.stderr == "", r.stderr
    r = belfryd("-t", "-c", ROOT / "etc/belfry-demo.conf")
    assert r.returncode == 0 and r.stderr == "", r.stderr


def test_comments_of_the_example_are_fine_too(tmp_path):
    """What the example shows in comments can be taken as it is."""
    text = (ROOT / "etc/belfry.conf").read_text()
    text = re.sub(r"^(\s*)// ((\{ name|carrier: \{|\};|  (targets|policy|probe|max_calls)\b).*)$", r"\1\2", text,
                  flags=re.M)
    f = tmp_path / "belfry.conf"
    f.write_text(text)
    r = belfryd("-t", "-c", f, "-D", "server.user=", "-D", "server.group=")
    assert "trunk:carrier" in text and r.returncode == 0, r.stderr


def test_pages_of_the_modules_name_their_settings():
    """The other documents: tests/unit/module/test_docs.c."""
    for module in ("auth", "registrar"):
        conf = (ROOT / "etc/belfry.conf").read_text().split("\n%s: {" % module)[1].split("\n};")[0]
        names = re.findall(r"^  (\w+) =", conf, re.M)
        assert len(names) >= 6
        page = (ROOT / "doc/modules" / (module + ".md")).read_text()
        for name in names:
            assert "%s =" % name in page, name
