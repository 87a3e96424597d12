# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemctl reload: the running container gets the bind mounts and services of its definition."""

from case import contains, equal, matches
from containers import init_start_time
from host import wait_until

LIVE = "/etc/spawnlet/web.container.d/live.conf"
RECORD = "/run/spawnlet/started/web"
ROOT = "/var/lib/machines/web"


def start(host, files="", root=ROOT, users="pick"):
    """A container with these lines in [Files]. With users of its own, what is mounted at the start cannot
    be taken away before the stop."""
    host.define("web", f"[Container]\nSystem=host\nRoot={root}\n[Exec]\nPrivateUsers={users}\n[Files]\n{files}")
    host.run("systemctl", "start", "container-web")


def change(host, text, section="Files", check=True):
    """Add lines to the definition, in place of those of the last time."""
    host.write(LIVE, f"[{section}]\n{text}")
    host.run("systemctl", "daemon-reload")
    return host.run("systemctl", "reload", "container-web", check=check).returncode == 0


def inside(host, *command, **options):
    return host.out("spawnlet", "run", "web", *command, **options)


def sh(host, script):
    return inside(host, "/bin/sh", "-ec", script)


def mounts(host, below="/"):
    """What is mounted inside: all of mountinfo but the numbers that are never the same."""
    found = []
    for line in inside(host, "cat", "/proc/1/mountinfo").splitlines():
        fields = line.split()
        if fields[4].startswith(below):
            found.append(" ".join(fields[2:6] + [f.split(":")[0] for f in fields[6:]]))
    return sorted(found)


def record(host):
    return [line for line in host.read(RECORD).splitlines() if line.startswith("[Files]")]


def ids(host):
    """All mounts inside with their numbers: the same only if none was touched. Those of services'
    credentials come and go with them."""
    return {line for line in inside(host, "cat", "/proc/1/mountinfo").splitlines()
            if " /run/credentials/" not in line}


def test_mounts_come_and_go(host):
    before = host.footprint()
    host.write("/srv/a/file", "a\n")
    host.write("/srv/b/file", "b\n")
    host.write("/srv/c.conf", "c\n")
    start(host, "Bind=/srv/a:/srv/first\n", users="no")
    started = init_start_time(host)
    # A process inside that has a file open, and a service with mounts of its own.
    sh(host, "systemd-run --quiet --unit=holder -p ProtectSystem=strict sleep inf <&-")
    untouched = ids(host)

    # New ones: a directory, a file, one below what does not exist, one with a colon in its name.
    host.run("mkdir", "/srv/with:colon")
    change(host, "Bind=/srv/b\nBindReadOnly=/srv/c.conf:/etc/c.conf\n"
                 "BindReadOnly=/srv/a:/opt/deep/er\nBind=/srv/with\\:colon:/srv/with\\:colon\n")
    equal(sh(host, "cat /srv/b/file /etc/c.conf /opt/deep/er/file"), "b\nc\na")
    equal(untouched - ids(host), set())
    sh(host, "echo new >/srv/b/new; test -d /srv/with:colon")
    equal(host.read("/srv/b/new"), "new\n")
    assert not host.ok("spawnlet", "run", "web", "/bin/sh", "-c", ">/opt/deep/er/new")
    assert not host.ok("spawnlet", "run", "web", "/bin/sh", "-c", ">>/etc/c.conf")
    equal(sh(host, "stat -c '%U %a' /opt/deep /opt/deep/er /etc/c.conf"), "root 755\nroot 755\nroot 644")
    # Also in the services that have mounts of their own.
    pid = sh(host, "systemctl show -P MainPID holder")
    contains("/srv/b ", sh(host, f"cat /proc/{pid}/mountinfo"))
    equal(init_start_time(host), started)

    # They look as those that systemd-nspawn makes.
    live = mounts(host, "/srv/") + mounts(host, "/etc/") + mounts(host, "/opt/")
    host.run("systemctl", "restart", "container-web")
    equal(mounts(host, "/srv/") + mounts(host, "/etc/") + mounts(host, "/opt/"), live)
    started = init_start_time(host)

    # Nothing to do: nothing is done.
    untouched = ids(host)
    change(host, "Bind=/srv/b\nBindReadOnly=/srv/c.conf:/etc/c.conf\n"
                 "BindReadOnly=/srv/a:/opt/deep/er\nBind=/srv/with\\:colon:/srv/with\\:colon\n")
    equal(ids(host), untouched)

    # Writable becomes read-only and the other way round, while it is in use.
    sh(host, "systemd-run --quiet --unit=holder -p WorkingDirectory=/srv/b sleep inf <&-")
    change(host, "BindReadOnly=/srv/b\nBind=/srv/a:/opt/deep/er\n")
    assert not host.ok("spawnlet", "run", "web", "/bin/sh", "-c", ">/srv/b/new")
    sh(host, ">/opt/deep/er/new")
    equal(sh(host, "cat /etc/c.conf; ls /srv"), "b\nfirst\nwith:colon")
    equal(record(host), ["[Files]Bind=/srv/a:/srv/first", "[Files]BindReadOnly=/srv/b",
                         "[Files]Bind=/srv/a:/opt/deep/er"])
    equal(sh(host, "systemctl is-active holder"), "active")

    # All away, also that of the start.
    change(host, "Bind=\nBindReadOnly=\n")
    equal(mounts(host, "/srv") + mounts(host, "/opt"), [])
    equal(record(host), [])
    equal(host.unit("container-web")["StatusText"], "Container running, reloaded.")
    equal(init_start_time(host), started)

    host.run("systemctl", "stop", "container-web")
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True)


def test_mounts_below_each_other(host):
    for name in "abc":
        host.write(f"/srv/{name}/name", name)
    host.run("mkdir", "/srv/b/below", "/srv/c/below")
    start(host, "Bind=/srv/a:/data/below\n", users="no")

    # Above what is there; the same as a start would do.
    change(host, "Bind=/srv/b:/data\n")
    equal(sh(host, "cat /data/name /data/below/name"), "ba")
    # Another one above.
    change(host, "BindReadOnly=/srv/c:/data\n")
    equal(sh(host, "cat /data/name /data/below/name"), "ca")
    live = mounts(host, "/data")
    host.run("systemctl", "restart", "container-web")
    equal(mounts(host, "/data"), live)
    # It goes, and what was below it is seen again.
    change(host, "")
    equal(sh(host, "cat /data/below/name"), "a")
    equal(len(mounts(host, "/data")), 1)

    # With what is mounted on the host below the source, or without.
    host.run("mkdir", "/srv/a/disk")
    host.run("mount", "-t", "tmpfs", "-o", "mode=700", "disk", "/srv/a/disk")
    change(host, "Bind=/srv/a:/with\nBindReadOnly=/srv/a:/read-only\n"
                 "Bind=/srv/a:/without:norbind\n")
    equal(sh(host, "stat -c %a /with/disk /read-only/disk /without/disk"), "700\n700\n755")
    assert not host.ok("spawnlet", "run", "web", "/bin/sh", "-c", ">/read-only/disk/file")
    change(host, "Bind=/srv/a:/with:norbind\nBind=/srv/a:/without:rbind\n")
    equal(sh(host, "stat -c %a /with/disk /without/disk"), "755\n700")
    # What the host mounts there shows inside, not the other way round.
    host.run("umount", "/srv/a/disk")
    equal(sh(host, "stat -c %a /without/disk"), "755")
    sh(host, "mount -t tmpfs -o mode=711 tmpfs /without/disk")
    equal(host.out("stat", "-c", "%a", "/srv/a/disk"), "755")


def test_a_change_of_mounts_that_fails(host):
    """It says why and changes nothing; the next reload goes on."""
    host.write("/srv/a/file", "a")
    host.write("/srv/file", "file")
    start(host, "Bind=/srv/a\n", users="no")
    before = ids(host), record(host)

    def fails(text, why):
        assert not change(host, text, check=False)
        equal(host.unit("container-web")["StatusText"], why)
        contains(why, host.out("journalctl", "-u", "container-web", "-n20"))
        equal((ids(host), record(host)), before)

    fails("Bind=\nBind=/srv/file:/data\nBind=/srv/missing:/missing\n",
          "Failed to mount '/srv/missing' on '/missing' in container 'web': No such file or directory")
    fails("Bind=/srv/file:/usr/missing\n",
          "Failed to find or make '/usr/missing' in container 'web' to mount '/srv/file' on: "
          "Read-only file system")
    fails("Bind=/srv/a:/etc/passwd\n",
          "Failed to find or make '/etc/passwd' in container 'web' to mount '/srv/a' on: Not a directory")
    fails("Bind=/srv/file:/etc\n",
          "Failed to find or make '/etc' in container 'web' to mount '/srv/file' on: Is a directory")

    host.write("/srv/missing/file", "missing")
    change(host, "Bind=\nBind=/srv/file:/data\nBind=/srv/missing:/missing\n")
    equal(sh(host, "cat /data /missing/file; ls /srv/a"), "filemissing")
    equal(host.unit("container-web")["StatusText"], "Container running, reloaded.")


def test_what_was_changed_meanwhile(host):
    """By the container, and on the host."""
    host.write("/srv/a/file", "a")
    host.write("/srv/b/file", "b")
    host.write("/srv/c.conf", "c")
    start(host, "Bind=/srv/a\nBind=/srv/b\nBindReadOnly=/srv/c.conf\n", users="no")

    # What was unmounted inside comes back. What lies over it is the container's own.
    sh(host, "umount /srv/a; mount -t tmpfs own /srv/b; touch /srv/b/own")
    host.run("systemctl", "reload", "container-web")
    equal(sh(host, "cat /srv/a/file; ls /srv/b"), "aown")
    # It is not taken away.
    assert not change(host, "Bind=\nBind=/srv/a\n", check=False)
    equal(host.unit("container-web")["StatusText"],
          "Failed to unmount '/srv/b' in container 'web': something else is mounted over it there")
    equal(sh(host, "ls /srv/b"), "own")
    sh(host, "umount /srv/b")
    change(host, "Bind=\nBind=/srv/a\n")
    equal(sh(host, "ls /srv/b"), "")

    # A file that an editor has replaced, and a directory that is another one.
    host.run("sh", "-c", "echo new >/srv/new; mv /srv/new /srv/c.conf; mv /srv/a /srv/old; mkdir /srv/a")
    equal(sh(host, "cat /srv/c.conf; cat /srv/a/file"), "ca")
    host.run("systemctl", "reload", "container-web")
    equal(sh(host, "cat /srv/c.conf; ls /srv/a"), "new")
    # One that is gone is kept until it is no longer wanted.
    host.run("rm", "/srv/c.conf")
    before = ids(host)
    host.run("systemctl", "reload", "container-web")
    equal(ids(host), before)
    change(host, "BindReadOnly=\n")
    equal([m for m in mounts(host, "/srv") if "c.conf" in m], [])


def test_a_hostile_container(host):
    """No link of its own leads out of it."""
    host.write("/srv/a/file", "a")
    start(host)

    def outside():
        return host.footprint()["mounts"], host.out("find", "/", "/etc", "/srv", "-maxdepth", "1")

    before = outside()
    sh(host, "ln -s /etc /data; mkdir -p /x/y; ln -s ../../../../../../etc /x/y/data; "
             "ln -s /missing/there /lost; ln -s /proc/1/root /magic; ln -s loop /loop")

    change(host, "Bind=/srv/a:/data/a\nBind=/srv/a:/x/y/data/b\n")
    equal(sh(host, "cat /etc/a/file /etc/b/file"), "aa")
    change(host, "Bind=/srv/a:/data\n")
    equal(sh(host, "cat /etc/file; readlink /data"), "a/etc")
    change(host, "")
    for path in ("/lost", "/lost/x", "/magic/x", "/loop"):
        assert not change(host, f"Bind=/srv/a:{path}\n", check=False), path
        matches(host.unit("container-web")["StatusText"], "Too many levels of symbolic links$|Not a directory$")
    equal(outside(), before)


def test_services(host):
    for name in ("one", "two"):
        host.write(f"{ROOT}/etc/systemd/system/{name}.service",
                   "[Service]\nExecStart=/bin/sleep inf\n")
    host.write(f"{ROOT}/etc/systemd/system/bad.service",
               "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    start(host)
    before = init_start_time(host)

    def active(unit):
        return host.out("spawnlet", "run", "web", "systemctl", "is-active", unit, check=False)

    def lines():
        return [line for line in host.read(RECORD).splitlines() if "Services=" in line]

    change(host, "Services=one.service two.service\n", "Container")
    equal((active("one"), active("two")), ("active", "active"))
    # What is stopped inside stays so.
    inside(host, "systemctl", "stop", "two")
    host.run("systemctl", "reload", "container-web")
    equal((active("one"), active("two")), ("active", "inactive"))
    change(host, "Services=two.service\n", "Container")
    equal((active("one"), active("two")), ("inactive", "inactive"))

    # None is started without the mounts that it may need.
    assert not change(host, "Services=one.service\n[Files]\nBind=/srv/missing\n", "Container", check=False)
    contains("/srv/missing", host.unit("container-web")["StatusText"])
    equal((active("one"), lines()), ("inactive", ["[Container]Services=two.service"]))

    # One that fails is not in the way of another.
    assert not change(host, "Services=bad.service one.service\n", "Container", check=False)
    equal(host.unit("container-web")["StatusText"],
          "Failed to start 'bad.service' in container 'web'; 'spawnlet run web systemctl status "
          "bad.service' tells more")
    equal(active("one"), "active")
    equal(lines(), ["[Container]Services=one.service"])
    # It is tried again.
    host.write(f"{ROOT}/etc/systemd/system/bad.service", "[Service]\nExecStart=/bin/sleep inf\n")
    inside(host, "systemctl", "daemon-reload")
    host.run("systemctl", "reload", "container-web")
    equal(active("bad"), "active")
    equal(lines(), ["[Container]Services=bad.service", "[Container]Services=one.service"])

    # One that does not exist any more is no failure.
    host.remove(f"{ROOT}/etc/systemd/system/one.service")
    inside(host, "systemctl", "stop", "one")
    inside(host, "systemctl", "daemon-reload")
    change(host, "", "Container")
    equal(active("bad"), "inactive")
    equal(lines(), [])
    equal(init_start_time(host), before)


def test_private_users(host):
    """Mounts come and go. One that was there at the start is locked by the kernel."""
    host.copied_root(ROOT)
    # A file system whose owners can be mapped, as the host's overlay cannot.
    host.run("mount", "-t", "tmpfs", "-o", "mode=755", "srv", "/srv")
    host.write("/srv/a/file", "a")
    host.write("/srv/b/file", "b")
    host.write("/srv/c", "c")
    host.define("web", "[Exec]\nPrivateUsers=pick\n[Files]\nBind=/srv/a\n")
    host.run("systemctl", "start", "container-web")
    before = ids(host)

    lines = "BindReadOnly=/srv/b:/opt/x/b\nBind=/srv/c:/opt/y/c\n"
    change(host, lines)
    equal(sh(host, "cat /opt/x/b/file /opt/y/c"), "bc")
    # What is made belongs to root inside, and what is mounted to whom it does outside, as at a start.
    equal(sh(host, "stat -c %U /opt/x /opt/y /opt/x/b"), "root\nroot\nroot")
    after = ids(host)
    host.run("systemctl", "reload", "container-web")
    equal(ids(host), after)
    change(host, "")
    equal(ids(host), before)
    equal(sh(host, "stat -c %U /opt/x/b /opt/y/c"), "root\nroot")

    assert not change(host, "Bind=\n", check=False)
    equal(host.unit("container-web")["StatusText"],
          "Failed to unmount '/srv/a' in container 'web': with private users, what was mounted at "
          "the start stays until a restart")
    equal(record(host), ["[Files]Bind=/srv/a"])


def test_an_instance_of_a_template(host):
    host.write("/srv/blue/file", "blue")
    host.run("mkdir", "-p", "/etc/spawnlet")
    host.run("ln", "-s", "site@.container", "/etc/spawnlet/site@blue.container")
    host.define("site@", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-site@blue")
    host.define("site@", "[Container]\nSystem=host\n[Files]\nBindReadOnly=/srv/%i:/data\n")
    host.run("systemctl", "reload", "container-site@blue")
    equal(host.out("spawnlet", "run", "site@blue", "cat", "/data/file"), "blue")
    contains("[Files]BindReadOnly=/srv/blue:/data\n", host.read("/run/spawnlet/started/site@blue"))


def test_by_hand(host):
    """What the unit does not do."""
    helper = "/usr/libexec/spawnlet/spawnlet-reload"
    contains("Give a running container", host.out(helper, "--help"))
    for arguments in ([], ["web"], ["web", "x"], ["web", "1"], ["../web", "5"],
                      ["--system=root", "web", "5"], ["--unknown", "web", "5"]):
        equal(host.run(helper, *arguments, check=False).returncode, 1)
    result = host.run(helper, "web", "99999999", check=False)
    contains("The container is not running", result.stderr)

    # One that was started by another version: nothing is known but what is to be.
    host.write("/srv/a/file", "a")
    start(host, "Bind=/srv/a\n")
    host.run("truncate", "-s0", RECORD)
    before = ids(host)
    host.run("systemctl", "reload", "container-web")
    equal(ids(host), before)
    change(host, "Bind=/srv/a:/data\n")
    equal(sh(host, "cat /data/file"), "a")
    equal(host.read(RECORD), "")


def test_name_servers(host):
    """resolv.conf is written in place; whether there is one at all is decided at the start."""
    network = "[Network]\nPrivate=yes\n"
    host.define("web", f"[Container]\nSystem=host\n{network}DNS=10.0.0.1\nSearch=old.example\n")
    host.run("systemctl", "start", "container-web")
    started = init_start_time(host)

    change(host, "DNS=\nDNS=10.0.0.2 10.0.0.3\nSearch=\n", "Network")
    equal([line for line in inside(host, "cat", "/etc/resolv.conf").splitlines() if line[0] != "#"],
          ["nameserver 10.0.0.2", "nameserver 10.0.0.3"])
    equal(host.out("spawnlet", "diff"), "")
    equal(init_start_time(host), started)

    # To have none takes a restart, and is no failure of a reload.
    change(host, "DNS=\nSearch=\n", "Network")
    contains("nameserver 10.0.0.2", inside(host, "cat", "/etc/resolv.conf"))
    contains("restart", host.out("spawnlet", "diff"))
    contains("web: restarted", host.out("spawnlet", "apply"))
    equal(host.out("spawnlet", "diff"), "")
    change(host, "DNS=10.0.0.9\n", "Network")
    contains("[Network]", host.out("spawnlet", "diff"))
    contains("web: restarted", host.out("spawnlet", "apply"))
    contains("nameserver 10.0.0.9", inside(host, "cat", "/etc/resolv.conf"))


def test_settings_of_a_network_that_is_the_hosts(host):
    """A reload does nothing about them, and says nothing else."""
    host.define("web", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-web")
    change(host, "Private=no\n", "Network")
    host.run("spawnlet", "apply")
    equal(host.out("spawnlet", "diff"), "")

    change(host, "Private=yes\n", "Network", check=False)
    contains("restart", host.out("spawnlet", "diff"))
    contains("web: restarted", host.out("spawnlet", "apply"))
    change(host, "Private=no\n", "Network")
    contains("restart", host.out("spawnlet", "diff"), "the network is still its own")
