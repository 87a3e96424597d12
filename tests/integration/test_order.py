# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers that wait for each other, for units of the host and for its mounts: [Unit] as anywhere."""

from case import contains, equal
from containers import fetch, init_start_time, serve
from host import wait_until

DB = """\
    [Container]
    System=host
    Services=database.service
"""

WEB = """\
    [Unit]
    {dependency}=container-db.service
    After=container-db.service

    [Container]
    System=host
    Services=hello.socket last.service

    [Network]
    HostAddress=10.90.0.1
    LocalAddress=10.90.0.2

    [Service]
    # Has to be there when this one begins.
    ExecStartPre=/bin/test -e /var/lib/machines/db/run-mark/ready
"""

# Takes its time for both, and says when.
SLOW = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'sleep 1; touch /run-mark/ready'
ExecStop=/bin/sh -c 'rm -f /run-mark/ready; date +%%s%%N >/run-mark/stop'
"""
LAST = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'sleep 1; date +%%s%%N >/run-mark/stop'
"""

MOUNT = "[Mount]\nWhat=tmpfs\nWhere={}\nType=tmpfs\nOptions=mode=755\n"


def units(host, name, **files):
    for unit, text in files.items():
        host.write(f"/var/lib/machines/{name}/etc/systemd/system/{unit}.service", text)
    host.run("mkdir", "-p", f"/var/lib/machines/{name}/run-mark")


def pair(host, dependency="Requires", extra=""):
    """The containers db and web, of which web needs db."""
    units(host, "db", database=SLOW)
    units(host, "web", last=LAST)
    serve(host, "/var/lib/machines/web")
    host.define("db", DB, reload=False)
    host.define("web", WEB.format(dependency=dependency) + extra)


def when(host, unit, what):
    return int(host.unit(unit)[f"{what}TimestampMonotonic"])


def db_was_first(host):
    ready, begun = when(host, "container-db", "ActiveEnter"), when(host, "container-web", "InactiveExit")
    assert 0 < ready <= begun, f"db was ready at {ready}, and web began at {begun}"
    equal(fetch(host), "hello")


def test_after_means_ready(host):
    """Not only begun: the default target inside is reached, with all that takes long."""
    pair(host)
    host.run("systemctl", "start", "container-web")
    db_was_first(host)


def test_a_boot_and_a_shutdown_in_order(host):
    pair(host)
    host.reboot()
    db_was_first(host)
    equal(host.state("container-web"), "active")

    host.poweroff()
    host.boot()
    stopped = {name: int(host.read(f"/var/lib/machines/{name}/run-mark/stop")) for name in ("web", "db")}
    assert stopped["web"] < stopped["db"], stopped
    # (The file of the database is written when the host has shut down for the second time.)
    db_was_first(host)


def test_a_stop_stops_what_needs_it_first(host):
    for dependency in "Requires", "BindsTo":
        pair(host, dependency)
        host.run("systemctl", "start", "container-web")
        host.run("systemctl", "stop", "container-db")
        equal((host.state("container-web"), host.state("container-db")), ("inactive", "inactive"))
        assert when(host, "container-web", "InactiveEnter") <= when(host, "container-db", "ActiveExit")
        equal(host.unit("container-web")["Result"], "success")


def crash(host, name):
    host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", f"container-{name}")


def test_a_crash_stops_what_is_bound_to_it(host):
    pair(host, "BindsTo")
    host.write("/etc/spawnlet/db.container.d/once.conf", "[Service]\nRestart=no\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "container-web")
    crash(host, "db")
    wait_until("web has stopped", lambda: host.state("container-web") == "inactive", timeout=30)
    equal((host.state("container-db"), host.unit("container-web")["Result"]), ("failed", "success"))


def test_a_crash_restarts_what_requires_it(host):
    pair(host)
    host.run("systemctl", "start", "container-web")
    init = init_start_time(host)
    host.remove("/var/lib/machines/db/run-mark/ready")
    crash(host, "db")
    wait_until("web runs again", lambda: init_start_time(host) != init, timeout=60)
    host.wait_unit("container-web")
    db_was_first(host)


def test_what_it_requires_fails(host):
    pair(host)
    host.write("/etc/spawnlet/db.container.d/fail.conf", "[Service]\nRestart=no\nExecStartPre=/bin/false\n")
    host.run("systemctl", "daemon-reload")
    assert not host.ok("systemctl", "start", "container-web")
    equal((host.state("container-db"), host.state("container-web")), ("failed", "inactive"))
    contains("Dependency failed", host.out("journalctl", "--no-pager", "-u", "container-web"))


def test_a_unit_of_the_host(host):
    host.write("/etc/systemd/system/licence.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                                                      "ExecStart=/bin/sh -c 'sleep 1; touch /run/licence'\n")
    serve(host, "/var/lib/machines/web")
    host.define("web", """\
        [Unit]
        BindsTo=licence.service
        After=licence.service

        [Container]
        System=host
        Services=hello.socket

        [Network]
        HostAddress=10.90.0.1
        LocalAddress=10.90.0.2

        [Service]
        ExecStartPre=/bin/test -e /run/licence
    """)
    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")
    host.run("systemctl", "stop", "licence")
    wait_until("it is stopped", lambda: host.state("container-web") == "inactive", timeout=30)


def test_mounts(host):
    """A mount of the host is there before the container that needs it, and goes after it: it is never
    busy. So it is for sources of Bind= and for a root."""
    host.write("/etc/systemd/system/srv-data.mount", MOUNT.format("/srv/data"))
    host.write("/etc/systemd/system/srv-roots.mount", MOUNT.format("/srv/roots"))
    before = host.footprint()
    host.define("web", """\
        [Container]
        System=host
        Root=/srv/roots/web

        [Files]
        Bind=/srv/data

        [Network]
        HostAddress=10.90.0.1
        LocalAddress=10.90.0.2
    """)
    for mount in "srv-data.mount", "srv-roots.mount":
        host.run("systemctl", "start", "container-web")
        for unit in "srv-data.mount", "srv-roots.mount":
            equal(host.state(unit), "active")
        host.run("spawnlet", "run", "web", "touch", "/srv/data/used", "/etc/used")

        host.run("systemctl", "stop", mount)
        equal((host.state(mount), host.state("container-web")), ("inactive", "inactive"))
        equal((host.unit(mount)["Result"], host.unit("container-web")["Result"]), ("success", "success"))
    host.run("systemctl", "stop", "srv-data.mount")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_a_network_of_the_host(host):
    """At boot, a bridge that a unit of the host's network makes late is waited for."""
    host.write("/etc/systemd/system/lan.service", """\
[Unit]
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sleep 1
ExecStart=/bin/ip link add br0 type bridge
ExecStart=/bin/ip address add 10.80.0.1/24 dev br0
ExecStart=/bin/ip link set br0 up
[Install]
WantedBy=multi-user.target
""")
    host.run("systemctl", "enable", "lan")
    serve(host, "/var/lib/machines/web")
    host.define("web", """\
        [Container]
        System=host
        Services=hello.socket

        [Network]
        Bridge=br0
        LocalAddress=10.80.0.2/24
        Gateway=none

        [Service]
        Restart=no
    """)
    host.reboot()
    equal(host.state("container-web"), "active")
    assert when(host, "lan", "ActiveEnter") <= when(host, "container-web", "InactiveExit")
    equal(fetch(host), "hello")
