# SPDX-License-Identifier: LGPL-2.1-or-later
"""What root inside does while our helpers look at, enter, change, stop or clean up after its container.

test_hostile.py has what it may have left in its root. All here are without private users, where root inside has
the most rights, unless the test is about these.
"""

import re
import time

from case import contains, contains_not, equal, releases
from containers import says
from host import wait_until

ROOT = "/var/lib/machines/web"
HELPERS = "/usr/libexec/spawnlet"

# In the environment of who calls our programs.
SECRET = "the-secret-of-the-administrator"

# A time for all, in which nothing should block. (Not seconds, as the machine may be busy.)
DEADLINE = 30

PERL = "#!/usr/bin/perl\nuse strict; use Fcntl; $| = 1;\n"


def script(host, name, text, interpreter=PERL):
    """Put a script into /srv of the container."""
    host.write(f"{ROOT}/srv/{name}", interpreter + text, 0o755)


def inside(host, *command, **options):
    return host.out("spawnlet", "run", "web", *command, **options)


def in_background(host, name, path):
    """Run a script inside until the container stops, and wait until it has begun: until it makes /srv/NAME.up."""
    host.remove(f"{ROOT}/srv/{name}.up")
    inside(host, "systemd-run", "--quiet", f"--unit={name}", path)
    wait_until(f"{name} runs", lambda: host.exists(f"{ROOT}/srv/{name}.up"))


def bounded(host, *command, env=None):
    """Whether the command succeeds; it ends in time, in any case."""
    r = host.run("timeout", "-s", "KILL", DEADLINE, *command, check=False, env=env)
    assert r.returncode not in (137, -9), f"{command} hangs"
    return r.returncode == 0


def looked_at(host):
    """What of the host nothing inside may change."""
    return (host.footprint()["mounts"], host.read("/srv/victim/file"),
            host.out("find", "/etc", "/root", "/srv", "/run/spawnlet", "-xdev", "-not", "-path", "*/health/*",
                     "-printf", "%p %y %m %U %i %C@ %l\n"))


# A link in the place of a directory above a mount point, and back, as fast as can be.
EXCHANGES = """
mkdir "/opt"; mkdir "/opt/a"; mkdir "/opt/a/b"; mkdir "/opt/a/b/point"; mkdir "/opt/c"; mkdir "/opt/c/b";
symlink "../../../../../../srv/victim", "/opt/link"; symlink "/proc/1/root/srv/victim", "/opt/c/link";
symlink "/opt/../../srv", "/opt/srv";
open my $up, ">", "/srv/exchanges.up";
while (1) {
    for my $p (["/opt/a", "/opt/link"], ["/opt/c/b", "/opt/c/link"], ["/opt/a", "/opt/srv"]) {
        syscall 316, -100, $p->[0], -100, $p->[1], 2 for 1, 2; # renameat2, RENAME_EXCHANGE; and back
        syscall 316, -100, "/opt/a/b", -100, "/opt/c/link", 2 for 1, 2;
    }
}
"""

# Looks into each process that comes, from the moment on that it is seen, and tries to take it over.
SPY = """
my (%seen, $i); my $own = $$;
open my $out, ">>", "/srv/spied"; select $out; $| = 1;
open my $up, ">", "/srv/spy.up";
while (1) {
    opendir my $d, "/proc"; my @pids = grep /^\\d+$/ && $_ > $own, readdir $d; closedir $d;
    for my $pid (@pids) {
        next if $seen{$pid};
        my ($f, $text, $name);
        if (open $f, "<", "/proc/$pid/environ") { local $/; $text = <$f>; print "ENV $text\\n" if $text =~ /secret/ }
        open $f, "<", "/proc/$pid/comm" or next; $name = <$f>; close $f;
        $seen{$pid} = 1 if $name !~ /^spawnlet/;
        next unless $name =~ /^spawnlet/;
        print "SEEN $name";
        opendir my $fds, "/proc/$pid/fd" or next;
        for my $fd (grep /^\\d+$/, readdir $fds) { my $to = readlink "/proc/$pid/fd/$fd"; print "FD $fd $to\\n" }
        if (sysopen $f, "/proc/$pid/exe", O_RDWR) { print "WRITES\\n" }
        for my $l ("root", "cwd") { print "OUT $l\\n" if -e "/proc/$pid/$l/srv/victim" }
    }
}
"""


def start(host, more=""):
    host.write("/srv/victim/file", "of the host\n")
    host.write("/srv/data/file", "data\n")
    host.define("web", f"[Container]\nSystem=host\nAutoStart=no\n{more}[Exec]\nPrivateUsers=no\n")
    host.run("systemctl", "start", "container-web")


@releases("13", "sid")
def test_while_it_is_entered_and_changed(host):
    """Mounts that come and go under links that do; commands that are watched from their first moment on."""
    start(host)
    script(host, "exchanges", EXCHANGES)
    script(host, "spy", SPY)
    in_background(host, "exchanges", "/srv/exchanges")
    pid = host.unit("container-web")["MainPID"]
    before = looked_at(host)
    came = 0
    lines = ["[Files]Bind=/srv/data:/opt/a/b/point", "[Files]BindReadOnly=/srv/data/file:/opt/c/b/deep/file",
             "[Files]Bind=/srv/data:/opt/a/new/dir"]
    for _ in range(15):
        came += bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid, *lines)
        bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid)
    after = looked_at(host)
    equal(after[:2], before[:2])
    changed = set(after[2].splitlines()) ^ set(before[2].splitlines())
    equal({line.split()[0] for line in changed if not line.startswith("/run/spawnlet/started")}, set())
    inside(host, "systemctl", "stop", "exchanges")
    # Else nothing was tried: undisturbed, it does.
    assert bounded(host, f"{HELPERS}/spawnlet-reload", "web", pid, lines[0]), came

    in_background(host, "spy", "/srv/spy")
    for _ in range(25):
        bounded(host, "spawnlet", "run", "web", "/bin/true", env={"TOKEN": SECRET})
    spied = host.read(f"{ROOT}/srv/spied")
    contains("SEEN ", spied)
    for what in "ENV ", "WRITES ", "OUT ":
        contains_not(what, spied)
    # What `spawnlet run` itself was given, and nothing more.
    equal({fd for fd in re.findall(r"^FD (\d+) ", spied, re.M)} - {"0", "1", "2"}, set())


# Tells what it was given.
RECORDS = r"""
open my $out, ">>", "/srv/got"; print $out "CALLED @ARGV\n";
print $out "ENV $_\n" for sort keys %ENV;
opendir my $d, "/proc/self/fd";
for my $fd (grep /^\d+$/, readdir $d) {
    my $to = readlink "/proc/self/fd/$fd"; print $out "FD $fd $to\n" if $to !~ m,^/srv/got|/proc/\d+/fd$, }
"""


@releases("13", "sid")
def test_what_commands_get(host):
    """Neither descriptors nor variables of the host's, also where its caller has closed descriptors; and nothing
    of the container's is loaded into who waits for them."""
    start(host)
    script(host, "records", RECORDS)
    inside(host, "mount", "--bind", "/srv/records", "/usr/bin/systemctl")
    # What programs read that are started inside.
    host.run("sh", "-ec", f"cd {ROOT}/etc; for f in ld.so.preload nsswitch.conf locale.alias; do rm -f $f; mkfifo $f; done")
    pid = host.unit("container-web")["MainPID"]

    def got():
        text = host.read(f"{ROOT}/srv/got")
        host.remove(f"{ROOT}/srv/got")
        return text

    # Whoever is dynamically linked waits at /etc/ld.so.preload, the helper does not.
    host.run("systemd-run", "--quiet", "--unit=waits", "spawnlet", "run", "web", "/srv/records")
    pids = wait_until("a helper waits inside", lambda: [p for p in [host.out(
        "pgrep", "-f", "spawnlet-enter", check=False).split()] if len(p) == 2])[0]
    maps = [{" ".join(line.split()[3:]) for line in host.read(f"/proc/{p}/maps").splitlines()} for p in pids]
    equal(maps[0], maps[1])
    assert any("libc.so" in line for line in maps[0]), maps
    host.run("systemctl", "stop", "waits")
    wait_until("it is gone", lambda: not host.ok("pgrep", "-f", "spawnlet-enter"))
    host.remove(f"{ROOT}/etc/ld.so.preload")
    host.run("rm", "-f", f"{ROOT}/srv/got")

    known = {"HOME", "LOGNAME", "PATH", "TERM", "USER", "container"}
    for name, command in {
            "reload": (f"{HELPERS}/spawnlet-reload", "--system=host", "web", pid, "[Container]Services=x.service"),
            "run": ("spawnlet", "run", "web", "/srv/records"),
            "closed": ("sh", "-c", "exec spawnlet run web /srv/records <&- >&- 2>&-"),
            "no input": ("sh", "-c", "exec spawnlet run web /srv/records <&-"),
            "helper": ("sh", "-c", f"exec {HELPERS}/spawnlet-enter {pid} /srv/records <&- >&- 2>&-"),
    }.items():
        assert bounded(host, *command, env={"TOKEN": SECRET, "LD_DEBUG": "none"}), name
        text = got()
        contains("CALLED ", text)
        equal(set(re.findall(r"^ENV (.*)$", text, re.M)) - known, set(), name)
        for fd, to in re.findall(r"^FD (\d+) (.*)$", text, re.M):
            # What was closed the script's own files take the place of.
            assert int(fd) <= 2 and re.match(r"/dev/null$|pipe:|/srv/|/usr/lib/.*perl", to), (name, fd, to)


def status(host):
    return host.unit("container-web")["StatusText"]


# What a check may do beside exiting with a status, and what is made of it.
CHECKS = {
    "prints without an end": (
        "print 'x' x 65536 while 1;", "did not end within 0.5 s"),
    "prints lines without an end": (
        # However much of the last one has come.
        "print \"line\\n\" x 4096 while 1;", "did not end within 0.5 s: l"),
    "reads what it has printed": (
        "if (!fork) { syscall 112; sysopen my $f, '/proc/self/fd/1', O_RDWR | O_NONBLOCK or die; my $x;"
        " for my $i (1 .. 20000) { syswrite $f, 'x'; for (0 .. $i % 200) { } sysread $f, $x, 10 } sleep 1000 }"
        " sleep 1000;",
        "did not end within 0.5 s"),
    "leaves somebody with its output": (
        "if (!fork) { syscall 112; sleep 1000 } exit 7;",
        "exited with 7"),
    "fills its pipe and waits": (
        "sysopen my $f, '/proc/self/fd/1', O_RDWR | O_NONBLOCK; 1 while syswrite $f, 'x' x 4096; sleep 1000;",
        "did not end within 0.5 s"),
    "speaks to terminals": (
        r"""print "\e]0;title\a\e[2J\x{9b}31m\x{c2}\x{9b}31m\r\b\x{ff}\n\n"; exit 3;""",
        "exited with 3: ?]0;title??[2J?31m??31m???"),
    "freezes what it is in": (
        "open my $f, '<', '/proc/self/cgroup'; my ($c) = <$f> =~ /0::(.*)/;"
        " open $f, '>', \"/sys/fs/cgroup$c/cgroup.freeze\" or die; syswrite $f, 1; sleep 1000;",
        "did not end within 0.5 s"),
}


@releases("13", "sid")
def test_checks_that_attack(host):
    """Each is over in time, keeps nothing of the host's busy, and shows nothing that a terminal would obey."""
    start(host, "HealthCommand=/srv/check\nHealthInterval=100ms\nHealthTimeout=500ms\nHealthRetries=1\n"
                "HealthStartPeriod=0\n")
    host.run("systemctl", "stop", "spawnlet-health-web.timer", "spawnlet-health-web.service")
    for what, (text, expected) in CHECKS.items():
        script(host, "check", text)
        began = time.monotonic()
        assert bounded(host, "systemctl", "start", "spawnlet-health-web"), what
        assert time.monotonic() - began < 10, what
        wait_until(f"{what}: {expected}", lambda: contains(expected, status(host)) or True)
        assert len(status(host)) < 500, what
        assert not host.ok("pgrep", "-x", "spawnlet-health"), what
    host.run("journalctl", "--sync")
    journal = host.run("journalctl", "-a", "-o", "cat", "-u", "container-web").stdout
    shown = host.run("systemctl", "status", "container-web", "spawnlet-health-web", check=False).stdout
    for text in journal, shown, host.read("/run/spawnlet/health/web"), host.run("spawnlet", "list").stdout:
        equal(re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text.replace("\x1b[0m", "")), [])
    began = time.monotonic()
    host.run("systemctl", "stop", "container-web")
    assert time.monotonic() - began < 20, time.monotonic() - began
    equal(host.unit("container-web")["Result"], "success")


# An init that is many things at once, until it is told to stop; then it takes a second, for its status to be seen.
# 157 is prctl, 15 is PR_SET_NAME.
INIT = r"""
my @names = (")\nS 1 (", "\e]0;x\a(sd-pam)", "systemd", "a) R 0 0\n");
$) = "0 " . join " ", 1_000_000_000 .. 1_000_065_530;
my $told = 0; $SIG{TERM} = sub { $told = 1 }; $SIG{PWR} = 'IGNORE';
my $base = "/sys/fs/cgroup/many"; mkdir $base or die;
for my $i (1 .. 50) { mkdir "$base/$i"; mkdir "$base/$i/$_" for 1 .. 99 }
my $deep = $base; for (1 .. 100) { $deep .= "/d"; mkdir $deep or last }
for my $c ("$base/7/7", $deep) {
    if (!fork) { open my $f, ">", "$c/cgroup.procs"; syswrite $f, "0"; close $f;
        my $n = $names[0]; syscall 157, 15, $n; sleep 1000 } }
open my $up, ">", "/srv/started";
for (my $i = 0; !$told; $i++) { my $n = $names[$i % 4]; syscall 157, 15, $n; select undef, undef, undef, 0.001 }
$SIG{TERM} = 'IGNORE'; sleep 1; select undef, undef, undef, 0.5; open $up, ">", "/srv/told"; exit 0;
"""

# Has a child that holds it up with ptrace(2): 0x4206 is PTRACE_SEIZE, 0x4207 is PTRACE_INTERRUPT.
HELD_UP = r"""
$SIG{TERM} = sub { exit 0 }; pipe my $r, my $w;
if (!fork) { syscall 101, 0x4206, 1, 0, 0; syscall 101, 0x4207, 1, 0, 0; open my $up, ">", "/srv/started"; sleep 1000 }
sleep 1 while 1;
"""


def made_up(host, init):
    script(host, "init", init)
    host.remove(f"{ROOT}/srv/started")
    host.define("web", "[Container]\nSystem=host\nInit=/srv/init\nAutoStart=no\n[Exec]\nNotifyReady=no\n"
                       "PrivateUsers=no\n[Service]\nTimeoutStopSec=6\nRestart=no\n")
    host.run("systemctl", "start", "container-web")
    wait_until("the init runs", lambda: host.exists(f"{ROOT}/srv/started"), timeout=30)


def stop(host, seconds):
    """Stop it, in this time at most. Returns what was seen in its status."""
    seen = set()
    began = time.monotonic()
    host.run("systemctl", "stop", "--no-block", "container-web")

    def stopped():
        seen.add(status(host))
        return host.state("container-web") in ("inactive", "failed")

    wait_until("it is stopped", stopped, timeout=30)
    assert time.monotonic() - began < seconds, time.monotonic() - began
    return seen


@releases("13", "sid")
def test_inits_that_attack(host):
    """Names, groups and cgroups that are hard to read; one that is stopped by the host, and one that is held up."""
    before = host.footprint()
    made_up(host, INIT)
    init = host.out("pgrep", "-P", host.unit("container-web")["MainPID"])
    for _ in range(5):
        equal(inside(host, "echo", "hello"), "hello")
    seen = stop(host, 6)
    equal(host.unit("container-web")["Result"], "success")
    assert host.exists(f"{ROOT}/srv/told")
    equal([s for s in seen if re.search("[\x00-\x1f\x7f]", s)], [])
    assert any(s.startswith("Stopping: ") and "processes left" in s for s in seen), seen
    assert not host.exists(f"/proc/{init}")

    made_up(host, "$SIG{TERM} = sub { exit 0 }; open my $up, '>', '/srv/started'; sleep 1 while 1;\n")
    host.run("kill", "-STOP", host.out("pgrep", "-P", host.unit("container-web")["MainPID"]))
    stop(host, 4)
    equal(host.unit("container-web")["Result"], "success")

    # The signal waits for the debugger, and the container for its timeout.
    made_up(host, HELD_UP)
    stop(host, 7)
    host.run("systemctl", "reset-failed", "container-web", check=False)
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True, timeout=20)


# What a copy of a root may have in it when it is to be removed.
LITTER = r"""
chdir "/srv"; mkdir "many"; for (1 .. 5000) { open my $f, ">", "many/$_\n\e[2J" }
mkdir "-rf"; symlink "/srv/victim", "link"; symlink "/", "-rf/\xff\n"; system "mkfifo", "fifo";
mkdir "closed"; open my $g, ">", "closed/f"; chmod 0, "closed";
for (1 .. 3000) { mkdir "deep"; chdir "deep" }
open my $up, ">", "/srv/litter.up";
"""

# FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, or without.
IMMUTABLE = r"""
open my $f, "<", $ARGV[0] or die; my $flags = pack "L", $ARGV[1]; ioctl $f, 0x40086602, $flags or exit 1;
"""


def copies(host):
    return host.out("find", "/var/lib/machines", "-maxdepth", "1", "-name", ".#*web*").splitlines()


@releases("13", "sid")
def test_copies_that_are_hard_to_remove(host):
    host.write("/srv/victim/file", "of the host\n")
    script(host, "litter", LITTER)
    script(host, "immutable", IMMUTABLE)
    host.define("web", "[Container]\nSystem=host\nAutoStart=no\n[Exec]\nPrivateUsers=no\nEphemeral=yes\n"
                       "[Service]\nRestart=no\n")

    def crash():
        host.run("kill", "-KILL", host.unit("container-web")["MainPID"])
        wait_until("it has ended", lambda: host.state("container-web") == "failed", timeout=60)

    host.run("systemctl", "start", "container-web")
    inside(host, "/srv/litter")
    crash()
    equal(copies(host), [])

    # Without private users it can make a file that even root cannot remove. It stays, with a warning, and is in
    # nobody's way.
    host.run("systemctl", "start", "container-web")
    inside(host, "/bin/sh", "-c", "mkdir -p /srv/a/b; echo >/srv/a/b/file")
    if host.ok("spawnlet", "run", "web", "/srv/immutable", "/srv/a/b/file", "16"):
        crash()
        says(host, "Failed to remove an ephemeral copy", "journalctl", "-u", "container-web")
        left = host.out("find", *copies(host), "-name", "file")
        host.run("systemctl", "start", "container-web")
        equal(host.state("container-web"), "active")
        host.run("perl", f"{ROOT}/srv/immutable", left, "0")
        crash()
        equal(copies(host), [])
    equal(host.read("/srv/victim/file"), "of the host\n")


# setpriv itself has still capabilities, and goes where the user cannot.
USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", 'exec "$0"')

# What of the host is mounted inside, and what is to be tried with it: to have it writable, also in a namespace of
# one's own, to see what is below, to write.
REMOUNTS = """
for m in /run/host/spawnlet/hosts /run/host/spawnlet/resolv.conf /etc/resolv.conf /srv/data; do
    mount -o remount,bind,rw $m && echo "remounted $m"
    unshare -m mount -o remount,bind,rw $m && echo "remounted $m in a namespace"
    unshare -Urm mount -o remount,bind,rw $m && echo "remounted $m with other users"
    umount $m && echo "unmounted $m"
    mount --move $m /mnt && echo "moved $m"
    if [ -d $m ]; then touch $m/new && echo "wrote $m"; else echo x >>$m && echo "wrote $m"; fi
done 2>/dev/null
true
"""


@releases("13", "sid")
def test_users_and_what_is_the_hosts(host):
    """With private users, nothing that is mounted read-only becomes writable. On disk, root's files are root's:
    nobody on the host may come near them."""
    host.copied_root(ROOT)
    host.run("chmod", "700", "/var/lib/machines")  # as systemd's tmpfiles.d makes it
    # A file system whose owners can be mapped, as the host's overlay cannot.
    host.run("mount", "-t", "tmpfs", "-o", "mode=755", "srv", "/srv")
    host.write("/srv/data/file", "data\n")
    host.define("web", "[Container]\nAutoStart=no\n[Exec]\nPrivateUsers=pick\n[Files]\nBindReadOnly=/srv/data\n"
                       "[Network]\nHostAddress=10.90.0.1\nLocalAddress=10.90.0.2\nDNS=10.90.0.1\n")
    host.run("systemctl", "start", "container-web")
    before = host.out("sh", "-c", "cat /run/spawnlet/hosts/* /run/spawnlet/resolv/*; ls -R /run/spawnlet /srv/data")
    # That one was mounted inside, by spawnlet-init, and below it is the container's own.
    equal(inside(host, "/bin/sh", "-c", REMOUNTS), "unmounted /etc/resolv.conf\nwrote /etc/resolv.conf")
    equal(host.read(f"{ROOT}/etc/resolv.conf").splitlines()[-1], "x")
    equal(host.out("sh", "-c", "cat /run/spawnlet/hosts/* /run/spawnlet/resolv/*; ls -R /run/spawnlet /srv/data"), before)
    inside(host, "/bin/sh", "-c", "cp /bin/true /srv/true; chmod 4755 /srv/true")
    equal(host.out("stat", "-c", "%u %a", f"{ROOT}/srv/true"), "0 4755")
    assert not host.ok(*USER, f"{ROOT}/srv/true")
    host.run("systemctl", "stop", "container-web")

    # Elsewhere: what is made above it is closed, and what is open there is told.
    host.run("sh", "-ec", "mkdir /srv/open; chmod 755 /srv/open; mkdir /srv/theirs; chown 65534 /srv/theirs")
    reach, theirs = "The host's users can reach the root", "Others than root may write to '/srv/theirs'"
    for above, reachable, told in ("made", False, ""), ("open", True, reach), ("theirs", True, theirs):
        path = f"/srv/{above}/{above}"
        host.define(above, f"[Container]\nSystem=host\nRoot={path}\nAutoStart=no\n[Exec]\nPrivateUsers=no\n")
        host.run("systemctl", "start", f"container-{above}")
        host.out("spawnlet", "run", above, "/bin/sh", "-c", "cp /bin/true /srv/true || mkdir /srv; cp /bin/true /srv;"
                                                           " chmod 4755 /srv/true")
        equal(host.ok(*USER, f"{path}/srv/true"), reachable)
        journal = ("journalctl", "-o", "cat", "-u", f"container-{above}")
        says(host, told or "Started", *(journal if told else ("journalctl", "-u", f"container-{above}")))
        for text in reach, theirs:
            if text != told and not (told == theirs and text == reach):
                contains_not(text, host.out(*journal))
        host.run("systemctl", "stop", f"container-{above}")
