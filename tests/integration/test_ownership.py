# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whom files belong to on the disk, and inside, with private users; spawnlet.container(5), OWNERSHIP."""

import re

from case import contains, equal, matches, releases
from host import wait_until

ROOT = "/var/lib/machines/web"
LIVE = "/etc/spawnlet/web.container.d/live.conf"
USERS = "[Exec]\nPrivateUsers=pick\n"
MAP = "PrivateUsersOwnership=map\n"


def prepare(host):
    """A whole system as root, and what is bound."""
    host.copied_root(ROOT)
    host.run("sh", "-ec", "mkdir -p /srv/a && cd /srv/a && echo root >root && echo user >user && "
                          "chown 1000:1000 user && cp /usr/bin/id suid && chmod 4755 suid")


def start(host, files="", exec_="", check=True):
    host.define("web", f"{USERS}{exec_}[Files]\n{files}")
    host.run("systemctl", "reset-failed", "container-web", check=False)
    return host.run("systemctl", "start", "container-web", check=check).returncode == 0


def stop(host):
    host.run("systemctl", "stop", "container-web")


def change(host, files, check=True):
    host.write(LIVE, f"[Files]\n{files}")
    host.run("systemctl", "daemon-reload")
    return host.run("systemctl", "reload", "container-web", check=check).returncode == 0


def sh(host, script, **options):
    return host.out("spawnlet", "run", "web", "/bin/sh", "-ec", script, **options)


def fails(host, script):
    assert not host.ok("spawnlet", "run", "web", "/bin/sh", "-ec", script), script


def owners(host, *paths):
    """user:group of files on the disk."""
    return host.out("stat", "-c", "%u:%g", *paths).split()


def inside(host, *paths):
    return sh(host, "stat -c %u:%g " + " ".join(paths)).split()


def status(host):
    return host.unit("container-web")["StatusText"]


def base(host):
    """The first user of the container's, on the host."""
    leader = host.out("machinectl", "show", "-p", "Leader", "--value", "web")
    first, outside, count = host.read(f"/proc/{leader}/uid_map").split()
    equal((first, count), ("0", "65536"))
    return int(outside)


def as_user(script, uid=1000):
    return f"setpriv --reuid={uid} --regid={uid} --clear-groups /bin/sh -ec '{script}'"


def test_what_is_made_inside(host):
    """The same owners on the disk as inside: in the root, and in a bind mount."""
    prepare(host)
    host.run("chmod", "777", "/srv/a")
    before = owners(host, ROOT, f"{ROOT}/etc/passwd", f"{ROOT}/usr/bin/su")
    start(host, MAP + "Bind=/srv/a\nBindReadOnly=/srv/a:/opt/deep/read-only\n"
                      "Bind=/srv/a/user:/etc/one-file\nTemporaryFileSystem=/scratch\n")
    assert base(host) >= 65536
    equal(inside(host, "/etc", "/srv/a/root", "/srv/a/user", "/opt/deep/read-only/user", "/etc/one-file"),
          ["0:0", "0:0", "1000:1000", "1000:1000", "1000:1000"])

    sh(host, "echo x >/made; echo x >/srv/a/made; mkdir -p /srv/a/directory; chmod 777 /mnt")
    sh(host, as_user("echo x >/mnt/made; echo x >/srv/a/made-by-user"))
    sh(host, "echo x >/srv/a/given; chown 33:44 /srv/a/given; touch /scratch/x")
    fails(host, ">/opt/deep/read-only/x")
    # A set-user-ID program is root's.
    equal(sh(host, as_user("/srv/a/suid -u")), "0")
    equal(sh(host, as_user("/usr/bin/id -u")), "1000")
    stop(host)

    equal(owners(host, f"{ROOT}/made", f"{ROOT}/mnt/made"), ["0:0", "1000:1000"])
    equal(owners(host, "/srv/a/made", "/srv/a/directory", "/srv/a/made-by-user", "/srv/a/given"),
          ["0:0", "0:0", "1000:1000", "33:44"])
    equal(owners(host, ROOT, f"{ROOT}/etc/passwd", f"{ROOT}/usr/bin/su"), before)
    equal(host.out("stat", "-c", "%a", "/srv/a/suid", f"{ROOT}/usr/bin/su").split(), ["4755", "4755"])
    # What something was mounted on.
    equal(owners(host, *(ROOT + p for p in ("/srv/a", "/opt/deep", "/opt/deep/read-only", "/etc/one-file",
                                            "/scratch"))), ["0:0"] * 5)
    equal(host.out("find", ROOT, "-xdev", "(", "-uid", "+65535", "-o", "-gid", "+65535", ")"), "")


def test_options_of_a_bind(host):
    """idmap is the default; each of the others does what the man page says."""
    prepare(host)
    host.run("sh", "-ec", "cp -a /srv/a /srv/b; chown 1000:1000 /srv/b; cp -a /srv/b /srv/c; "
                          "mkdir -m 777 /srv/d; : >/srv/d/root")
    start(host, MAP + "Bind=/srv/a:/a:idmap\nBind=/srv/b:/b:rootidmap\nBind=/srv/d:/d:noidmap\n")
    equal(inside(host, "/a/root", "/a/user"), ["0:0", "1000:1000"])

    # rootidmap: the source's owner is root inside, all others are nobody.
    equal(inside(host, "/b", "/b/user", "/b/root"), ["0:0", "0:0", "65534:65534"])
    sh(host, "echo x >/b/made")
    fails(host, "echo x >>/b/root")
    fails(host, "touch /b/given && chown 5 /b/given")
    sh(host, "chmod 777 /b")
    fails(host, as_user("echo x >/b/by-user"))

    # noidmap: nobody, who is nobody's to become; what everybody may, is possible.
    equal(inside(host, "/d", "/d/root"), ["65534:65534"] * 2)
    fails(host, "echo x >>/d/root")
    fails(host, "chown 0 /d/root")
    sh(host, "echo x >/d/made; " + as_user("echo x >/d/made-by-user"))
    equal(inside(host, "/d/made", "/d/made-by-user"), ["0:0", "1000:1000"])
    first = base(host)
    stop(host)
    equal(owners(host, "/srv/b/made", "/srv/b/given"), ["1000:1000"] * 2)
    # The one case in which numbers of the container's get onto the disk.
    equal(owners(host, "/srv/d/made", "/srv/d/made-by-user"),
          [f"{first}:{first}", f"{first + 1000}:{first + 1000}"])


@releases("13", "sid")
def test_owneridmap(host):
    """Whose the source is outside, whose the destination is inside."""
    prepare(host)
    host.run("sh", "-ec", f"cp -a /srv/a /srv/b; chown 1000:1000 /srv/b; mkdir {ROOT}/b; chown 7:7 {ROOT}/b")
    start(host, MAP + "Bind=/srv/b:/b:owneridmap\n")
    equal(inside(host, "/b", "/b/user", "/b/root"), ["7:7", "7:7", "65534:65534"])
    sh(host, as_user("echo x >/b/made", 7))
    fails(host, "echo x >/b/made-by-root")
    # Live, the same; a new destination is root's.
    sh(host, "mkdir /c; chown 8:8 /c")
    change(host, "Bind=/srv/b:/c:owneridmap\nBind=/srv/b:/new:owneridmap\n")
    equal(inside(host, "/c", "/c/user", "/c/root", "/new"), ["8:8", "8:8", "65534:65534", "0:0"])
    sh(host, as_user("echo x >/c/made-live", 8))
    # What the owner of the destination is does not show where something is mounted.
    assert not change(host, "BindReadOnly=/srv/b:/c:owneridmap\nBind=/srv/b:/new:owneridmap\n", check=False)
    contains("with owneridmap, another mount in this place stays until a restart", status(host))
    stop(host)
    equal(owners(host, "/srv/b/made", "/srv/b/made-live"), ["1000:1000"] * 2)


def test_live(host):
    """What is mounted while it runs has the same owners as what is mounted at the start."""
    prepare(host)
    host.run("sh", "-ec", "cp -a /srv/a /srv/b; chown 1000:1000 /srv/b; mkdir -m 777 /srv/d; : >/srv/d/root")
    start(host, MAP)
    kinds = ("Bind=/srv/a:/opt/a\nBindReadOnly=/srv/a/user:/opt/deep/er/file\nBind=/srv/b:/opt/b:rootidmap\n"
             "Bind=/srv/d:/opt/d:noidmap\nBind=/srv/a:/opt/same:norbind,idmap\n")
    paths = ("/opt/a", "/opt/a/root", "/opt/a/user", "/opt/deep", "/opt/deep/er/file", "/opt/b", "/opt/b/user",
             "/opt/b/root", "/opt/d", "/opt/d/root", "/opt/same/user")

    def look():
        mounts = [line.split() for line in sh(host, "cat /proc/self/mountinfo").splitlines()]
        return inside(host, *paths), sorted((m[4], m[5]) for m in mounts if m[4].startswith("/opt"))

    change(host, kinds)
    live = look()
    equal(live[0], ["0:0", "0:0", "1000:1000", "0:0", "1000:1000", "0:0", "0:0", "65534:65534",
                    "65534:65534", "65534:65534", "1000:1000"])
    sh(host, "echo x >/opt/a/made; echo x >/opt/b/made")
    equal(sh(host, as_user("/opt/a/suid -u")), "0")
    equal(owners(host, "/srv/a/made", "/srv/b/made", f"{ROOT}/opt/deep", f"{ROOT}/opt/a"),
          ["0:0", "1000:1000", "0:0", "0:0"])
    # Once more: nothing is done.
    untouched = mounts(host)
    host.run("systemctl", "reload", "container-web")
    equal(mounts(host), untouched)
    # From one kind to another.
    change(host, kinds.replace("/opt/d:noidmap", "/opt/d").replace("/opt/b:rootidmap", "/opt/b:noidmap"))
    equal(inside(host, "/opt/b/root", "/opt/d", "/opt/d/root"), ["65534:65534", "0:0", "0:0"])
    # They go, as they have come after the start.
    change(host, "")
    equal(mounts(host, "opt"), [])
    change(host, kinds)
    host.run("systemctl", "restart", "container-web")
    equal(look(), live)


def mounts(host, below=""):
    """Those of services' credentials come and go with them."""
    return [line for line in sh(host, "cat /proc/1/mountinfo").splitlines()
            if f" /{below}" in line and " /run/credentials/" not in line]


def test_what_cannot_be_mapped(host):
    """An error that says what, why, and what to do; at the start, and at a reload."""
    host.overlay_root("/var/overlay")
    prepare(host)
    host.run("sh", "-ec", "mkdir -p /srv/over /srv/ram /srv/a/disk; mount -t ramfs ram /srv/ram; "
                          "mount -t overlay overlay -o lowerdir=/srv/a:/srv/ram /srv/over")
    cannot = "file system '{}' cannot be id-mapped on this kernel"
    cases = [
        ("Bind=/srv/over", cannot.format("overlay") + "; use the option noidmap"),
        ("BindReadOnly=/srv/ram:/ram", cannot.format("ramfs") + "; use the option noidmap"),
        ("Bind=/srv/over:/other:rootidmap", cannot.format("overlay") + "; use the option noidmap"),
        ("Bind=/srv/missing", "No such file or directory"),
    ]

    for line, why in cases:
        assert not start(host, f"{MAP}{line}\n", check=False), line
        equal(status(host), f"{line}: {why}")
        stop(host)
    host.run("mount", "-t", "tmpfs", "disk", "/srv/a/disk")
    below = ("'/srv/a/disk' is mounted below it, and owners are mapped in one file system only; use the option "
             "norbind or noidmap")
    assert not start(host, f"{MAP}Bind=/srv/a\n", check=False)
    equal(status(host), f"Bind=/srv/a: {below}")
    stop(host)
    # As it says.
    start(host, MAP + "Bind=/srv/over:/over:noidmap\nBind=/srv/a:/a:norbind\nBind=/srv/a:/all:noidmap\n")
    equal(inside(host, "/over", "/a", "/all"), ["65534:65534", "0:0", "65534:65534"])

    untouched = mounts(host)
    for line, why in cases[:3]:
        source, destination = (line.split("=")[1].split(":") * 2)[:2]
        assert not change(host, line + "\n", check=False), line
        equal(status(host), f"Failed to mount '{source}' on '{destination}' in container 'web': {why}")
    assert not change(host, "Bind=/srv/a\n", check=False)
    equal(status(host), f"Failed to mount '/srv/a' on '/srv/a' in container 'web': {below}")
    equal(mounts(host), untouched)
    change(host, "Bind=/srv/over:/live:noidmap\n")
    equal(inside(host, "/live"), ["65534:65534"])
    stop(host)

    # The root itself.
    host.remove(LIVE)
    host.define("web", f"[Container]\nRoot=/var/overlay\n{USERS}[Files]\n{MAP}")
    assert not host.ok("systemctl", "start", "container-web")
    equal(status(host), "The root '/var/overlay': " + cannot.format("overlay") +
          "; use PrivateUsersOwnership=chown, or PrivateUsers=no")


def test_ownership_of_the_root(host):
    """What the disk shows for each value of PrivateUsersOwnership=, and how to get back."""
    prepare(host)
    some = [ROOT, f"{ROOT}/etc/passwd", f"{ROOT}/usr/bin/su"]

    # chown: once, to the range that the name gives; files that are made have it, too.
    start(host, "PrivateUsersOwnership=chown\nBind=/srv/a\n")
    first = base(host)
    sh(host, "echo x >/made; chmod 777 /mnt; echo x >/srv/a/made; " + as_user("echo x >/mnt/made"))
    equal(inside(host, "/etc/passwd", "/srv/a/user"), ["0:0", "1000:1000"])
    stop(host)
    equal(owners(host, *some, f"{ROOT}/made"), [f"{first}:{first}"] * 4)
    equal(owners(host, f"{ROOT}/mnt/made"), [f"{first + 1000}:{first + 1000}"])
    equal(owners(host, "/srv/a/made"), ["0:0"])
    # Set-user-ID programs stay so.
    equal(host.out("stat", "-c", "%a", f"{ROOT}/usr/bin/su"), "4755")

    # The range stays, with auto and off as well: that of the root's owner.
    for kind in ("auto", "off", "chown"):
        start(host, f"PrivateUsersOwnership={kind}\n")
        equal(base(host), first)
        equal(inside(host, "/etc/passwd"), ["0:0"])
        stop(host)
        equal(owners(host, *some), [f"{first}:{first}"] * 3)

    # map needs the files of the host's users, and says how to get them.
    assert not start(host, MAP, check=False)
    matches(status(host), f"^The root '{ROOT}' belongs to user {first}, as PrivateUsersOwnership=chown leaves it")
    command = re.search("by '(systemd-nspawn .*)'$", status(host)).group(1)
    stop(host)  # else systemd tries again
    host.run("systemd-run", "--quiet", "--wait", "--collect", "--pipe", "-p", "Delegate=yes", "--", "/bin/sh", "-c",
             f"{command.replace('systemd-nspawn', 'systemd-nspawn --keep-unit --register=no')}")
    equal(owners(host, *some, f"{ROOT}/made", f"{ROOT}/mnt/made"), ["0:0"] * 4 + ["1000:1000"])
    start(host, MAP)
    equal(inside(host, "/etc/passwd", "/made", "/mnt/made"), ["0:0", "0:0", "1000:1000"])
    stop(host)
    equal(owners(host, *some), ["0:0"] * 3)

    # auto maps where it can; off leaves files to the host's users, who are nobody inside.
    start(host, "PrivateUsersOwnership=auto\n")
    sh(host, "echo x >/auto")
    stop(host)
    equal(owners(host, *some, f"{ROOT}/auto"), ["0:0"] * 4)


def test_a_range_of_ones_own(host):
    """A first user that is chosen; and no other numbers at all."""
    prepare(host)
    host.define("web", f"[Exec]\nPrivateUsers=1048576:65536\n[Files]\n{MAP}Bind=/srv/a\n")
    host.run("systemctl", "start", "container-web")
    equal(base(host), 1048576)
    equal(inside(host, "/etc/passwd", "/srv/a/user"), ["0:0", "1000:1000"])
    sh(host, "echo x >/srv/a/made")
    stop(host)
    equal(owners(host, "/srv/a/made", f"{ROOT}/etc/passwd"), ["0:0", "0:0"])

    host.define("web", "[Exec]\nPrivateUsers=identity\n[Files]\nBind=/srv/a\n")
    host.run("systemctl", "start", "container-web")
    equal(base(host), 0)
    equal(inside(host, "/etc/passwd", "/srv/a/user"), ["0:0", "1000:1000"])
    change(host, "Bind=/srv/a:/live\n")
    equal(inside(host, "/live/user"), ["1000:1000"])
    assert not change(host, "Bind=/srv/a:/live\nBind=/srv/a:/mapped:rootidmap\n", check=False)
    contains("without private users, owners are mapped at the start only", status(host))
    stop(host)


def test_file_systems_that_are_thrown_away(host):
    prepare(host)
    start(host, MAP + "ReadOnly=yes\n")
    fails(host, ">/made")
    equal(inside(host, "/etc/passwd"), ["0:0"])
    stop(host)
    equal(owners(host, f"{ROOT}/etc/passwd"), ["0:0"])
    start(host, MAP + "TemporaryFileSystem=/mnt:mode=700\n")
    equal(sh(host, "stat -c %u:%a /mnt"), "0:700")
    sh(host, "touch /mnt/made")
    stop(host)
    equal(host.out("find", ROOT, "-xdev", "-uid", "+65535"), "")


@releases("12", "13")
def test_ephemeral(host):
    prepare(host)
    start(host, MAP + "Bind=/srv/a:/opt/below\n", "Ephemeral=yes\n")
    equal(inside(host, "/etc/passwd", "/opt/below/user"), ["0:0", "1000:1000"])
    sh(host, "echo x >/made; echo x >/opt/below/made")
    stop(host)
    assert not host.exists(f"{ROOT}/made") and not host.exists(f"{ROOT}/opt/below")
    equal(owners(host, "/srv/a/made", f"{ROOT}/etc/passwd"), ["0:0", "0:0"])


@releases("13", "sid")
def test_volatile(host):
    """From systemd 255 on; spawnlet check says so."""
    prepare(host)
    for kind, path in (("yes", "/made"), ("state", "/var/made")):
        host.define("web", f"[Container]\nCommand=/usr/bin/sleep infinity\n{USERS}[Files]\n{MAP}Volatile={kind}\n")
        host.run("systemctl", "start", "container-web")
        sh(host, f"echo x >{path}")
        equal(inside(host, "/usr/bin/su", path), ["0:0", "0:0"])
        stop(host)
        assert not host.exists(ROOT + path)
    equal(owners(host, f"{ROOT}/usr/bin/su"), ["0:0"])


def test_devices_and_sockets(host):
    prepare(host)
    host.run("sh", "-ec", "mknod -m 666 /dev/open c 1 7; mknod -m 660 /dev/closed c 1 7")
    host.run("systemd-run", "-q", "--service-type=exec", "systemd-socket-activate", "-l", "/srv/socket", "/bin/cat")
    wait_until("it listens", lambda: host.exists("/srv/socket"))
    start(host, MAP + "Device=/dev/open rw\nBind=/srv/socket\nInaccessible=/etc/shadow\nBind=:/own\n")
    equal(inside(host, "/dev/open", "/srv/socket", "/own"), ["65534:65534", "0:0", "0:0"])
    fails(host, "echo x >/dev/open")  # /dev/full
    contains("I/O error", host.run("spawnlet", "run", "web", "/bin/sh", "-c", "echo x >/dev/open",
                                   check=False).stderr)
    fails(host, "cat /etc/shadow")
    sh(host, "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(\"/srv/socket\") or die'")
    stop(host)
    equal(owners(host, f"{ROOT}/etc/shadow", f"{ROOT}/own"), ["0:42", owners(host, f"{ROOT}/own")[0]])
    # Nobody inside is whom it belongs to.
    assert not start(host, MAP + "Device=/dev/closed\n", check=False)
    contains("Device=/dev/closed", status(host))
