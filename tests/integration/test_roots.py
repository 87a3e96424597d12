# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roots that forget, or that cannot be written to: Ephemeral=, Volatile=, ReadOnly=, Overlay=.

Each goes through a whole life: start, restart, reboot from inside, crash, a changed network, stop.
"""

from case import contains, equal
from containers import addresses, fetch, init_start_time, serve
from host import wait_until

DEFINITION = """\
[Container]
{system}
AutoStart=no

[Exec]
Parameters=systemd.wants=hello.socket
PrivateUsers=no
{exec}

[Files]
{files}

[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2

[Unit]
StartLimitIntervalSec=0
"""

HOST_ROOT = "/var/lib/machines/web"


def inside(host, *command, check=True):
    return host.run("spawnlet", "run", "web", *command, check=check)


def define(host, root, exec="", files=""):
    """The container web, with a web server."""
    system = "System=host" if root == HOST_ROOT else f"Root={root}"
    serve(host, root)
    host.run("mkdir", "-p", f"{root}/var/log")
    host.define("web", DEFINITION.format(system=system, exec=exec, files=files))


def again(host, change):
    """It runs again after change(), and answers."""
    init = init_start_time(host)
    change()
    wait_until("another init runs", lambda: init_start_time(host) != init, timeout=60)
    host.wait_unit("container-web", timeout=60)
    equal(fetch(host), "hello")


def reload_network(host):
    text = host.read("/etc/spawnlet/web.container")
    host.define("web", text.replace("LocalAddress=", "LocalAddress=10.90.0.3\nLocalAddress="))
    host.run("systemctl", "reload", "container-web")
    equal(addresses(host), ["10.90.0.2/32", "10.90.0.3/32"])
    equal(fetch(host, "http://10.90.0.3/"), "hello")
    host.define("web", text)
    host.run("systemctl", "reload", "container-web")
    equal(addresses(host), ["10.90.0.2/32"])


def copies(host):
    """What nspawn makes of an ephemeral root, and its locks."""
    return host.out("find", "/var/lib/machines", "/srv", "-maxdepth", "1", "-name", ".#*")


def life(host, path=None, kept=False, writable=True):
    """path: a file to write inside. kept: whether it is there in the next life."""

    def write():
        if path:
            equal(inside(host, "touch", path, check=False).returncode == 0, writable)

    def look():
        if path:
            equal(inside(host, "test", "-e", path, check=False).returncode == 0, kept and writable)

    before = host.footprint()
    host.run("systemctl", "start", "container-web", timeout=90)
    equal(fetch(host), "hello")
    write()
    for change in (
            lambda: host.run("systemctl", "restart", "container-web", timeout=90),
            lambda: inside(host, "systemctl", "reboot", check=False),
            # The first process inside. (Of a killed systemd-nspawn see below.)
            lambda: host.run("sh", "-c", 'kill -KILL $(cat "/proc/$0/task/$0/children")',
                             host.unit("container-web")["MainPID"])):
        again(host, change)
        look()
        write()
    reload_network(host)
    host.run("systemctl", "stop", "container-web", timeout=60)
    equal(host.unit("container-web")["Result"], "success")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
    equal(copies(host), "")


def test_ephemeral(host):
    define(host, HOST_ROOT, exec="Ephemeral=yes")
    life(host, "/etc/new")
    assert not host.exists(f"{HOST_ROOT}/etc/new")


def test_ephemeral_keeps_its_machine_id(host):
    """spawnlet-root gives the root one, of which each copy has it."""
    define(host, HOST_ROOT, exec="Ephemeral=yes")
    ids = []
    for _ in range(2):
        host.run("systemctl", "start", "container-web")
        ids.append(inside(host, "cat", "/etc/machine-id").stdout)
        host.run("systemctl", "stop", "container-web")
    equal(ids[0], ids[1])


# systemd 262 refuses a copy of what is a mount point by itself, as the test's whole system is.
def test_ephemeral_of_a_whole_system(host):
    host.copied_root("/srv/whole")
    define(host, "/srv/whole", exec="Ephemeral=yes")
    life(host, "/etc/new")


def test_a_state_that_is_volatile(host):
    define(host, HOST_ROOT, files="Volatile=state")
    host.write(f"{HOST_ROOT}/etc/resolv.conf", "")
    life(host, "/var/lib/new")


def test_a_state_that_is_volatile_of_a_whole_system(host):
    host.copied_root("/srv/whole")
    define(host, "/srv/whole", files="Volatile=state")
    life(host, "/var/lib/new")


def test_all_changes_are_volatile(host):
    define(host, HOST_ROOT, files="Volatile=overlay")
    life(host, "/etc/new")
    assert not host.exists(f"{HOST_ROOT}/etc/new")


def test_all_changes_are_volatile_of_a_whole_system(host):
    host.copied_root("/srv/whole")
    define(host, "/srv/whole", files="Volatile=overlay")
    life(host, "/etc/new")


def test_read_only(host):
    define(host, HOST_ROOT, files="ReadOnly=yes\nTemporaryFileSystem=/var")
    life(host, "/etc/new", writable=False)


def test_read_only_of_a_whole_system(host):
    host.copied_root("/srv/whole")
    define(host, "/srv/whole", files="ReadOnly=yes\nTemporaryFileSystem=/var")
    life(host, "/etc/new", writable=False)


def test_an_overlay(host):
    """Of a directory of the host's: what changes is kept, beside it."""
    # The host's root is an overlay, and no overlay can have its upper layer on another.
    host.run("mkdir", "-p", "/srv/layers")
    host.run("mount", "-t", "tmpfs", "tmpfs", "/srv/layers")
    host.write("/srv/layers/lower/from-below", "")
    host.run("mkdir", "/srv/layers/upper")
    define(host, HOST_ROOT, files="Overlay=/srv/layers/lower:/srv/layers/upper:/opt")
    host.run("mkdir", "-p", f"{HOST_ROOT}/opt")
    life(host, "/opt/new", kept=True)
    equal(host.out("ls", "/srv/layers/lower"), "from-below")
    equal(host.out("ls", "/srv/layers/upper"), "new")


def killed_nspawn(host, root):
    """It cannot remove its copy: it is gone anyway, with whatever is in it, and nothing else is."""
    beside = root.rsplit("/", 1)[0]
    others = [f"{beside}/.#machine.{name}/file" for name in
              ("web", "web0123456789abcde", "web0123456789abcdefg", "web.0123456789abcdef", "we0123456789abcdef")]
    for path in others:
        host.write(path, "")
    host.write("/srv/victim/file", "")
    before = copies(host)
    host.run("systemctl", "start", "container-web", timeout=90)
    inside(host, "ln", "-s", "/srv/victim", "/etc/link")
    inside(host, "perl", "-e", 'chdir "/opt"; for (1..60) { mkdir "d" x 200; chdir "d" x 200 } open(F, ">f")')
    again(host, lambda: host.run("kill", "-KILL", host.unit("container-web")["MainPID"]))
    host.run("systemctl", "stop", "container-web")
    equal(copies(host), before)
    for path in (*others, "/srv/victim/file", f"{root}/etc/os-release"):
        assert host.exists(path), path


def test_a_killed_nspawn_of_an_ephemeral_container(host):
    define(host, HOST_ROOT, exec="Ephemeral=yes")
    killed_nspawn(host, HOST_ROOT)


def test_a_killed_nspawn_of_an_ephemeral_whole_system(host):
    host.copied_root("/srv/web")
    define(host, "/srv/web", exec="Ephemeral=yes")
    killed_nspawn(host, "/srv/web")


def test_copies_of_one_root(host):
    """Who cleans up after a killed one leaves the other's alone."""
    host.run("mkdir", "-p", *(f"/srv/base/{directory}" for directory in ("etc", "tmp")))
    for name in "a", "b":
        host.define(name, "[Container]\nSystem=host\nRoot=/srv/base\nAutoStart=no\n[Exec]\nEphemeral=yes\n"
                          "[Service]\nRestart=no\n")
        host.run("systemctl", "start", f"container-{name}")
        host.run("spawnlet", "run", name, "touch", f"/etc/only-{name}")
    both = copies(host)
    host.run("kill", "-KILL", host.unit("container-a")["MainPID"])
    host.wait_unit("container-a", "failed")
    left = copies(host).splitlines()
    equal((len(both.splitlines()), len(left)), (4, 2))
    host.run("spawnlet", "run", "b", "test", "-e", "/etc/only-b")
    assert host.exists(f"{left[0] if '.lck' not in left[0] else left[1]}/etc/only-b")
    host.run("systemctl", "stop", "container-b")
    equal(copies(host), "")


def test_volatile_needs_a_system_that_is_all_in_usr(host):
    """With System=host it is not: the root that nspawn makes has no link to the loader in /usr."""
    before = host.footprint()
    define(host, HOST_ROOT, files="Volatile=yes")
    assert not host.ok("systemctl", "start", "container-web")
    contains("the root would be empty", host.unit("container-web")["Description"])
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
