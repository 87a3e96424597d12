# SPDX-License-Identifier: LGPL-2.1-or-later
"""The place that test hosts live in, which takes everything with it when it goes.

enter(main) runs main() in a PID namespace, in a mount namespace with a cgroup2
of its own and a tmpfs to work in. So nothing has to be cleaned up in any special
case: when main() ends, is interrupted or is killed, the kernel kills every process of
every host, and the mounts go with the last one. Only cgroups, and what an older kernel
has in place of the tmpfs, outlive a namespace: the process outside removes them, and a
later run those of one that was killed hard.
"""

import ctypes
import errno
import os
import re
import select
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import roots

CGROUPS = Path("/sys/fs/cgroup")
WORK = roots.CACHE / "work"
PREFIX = "spawnlet-tests-"

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}{args}: {os.strerror(code)}")


def mount(source, target, fstype=None, flags=0, data=None):
    def text(value):
        return None if value is None else os.fsencode(value)

    _call("mount", text(source), text(target), text(fstype), ctypes.c_ulong(flags), text(data))


def bind(source, target, read_only=False):
    mount(source, target, None, MS_BIND)
    if read_only:
        mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def umount(target):
    """Detach a mount with all that is below it."""
    _call("umount2", os.fsencode(target), MNT_DETACH)


def overlay(directory, *lower):
    """Mount a writable view of the lower directories at directory/root and return that."""
    for sub in ("upper", "work", "root"):
        (directory / sub).mkdir(parents=True)
    root = directory / "root"
    mount("overlay", root, "overlay", 0,
          f"lowerdir={':'.join(map(str, lower))},"
          f"upperdir={directory / 'upper'},workdir={directory / 'work'}")
    return root


def in_cgroup(cgroup, *args):
    """The command line that runs args in a cgroup. (A preexec_fn would do the same, but
    is not safe in a program with threads.)"""
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup), *map(str, args)]


def wait_cgroup_empty(cgroup, timeout):
    deadline = time.monotonic() + timeout
    with open(cgroup / "cgroup.events") as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        while True:
            events.seek(0)
            if "populated 0" in events.read():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"processes left in {cgroup} after {timeout} s")
            poll.poll(left * 1000)


def remove_cgroup(cgroup):
    for directory, _, _ in os.walk(cgroup, topdown=False):
        try:
            os.rmdir(directory)
        except OSError as e:
            # Busy: not ours to force. Gone: what we want.
            if e.errno not in (errno.EBUSY, errno.ENOENT):
                raise


def _own_root():
    """Let no mount from here on show outside."""
    try:
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        return
    except OSError as e:
        if e.errno != errno.EINVAL:
            raise
    # A chroot, with a / that is no mount point. nspawn cannot work there, and the kernel
    # refuses user namespaces: so make this directory the root of the namespace. Joining
    # the namespace that one is in leads to its real root.
    cwd, chroot = os.getcwd(), os.open("/", os.O_PATH | os.O_DIRECTORY)
    _call("setns", os.pidfd_open(os.getpid()), CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    os.fchdir(chroot)
    os.close(chroot)
    path = os.getcwd()
    mount(path, path, None, MS_BIND | MS_REC)
    os.chdir(path)
    _call("pivot_root", b".", b".")  # the old root is now mounted over the new one
    umount(".")
    os.chdir(cwd)


def _cgroup2():
    """Mount the unified hierarchy where systemd looks for it, whatever was there."""
    if not os.path.ismount("/sys"):
        mount("sysfs", "/sys", "sysfs")
    while os.path.ismount(CGROUPS):
        umount(CGROUPS)
    mount("cgroup2", CGROUPS, "cgroup2")


def _enable_controllers(cgroup):
    """Best effort: on a machine with cgroup v1 there are none, and nothing needs them."""
    for name in (cgroup / "cgroup.controllers").read_text().split():
        try:
            (cgroup / "cgroup.subtree_control").write_text(f"+{name}")
        except OSError:
            pass


def _remove_stale(directory, remove):
    """Remove what is named after a process that is gone."""
    for old in directory.glob(PREFIX + "*"):
        try:
            os.kill(int(old.name.removeprefix(PREFIX)), 0)
        except ProcessLookupError:
            remove(old)
        except ValueError:
            pass


def _tmpfs_can_be_mapped():
    """Whether its owners can be, as private users need it: since Linux 6.3."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 3)


def _mount_work(name):
    """A place to work in that goes away. Returns the directory that is to be removed, or None."""
    _remove_stale(WORK, shutil.rmtree)
    if _tmpfs_can_be_mapped():
        mount("tmpfs", WORK, "tmpfs", 0, "mode=0755")
        return None
    directory = WORK / name
    directory.mkdir()
    bind(directory, WORK)
    return directory


def _inside(main):
    # The two ties to the process outside: its death is ours, and Ctrl-C is its alone.
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()
    mount("proc", "/proc", "proc")
    # PID 1 inherits orphans, on a host too when a killed nsenter had entered it, and has to
    # reap them: a zombie would show on that host. main() has children of its own to wait
    # for, so that is another process.
    child = os.fork()
    while child != 0:
        pid, status = os.wait()
        if pid == child:
            os._exit(max(os.waitstatus_to_exitcode(status), -1) & 0xFF)
    try:
        code = main()
    except SystemExit as e:
        code = e.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit(), which would go on in the caller's frames and wait for threads.
    os._exit(code or 0)


def cgroup_root():
    """The cgroup below which each host has its own."""
    return Path(os.environ["SPAWNLET_TEST_CGROUP"])


def enter(main):
    """Run main() in there and exit with what it returns."""
    WORK.mkdir(parents=True, exist_ok=True)
    _call("unshare", CLONE_NEWNS | CLONE_NEWPID)
    _own_root()
    _cgroup2()
    name = f"{PREFIX}{os.getpid()}"
    on_disk = _mount_work(name)
    # nspawn's run-time files; elsewhere than on a tmpfs it fails to remove them.
    Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
    mount("tmpfs", "/run/systemd/nspawn", "tmpfs", 0, "mode=0755")
    _remove_stale(CGROUPS, remove_cgroup)
    cgroup = CGROUPS / name
    cgroup.mkdir()
    _enable_controllers(cgroup)
    os.environ["SPAWNLET_TEST_CGROUP"] = str(cgroup)

    stop = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _inside(main)
    got = signal.sigwait(stop | {signal.SIGCHLD})
    if got in stop:
        print(f"interrupted by {signal.Signals(got).name}", file=sys.stderr, flush=True)
        os.kill(child, signal.SIGKILL)
    # PID 1 of a namespace can be waited for only when everything else in it is gone.
    _, status = os.waitpid(child, 0)
    remove_cgroup(cgroup)
    if on_disk:
        umount(WORK)
        shutil.rmtree(on_disk)
    sys.exit(128 + got if got in stop else max(os.waitstatus_to_exitcode(status), -1) & 0xFF)
