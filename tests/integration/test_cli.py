# SPDX-License-Identifier: LGPL-2.1-or-later
"""What spawnlet(1) says of containers that systemd runs."""

import json

from case import contains, contains_not, equal
from host import wait_until


def test_list_and_instances(host):
    """Instances are known by their names, whether anybody declared them or not."""
    host.define("web@", "[Container]\nSystem=host\n[Network]\nLocalAddress=10.90.0.%i\n", reload=False)
    host.write("/etc/spawnlet/web@2.container.d/x.conf", "[Container]\nAutoStart=no\n")
    host.define("bad", "[Container]\nSystem=x\n", reload=False)
    host.define("idle", "[Container]\nSystem=host\nAutoStart=no\n")
    host.run("systemctl", "start", "container-web@3")
    assert not host.ok("systemctl", "start", "container-bad")

    rows = [tuple(line.split()) for line in host.out("spawnlet", "list").splitlines()]
    equal(rows, [
        ("NAME", "STATE", "ADDRESSES"),
        ("bad", "invalid", "-"),
        ("idle", "stopped", "-"),
        ("web@2", "stopped", "10.90.0.2"),
        ("web@3", "running", "10.90.0.3"),
    ])
    equal([row["name"] for row in json.loads(host.out("spawnlet", "list", "--json"))],
          ["bad", "idle", "web@2", "web@3"])
    for name in ("web@2", "web@3", "web@4"):
        equal(host.out("spawnlet", "show-ip", name), f"10.90.0.{name[-1]}")
    equal(host.out("spawnlet", "run", "web@3", "/bin/cat", "/proc/sys/kernel/hostname"), "web-3")
    host.run("spawnlet", "stop", "web@3")
    contains_not("running", host.out("spawnlet", "list"))


def test_unit_is_what_systemd_has(host):
    """Printed at any time, also before a daemon-reload."""
    host.define("web", "[Container]\nSystem=host\n[Service]\nMemoryMax=1G\n")
    generated = host.read("/run/systemd/generator/container-web.service")
    equal(host.run("spawnlet", "unit", "web").stdout, generated)
    host.define("web", "[Container]\nSystem=host\n[Service]\nMemoryMax=2G\n", reload=False)
    contains("MemoryMax=2G", host.out("spawnlet", "unit", "web"))


def test_settings_that_are_too_new(host):
    """What the systemd that runs does not know is a warning: the definition may be for another."""
    version = int(host.out("systemctl", "--version").split()[1])
    host.define("web", """\
        [Container]
        Root=/srv/web
        AutoStart=no

        [Files]
        Bind=/srv/a:/srv/b:owneridmap

        [Exec]
        RestrictAddressFamilies=AF_INET
    """)
    found = [f"warning: /etc/spawnlet/web.container:{line}: [{section}] {key}: "
             f"needs systemd {since}, and {version} runs here"
             for line, section, key, since in (
                 (6, "Files", "Bind=/srv/a:/srv/b:owneridmap", 256),
                 (9, "Exec", "RestrictAddressFamilies=AF_INET", 261),
             ) if since > version]
    equal(host.run("spawnlet", "check", "web").stdout.splitlines(), found)
    equal(host.ok("spawnlet", "check", "--strict", "web"), not found)


def test_status_says_what_is_wrong(host):
    """The reason is in the unit's description and in its log, without another command."""
    host.define("web", "[Container]\nSystem=host\n\n[Network]\nLocalAddress=10.90.0.300\n")
    reason = "/etc/spawnlet/web.container:5: [Network] LocalAddress=10.90.0.300: not an IPv4"
    status = host.run("systemctl", "status", "--full", "container-web", check=False)
    contains(reason, status.stdout)
    failed = host.run("spawnlet", "start", "web", check=False)
    equal(failed.returncode, 1)
    contains("web: ", failed.stderr)
    contains("`journalctl -u container-web.service` shows", failed.stderr)
    contains(reason, host.out("journalctl", "-u", "container-web", "-o", "cat"))


def test_what_start_restart_and_reload_say(host):
    host.define("web", "[Container]\nSystem=host\n[Network]\nBridge=br9\n")
    failed = host.run("spawnlet", "start", "web", check=False)
    equal(failed.returncode, 1)
    contains("web: There is no bridge 'br9'", failed.stderr)
    contains("; `journalctl -u container-web.service` shows more.", failed.stderr)
    failed = host.run("spawnlet", "reload", "web", check=False)
    equal((failed.returncode, failed.stderr),
          (1, "spawnlet: web: it does not run, so it cannot be reloaded\n"))

    host.define("web", "[Container]\nSystem=host\n", reload=False)
    outdated = ("spawnlet: web: its definition has changed since the last daemon-reload: this goes by the "
                "old one; 'spawnlet apply web' takes over the changes\n")
    contains(outdated, host.run("spawnlet", "start", "web", check=False).stderr)
    host.run("spawnlet", "apply", "web")
    equal(host.run("spawnlet", "reload", "web").stderr, "")
    host.define("web", "[Container]\nSystem=host\nDescription=Another\n", reload=False)
    for verb in ("start", "reload"):
        equal(host.run("spawnlet", verb, "web").stderr, outdated)
    equal(host.run("spawnlet", "stop", "web").stderr, "")


def test_health_in_the_list(host):
    host.define("plain", "[Container]\nSystem=host\n", reload=False)
    host.define("web", """\
        [Container]
        System=host
        HealthCommand=/usr/bin/test -e /run/well
        HealthInterval=1s
        HealthRetries=1
    """)

    def health(name):
        (row,) = [row for row in json.loads(host.out("spawnlet", "list", "--json")) if row["name"] == name]
        return row["state"], row["health"]

    equal(health("web"), ("stopped", None))
    host.run("spawnlet", "start", "web", "plain")
    wait_until("it is unhealthy", lambda: health("web") == ("running", "unhealthy"))
    rows = [tuple(line.split()) for line in host.out("spawnlet", "list").splitlines()]
    equal(rows[1:], [("plain", "running", "-"), ("web", "unhealthy", "-")])
    equal(health("plain"), ("running", None))
    host.run("spawnlet", "run", "web", "/usr/bin/touch", "/run/well")
    wait_until("it is healthy", lambda: health("web") == ("running", "healthy"))
    contains("web   running", host.out("spawnlet", "list"))
    host.run("spawnlet", "stop", "web")
    equal(health("web"), ("stopped", None))
