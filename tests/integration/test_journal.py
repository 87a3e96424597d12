# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where messages are found: of the container's unit, and of what runs inside."""

from case import contains, contains_not, equal
from containers import says, web

EPHEMERAL = """\
    [Container]
    System=host
    AutoStart=no

    [Exec]
    Ephemeral=yes
"""


def log_inside(host, text):
    host.run("spawnlet", "run", "web", "logger", text)
    host.run("spawnlet", "run", "web", "journalctl", "--sync")


def test_the_console_is_in_the_journal_of_the_unit(host):
    web(host, "    [Service]\n    Restart=no\n")
    host.run("systemctl", "start", "container-web")
    host.run("spawnlet", "run", "web", "sh", "-c", "echo what the console says >/dev/console")
    unit = ("journalctl", "--no-pager", "-u", "container-web", "-o", "short")
    says(host, "what the console says", *unit)
    says(host, "Reached target", *unit)
    contains("container-web[", host.out(*unit, "--grep=what the console says"))
    # What services inside log is not there: it is in the journal inside.
    log_inside(host, "only inside")
    contains_not("only inside", host.out(*unit))

    host.run("systemctl", "stop", "container-web")
    says(host, "Stopped container-web.service", *unit)


def test_the_inside_is_read_from_the_host(host):
    """Also when the container has stopped: LinkJournal=try-guest links it to the host's journals, if
    there is the directory for them."""
    host.run("mkdir", "-p", "/var/log/journal")
    web(host)
    host.run("systemctl", "start", "container-web")
    log_inside(host, "from a running container")
    says(host, "from a running container", "journalctl", "--no-pager", "-M", "web")
    machine_id = host.read("/var/lib/machines/web/etc/machine-id").strip()
    commands = [("--root=/var/lib/machines/web",), ("-D", f"/var/lib/machines/web/var/log/journal/{machine_id}")]
    # systemd 262 links to where the root is mounted while nspawn starts, which leads nowhere.
    if host.release in ("12", "13"):
        equal(host.out("readlink", f"/var/log/journal/{machine_id}"),
              f"/var/lib/machines/web/var/log/journal/{machine_id}")
        commands += [("--merge",), ("-D", f"/var/log/journal/{machine_id}"), ("--merge", f"_MACHINE_ID={machine_id}")]
        says(host, "from a running container", "journalctl", "--no-pager", "--merge")

    host.run("systemctl", "stop", "container-web")
    assert not host.ok("journalctl", "--no-pager", "-M", "web")
    for command in commands:
        contains("from a running container", host.out("journalctl", "--no-pager", *command))
    contains_not("from a running container", host.out("journalctl", "--no-pager"))


def test_the_journal_goes_on_after_a_restart(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    log_inside(host, "before the restart")
    host.run("systemctl", "restart", "container-web")
    log_inside(host, "after the restart")
    text = host.out("journalctl", "--no-pager", "-M", "web")
    contains("before the restart", text)
    contains("after the restart", text)
    equal(len(host.out("journalctl", "--no-pager", "-M", "web", "--list-boots", "--quiet").splitlines()) >= 2, True)


def test_an_ephemeral_container_keeps_its_journal_on_the_host(host):
    host.define("web", EPHEMERAL)
    for text in "first life", "second life":
        host.run("systemctl", "start", "container-web")
        log_inside(host, text)
        says(host, text, "journalctl", "--no-pager", "-M", "web")
        host.run("systemctl", "stop", "container-web")
    ids = host.out("ls", "/var/log/spawnlet/web").split()
    equal(len(ids), 1, "one machine id for all lives")
    kept = host.out("journalctl", "--no-pager", "-D", f"/var/log/spawnlet/web/{ids[0]}")
    # A set-user-ID program inside is root's on disk: no user of the host's can come near it.
    equal(host.out("stat", "-c", "%a %U", "/var/log/spawnlet"), "700 root")
    contains("first life", kept)
    contains("second life", kept)


def test_an_ephemeral_container_that_is_to_keep_no_journal(host):
    host.define("web", EPHEMERAL + "    LinkJournal=no\n")
    host.run("systemctl", "start", "container-web")
    log_inside(host, "lost")
    says(host, "lost", "journalctl", "--no-pager", "-M", "web")
    host.run("systemctl", "stop", "container-web")
    assert not host.exists("/var/log/spawnlet/web")
