# SPDX-License-Identifier: LGPL-2.1-or-later
"""A root whose container has planted links, FIFOs, devices and the like wherever a helper looks.

Whatever comes of the start, nothing on the host is read, written, made or removed, and nothing blocks.
"""

from fnmatch import fnmatch

from case import contains, equal, releases
from host import wait_until

ROOT = "/var/lib/machines/web"

# In files of the host's that are nobody's business; never in a root.
SECRET = "the-secret-of-the-host"

# A time for all, in which nothing should block. (Not seconds, as the machine may be busy.)
DEADLINE = 30

# What spawnlet-root makes, or would make something in, for each kind of system.
PATHS = {
    "host": (
        ".spawnlet-new bin dev etc etc/.spawnlet-new etc/.updated etc/default etc/group etc/gshadow etc/hosts"
        " etc/machine-id etc/nsswitch.conf etc/os-release etc/pam.d etc/passwd etc/profile.d etc/security"
        " etc/shadow etc/ssl etc/ssl/.spawnlet-new etc/ssl/certs etc/systemd etc/systemd/system-generators"
        " etc/systemd/system-generators/systemd-getty-generator lib root tmp usr usr/lib"
        " usr/lib/.spawnlet-new usr/lib/os-release var var/.spawnlet-new var/.updated var/lib"
        " var/lib/private").split(),
    "nix": ("etc etc/.spawnlet-new etc/machine-id etc/os-release root usr usr/bin var var/lib"
            " var/lib/private").split(),
    "root": "etc etc/os-release usr usr/lib usr/lib/os-release".split(),
}

# How each is made at "$p" in the root.
PLANTS = {
    "a link to a directory": 'ln -s /srv/victim "$p"',
    "a link to /etc": 'ln -s /etc "$p"',
    "a link to a file": 'ln -s /etc/shadow "$p"',
    "a link with many ..": 'ln -s ../../../../../../../../../../srv/victim "$p"',
    "a link to what is not there": 'ln -s /srv/victim/new "$p"',
    "a link to below what is not there": 'ln -s /srv/new/below "$p"',
    "a link to itself": 'ln -s "${p##*/}" "$p"',
    "a link through /proc": 'ln -s /proc/1/root/srv/victim "$p"',
    "a FIFO": 'mkfifo "$p"',
    "a device": 'mknod "$p" c 5 1',
    "a disk": 'mknod "$p" b 7 0',
    "a socket": 'perl -MIO::Socket::UNIX -e \'IO::Socket::UNIX->new(Local => "s", Listen => 1)\' && mv s "$p"',
    "a directory": 'mkdir "$p"; echo >"$p/file"',
    "a directory of nobody's": 'mkdir -m 0 "$p"; chown 4242:4242 "$p"',
    "a deep directory": 'mkdir "$p"; (cd "$p"; perl -e \'for (1..1500) { mkdir "d"; chdir "d" } open(F, ">f")\')',
    "a file": 'echo >"$p"',
    "a file of nobody's": 'echo >"$p"; chmod 7000 "$p"; chown 4242:4242 "$p"',
    "a hard link to a file of the host": 'ln /var/lib/machines/.victim "$p"',
}

# Each plant at each path, in a root of its own. Prints what went wrong; see EXAMINE for $fingerprint.
MATRIX = """
kind=$1; plant=$2; shift 2
helper=$(find /usr -name spawnlet-root -type f)
before=
for path; do
    rm -rf "$root"; mkdir -m 755 "$root"; cd "$root"
    mkdir -p "$root/$path"; rmdir "$root/$path"
    p=$root/$path; eval "$plant" || echo "$path: not planted"
    cd /
    before=${before:-$(fingerprint)}
    error=$(timeout -s KILL @DEADLINE@ "$helper" --root="$root" --system="$kind" web 2>&1)
    status=$?
    case $status in
    0) ;;
    1) case $error in *"'${path%/.spawnlet-new}"*|*"$root"*) ;; *) echo "$path: message: $error" ;; esac ;;
    *) echo "$path: status $status: $error" ;;
    esac
    after=$(fingerprint)
    [ "$before" = "$after" ] || echo "$path: the host was changed"
    before=$after
    secrets "$path"
    [ -e "$root/../etc" ] && echo "$path: made above the root"
done
rm -rf "$root"
true
"""

# What stays as it is: with the time of the last change to anything about a file, which nobody can set.
EXAMINE = """
root=/var/lib/machines/web
fingerprint() {
    find /etc /root /srv /usr/local /var /nix /home /opt -xdev @EXCEPT@ -prune -o -printf '%p %y %m %U %G %i %C@ %l\\n' \
        2>/dev/null
    stat -c '%y %a %U' /var/lib/machines/.victim && cat /var/lib/machines/.victim
}
secrets() {
    find "$root" -xdev -type f -exec grep -l '@SECRET@' {} + | sed "s,^,$1: has a secret: ,"
}
"""

EXCEPT = ["/var/lib/machines", "/var/log", "/var/tmp", "/var/lib/systemd", "/var/cache", "/var/lib/dbus",
          "/etc/spawnlet", "/srv/debian", "/srv/mount", "/var/lib/machines/.victim"]


def examine(script):
    excepted = "( " + " -o ".join(f"-path {path}" for path in EXCEPT) + " )"
    return ((EXAMINE + script).replace("@EXCEPT@", excepted.replace("(", "\\(").replace(")", "\\)"))
            .replace("@SECRET@", SECRET).replace("@DEADLINE@", str(DEADLINE)))


def prepare(host):
    """What there is to be taken, and to be spoiled."""
    host.write("/srv/victim/file", f"{SECRET}\n", mode=0o600)
    host.write("/var/lib/machines/.victim", f"{SECRET}\n", mode=0o600)
    host.run("sh", "-c", f"echo '{SECRET}:*:::::::' >>/etc/shadow; sysctl -qw fs.protected_hardlinks=1 || true")
    # What the nix kind makes on the host, for any container.
    host.run("mkdir", "-p", *(f"/nix/var/nix/{path}" for path in (
        "db", "daemon-socket", "profiles/per-container/web", "gcroots/per-container/web")))


def matrix(host, kind):
    prepare(host)
    found = []
    for what, plant in PLANTS.items():
        # A hard link brings its content along: it is the same file, and was not read by us.
        secrets = "" if "hard link" not in what else "secrets() { :; }\n"
        text = host.out("sh", "-c", examine(secrets + MATRIX), "sh", kind, plant, *PATHS[kind],
                        timeout=300)
        found += [f"{what}: {line}" for line in text.splitlines()]
    equal(found, [])


# The helper by itself, without systemd: on one release.

@releases("13", "sid")
def test_plants_in_a_root_that_shares_the_system(host):
    matrix(host, "host")


@releases("13", "sid")
def test_plants_in_a_root_of_nixos(host):
    matrix(host, "nix")


@releases("13", "sid")
def test_plants_in_a_root_with_a_system(host):
    matrix(host, "root")


# A whole life

DEFINITION = """\
[Container]
System=host
AutoStart=no
HealthCommand=/bin/true
HealthInterval=1h

[Exec]
PrivateUsers=no
LinkJournal=try-guest

[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2
DNS=10.90.0.1

[Service]
Restart=no
TimeoutStartSec=40

[Unit]
StartLimitIntervalSec=0
"""

LIVE = """\
[Files]
Bind=/srv/data:/opt/live
BindReadOnly=/srv/data/file:/opt/conf
Bind=/srv/data:/mnt/below/live
"""

# It may start or not: systemd-nspawn 262 does not, where older ones do.
EITHER = object()

# What is planted in the root, what that makes of the start (None: it starts), and of a reload that adds LIVE.
LIVES = [
    ("etc", "ln -s /etc etc", "Refusing to use 'etc'", None),
    ("var", "ln -s /var var", "Refusing to use 'var", None),
    ("var with many ..", "ln -s ../../../../../../var var", "Refusing to use 'var", None),
    ("usr", "ln -s /usr usr", "Refusing to use 'usr", None),
    ("dev", "ln -s /dev dev", "Refusing to use 'dev'", None),
    ("tmp", "ln -s /srv/victim tmp", "Refusing to use 'tmp'", None),
    ("os-release", "mkdir etc; mkfifo etc/os-release", "etc/os-release': it is no regular file", None),
    ("os-release in usr", "mkdir -p usr/lib; mkfifo usr/lib/os-release", "no regular file", None),
    ("resolv.conf", "mkdir etc; ln -s /etc/shadow etc/resolv.conf", None, None),
    ("resolv.conf that is not there", "mkdir etc; ln -s /srv/victim/new etc/resolv.conf", None, None),
    # systemd-nspawn would make a directory there.
    ("the journal", "mkdir -p var/log; ln -s /srv/victim var/log/journal",
     "Refusing to use '/var/lib/machines/web/var/log/journal'", None),
    ("above the journal", "mkdir var; ln -s ../../../../../srv/victim var/log", "web/var/log'", None),
    ("the journal that is not there", "mkdir -p var/log; ln -s /srv/victim/new var/log/journal", EITHER, None),
    ("the journal elsewhere inside", "mkdir -p var data/log; ln -s ../data/log var/log", None, None),
    ("localtime", "mkdir etc; ln -s /srv/victim/new etc/localtime", None, None),
    ("the machine ID", "mkdir etc; ln -s /srv/victim/file etc/machine-id",
     "web/etc/machine-id'", None),
    ("run", "mkdir -p run/host; ln -s /srv/victim run/host/spawnlet; ln -s /srv/victim run/systemd", None, None),
    ("a live mount", "mkdir -p opt srv/victim; ln -s /srv/victim opt/live; ln -s /etc/shadow opt/conf", None, None),
    ("a live mount on a file", "mkdir opt; ln -s /etc/shadow opt/live", None, "/opt/live"),
    ("a live mount that is not there",
     "mkdir opt; ln -s /srv/victim/new opt/live; ln -s ../../../../srv/victim/new opt/conf", None, "/opt/"),
    ("above a live mount", "ln -s /srv/victim opt; ln -s ../../../../srv/victim mnt", None, ""),
    ("a live mount on a FIFO", "mkdir opt; mkfifo opt/conf", None, ""),
    ("a live mount on a loop", "mkdir opt; ln -s live opt/live", None, "/opt/live"),
]


def life(host, what, start_error, reload_error):
    """Start, reload, check, run, stop. Returns what went wrong."""

    def status():
        host.run("journalctl", "--sync")
        text = host.out("journalctl", "-u", "container-web", "-n40", "-o", "cat")
        return "\n".join(line for line in text.splitlines() if "'" in line)

    found = []
    started = host.ok("timeout", DEADLINE, "systemctl", "start", "container-web")
    if start_error is EITHER:
        start_error = None if started else ""
    if started != (start_error is None):
        host.run("systemctl", "stop", "container-web", timeout=DEADLINE)
        return [f"start {'succeeded' if started else 'failed'}: {status()}"]
    if not started:
        return [] if start_error in status() else [f"start: {status()}"]

    host.write("/etc/spawnlet/web.container.d/live.conf", LIVE)
    host.run("systemctl", "daemon-reload")
    reloaded = host.ok("timeout", DEADLINE, "systemctl", "reload", "container-web")
    if not reloaded and (reload_error is None or reload_error not in status()):
        found.append(f"reload: {status()}")
    if reloaded and reload_error:
        found.append("reload succeeded")
    if not host.ok("timeout", DEADLINE, "spawnlet", "run", "web", "/bin/true"):
        found.append("run failed")
    if not host.ok("timeout", DEADLINE, "systemctl", "start", "spawnlet-health-web"):
        found.append(f"health: {status()}")
    host.run("systemctl", "stop", "container-web", timeout=DEADLINE)
    return found


def test_lives_with_plants(host):
    prepare(host)
    host.write("/srv/data/file", "data\n")
    host.define("web", DEFINITION)
    # The first start makes what all containers share.
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "stop", "container-web")
    found = []
    for what, plant, start_error, reload_error in LIVES:
        host.remove("/etc/spawnlet/web.container.d")
        host.run("sh", "-ec", f"rm -rf {ROOT}; mkdir {ROOT}; cd {ROOT}; {plant}")
        host.run("systemctl", "daemon-reload")
        before, footprint = host.out("sh", "-c", examine("fingerprint")), host.footprint()
        found += [f"{what}: {line}" for line in life(host, what, start_error, reload_error)]
        after = host.out("sh", "-c", examine("fingerprint"))
        found += [f"{what}: {line}" for line in sorted(set(before.splitlines()) ^ set(after.splitlines()))]
        found += host.out("sh", "-c", examine(f"secrets '{what}'")).splitlines()
        host.run("systemctl", "reset-failed", "container-web", check=False)
        wait_until(f"{what}: nothing is left", lambda: equal(host.footprint(), footprint) or True)
    equal(found, [])


def test_a_root_that_leads_to_the_host(host):
    """By a link, or mounted."""
    prepare(host)
    host.run("sh", "-ec", "ln -s / /srv/link; mkdir /srv/mount; mount --bind / /srv/mount")
    for path in "/srv/link", "/srv/mount", "/srv/link/srv/link/":
        host.define("web", f"[Container]\nSystem=host\nRoot={path}\nAutoStart=no\n[Service]\nRestart=no\n")
        before = host.out("sh", "-c", examine("fingerprint"))
        assert not host.ok("systemctl", "start", "container-web"), path
        host.run("journalctl", "--sync")
        contains("it leads to the host's own",
                 host.out("journalctl", "-u", "container-web", "-n20", "-o", "cat"))
        equal(host.out("sh", "-c", examine("fingerprint")), before)


def test_what_is_called_like_a_copy(host):
    """Of an ephemeral root: a link is removed, and not what it leads to; what is mounted stays."""
    prepare(host)
    host.define("web", "[Container]\nSystem=host\nAutoStart=no\n[Exec]\nEphemeral=yes\n")
    host.run("systemctl", "start", "container-web")
    host.run("sh", "-ec", f"""
        cd /var/lib/machines
        ln -s /srv/victim .#machine.web0123456789abcdef
        mkdir -p .#machine.web0123456789abcde0/deep/mount
        mount --bind /srv/victim .#machine.web0123456789abcde0/deep/mount
        for name in .#machine.web0123456789abcdef .#machine.web0123456789abcde0; do >".#$name.lck"; done
    """)
    host.run("systemctl", "stop", "container-web")
    contains(SECRET, host.read("/srv/victim/file"))
    assert not host.exists("/var/lib/machines/.#machine.web0123456789abcdef")
    assert host.ok("findmnt", "/srv/victim") or "victim" in host.read("/proc/self/mountinfo")


# Who may read what of ours: (what find prints of type, mode and owner, path as a shell pattern).

MODES = [
    ("d 755 root root", "/run/spawnlet"),
    # Addresses: any process may look up a name, nss-spawnlet(8).
    ("d 755 root root", "/run/spawnlet/hosts"),
    ("f 644 root root", "/run/spawnlet/hosts/*"),
    # Mounted in the container, where any process may look up a name.
    ("d 755 root root", "/run/spawnlet/resolv"),
    ("f 644 root root", "/run/spawnlet/resolv/*"),
    # `spawnlet list`, `diff` and `show-ip` work for any user.
    ("d 755 root root", "/run/spawnlet/started"),
    ("f 644 root root", "/run/spawnlet/started/*"),
    ("d 755 root root", "/run/spawnlet/health"),
    ("f 644 root root", "/run/spawnlet/health/*"),
    ("d 700 root root", "/run/spawnlet/links"),
    ("l 777 root root", "/run/spawnlet/links/*"),
    # Locked by us, and so by nobody else. Whether there is one `spawnlet list` tells any user.
    ("d 700 root root", "/run/spawnlet/lock"),
    ("d 700 root root", "/run/spawnlet/netns"),
    ("d 711 root root", "/run/spawnlet/network"),
    ("d 700 root root", "/run/spawnlet/network/*"),
    ("f 644 root root", "/run/spawnlet/network/*/*"),
    ("d 700 root root", "/var/lib/machines"),
    ("l 777 root root", "/var/lib/machines/elsewhere"),
    ("d 755 root root", "/var/lib/machines/web"),
    ("d 755 root root", "/srv/elsewhere"),
]


def test_modes(host):
    """Also where a unit has UMask=, which counts for the helpers, too."""
    for name, text in {
            "web": "[Container]\nSystem=host\nHealthCommand=/bin/true\nHealthInterval=1h\n[Network]\n"
                   "HostAddress=10.90.0.1\nLocalAddress=10.90.0.2\nDNS=10.90.0.1\n",
            "elsewhere": "[Container]\nSystem=host\nRoot=/srv/elsewhere\n[Network]\n"
                         "HostAddress=10.90.1.1\nLocalAddress=10.90.1.2\n"}.items():
        host.define(name, f"{text}[Service]\nUMask=0077\n")
        host.run("systemctl", "start", f"container-{name}")
    host.run("systemctl", "start", "spawnlet-health-web")
    host.run("systemctl", "reload", "container-web")

    found = host.out("find", "/run/spawnlet", *(path for _, path in MODES[-4:]), "-xdev", "-path",
                     "/var/lib/machines/*/*", "-prune", "-o", "-path", "/srv/elsewhere/*", "-prune", "-o",
                     "-printf", "%y %m %u %g\t%p\n").splitlines()
    wrong, matched = [], set()
    for line in found:
        mode, path = line.split("\t")
        if path.startswith("/run/spawnlet/netns/"):
            continue  # what is mounted there is the kernel's: 444
        if path.endswith(".lck"):
            continue  # systemd-nspawn's
        rule = max((i for i, (_, pattern) in enumerate(MODES)
                    if fnmatch(path, pattern) and path.count("/") == pattern.count("/")), default=None)
        matched.add(rule)
        if rule is None or MODES[rule][0] != mode:
            wrong.append(f"{path}: {mode}, and not {MODES[rule][0] if rule is not None else 'known'}")
    equal(wrong, [])
    equal([MODES[i] for i in range(len(MODES)) if i not in matched], [])


def test_locks_are_ours_alone(host):
    """Who may open something may lock it, and would hold up all containers."""
    for name in "web", "api":
        host.define(name, "[Container]\nSystem=host\nAutoStart=no\n[Network]\nPrivate=yes\n")
    host.run("systemctl", "start", "container-web")
    locked = host.out("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", """
        for path in /run/spawnlet /run/spawnlet/* /run/spawnlet/network/web /run/spawnlet/network/web/*; do
            (exec 9<"$path" && flock -x 9 && exec sleep 100) >/dev/null 2>&1 &
        done
        : >/dev/null
    """, check=False, timeout=10)
    equal(locked, "")
    host.run("timeout", DEADLINE, "systemctl", "start", "container-api")
    for name in "web", "api":
        host.run("timeout", DEADLINE, "systemctl", "stop", f"container-{name}")
