# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keys of [Exec] and [Files], each looked at from inside a container that has them all."""

import re

from case import contains, contains_not, equal
from host import wait_until

LIMITS = {  # the key's value, and the line of /proc/1/limits
    "CPU": ("1h", "Max cpu time 3600 3600"),
    "FSIZE": ("8G", "Max file size 8589934592 8589934592"),
    "DATA": ("4G", "Max data size 4294967296 4294967296"),
    "STACK": ("4M:8M", "Max stack size 4194304 8388608"),
    "CORE": ("0", "Max core file size 0 0"),
    "RSS": ("1G", "Max resident set 1073741824 1073741824"),
    "NOFILE": ("512:1024", "Max open files 1024 1024"),  # systemd raises its own soft limit
    "AS": ("16T", "Max address space 17592186044416 17592186044416"),
    "NPROC": ("2000", "Max processes 2000 2000"),
    "MEMLOCK": ("32K", "Max locked memory 32768 32768"),
    "LOCKS": ("10", "Max file locks 10 10"),
    "SIGPENDING": ("20", "Max pending signals 20 20"),
    "MSGQUEUE": ("400K", "Max msgqueue size 409600 409600"),
    "NICE": ("+20", None),
    "RTPRIO": ("0", "Max realtime priority 0 0"),
    "RTTIME": ("200ms", "Max realtime timeout 200000 200000"),
}


def inside(host, *command):
    return host.out("spawnlet", "run", "all", *command)


def status(host, field):
    """A line of /proc/1/status inside."""
    found = re.search(rf"^{field}:\s*(.*)$", inside(host, "/bin/cat", "/proc/1/status"), re.M)
    return found[1]


def limits(host):
    text = inside(host, "/bin/cat", "/proc/1/limits")
    return [" ".join(line.split()) for line in text.splitlines()]


def has_capability(host, number):
    return bool(int(status(host, "CapBnd"), 16) >> number & 1)


def prepare(host):
    host.copied_root("/srv/all")
    host.write("/srv/all/etc/machine-id", "")
    host.out("mkdir", "-p", "/srv/files")
    # The host's root is an overlay, and no overlay can have its upper layer on another.
    host.out("mount", "-t", "tmpfs", "tmpfs", "/srv/files")
    for name in ("rw", "ro", "with:colon", "lower", "upper"):
        host.write(f"/srv/files/{name}/mark", name + "\n")
    host.write("/srv/files/ro/filtered", "$! = 0; getpriority(0, 0); print $! + 0")
    host.write("/srv/secret", "from a file")
    host.out("mknod", "/dev/probe", "c", "1", "5")
    lines = "".join(f"Limit{k}={v}\n" for k, (v, line) in LIMITS.items() if line)
    host.write("/etc/spawnlet/all.container", f"""\
[Container]
AutoStart=no
Root=/srv/all
Description=All keys
RestartIfChanged=no
ReloadCommand=/bin/touch /run/reloaded

[Exec]
Parameters=systemd.setenv=PARAMETER=there
Environment=PLAIN=1 "BLANK=a b" 'DOLLAR=$HOME 100%%i'
Hostname=named
MachineID=0123456789abcdef0123456789abcdef
PrivateUsers=no
NotifyReady=yes
KillSignal=SIGRTMIN+4
Capability=CAP_NET_RAW
DropCapability=CAP_SYS_TTY_CONFIG CAP_MKNOD
NoNewPrivileges=yes
SystemCallFilter=~getpriority
OOMScoreAdjust=500
CPUAffinity=0
ResolvConf=delete
Timezone=off
LinkJournal=no
SuppressSync=yes
LoadCredential=file:/srv/secret
SetCredential=text:as it stands
{lines}
[Files]
Bind=/srv/files/rw:/mnt/rw
BindReadOnly=/srv/files/ro:/mnt/ro:norbind
BindReadOnly=/srv/files/with\\:colon:/mnt/colon
TemporaryFileSystem=/mnt/tmp:size=1M,mode=0711
Inaccessible=/usr/share/doc
Overlay=/srv/files/lower:/srv/files/upper:/mnt/overlay
OverlayReadOnly=/srv/files/lower:/srv/files/ro:/mnt/overlay-ro
Device=/dev/probe rw

[Service]
TimeoutStartSec=2min
""", 0o600)
    host.run("systemctl", "daemon-reload")
    equal(host.out("spawnlet", "check", "--strict", "all"), "")


def test_all_keys_take_effect(host):
    prepare(host)
    host.run("systemctl", "start", "container-all")

    environ = inside(host, "/bin/cat", "/proc/1/environ").split("\0")
    for assignment in ("PLAIN=1", "BLANK=a b", "DOLLAR=$HOME 100%%i"):
        contains(assignment, environ)
    contains("systemd.setenv=PARAMETER=there", inside(host, "/bin/cat", "/proc/1/cmdline"))
    equal(inside(host, "/bin/cat", "/proc/sys/kernel/hostname"), "named")
    contains("container_uuid=01234567-89ab-cdef-0123-456789abcdef", environ)
    assert has_capability(host, 13), "CAP_NET_RAW"
    assert not has_capability(host, 26), "CAP_SYS_TTY_CONFIG"
    assert not has_capability(host, 27), "CAP_MKNOD"
    equal(status(host, "NoNewPrivs"), "1")
    equal(status(host, "Cpus_allowed_list"), "0")
    equal(inside(host, "/bin/cat", "/proc/1/oom_score_adj"), "500")
    lines = limits(host)
    for name, (_, line) in LIMITS.items():
        if line:
            assert any(x.startswith(line) for x in lines), f"Limit{name}=: {lines}"

    assert not host.exists("/srv/all/etc/resolv.conf"), "ResolvConf=delete"
    argv = host.out("systemctl", "show", "-p", "ExecStart", "container-all")
    for option in ("--suppress-sync=yes", "--timezone=off", "--link-journal=no"):
        contains(option, argv)
    # The filter is of the container's processes; what "spawnlet run" brings in has none.
    service = ("/usr/bin/systemd-run", "--quiet", "--wait", "--pipe", "/usr/bin/perl")
    equal(inside(host, *service, "/mnt/ro/filtered"), "1")  # EPERM

    credentials = "/run/host/credentials"
    equal(inside(host, "/bin/cat", f"{credentials}/file"), "from a file")
    equal(inside(host, "/bin/cat", f"{credentials}/text"), "as it stands")

    equal(inside(host, "/bin/cat", "/mnt/rw/mark"), "rw")
    inside(host, "/bin/touch", "/mnt/rw/written")
    assert host.exists("/srv/files/rw/written")
    equal(inside(host, "/bin/cat", "/mnt/ro/mark"), "ro")
    assert not host.ok("spawnlet", "run", "all", "/bin/touch", "/mnt/ro/x"), "BindReadOnly="
    equal(inside(host, "/bin/cat", "/mnt/colon/mark"), "with:colon")
    equal(inside(host, "/usr/bin/stat", "-f", "-c", "%T", "/mnt/tmp"), "tmpfs")
    equal(inside(host, "/usr/bin/stat", "-c", "%a", "/mnt/tmp"), "711")
    equal(inside(host, "/usr/bin/stat", "-c", "%a", "/usr/share/doc"), "0")
    equal(inside(host, "/bin/cat", "/mnt/overlay/mark"), "upper")
    inside(host, "/bin/touch", "/mnt/overlay/written")
    assert host.exists("/srv/files/upper/written") and not host.exists("/srv/files/lower/written")
    equal(inside(host, "/bin/cat", "/mnt/overlay-ro/mark"), "ro")
    assert not host.ok("spawnlet", "run", "all", "/bin/touch", "/mnt/overlay-ro/x")
    equal(inside(host, "/usr/bin/stat", "-c", "%t:%T", "/dev/probe"), "1:5")
    contains("/dev/probe rw", host.out("systemctl", "show", "-p", "DeviceAllow", "container-all"))

    host.run("systemctl", "reload", "container-all")
    inside(host, "/bin/test", "-e", "/run/reloaded")
    host.run("systemctl", "stop", "container-all", timeout=60)
    equal(host.unit("container-all")["Result"], "success")


def test_command(host):
    """Command= with what only it can have; and the command's end is the container's."""
    host.copied_root("/srv/app")
    host.write("/srv/app/srv/dump", """\
#!/bin/sh
{ id -un; pwd; echo $PPID; grep CapAmb /proc/self/status; printf '%s\\n' "$@"; } > /tmp/out/dump
trap 'exit 0' TERM HUP
touch /tmp/out/ready
sleep "$1" & wait
""")
    host.out("chmod", "755", "/srv/app/srv/dump")
    host.out("mkdir", "-m", "1777", "/srv/out")
    host.define("app", """\
        [Container]
        Root=/srv/app
        Command=/srv/dump 1000 "two words" $HOME %i ;

        [Exec]
        ProcessTwo=yes
        User=nobody
        WorkingDirectory=/srv
        AmbientCapability=CAP_KILL

        [Files]
        Bind=/srv/out:/tmp/out
    """)
    host.run("systemctl", "start", "container-app")
    wait_until("the command is ready", lambda: host.exists("/srv/out/ready"))
    host.run("systemctl", "stop", "container-app", timeout=30)
    unit = host.unit("container-app")
    equal((unit["Result"], unit["ExecMainStatus"]), ("success", "0"))

    name, directory, parent, ambient, *arguments = host.read("/srv/out/dump").splitlines()
    equal((name, directory, parent), ("nobody", "/srv", "1"))
    equal(ambient, "CapAmb:\t0000000000000020")
    equal(arguments, ["1000", "two words", "$HOME", "%i", ";"])


def test_what_is_lost_at_the_stop(host):
    """Ephemeral=, Volatile= and ReadOnly=."""
    for name, key in (("e", "[Exec]\nEphemeral=yes"), ("r", "[Files]\nReadOnly=yes"),
                      ("v", "[Exec]\nPrivateUsers=no\n[Files]\nVolatile=overlay")):
        host.copied_root(f"/srv/{name}")
        host.write(f"/etc/spawnlet/{name}.container", f"[Container]\nRoot=/srv/{name}\n{key}\n")
    host.run("systemctl", "daemon-reload")
    for name in "evr":
        host.run("systemctl", "start", f"container-{name}", timeout=120)
        written = host.ok("spawnlet", "run", name, "/bin/touch", "/usr/written")
        equal(written, name != "r")
        host.run("systemctl", "stop", f"container-{name}", timeout=60)
        assert not host.exists(f"/srv/{name}/usr/written"), name


def test_resolv_conf(host):
    """DNS= and Search=, whatever the root has in that place, with a network of its own and with the host's. A
    directory below /run that is missing on the way belongs to root inside: systemd uses it, too."""
    host.copied_root("/srv/os")
    for users, network, command in (
        ("pick", "yes", ("rm", "-f")),
        ("pick", "yes", ("cp", "/etc/hostname")),
        ("pick", "yes", ("ln", "-sf", "../run/systemd/resolve/stub-resolv.conf")),
        ("no", "yes", ("ln", "-sf", "../run/systemd/resolve/stub-resolv.conf")),
        ("pick", "no", ("ln", "-sf", "/run/systemd/resolve/stub-resolv.conf")),
        ("pick", "no", ("ln", "-sf", "passed-on")),
        ("pick", "no", ("mkfifo",)),
    ):
        host.out("rm", "-f", "/srv/os/etc/resolv.conf")
        host.out("ln", "-sf", "../run/elsewhere/resolv.conf", "/srv/os/etc/passed-on")
        host.out(*command, "/srv/os/etc/resolv.conf")
        host.define("web", f"""\
            [Container]
            Root=/srv/os

            [Exec]
            PrivateUsers={users}

            [Network]
            Private={network}
            DNS=10.90.0.53 fd90::53
            Search=example.com example.org

            [Unit]
            StartLimitIntervalSec=0
        """)
        host.run("systemctl", "start", "container-web")
        text = host.out("spawnlet", "run", "web", "/bin/cat", "/etc/resolv.conf")
        contains("nameserver 10.90.0.53\nnameserver fd90::53\nsearch example.com example.org", text)
        equal(host.out("spawnlet", "run", "web", "/bin/sh", "-c",
            "find /run/systemd /run/elsewhere -type d -user nobody 2>/dev/null | grep -v '^/run/systemd/nspawn' || true"), "")
        host.run("systemctl", "stop", "container-web", timeout=60)
        assert not host.exists("/run/spawnlet/resolv/web")


def test_resolv_conf_cannot_be_put_in_place(host):
    """The start fails and says why; the host's file, which has the same name, is not touched."""
    host.copied_root("/srv/os")
    before = host.out("sh", "-c", "ls -ld --time-style=full-iso /etc/resolv.conf; findmnt -rn")
    for command, why in (
        (("ln", "-sfn", "resolv.conf"), "Too many levels of symbolic links"),
        (("mkdir",), "Not a directory"),
    ):
        host.out("rm", "-rf", "/srv/os/etc/resolv.conf")
        host.out(*command, "/srv/os/etc/resolv.conf")
        host.define("web", "[Container]\nRoot=/srv/os\n[Network]\nPrivate=yes\nDNS=10.90.0.53\n"
            "[Service]\nRestart=no\n")
        assert not host.ok("systemctl", "start", "container-web")
        contains(f"spawnlet-init: Failed to put resolv.conf in its place: {why}",
            host.out("journalctl", "-u", "container-web"))
    equal(host.out("sh", "-c", "ls -ld --time-style=full-iso /etc/resolv.conf; findmnt -rn"), before)


def test_namespace_of_another(host):
    """Namespace=container:OTHER shares the network, and goes down with it; NamespacePath= joins one."""
    host.define("owner", "[Container]\nSystem=host\n[Network]\nLocalAddress=10.90.0.2\n")
    host.define("guest", "[Container]\nSystem=host\n[Network]\nNamespace=container:owner\n")
    host.out("ip", "netns", "add", "blue")
    host.define("joined", "[Container]\nSystem=host\n[Network]\nNamespacePath=/run/netns/blue\n")
    host.run("systemctl", "start", "container-guest", "container-joined")

    def namespace(name):
        return host.out("spawnlet", "run", name, "/usr/bin/readlink", "/proc/1/ns/net")

    equal(host.state("container-owner"), "active")  # the guest brought it along
    equal(namespace("guest"), namespace("owner"))
    contains_not(namespace("joined"), (namespace("owner"), host.out("readlink", "/proc/1/ns/net")))
    host.run("systemctl", "stop", "container-owner", timeout=60)
    host.wait_unit("container-guest", "inactive")
    host.run("systemctl", "stop", "container-joined", timeout=60)
    assert "blue" in host.out("ip", "netns"), "what is not ours was removed"
