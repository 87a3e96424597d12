# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd's own tools with containers that have users of their own: machinectl, and --machine= of others."""

from case import contains, equal
from containers import init_start_time
from host import wait_until

ROOT = "/var/lib/machines/web"


def start(host):
    host.copied_root(ROOT)
    host.define("web", "[Network]\nHostAddress=10.90.0.1\nLocalAddress=10.90.0.2\n")
    host.run("systemctl", "start", "container-web")
    host.run("sh", "-ec", "mkdir /srv/tree && cd /srv/tree && echo x >file && chown 1000:1000 file")


def owners(host, *paths):
    return host.out("stat", "-c", "%u:%g", *paths).split()


def looks(host):
    """What machined knows of it."""
    equal(host.out("machinectl", "show", "-p", "RootDirectory", "-p", "State", "-p", "Class", "web").splitlines(),
          ["Class=container", f"RootDirectory={ROOT}", "State=running"])
    contains("10.90.0.2", host.out("machinectl", "list", "--no-legend"))
    contains("systemd-journald", host.out("machinectl", "status", "-n0", "web"))
    equal(host.out("machinectl", "list-images", "--no-legend").split()[:3], ["web", "directory", "no"])
    contains(ROOT, host.out("machinectl", "image-status", "web"))


def commands(host):
    """A shell, a login, units, the journal."""
    equal(host.out("machinectl", "shell", "-q", "web", "/usr/bin/id", "-u").strip(), "0")
    equal(host.out("machinectl", "shell", "-q", "daemon@web", "/usr/bin/id", "-un").strip(), "daemon")
    host.run("systemd-run", "-q", "--unit=login", "-p", "StandardOutput=file:/run/login",
             "script", "-qec", "machinectl login web", "/dev/null")
    wait_until("it asks who", lambda: contains("web login:", host.read("/run/login")) or True)
    host.run("systemctl", "stop", "login")
    equal(host.out("systemd-run", "-qM", "web", "--wait", "--pipe", "/usr/bin/id", "-u"), "0")
    host.run("systemd-run", "-qM", "web", "--unit=idle", "/bin/sh", "-c", "echo from idle; exec sleep infinity")
    equal(host.out("systemctl", "-M", "web", "is-active", "idle"), "active")
    wait_until("the journal has it", lambda: contains(
        "from idle", host.out("journalctl", "-M", "web", "-o", "cat", "-u", "idle")) or True)
    host.run("systemctl", "-M", "web", "restart", "systemd-journald")
    equal(host.out("hostnamectl", "-M", "web", "hostname"), "web")
    contains("org.freedesktop.systemd1", host.out("busctl", "-M", "web", "list"))


def copies(host):
    """They belong to root, as without private users."""
    host.run("machinectl", "copy-to", "web", "/srv/tree", "/opt/tree")
    equal(owners(host, f"{ROOT}/opt/tree/file"), ["0:0"])
    equal(host.out("spawnlet", "run", "web", "stat", "-c", "%u", "/opt/tree/file"), "0")
    host.run("machinectl", "copy-from", "web", "/opt/tree", "/srv/back")
    equal((host.read("/srv/back/file"), owners(host, "/srv/back/file")), ("x\n", ["0:0"]))


def refused(host):
    """As LIMITS says, and what to do instead."""
    refusal = host.run("machinectl", "bind", "web", "/srv/tree", "/opt/bound", check=False)
    contains("with user namespacing applied", refusal.stderr)
    host.write("/etc/spawnlet/web.container.d/bind.conf", "[Files]\nBind=/srv/tree:/opt/bound\n")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "reload", "container-web")
    equal(host.out("spawnlet", "run", "web", "stat", "-c", "%u", "/opt/bound/file"), "1000")


def ends(host):
    """A signal, a reboot, and two ways to stop."""
    started = init_start_time(host)
    host.run("machinectl", "reboot", "web")
    wait_until("another init", lambda: init_start_time(host) != started, timeout=60)
    host.wait_unit("container-web")
    host.run("machinectl", "poweroff", "web")
    host.wait_unit("container-web", "inactive")
    host.run("systemctl", "start", "container-web")
    host.run("machinectl", "kill", "--kill-whom=leader", "--signal=SIGRTMIN+4", "web")
    host.wait_unit("container-web", "inactive")
    host.run("systemctl", "start", "container-web")
    host.run("machinectl", "terminate", "web")
    host.wait_unit("container-web", "inactive")
    equal(host.unit("container-web")["Result"], "success")


def test_machinectl(host):
    start(host)
    looks(host)
    commands(host)
    copies(host)
    refused(host)
    ends(host)
