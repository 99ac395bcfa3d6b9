# SPDX-License-Identifier: Apache-2.0
"""Modules as files: the example of the manual built by its own Makefile, and what is refused."""
import shutil
import signal
import subprocess

import pytest
from conftest import BUILD, ROOT, WAIT_S

SCREEN = 'screen: { agents = ( "bad-scanner" ); status = 404; };'
CPPFLAGS = "CPPFLAGS=-I%s -I%s" % (ROOT / "include", ROOT / "src")


@pytest.fixture(scope="module")
def module_dir(tmp_path_factory):
    """A folder with Belfry's modules and the example, built as a user would."""
    d = tmp_path_factory.mktemp("modules")
    src = shutil.copytree(ROOT / "doc/example-module", d / "src")
    subprocess.run(["make", "-C", src, CPPFLAGS], check=True, capture_output=True)
    shutil.copy(src / "screen.so", d)
    for so in (BUILD / "modules/.libs").glob("*.so"):
        shutil.copy(so, d)
    return d


def refused(server):
    server.start(wait=False)
    assert server.process.wait(WAIT_S) == 1
    server.process = None
    return server.log()


def test_the_example_module_screens_by_user_agent(make_server, workers, peer, module_dir):
    server = make_server(workers=workers, server='module_dir = "%s";' % module_dir,
                         modules=("registrar", "screen"), extra=SCREEN)
    p = peer(server)
    assert p.register().status == 200
    req = p.request("OPTIONS", "sip:example.com", headers=["User-Agent: Very Bad-Scanner 1"])
    assert p.ask(req).status == 404
    assert p.ask(p.request("OPTIONS", "sip:example.com")).status == 200
    assert server.stat("belfry_screened_total") == 1
    screen = [m for m in server.json("modules")["modules"] if m["name"] == "screen"]
    assert screen[0]["hooks"] == "request" and screen[0]["version"] == "1"


def test_a_reload_takes_a_module_in_and_out(make_server, workers, peer, module_dir):
    server = make_server(workers=workers, server='module_dir = "%s";' % module_dir,
                         modules=("registrar",))
    p = peer(server)
    text = server.conf_file.read_text()
    bad = lambda: p.ask(p.request("OPTIONS", "sip:example.com", headers=["User-Agent: bad-scanner"])).status
    assert bad() == 200
    with_it = text.replace('"registrar" )', '"registrar", "screen" )') + SCREEN
    for status in (404, 410):
        server.conf_file.write_text(with_it.replace("404", str(status)))
        server.ctl("reload")
        assert bad() == status
    server.conf_file.write_text(text)
    server.ctl("reload")
    assert bad() == 200
    # A section of its own is read, and checked, also while the module is not in use.
    server.conf_file.write_text(with_it.replace("404", "7"))
    r = server.ctl("reload", check=False)
    assert r.returncode == 1 and "status" in r.stderr and "400" in r.stderr
    assert bad() == 200


def test_a_module_of_another_abi_is_refused(make_server, tmp_path):
    src = tmp_path / "other.c"
    src.write_text('#include "belfry/module.h"\nBELFRY_MODULE(other) = { .abi = 99, .name = "other" };\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-I%s" % (ROOT / "include"), "-I%s" % (ROOT / "src"),
                    "-o", tmp_path / "other.so", src], check=True)
    server = make_server(start=False, server='module_dir = "%s";' % tmp_path, modules=("other",),
                         registrar="")
    server.conf_file.write_text(server.conf_file.read_text().replace("registrar: {  };\n", ""))
    log = refused(server)
    assert "other.so" in log and "99" in log and "ABI" in log


def test_an_unknown_module_is_refused_with_the_place_looked_at(make_server):
    server = make_server(start=False, modules=("registrar", "registra"))
    log = refused(server)
    assert "registra.so" in log and "belfry.conf:" in log


def test_an_enabled_module_keeps_its_bans_over_a_reload(make_server, workers, peer):
    server = make_server(workers=workers, auth='max_failures = 1; ban_time = 60;')
    server.ctl("user", "add", "alice@example.com", "--password-stdin", stdin="right\n")
    evil = peer(server, user="alice", ip="127.0.0.66")
    evil.register(password="wrong", expect=None)
    server.wait_for(lambda: "127.0.0.66" in server.ctl("ban", "list").stdout, "a ban")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: server.json("status")["last_reload"], "a reload")
    assert server.json("ban", "list")["bans"][0]["address"] == "127.0.0.66"
