# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the operating system comes from: the host's /usr, a NixOS profile, a whole root."""

from case import contains, contains_not, equal
from containers import init_start_time, web
from host import wait_until

PROFILE = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-made-up"


def make_profile(host):
    """A store path with what NixOS containers need of it: an init and a way to switch."""
    host.run("mkdir", "-p", "/nix/store/bin")
    host.run("cp", "/usr/bin/busybox", "/nix/store/bin/busybox")
    host.write(f"{PROFILE}/init", """\
#!/nix/store/bin/busybox sh
trap 'exit 0' 37 # SIGRTMIN+3
/nix/store/bin/busybox touch /var/booted
while :; do /nix/store/bin/busybox sleep 1 & wait; done
""", mode=0o755)
    host.write(f"{PROFILE}/bin/switch-to-configuration", """\
#!/nix/store/bin/busybox sh
echo "$@" >>/var/switched
""", mode=0o755)


def test_host_shares_usr_and_nothing_else(host):
    host.run("sh", "-c", "useradd -r svc && useradd -m -G adm person && echo secret >/etc/mine")
    host.write("/var/lib/mine", "secret")
    web(host)
    host.run("systemctl", "start", "container-web")

    def inside(*command, **options):
        return host.out("spawnlet", "run", "web", *command, **options)

    equal(inside("readlink", "/etc/os-release"), "../usr/lib/os-release")
    contains("Debian", inside("cat", "/etc/os-release"))
    assert not host.ok("spawnlet", "run", "web", "touch", "/usr/new"), "/usr is writable"
    for path in "/etc/mine", "/var/lib/mine", "/etc/apt", "/home/person":
        assert not host.ok("spawnlet", "run", "web", "test", "-e", path), path
    assert inside("cat", "/etc/machine-id") != host.machine_id
    equal(len(inside("cat", "/etc/machine-id")), 32)

    contains("svc", inside("getent", "passwd", "svc"))
    assert not host.ok("spawnlet", "run", "web", "getent", "passwd", "person")
    equal(inside("stat", "-c", "%a", "/etc/shadow"), "600")
    contains_not("$", inside("cat", "/etc/shadow"))
    contains_not("person", inside("cat", "/etc/group"))

    contains("127.0.0.1", inside("getent", "ahostsv4", "localhost"))
    contains("::1", inside("getent", "ahostsv6", "localhost"))
    contains("127.0.1.1", inside("getent", "ahostsv4", "web"))

    # A session through machined needs PAM and D-Bus inside.
    contains("uid=0", host.out("machinectl", "--quiet", "shell", "web", "/usr/bin/id"))


def test_host_container_boots_clean(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "run", "web", "systemctl", "is-system-running"), "running")
    contains("hello.socket", host.out("spawnlet", "run", "web", "systemctl", "list-units", "--plain"))


def test_only_services_that_were_asked_for(host):
    """An empty machine ID would enable all of the host's units, as on a first boot."""
    host.own_usr()
    host.write("/usr/lib/systemd/system/unwanted.service",
               "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n")
    web(host)
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "run", "web", "systemctl", "is-active", "unwanted.service",
                   check=False), "inactive")


def test_nothing_starts_that_is_the_hosts_matter(host):
    """As on a host with a boot splash, sshd, and the generator of another program."""
    host.own_usr()
    units, generators = "/usr/lib/systemd/system", "/usr/lib/systemd/system-generators"
    host.write(f"{units}/plymouth-quit.service",
               "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
    host.run("mkdir", "-p", f"{units}/multi-user.target.wants")
    host.run("ln", "-s", "../plymouth-quit.service", f"{units}/multi-user.target.wants/")
    for name in "systemd-ssh-generator", "mine-generator":
        host.remove(f"{generators}/{name}")
        host.write(f"{generators}/{name}", f"#!/bin/sh\n: >/run/{name}\n", mode=0o755)
    web(host)
    host.run("systemctl", "start", "container-web")

    def inside(*command):
        return host.out("spawnlet", "run", "web", *command)

    active = inside("systemctl", "list-units", "--plain", "--no-legend", "--state=active").split()
    contains("hello.socket", active)
    for unit in ("plymouth-quit.service", "console-getty.service", "dev-hugepages.mount",
                 "sys-fs-fuse-connections.mount", "systemd-tmpfiles-setup-dev.service",
                 "systemd-udevd.service", "systemd-journal-catalog-update.service"):
        contains_not(unit, active)
    equal([unit for unit in active if unit.startswith("modprobe@")], [])
    contains("mine-generator", inside("ls", "/run"))
    contains_not("systemd-ssh-generator", inside("ls", "/run"))
    equal(inside("systemctl", "is-system-running"), "running")

    # Who asks for it gets it.
    mask = "/var/lib/machines/web/etc/systemd/system-generators/systemd-ssh-generator"
    equal(host.out("readlink", mask), "/dev/null")
    host.run("ln", "-sf", f"{generators}/systemd-ssh-generator", mask)
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "hello.socket", "hello.socket plymouth-quit.service"))
    host.run("systemctl", "restart", "container-web")
    contains("systemd-ssh-generator", inside("ls", "/run"))
    equal(inside("systemctl", "is-active", "plymouth-quit.service"), "active")


def test_own_files_survive(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    host.run("spawnlet", "run", "web", "sh", "-c",
             "echo mine >/etc/nsswitch.conf; rm /etc/profile; echo x >/var/lib/data")
    host.run("systemctl", "restart", "container-web")
    equal(host.read("/var/lib/machines/web/etc/nsswitch.conf"), "mine\n")
    equal(host.read("/var/lib/machines/web/var/lib/data"), "x\n")


def test_nix_profile(host):
    before = host.footprint()
    make_profile(host)
    host.define("nixos", f"""\
        [Container]
        System={PROFILE}

        [Exec]
        NotifyReady=no

        [Network]
        HostAddress=10.97.0.1
        LocalAddress=10.97.0.2
    """)
    host.run("systemctl", "start", "container-nixos")
    host.run("ping", "-c1", "-W2", "10.97.0.2")

    cat = ("/nix/store/bin/busybox", "cat")
    start = init_start_time(host, "nixos", cat)
    host.run("systemctl", "reload", "container-nixos")
    host.run("systemctl", "reload", "container-nixos")
    equal(host.read("/var/lib/machines/nixos/var/switched"), "test\ntest\n")
    equal(init_start_time(host, "nixos", cat), start, "the init is another one")

    mounts = host.out("spawnlet", "run", "nixos", *cat, "/proc/self/mounts")
    for path, mode in (("/nix/store", "ro"), ("/nix/var/nix/db", "ro"),
                       ("/nix/var/nix/daemon-socket", "ro"),
                       ("/nix/var/nix/profiles", "rw"), ("/nix/var/nix/gcroots", "rw")):
        line = [m.split() for m in mounts.splitlines() if m.split()[1] == path]
        assert line and line[0][3].split(",")[0] == mode, f"{path} is not mounted {mode}:\n{mounts}"

    host.run("spawnlet", "run", "nixos", "/nix/store/bin/busybox", "touch", "/nix/var/nix/profiles/mine")
    assert host.exists("/nix/var/nix/profiles/per-container/nixos/mine")

    host.run("systemctl", "stop", "container-nixos")
    equal(host.unit("container-nixos")["Result"], "success")
    equal(host.footprint(), before)


def test_nix_profiles_that_are_links(host):
    """As nixos-container and nix-env make them; reload switches to where they lead by then."""
    make_profile(host)
    host.run("cp", "-r", PROFILE, f"{PROFILE}-2")
    host.write(f"{PROFILE}-2/bin/switch-to-configuration",
               "#!/nix/store/bin/busybox sh\necho second \"$@\" >>/var/switched\n", mode=0o755)

    for name, profiles in (("own", "/nix/var/nix/profiles/per-container/own"),
                           ("shared", "/nix/var/nix/profiles")):
        host.run("mkdir", "-p", profiles)
        host.run("ln", "-s", PROFILE, f"{profiles}/system-1-link")
        host.run("ln", "-s", "system-1-link", f"{profiles}/system")
        host.define(name, f"[Container]\nSystem={profiles}/system\n[Exec]\nNotifyReady=no\n")

        host.run("systemctl", "start", f"container-{name}")
        host.run("systemctl", "reload", f"container-{name}")
        host.run("ln", "-sfn", f"{PROFILE}-2", f"{profiles}/system")
        host.run("systemctl", "reload", f"container-{name}")
        equal(host.read(f"/var/lib/machines/{name}/var/switched"), "test\nsecond test\n")


def test_nix_profile_elsewhere(host):
    make_profile(host)
    host.run("cp", "-r", PROFILE, "/srv/a profile")
    host.define("nixos", "[Container]\nSystem=/srv/a profile\n[Exec]\nNotifyReady=no\n")
    host.run("systemctl", "start", "container-nixos")
    host.run("systemctl", "reload", "container-nixos")
    equal(host.read("/var/lib/machines/nixos/var/switched"), "test\n")


def test_reload_command(host):
    web(host)
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "System=host", "System=host\nReloadCommand=/bin/sh -c 'echo \"$0 $$\" >>/var/reloaded' again;"))
    host.run("systemctl", "start", "container-web")
    start = init_start_time(host)

    host.run("systemctl", "reload", "container-web")
    contains("again;", host.read("/var/lib/machines/web/var/reloaded"))
    equal(init_start_time(host), start)

    # One that fails is the unit's status, until one does not.
    host.define("web", host.read("/etc/spawnlet/web.container").replace("echo", "exit 3; echo"))
    assert not host.ok("systemctl", "reload", "container-web")
    equal(host.unit("container-web")["StatusText"],
          "The reload command '/bin/sh' failed with exit status 3")
    host.define("web", host.read("/etc/spawnlet/web.container").replace("exit 3; echo", "echo"))
    host.run("systemctl", "reload", "container-web")
    equal(host.unit("container-web")["StatusText"], "Container running, reloaded.")


# Opens the program of a process, stops the unit that it is of, and tries to write to the program: while
# it runs that fails in any case, with ETXTBSY.
WRITE_PROGRAM = '''open(R, "<", "/proc/$ARGV[0]/exe") or die $!; system("systemctl", "stop", $ARGV[1]);
open(F, "+<", "/proc/self/fd/" . fileno(R)) and die "it can be written"; print $!'''


def test_what_runs_commands_inside_cannot_be_written_from_there(host):
    """A process of ours that is seen inside shows its program there, for root inside to open."""
    web(host)
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "System=host", "System=host\nHealthCommand=/bin/false\nHealthStartPeriod=1h\n[Exec]\nNotifyReady=healthy"))
    host.run("systemctl", "start", "--no-block", "container-web")
    wait_until("the health check waits", lambda: host.unit("container-web")["SubState"] == "start-post")
    host.run("systemd-run", "-q", "--unit=session", "spawnlet", "run", "web", "sleep", "1000")
    wait_until("the command runs", lambda: host.ok("pgrep", "-x", "sleep"))

    for unit, pid in (("session", host.unit("session")["MainPID"]),
                      ("container-web", host.unit("container-web")["ControlPID"])):
        contains("spawnlet-", host.read(f"/proc/{pid}/comm"))
        equal(host.out("perl", "-e", WRITE_PROGRAM, pid, unit), "Read-only file system")


def test_commands_inside_have_no_more_capabilities_than_the_init(host):
    """The services of a host may inherit capabilities that its containers have not."""
    web(host)
    host.define("web", host.read("/etc/spawnlet/web.container").replace(
        "System=host", "System=host\nReloadCommand=/bin/sh -c 'grep ^Cap /proc/self/status >/srv/caps'"))
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "reload", "container-web")
    sets = dict(line.split() for line in host.read("/var/lib/machines/web/srv/caps").splitlines())
    bounding = sets["CapBnd:"]
    equal(bounding, host.out("spawnlet", "run", "web", "sed", "-n", "s/^CapBnd:.//p", "/proc/1/status"))
    for name, mask in sets.items():
        equal(int(mask, 16) & ~int(bounding, 16), 0, name)


def test_planted_links_lead_nowhere(host):
    """The container's root is hostile: nothing is made or changed outside of it."""
    host.run("mkdir", "-p", "/srv/victim")
    plants = {
        "etc": "ln -s /srv/victim $R/etc",
        "var": "mkdir $R/etc; ln -s ../../../../srv/victim $R/var",
        "usr": "mkdir $R/etc; ln -s /srv/victim $R/usr",
        "passwd": "mkdir $R/etc; ln -s /srv/victim/passwd $R/etc/passwd",
        "osrelease": "mkdir -p $R/etc $R/usr; ln -s /srv/victim $R/usr/lib",
        "fifo": "mkdir $R/etc; mkfifo $R/etc/machine-id; ln -s /srv/victim $R/etc/pam.d",
        "unfinished": "mkdir $R/etc; ln -s /srv/victim $R/etc/.spawnlet-new",
    }
    for name, script in plants.items():
        root = f"/srv/{name}"
        host.run("sh", "-ec", f"R={root}; mkdir $R; {script}")
        host.run("/usr/libexec/spawnlet/spawnlet-root", f"--root={root}", "--system=host", name,
                 check=False)
        equal(host.out("find", "/srv/victim", "-mindepth", "1"), "", name)
        assert not host.exists("/var/lib/machines/victim")

    status = host.run("/usr/libexec/spawnlet/spawnlet-root", "--root=/srv/etc", "--system=host", "etc",
                      check=False)
    equal(status.returncode, 1)
    contains("Refusing to use 'etc' in the container's root", status.stderr)


def test_private_users(host):
    host.copied_root("/srv/whole")
    host.define("whole", """\
        [Container]
        Root=/srv/whole

        [Exec]
        PrivateUsers=pick
    """)
    host.run("systemctl", "start", "container-whole")

    assert int(host.out("spawnlet", "run", "whole", "awk", "{ print $2 }", "/proc/self/uid_map")) > 0
    equal(host.out("spawnlet", "run", "whole", "id", "-u"), "0")
    equal(host.out("spawnlet", "run", "whole", "stat", "-c", "%u", "/etc/shadow"), "0")
    host.run("spawnlet", "run", "whole", "sh", "-c", "echo x >/var/lib/new")
    host.run("systemctl", "stop", "container-whole")
    equal(host.unit("container-whole")["Result"], "success")


def test_roots_are_out_of_reach_of_the_hosts_users(host):
    host.run("umount", "/var/lib/machines")
    host.run("rm", "-rf", "/var/lib/machines")
    host.define("plain", "[Container]\nSystem=host\n[Exec]\nPrivateUsers=no\n")
    host.run("systemctl", "start", "container-plain")
    equal(host.out("stat", "-c", "%a", "/var/lib/machines"), "700")
    equal(host.out("stat", "-c", "%a", "/var/lib/machines/plain"), "755")

    host.run("/usr/libexec/spawnlet/spawnlet-root", "--root=/srv/new", "--system=host", "new")
    equal(host.out("stat", "-c", "%a", "/srv/new/var", "/srv/new/var/lib", "/srv/new/var/lib/private",
                   "/srv/new/root").split(), ["755", "755", "700", "700"])
