# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cached Debian root file systems for the tests.

Roots of a release, each a plain directory below CACHE:

  debian-N        what a test host boots from: systemd, systemd-container and the
                  run-time libraries, no compiler, like a server
  debian-N-build  a copy of it with compilers and headers: spawnlet is built in here,
                  so the machine that runs the tests needs neither compiler nor headers
  debian-N-vm     another copy with a kernel, for tests/vm
  debian-N-image  debian-N as an ext4 image, for tests/vm
  debian-N-podman another copy with Podman, which only bench/ asks for

A root is built in a directory of another name and renamed when complete, so a
half-built one is never used. The package list is part of the stamp: a change of
the list builds the root anew. Nothing ever writes to a finished root: hosts boot
from it through an overlay.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("SPAWNLET_TEST_CACHE", "/var/cache/spawnlet-tests"))

CODENAMES = {"12": "bookworm", "13": "trixie", "sid": "sid"}

# Unstable changes by the day and may be broken by itself: only when it is asked for.
DEFAULT_RELEASES = ["12", "13"]

HOST_PACKAGES = [
    "busybox-static",
    "curl",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libjansson4",
    "libnl-3-200",
    "libnl-route-3-200",
    "libpam-systemd",
    "nftables",
    "polkitd",
    "procps",
    "strace",
    "systemd",
    "systemd-container",
    "systemd-sysv",
]

BUILD_PACKAGES = {
    "12": ["clang", "libclang-rt-14-dev"],
    # Static analysis and valgrind are the same everywhere: one release has them.
    "13": ["clang", "clang-tidy", "clang-tools", "cppcheck", "systemd-dev", "valgrind"],
    "sid": ["clang", "systemd-dev"],
}
BUILD_PACKAGES_ALL = [
    "dpkg-dev",
    "gcc",
    "libc6-dev",
    "libcmocka-dev",
    "libjansson-dev",
    "libnftables-dev",
    "libnl-3-dev",
    "libnl-route-3-dev",
    "libsystemd-dev",
    "meson",
    "pkg-config",
    "scdoc",
    "strace",
]


# The cloud kernel has all network interfaces and nf_tables, and ext4 and NVMe built in: so it
# boots without an initrd. Python is for agent.py.
VM_PACKAGES = ["e2fsprogs", "kmod", "linux-image-cloud-amd64", "python3", "udev"]


def _say(text):
    print(f"[roots] {text}", file=sys.stderr, flush=True)


def _stamp(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _run(args, log, **options):
    """Run a set-up command with its output in a log that is shown on failure."""
    with open(log, "ab") as f:
        done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=f, stderr=f, **options)
    if done.returncode != 0:
        tail = Path(log).read_text(errors="replace").splitlines()[-30:]
        raise RuntimeError(f"{args[0]} failed with {done.returncode}:\n" + "\n".join(tail))


@contextmanager
def _locked(name):
    """Two test runs at once build a root one after the other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f".{name}.lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def _ensure(name, stamp, build):
    """Return CACHE/name, built by build(directory, log) if it is missing or outdated."""
    root, marker = CACHE / name, CACHE / f"{name}.stamp"
    with _locked(name):
        if root.is_dir() and marker.is_file() and marker.read_text() == stamp:
            return root
        marker.unlink(missing_ok=True)
        for old in (root, CACHE / f"{name}.new"):
            if old.exists():
                shutil.rmtree(old)
        new, log = CACHE / f"{name}.new", CACHE / f"{name}.log"
        log.unlink(missing_ok=True)
        _say(f"building {name}, which is kept in {CACHE} (log: {log})")
        build(new, log)
        new.rename(root)
        marker.write_text(stamp)
    return root


def _in_root(root, args, log):
    """Run a command in a root that is being built, with /proc and /dev/null there."""
    script = (
        'set -e; mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; '
        'root=$1; shift; exec chroot "$root" "$@"'
    )
    # Without INITRD=No a kernel has one made.
    env = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "INITRD=No"]
    _run(
        ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh", str(root)]
        + env + args,
        log,
    )


def host_root(release):
    """The root that hosts of this Debian release boot from."""

    def build(new, log):
        mirror = os.environ.get("SPAWNLET_TEST_MIRROR")
        _run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(HOST_PACKAGES)}",
             CODENAMES[release], str(new)] + ([mirror] if mirror else []),
            log,
        )
        (new / "etc/hostname").write_text(f"debian{release}\n")
        # Each host gets a machine id of its own when it boots.
        (new / "etc/machine-id").write_text("")

    stamp = _stamp(["v1", release] + HOST_PACKAGES)
    return _ensure(f"debian-{release}", stamp, build)


def _extended_root(release, name, packages):
    """A copy of the host's root with more packages."""
    base = host_root(release)
    packages = sorted(packages)

    def build(new, log):
        _run(["cp", "-a", "--reflink=auto", str(base), str(new)], log)
        shutil.copy("/etc/resolv.conf", new / "etc/resolv.conf")
        # A mirror of unstable may be older than its index's few days of validity.
        _in_root(new, ["apt-get", "update", "-q", "-o", "Acquire::Check-Valid-Until=no"], log)
        _in_root(
            new,
            ["apt-get", "install", "-q", "-y", "--no-install-recommends"] + packages,
            log,
        )
        _in_root(new, ["sh", "-c", "apt-get clean && rm -rf /var/lib/apt/lists/*"], log)

    stamp = _stamp(["v1", release] + HOST_PACKAGES + packages)
    return _ensure(f"debian-{release}-{name}", stamp, build)


def build_root(release):
    """The root that spawnlet is built in for hosts of this Debian release."""
    return _extended_root(release, "build", BUILD_PACKAGES_ALL + BUILD_PACKAGES[release])


def vm_root(release):
    """The root that virtual machines boot from, with a kernel in /boot."""
    return _extended_root(release, "vm", VM_PACKAGES)


def make_ext4(root, file, size, log):
    """Make an ext4 file system in an open file, of what is in root."""
    _run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", str(root), f"/proc/self/fd/{file.fileno()}", size],
         log, pass_fds=[file.fileno()])


def host_image(release):
    """The host's root as an ext4 image, for who cannot have the directory."""
    root = host_root(release)

    def build(new, log):
        new.mkdir()
        with open(new / "root.ext4", "wb+") as image:
            make_ext4(root, image, "1G", log)

    return _ensure(f"debian-{release}-image", _stamp(["v1", release] + HOST_PACKAGES), build) / "root.ext4"


def podman_root(release):
    """A root with Quadlet, for bench/."""
    return _extended_root(release, "podman", ["podman", "strace"])
