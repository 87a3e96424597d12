#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
What spawnlet(1) prints and returns without a systemd to talk to: check, show, cat, unit, keys.

    test_cli.py BUILD/cli/spawnlet BUILD/generator/spawnlet-generator

As root, every command runs as an ordinary user, which is all that these verbs need.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SPAWNLET, GENERATOR = (Path(p).resolve() for p in sys.argv[1:3])
NOBODY = 65534

GOOD = "[Container]\nSystem=host\n"


class Result:
    def __init__(self, status, out, err=""):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"exit status {self.status}\nstdout:\n{self.out}\nstderr:\n{self.err}"


class CliTest(unittest.TestCase):
    maxDiff = None
    prefix = []  # a command that runs the others

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="spawnlet-")
        self.addCleanup(temporary.cleanup)
        self.top = Path(temporary.name)
        self.top.chmod(0o755)
        self.directory = self.top / "etc"
        self.directory.mkdir()
        # The build directory may be closed to others.
        self.program = self.top / "spawnlet"
        shutil.copy(SPAWNLET, self.program)
        self.user = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm",
                "SPAWNLET_PATH": str(self.directory), **more}

    def run_cli(self, *args, cwd=None):
        done = subprocess.run([*self.prefix, self.program, *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment(),
                              cwd=cwd or self.top, **self.user)
        return Result(done.returncode, done.stdout.replace(str(self.directory), "DIR"),
                      done.stderr.replace(str(self.directory), "DIR"))

    def on_terminal(self, *args, **environment):
        """What is seen on a terminal of 80 columns."""
        master, slave = pty.openpty()
        process = subprocess.Popen([*self.prefix, self.program, *args], stdin=slave, stdout=slave,
                                   stderr=slave, env=self.environment(**environment), **self.user)
        os.close(slave)
        text = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: the other side has been closed
                break
            if not data:
                break
            text += data
        os.close(master)
        return Result(process.wait(), text.decode().replace("\r\n", "\n").replace(
            str(self.directory), "DIR"))


class Check(CliTest):
    def test_nothing_to_say(self):
        self.write("a.container", GOOD)
        result = self.run_cli("check")
        self.assertEqual((result.status, result.out), (0, ""), result)
        self.assertIn("1 definition, no problems", result.err)
        self.assertEqual(self.run_cli("check", "--json").out, "[]\n")

    def test_exit_statuses(self):
        self.write("good.container", GOOD)
        self.write("warned.container", GOOD + "Frobnicate=yes\n")
        self.write("bad.container", "[Container]\nSystem=x\n")
        for args, status in (
            (["good"], 0),
            (["warned"], 0),
            (["--strict", "good"], 0),
            (["--strict", "warned"], 1),
            (["bad"], 1),
            (["good", "bad", "good"], 1),
            ([], 1),
            (["missing"], 1),
            (["./missing.container"], 1),
            (["not a name"], 1),
            (["--no-such-option"], 2),
        ):
            with self.subTest(args=args):
                result = self.run_cli("check", *args)
                self.assertEqual(result.status, status, result)
                self.assertTrue(result.out or result.err or status == 0, "nothing is said")

    def test_text(self):
        self.write("bad.container", "[Container]\nSystem=x\nDescripton=y\n\nnothing\n")
        self.assertEqual(self.run_cli("check").out, """\
DIR/bad.container:2: [Container] System=x: neither 'host' nor an absolute path
warning: DIR/bad.container:3: [Container] Descripton=y: unknown key, ignored (did you mean 'Description='?)
DIR/bad.container:5: [Container]: neither a section nor an assignment (write Key=value)
""")

    def test_json(self):
        path = self.write("bad.container", "[Exec]\nEnvironment=A=1 \\\n   \"Ä=2\" x\nUsr=1\n")
        result = self.run_cli("check", "--json")
        self.assertEqual(result.status, 1)
        self.assertEqual(json.loads(result.out), [
            {"file": "DIR/bad.container", "line": 3, "column": 4, "section": "Exec",
             "key": "Environment", "value": "A=1     \"Ä=2\" x", "severity": "error",
             "message": "'Ä=2' is not an assignment, such as 'NAME=value'", "hint": None},
            {"file": "DIR/bad.container", "line": 4, "column": 1, "section": "Exec",
             "key": "Usr", "value": "1", "severity": "warning",
             "message": "unknown key, ignored", "hint": "did you mean 'User='?"},
        ])
        path.unlink()
        self.assertEqual(json.loads(self.run_cli("check", "--json").out), [])

    def test_a_finding_without_a_place(self):
        (finding,) = json.loads(self.run_cli("check", "--json", "missing").out)
        self.assertEqual((finding["file"], finding["line"], finding["column"], finding["key"]),
                         ("missing", 0, 0, None))

    def test_caret(self):
        self.write("bad.container", "[Network]\n\tMTU=ten\nDNS=10.0.0.1 漢字 ä\n")
        result = self.on_terminal("check", NO_COLOR="1")
        self.assertEqual(result.status, 1)
        self.assertEqual(result.out, """\
DIR/bad.container:2: error: [Network] MTU=ten: not a number from 68 to 65535
  \tMTU=ten
  \t    ^
DIR/bad.container:3: error: [Network] DNS=10.0.0.1 漢字 ä: '漢字' is not an IPv4 or IPv6 address
  DNS=10.0.0.1 漢字 ä
               ^
""")

    def test_caret_of_a_long_line(self):
        words = " ".join(f"10.0.0.{i}" for i in range(200))
        self.write("bad.container", f"[Network]\nDNS={words} bad {words}\n")
        shown, caret = self.on_terminal("check", NO_COLOR="1").out.splitlines()[1:]
        self.assertLessEqual(len(shown), 80)
        self.assertEqual(shown[caret.index("^"):][:4], "bad ")

    def test_colour(self):
        self.write("bad.container", "[Network]\nMTU=ten\n")
        coloured = self.on_terminal("check").out
        self.assertIn("\x1b[1;31merror:\x1b[0m", coloured)
        self.assertNotIn("\x1b", self.on_terminal("check", NO_COLOR="1").out)
        self.assertNotIn("\x1b", self.on_terminal("check", TERM="dumb").out)
        self.assertNotIn("\x1b", self.run_cli("check").out)
        self.assertNotIn("\x1b", self.on_terminal("check", "--json").out)

    def test_a_file_cannot_control_the_terminal(self):
        self.write("bad.container", "[Network]\nMTU=\x1b[2Jten\x07\n")
        for result in (self.run_cli("check"), self.on_terminal("check", NO_COLOR="1")):
            self.assertNotRegex(result.out, "[\x1b\x07]")
            self.assertIn("?[2Jten?", result.out)

    def test_blanks_in_a_path(self):
        path = self.write("two words/bad.container", "[Network]\nMTU=ten\n")
        result = self.on_terminal("check", str(path), NO_COLOR="1")
        self.assertTrue(result.out.startswith("DIR/two words/bad.container:2: error: "), result)

    def test_several_definitions_against_each_other(self):
        text = GOOD + "[Network]\nLocalAddress=10.0.0.2\n"
        self.write("a.container", text)
        self.write("b.container", text)
        self.write("c.container", text + "[Container]\nAutoStart=no\n")
        result = self.run_cli("check")
        self.assertEqual((result.status, result.out), (1, """\
DIR/b.container:4: [Network] LocalAddress=10.0.0.2: the same address as that of 'a' in DIR/a.container:4
warning: DIR/c.container:4: [Network] LocalAddress=10.0.0.2: the same address as that of 'a' in \
DIR/a.container:4 (they cannot run at the same time)
"""))
        # One by name is looked at beside all others, of which nothing else is said.
        self.assertEqual(self.run_cli("check", "a").out, """\
DIR/a.container:4: [Network] LocalAddress=10.0.0.2: the same address as that of 'b' in DIR/b.container:4
""")
        # Files are looked at beside each other alone.
        file = str(self.directory / "a.container")
        self.assertEqual(self.run_cli("check", file).status, 0)
        self.assertEqual(self.run_cli("check", file, str(self.directory / "b.container")).status, 1)

    def test_instances(self):
        self.write("web@.container", "[Container]\nSystem=host\n[Network]\nLocalAddress=10.0.0.%i\n")
        self.assertEqual(self.run_cli("check", "web@7").status, 0)
        result = self.run_cli("check", "web@blue")
        self.assertEqual((result.status, result.out), (1, """\
DIR/web@.container:4: [Network] LocalAddress=10.0.0.%i: not an IPv4 or IPv6 address
"""))

    def test_a_file_that_may_not_be_read(self):
        if not self.user:
            self.skipTest("takes root, to be another user")
        self.write("good.container", GOOD)
        self.write("secret.container", GOOD).chmod(0)
        result = self.run_cli("check")
        self.assertEqual(result.status, 1)
        self.assertIn("DIR/secret.container: ", result.out)
        self.assertIn("Permission denied", result.out)


class Show(CliTest):
    def setUp(self):
        super().setUp()
        self.write("web.container", GOOD + "Description=one\n[Exec]\nEnvironment=A=1\n")
        self.write("web.container.d/10.conf", "[Container]\nDescription=two\n[Exec]\nEnvironment=B=2\n")
        self.write("container.d/20.conf", "[Service]\nMemoryMax=1G\n")

    def test_show(self):
        result = self.run_cli("show", "web")
        self.assertEqual(result.status, 0)
        self.assertEqual([line.split("#")[0].rstrip() for line in result.out.splitlines()], [
            "[Container]", "System=host", "Description=two", "", "[Exec]", "Environment=A=1",
            "Environment=B=2", "", "[Service]", "MemoryMax=1G"])
        self.assertIn("# DIR/web.container.d/10.conf:2\n", result.out)

    def test_show_json(self):
        settings = json.loads(self.run_cli("show", "--json", "web").out)
        self.assertIn({"section": "Exec", "key": "Environment", "value": "B=2",
                       "file": "DIR/web.container.d/10.conf", "line": 4, "column": 13}, settings)

    def test_show_what_is_not_valid(self):
        self.write("web.container.d/30.conf", "[Network]\nMTU=x\n")
        result = self.run_cli("show", "web")
        self.assertEqual(result.status, 1)
        self.assertIn("MTU=x: not a number", result.err)
        self.assertIn("Description=two", result.out)

    def test_cat(self):
        self.assertEqual(self.run_cli("cat", "web").out, f"""\
# DIR/web.container
{GOOD}Description=one
[Exec]
Environment=A=1

# DIR/web.container.d/10.conf
[Container]
Description=two
[Exec]
Environment=B=2

# DIR/container.d/20.conf
[Service]
MemoryMax=1G
""")

    def test_missing_and_masked(self):
        (self.directory / "masked.container").symlink_to("/dev/null")
        for verb in "show", "cat", "unit":
            for name, reason in (("missing", "There is no definition of 'missing'"),
                                 ("masked", "The definition of 'masked' is masked")):
                with self.subTest(verb=verb, name=name):
                    result = self.run_cli(verb, name)
                    self.assertEqual((result.status, result.out), (1, ""), result)
                    self.assertIn(reason, result.err)

    def test_unit_is_what_the_generator_writes(self):
        self.write("tmpl@.container", GOOD)
        self.write("tmpl@blue.container.d/x.conf", "[Network]\nLocalAddress=10.0.0.2\n")
        self.write("bad.container", "[Container]\nSystem=x\n")
        out = self.top / "out"
        out.mkdir()
        subprocess.run([GENERATOR, out], check=True, capture_output=True, env=self.environment())
        names = {"web": 0, "tmpl@": 0, "tmpl@blue": 0, "bad": 1}
        for name, status in names.items():
            with self.subTest(name=name):
                result = self.run_cli("unit", name)
                written = (out / f"container-{name}.service").read_text()
                self.assertEqual(result.out, written.replace(str(self.directory), "DIR"))
                self.assertEqual(result.status, status, result)

    def test_a_file_by_itself(self):
        path = self.write("other/one.container", GOOD)
        result = self.run_cli("unit", str(path))
        self.assertEqual(result.status, 0, result)
        self.assertIn("--machine=one", result.out)
        self.assertNotIn("MemoryMax", result.out)  # a drop-in is for what is installed


# The first line of what a container was started with, as settings.c writes it.
RECORD = "# What this container was started with, and what was changed since.\n"


class Diff(CliTest):
    """On a /run of its own, without a bus, and with what containers were started with."""

    def setUp(self):
        super().setUp()
        self.started = self.top / "run/spawnlet/started"
        self.started.mkdir(parents=True)
        mount = ["unshare", "--mount", "--map-root-user", "sh", "-c",
                 'mount --bind "$0" /run && exec "$@"', str(self.top / "run")]
        if os.geteuid() == 0:
            mount.remove("--map-root-user")
            mount += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        self.prefix, self.user = mount, {}
        if subprocess.run([*mount, "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespace to be had")

    def record(self, name, *lines, header=RECORD):
        (self.started / name).write_text(header + "".join(line + "\n" for line in lines))

    def diff(self, *args, status=0):
        result = self.run_cli("diff", *args)
        self.assertEqual(result.status, status, result)
        return result.out

    def test_no_difference(self):
        self.write("web.container", GOOD + "Services=a.service b.service\n[Network]\nDNS=10.0.0.1\nDNS=10.0.0.2\n")
        self.record("web", "[Container]System=host", "[Container]Services=a.service",
                    "[Container]Services=b.service", "[Network]DNS=10.0.0.1", "[Network]DNS=10.0.0.2")
        self.write("stopped.container", GOOD)
        self.assertEqual((self.diff(), self.diff("--json")), ("", "[]\n"))
        self.assertIn("only what runs is compared", self.run_cli("diff").err)

    def test_each_effect(self):
        (self.top / "run/spawnlet/network/web").mkdir(parents=True)
        self.write("web.container", GOOD + """\
Description=a\x1bb
[Exec]
Environment=A=1 B=2
[Network]
LocalAddress=10.1.0.2
Port=80
[Veth dmz]
LocalAddress=10.0.0.2
[Service]
MemoryMax=1G
""")
        self.record("web", "[Container]System=host", "[Container]Description=old",
                    "[Exec]Environment=A=1", "[Exec]Environment=C=3", "[Network]LocalAddress=10.1.0.2",
                    "[Network]Port=80", "[Network]Port=81", "[Service]MemoryMax=2G")
        text = """\
web: restart
  [Container] Description=: nothing
    - old
    + a?b
  [Exec] Environment=: restart
    - C=3
    + B=2
  [Network] Port=: reload
    - 81
  [Veth dmz] LocalAddress=: reload
    + 10.0.0.2
  [Service] MemoryMax=: live
    - 2G
    + 1G
"""
        self.assertEqual(self.diff(), text)
        self.assertEqual(self.diff("web"), text)
        (web,) = json.loads(self.diff("--json"))
        self.assertEqual((web["name"], web["action"], web["reason"]), ("web", "restart", None))
        self.assertNotIn("result", web)
        self.assertEqual(web["changes"][1], {
            "section": "Exec", "key": "Environment", "veth": None, "old": ["A=1", "C=3"],
            "new": ["A=1", "B=2"], "takes": "restart"})
        self.assertEqual(web["changes"][3]["veth"], "dmz")

        # The same where nobody may restart it.
        self.write("web.container.d/x.conf", "[Container]\nRestartIfChanged=no\n")
        self.assertIn("web: reload, and restart needed (RestartIfChanged=no: apply does not restart it)\n",
                      self.diff())
        self.write("web.container", GOOD + "[Exec]\nEnvironment=A=1\n")
        self.record("web", "[Container]System=host")
        self.assertIn("web: restart needed (RestartIfChanged=no: apply does not restart it)\n", self.diff())

    def test_the_address_of_a_zone(self):
        """It is one bridge's, so a reload of one member cannot change it."""
        (self.top / "run/spawnlet/network/web").mkdir(parents=True)
        self.write("web.container", GOOD + """\
[Network]
Zone=z
HostAddress=10.1.0.1
[Veth plain]
HostAddress=10.2.0.1
[Veth zoned]
Zone=y
HostAddress=10.3.0.1
[Veth new]
Zone=x
HostAddress=10.4.0.1
""")
        self.record("web", "[Container]System=host", "[Network]Zone=z", "[Network]HostAddress=10.1.0.9",
                    "[Veth plain]HostAddress=10.2.0.9", "[Veth zoned]Zone=y", "[Veth zoned]HostAddress=10.3.0.9",
                    "[Veth old]Zone=x", "[Veth old]HostAddress=10.4.0.9")
        (web,) = json.loads(self.diff("--json"))
        self.assertEqual({change["veth"]: change["takes"] for change in web["changes"]
                          if change["key"] == "HostAddress"},
                         {None: "restart", "plain": "reload", "zoned": "restart", "new": "restart",
                          "old": "restart"})

    def test_health_checks_that_go(self):
        self.write("web.container", GOOD + "HealthCommand=/bin/a\n")
        self.record("web", "[Container]System=host", "[Container]HealthCommand=/bin/b")
        self.assertIn("[Container] HealthCommand=: live\n", self.diff())
        self.write("web.container", GOOD)
        self.assertIn("web: reload\n  [Container] HealthCommand=: reload\n", self.diff())

    def test_findings_come_with_the_plan(self):
        """Of those that something is said of."""
        for name in ("web", "same", "bad"):
            self.write(f"{name}.container", GOOD + "Descripton=y\n")
            self.record(name, "[Container]System=host")
        self.write("web.container.d/x.conf", "[Network]\nPort=80\n[Exec]\nUsr=x\n")
        self.write("bad.container.d/x.conf", "[Network]\nPort=x\n")
        result = self.run_cli("diff")
        self.assertEqual(result.status, 1)
        self.assertIn("warning: DIR/web.container:3: [Container] Descripton=y: unknown key", result.err)
        self.assertIn("warning: DIR/web.container.d/x.conf:4: [Exec] Usr=x: unknown key", result.err)
        self.assertIn("DIR/bad.container.d/x.conf:2: [Network] Port=x", result.err)
        self.assertNotIn("same.container", result.err)

    def test_no_definition_at_all(self):
        self.record("web", "[Container]System=host")
        self.record("cmd", "[Container]System=host")
        result = self.run_cli("diff")
        self.assertEqual(result.out, "cmd: stop (its definition is gone)\nweb: stop (its definition is gone)\n")
        self.assertIn("but 2 containers run: nothing is done. To stop them, name them: spawnlet apply cmd web\n",
                      result.err)
        self.assertNotIn("nothing is done", self.run_cli("diff", "web").err)
        self.write("other.container", GOOD)
        self.assertNotIn("nothing is done", self.run_cli("diff").err)

    def test_a_definition_that_may_not_be_read(self):
        if os.geteuid() != 0:
            self.skipTest("the files are the user's own")
        self.write("web.container", GOOD).chmod(0o600)
        self.write("two.container", GOOD)
        self.write("two.container.d/x.conf", "").chmod(0o600)
        result = self.run_cli("diff")
        self.assertEqual((result.status, result.out), (1, """\
two: nothing (its definition cannot be read)
web: nothing (its definition cannot be read)
"""))

    def test_similar_names(self):
        self.write("two.container", GOOD)
        self.write("web@.container", GOOD)
        for name, more in (("twp", ": did you mean 'two'?"), ("container-two", ": did you mean 'two'?"),
                           ("two.container", ": did you mean 'two'?"),
                           ("container-two.service", ": did you mean 'two'?"),
                           ("web", "."), ("database", ".")):
            with self.subTest(name=name):
                self.assertIn(f"There is no container '{name}'{more}", self.run_cli("diff", name).err)

    def test_a_command_is_one_value(self):
        self.write("web.container", "[Container]\nCommand=/bin/a b c\n")
        self.record("web", "[Container]Command=/bin/a", "[Container]Command=c", "[Container]Command=b")
        self.assertEqual(self.diff(), """\
web: restart
  [Container] Command=: restart
    - /bin/a c b
    + /bin/a b c
""")

    def test_the_order_of_a_list(self):
        self.write("web.container", GOOD + "[Network]\nDNS=10.0.0.1 10.0.0.2\n")
        self.record("web", "[Container]System=host", "[Network]DNS=10.0.0.2", "[Network]DNS=10.0.0.1")
        self.assertIn("    in another order\n", self.diff())
        # A reload writes down what it has not changed before what it has.
        self.write("web.container", GOOD + "[Files]\nBind=/a:/a\nBind=+/b:/b\nBind=/c:/c\n")
        self.record("web", "[Container]System=host", "[Files]Bind=+/b:/b", "[Files]Bind=/a:/a",
                    "[Files]Bind=/c:/c")
        self.assertEqual(self.diff(), "")

    def test_a_network_of_another_kind(self):
        self.write("web.container", GOOD + "[Network]\nLocalAddress=10.0.0.2\n")
        self.record("web", "[Container]System=host")
        self.assertIn("[Network] LocalAddress=: restart\n", self.diff())
        (self.top / "run/spawnlet/network/web").mkdir(parents=True)
        self.assertIn("[Network] LocalAddress=: reload\n", self.diff())
        self.write("web.container", GOOD)
        self.record("web", "[Container]System=host", "[Network]Private=yes")
        self.assertIn("[Network] Private=: restart\n", self.diff())

    def test_another_system(self):
        profiles = "/nix/var/nix/profiles"
        for old, new, more, takes in (
            (f"{profiles}/a", f"{profiles}/b", "", "reload"),
            (f"{profiles}/a", f"{profiles}/b", "ReloadCommand=/bin/true\n", "restart"),
            ("host", f"{profiles}/b", "", "restart"),
            (f"{profiles}/a", "host", "", "restart"),
        ):
            with self.subTest(old=old, new=new):
                self.write("web.container", f"[Container]\nSystem={new}\n{more}")
                self.record("web", f"[Container]System={old}")
                self.assertIn(f"[Container] System=: {takes}\n", self.diff())

    def test_what_is_not_compared(self):
        self.write("old.container", GOOD)
        self.record("old", header="")
        self.record("gone", "[Container]System=host")
        self.write("bad.container", "[Container]\nSystem=x\n")
        self.record("bad", "[Container]System=host")
        self.record("web@one", "[Container]System=host")
        self.write("web@.container", GOOD + "Description=%i\n")
        result = self.run_cli("diff")
        self.assertEqual((result.status, result.out), (1, """\
bad: nothing (its definition has errors)
gone: stop (its definition is gone)
old: nothing (what it was started with is not known: a restart would bring it up to date)
web@one: nothing
  [Container] Description=: nothing
    + one
"""), result)
        self.assertIn("DIR/bad.container:2: [Container] System=x", result.err)
        self.assertIn("There is no container 'missing'", self.run_cli("diff", "missing").err)
        self.diff("missing", "gone", status=1)
        self.diff("gone")

    def test_colours(self):
        self.write("web.container", GOOD)
        self.record("web", "[Container]System=host", "[Network]Port=80")
        self.assertIn("    \x1b[31m- 80\x1b[0m\n", self.on_terminal("diff").out)
        self.assertNotIn("\x1b", self.on_terminal("diff", NO_COLOR="1").out)
        self.assertNotIn("\x1b", self.on_terminal("diff", TERM="dumb").out)
        self.assertNotIn("\x1b", self.on_terminal("diff", "--json").out)
        self.assertNotIn("\x1b", self.diff())


class Usage(CliTest):
    def test_help_names_each_verb(self):
        result = self.run_cli("--help")
        self.assertEqual((result.status, result.err), (0, ""))
        for verb in ("list", "status", "start", "stop", "restart", "reload", "diff", "apply",
                     "check", "show", "cat", "unit", "keys", "show-ip", "run", "shell"):
            self.assertRegex(result.out, rf"\n  {verb} ")
        self.assertTrue(all(len(line) <= 80 for line in result.out.splitlines()))
        self.assertEqual(self.run_cli("help").out, result.out)

    def test_wrong_usage(self):
        for args, text in (
            ([], "A verb is missing"),
            (["chek"], "did you mean 'check'"),
            (["frobnicate"], "Unknown verb"),
            (["show"], "Usage: spawnlet show NAME|FILE"),
            (["show", "a", "b"], "Usage:"),
            (["cat", "--json", "a"], "--json has no meaning"),
            (["start", "no/name"], "not the name of a container"),
            (["shell", "no/name"], "not the name of a container"),
            (["diff", "no/name"], "not the name of a container"),
            (["diff", "web@"], "is a template"),
            (["diff", "--dry-run"], "--dry-run has no meaning"),
            (["apply", "no/name"], "not the name of a container"),
            (["apply", "--strict"], "--strict has no meaning with 'apply'"),
            (["help", "--frobnicate"], "frobnicate"),
            (["apply"], "does not come from $SPAWNLET_PATH"),
        ):
            with self.subTest(args=args):
                result = self.run_cli(*args)
                self.assertEqual((result.status, result.out), (2, ""), result)
                self.assertIn(text, result.err)

    def test_keys(self):
        keys = json.loads(self.run_cli("keys", "--json").out)
        table = self.run_cli("keys").out
        for key in keys:
            self.assertRegex(table, rf"(?m)^{key['key']} ")
        self.assertGreater(len(keys), 90)

    def test_output_that_cannot_be_written(self):
        self.write("a.container", GOOD)
        with open("/dev/full", "w") as full:
            for args in (["cat", "a"], ["unit", "a"], ["show", "a"], ["keys"], ["keys", "--json"]):
                with self.subTest(args=args):
                    done = subprocess.run([self.program, *args], stdout=full,
                                          stderr=subprocess.PIPE, env=self.environment())
                    self.assertEqual(done.returncode, 1, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
