# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions on a host: mistakes cost nobody else anything, and are told where one looks."""

import json

from case import contains, contains_not, equal
from containers import WEB, web, says
from host import wait_until

BROKEN = """\
[Container]
System=host

[Network]
LocalAddress=10.0.0.300
"""


def test_a_broken_definition_beside_good_ones(host):
    host.define("broken", BROKEN, reload=False)
    host.write("/etc/spawnlet/-name.container", "[Container]\n")
    host.run("mkfifo", "/etc/spawnlet/fifo.container")
    host.run("mkdir", "/etc/spawnlet/directory.container")
    host.run("ln", "-s", "/nowhere", "/etc/spawnlet/dangling.container")
    host.run("ln", "-s", "/dev/null", "/etc/spawnlet/masked.container")
    web(host)

    message = ("/etc/spawnlet/broken.container:5: [Network] LocalAddress=10.0.0.300: "
               "not an IPv4 or IPv6 address")
    says(host, message, "systemctl", "status", "container-broken")
    assert not host.ok("systemctl", "start", "container-broken")
    says(host, message, "journalctl", "-u", "container-broken")

    for name in "fifo", "directory", "dangling":
        contains(f"/etc/spawnlet/{name}.container", host.out("systemctl", "show", "-P", "Description",
                                                             f"container-{name}"))
    equal(host.unit("container-masked")["LoadState"], "not-found")

    host.run("systemctl", "start", "container-web")
    equal(host.state("container-web"), "active")


def test_a_repaired_definition_needs_a_reload_and_says_so(host):
    host.define("web", BROKEN)
    host.write("/etc/spawnlet/web.container", WEB.replace("    ", ""))

    assert not host.ok("systemctl", "start", "container-web")
    says(host, "Run 'systemctl daemon-reload'", "journalctl", "-u", "container-web")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "container-web")


def test_units_are_clean(host):
    host.write("/etc/spawnlet/all.container", """\
[Container]
Description=100% "quoted" \\ $HOME; done
System=host
Services=a.service

[Exec]
Environment="A=b c" "P=100%" D=$HOME 'Q=a"b' S=;
Parameters=; $X %n

[Files]
Bind=/srv/with space:/mnt/x y
BindReadOnly=/srv/100%

[Network]
HostAddress=10.0.0.1
LocalAddress=10.0.0.2

[Service]
MemoryMax=1G
""")
    host.run("mkdir", "-p", "/srv/with space", "/srv/100%")
    host.run("systemctl", "daemon-reload")
    verify = host.run("systemd-analyze", "verify", "--man=no",
                      "/run/systemd/generator/container-all.service")
    equal(verify.stderr, "")
    equal(host.unit("container-all")["Description"], '100% "quoted" \\ $HOME; done')

    host.run("systemctl", "start", "container-all")
    environment = host.out("spawnlet", "run", "all", "sh", "-c", "tr '\\0' '\\n' </proc/1/environ")
    for line in "A=b c", "P=100%", "D=$HOME", 'Q=a"b', "S=;":
        contains(line, environment.splitlines())
    arguments = host.out("spawnlet", "run", "all", "sh", "-c", "tr '\\0' '\\n' </proc/1/cmdline")
    equal(arguments.splitlines()[-3:], [";", "$X", "%n"])
    host.run("spawnlet", "run", "all", "test", "-d", "/mnt/x y")


def test_generator_keeps_quiet_and_writes_nothing_without_definitions(host):
    # systemd removes its directories if no generator has written anything.
    equal(host.out("find", "/run/systemd", "-path", "/run/systemd/generator*", "-name", "*container-*"), "")
    contains_not("spawnlet", host.out("journalctl", "-b", "-p", "warning"))


def test_messages_at_boot(host):
    host.define("broken", BROKEN)
    host.reboot()
    says(host, "LocalAddress=10.0.0.300", "journalctl", "-b", "-u", "container-broken")


def test_check(host):
    host.define("web", WEB)
    host.run("spawnlet", "check")
    host.define("broken", BROKEN + "\n[Netwrok]\nPrivate=yes\n")

    result = host.run("spawnlet", "check", "--json", check=False)
    equal(result.returncode, 1)
    findings = json.loads(result.stdout)
    equal([(f["line"], f["severity"], f.get("key")) for f in findings],
          [(5, "error", "LocalAddress"), (7, "warning", None)])
    contains("[Network]", findings[1]["hint"])

    equal(host.run("spawnlet", "check", "web").returncode, 0)
    equal(host.run("spawnlet", "check", "nothing", check=False).returncode, 1)
    equal(host.run("spawnlet", "chekc", check=False).returncode, 2)
    host.run("setpriv", "--reuid=65534", "spawnlet", "check", "web")


def test_list_status_and_show_ip(host):
    web(host)
    host.define("manual", "[Container]\nSystem=host\nAutoStart=no\n")
    equal(json.loads(host.out("spawnlet", "list", "--json")), [
        {"name": "manual", "state": "stopped", "health": None, "addresses": [], "users": None,
         "source": "/etc/spawnlet/manual.container"},
        {"name": "web", "state": "stopped", "health": None, "addresses": ["10.90.0.2", "fd90::2"],
         "users": None, "source": "/etc/spawnlet/web.container"},
    ])

    host.run("spawnlet", "start", "web", "manual")
    equal([c["state"] for c in json.loads(host.out("spawnlet", "list", "--json"))], ["running"] * 2)
    equal(host.out("spawnlet", "show-ip", "web"), "10.90.0.2\nfd90::2")
    contains("active (running)", host.out("spawnlet", "status", "web"))

    host.run("spawnlet", "stop", "web", "manual")
    equal(host.state("container-web"), "inactive")
    contains("there is no container", host.run("spawnlet", "show-ip", "x", check=False).stderr.lower())
    contains("systemctl daemon-reload", host.run("spawnlet", "start", "x", check=False).stderr)


def test_run_passes_the_exit_status_on(host):
    web(host)
    equal(host.run("spawnlet", "run", "web", "true", check=False).returncode, 126)
    host.run("systemctl", "start", "container-web")

    equal(host.run("spawnlet", "run", "web", "--", "sh", "-c", "exit 42", check=False).returncode, 42)
    equal(host.run("spawnlet", "run", "web", "/nowhere", check=False).returncode, 127)
    equal(host.run("spawnlet", "run", "web", "/etc", check=False).returncode, 126)
    equal(host.run("spawnlet", "run", "web", "sh", "-c", "kill -9 $$", check=False).returncode, 137)
    equal(host.run("spawnlet", "run", "web", "cat", input="through").stdout, "through")
    equal(host.out("sh", "-c", "spawnlet run web ls /proc/self/fd 7</etc/passwd").split(),
          ["0", "1", "2", "3"])  # 3 is of ls itself
    equal(host.out("spawnlet", "run", "web", "hostname"), "web")

    # In the container's cgroup and with its capabilities, not the host's.
    contains("/container-web.service/payload", host.out(
        "sh", "-c", "spawnlet run web sleep 1000 & "
                    "while ! pgrep -x sleep >/dev/null; do :; done; "
                    "cat /proc/$(pgrep -x sleep)/cgroup; pkill -x sleep; wait"))
    bounding = host.out("spawnlet", "run", "web", "sh", "-c", "grep CapBnd /proc/self/status")
    equal(bounding, host.out("spawnlet", "run", "web", "grep", "CapBnd", "/proc/1/status"))

    # A terminal of its own, and a session of its own.
    contains("uid=0", host.out("script", "-qec", "spawnlet shell web /usr/bin/id", "/dev/null"))
    contains("/dev/pts/", host.out("script", "-qec", "spawnlet run web tty", "/dev/null"))
    equal(host.run("script", "-qec", "spawnlet run web sh -c 'exit 7'", "/dev/null", check=False).returncode, 7)

    # What the command leaves behind does not hold it up, and nothing it printed is lost.
    command = "spawnlet run web sh -c 'trap \"\" HUP; sleep 1000 & seq 10000'"
    lines = host.out("script", "-qec", command, "/dev/null")
    equal(lines.split()[-1], "10000")
    host.run("pkill", "-x", "sleep")

    # Never the user's, also where only some of the three are one. (The master's number tells.)
    ends = host.out("script", "-qec", "readlink /proc/self/fd/0; spawnlet run web readlink /proc/self/fd/2 "
                                      "| cat", "/dev/null").split()
    equal(len(ends), 2)
    owner = host.out("script", "-qec", "spawnlet run web sh -c 'stat -Lc %d /proc/self/fd/0; "
                                       "stat -c %d /dev/pts/ptmx' | cat", "/dev/null").split()
    equal(owner[0], owner[1], "the terminal is none of the container's own")
    equal(host.out("script", "-qec", "echo typed | spawnlet run web cat", "/dev/null"), "typed")


def stops_in_order(host, before):
    """The container stops as if its definition had not changed."""
    host.run("systemctl", "stop", "container-web", timeout=20)
    equal(host.unit("container-web")["Result"], "success")
    says(host, "Reached target shutdown.target", "journalctl", "-u", "container-web")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_a_removed_definition_can_still_be_stopped(host):
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    host.remove("/etc/spawnlet/web.container")
    host.run("systemctl", "daemon-reload")

    equal([(c["name"], c["state"]) for c in json.loads(host.out("spawnlet", "list", "--json"))],
          [("web", "running")])
    stops_in_order(host, before)

    # Then it is gone for good.
    assert not host.ok("systemctl", "start", "container-web")
    host.run("systemctl", "daemon-reload")
    equal(host.unit("container-web")["LoadState"], "not-found")


def test_a_definition_that_breaks_while_it_runs_can_still_be_stopped(host):
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    host.define("web", BROKEN)

    equal(host.state("container-web"), "active")
    contains("not an IPv4 or IPv6 address", host.unit("container-web")["Description"])
    stops_in_order(host, before)
    assert not host.ok("systemctl", "start", "container-web")


def test_a_mask_while_it_runs(host):
    before = host.footprint()
    web(host)
    host.run("systemctl", "start", "container-web")
    host.run("ln", "-sf", "/dev/null", "/etc/spawnlet/web.container")
    host.run("systemctl", "daemon-reload")
    stops_in_order(host, before)


def test_the_generator_needs_libc_alone(host):
    """PID 1 waits for it at boot. (Not a unit test: those are built with sanitizers.)"""
    libraries = host.out("/lib64/ld-linux-x86-64.so.2", "--list",
                         "/usr/lib/systemd/system-generators/spawnlet-generator")
    equal({line.split()[0].rsplit("/", 1)[-1] for line in libraries.splitlines()},
          {"linux-vdso.so.1", "libc.so.6", "ld-linux-x86-64.so.2"})
