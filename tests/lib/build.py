# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds spawnlet for a Debian release, in that release, and runs its unit tests there.

The machine that runs the tests has neither compiler nor headers: both are in the build
root, used through an overlay. The source tree is read-only in there. Build directories
are kept in the cache, one for each source tree, so a second run compiles what changed.
Needs sandbox.enter().
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import roots
import sandbox

LOGS = roots.CACHE / "logs"
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


class BuildError(Exception):
    """A build or its configuration failed; the message ends with the log's tail."""


@dataclass
class Build:
    stage: Path  # what was installed, with the paths of the host
    builddir: Path


@dataclass
class UnitTest:
    name: str
    result: str  # meson's word: OK, FAIL, SKIP, TIMEOUT …
    seconds: float
    output: str

    @property
    def passed(self):
        return self.result in ("OK", "EXPECTEDFAIL")

    def tail(self):
        """The end of its output, without what went well."""
        return "\n".join([line for line in self.output.splitlines() if not line.startswith("PASS ")][-40:])


class Room:
    """A build root with the source at /src and a build directory at /build."""

    def __init__(self, release, source, variant, options, env):
        self.release, self.source, self.options = release, source, options
        self.env = {**ENV, **env}
        tree = hashlib.sha256(str(source).encode()).hexdigest()[:8]
        # One for each tree: ninja goes by time stamps, which mean nothing across two trees.
        self.builddir = roots.CACHE / f"build-{variant}-{tree}"
        self.stamp = roots.CACHE / f"build-{variant}-{tree}.stamp"
        self.lockfile = roots.CACHE / f".build-{variant}-{tree}.lock"
        self.log = LOGS / f"build-{variant}.log"

    @contextmanager
    def open(self):
        lower = roots.build_root(self.release)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        directory = sandbox.WORK / f"build-{uuid.uuid4().hex[:8]}"
        with open(self.lockfile, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.builddir.mkdir(exist_ok=True)
            self.root = sandbox.overlay(directory, lower)
            try:
                for sub in ("src", "build", "stage"):
                    (self.root / sub).mkdir()
                sandbox.mount("proc", self.root / "proc", "proc")
                sandbox.mount("/dev", self.root / "dev", None, sandbox.MS_BIND | sandbox.MS_REC)
                sandbox.bind(self.source, self.root / "src", read_only=True)
                sandbox.bind(self.builddir, self.root / "build")
                yield self
            finally:
                sandbox.umount(self.root)
                shutil.rmtree(directory, ignore_errors=True)

    def output(self, *args):
        """Run a command. Returns its exit code and what it wrote to its standard output."""
        with open(self.log, "ab") as log:
            log.write(f"+ {' '.join(args)}\n".encode())
            log.flush()
            done = subprocess.run(["chroot", self.root, *args], env=self.env, cwd="/",
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        return done.returncode, done.stdout.decode(errors="replace")

    def run(self, *args, check=True):
        with open(self.log, "ab") as log:
            log.write(f"+ {' '.join(args)}\n".encode())
            log.flush()
            code = subprocess.run(["chroot", self.root, *args], env=self.env, cwd="/",
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode
        if check and code != 0:
            tail = self.log.read_text(errors="replace").splitlines()[-40:]
            raise BuildError(f"{' '.join(args)}: exited with {code} (log: {self.log})\n" + "\n".join(tail))
        return code

    def _wipe(self):
        self.stamp.unlink(missing_ok=True)
        for entry in self.builddir.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def configure(self, *wrapper, anew=False):
        """Have a configured build directory. Returns whether it was there already."""
        # A change of the options or of the root (other compiler, other headers) starts anew.
        root_stamp = (roots.CACHE / f"debian-{self.release}-build.stamp").read_text()
        stamp = json.dumps([root_stamp, self.options, self.env])
        if not anew and self.stamp.exists() and self.stamp.read_text() == stamp:
            # Knows of new files, if what lists them has changed.
            if self.run("ninja", "-C", "/build", "build.ninja", check=False) == 0:
                return True
        self._wipe()
        self.run(*wrapper, "meson", "setup", "/build", "/src", "--prefix=/usr", "-Dwerror=true", *self.options)
        self.stamp.write_text(stamp)
        return False

    def compile(self):
        kept = self.configure()
        try:
            self.run("meson", "compile", "-C", "/build")
        except BuildError:
            if not kept:
                raise
            # It may be the kept directory that is stale: a clean one tells.
            self._wipe()
            self.compile()

    def install(self, stage):
        """Install into the directory stage, which is made."""
        stage.mkdir()
        sandbox.bind(stage, self.root / "stage")
        self.run("meson", "install", "-C", "/build", "--no-rebuild", "--quiet", "--destdir", "/stage")
        return stage

    def test(self, *args):
        """Run meson's tests. Returns a list of UnitTest."""
        for old in self.builddir.glob("meson-logs/testlog*.json"):
            old.unlink()
        # The exit code says nothing that the results do not.
        self.run("meson", "test", "-C", "/build", "--no-rebuild", "--print-errorlogs",
                 "--logbase", "testlog", *args, check=False)
        # With a wrapper, its name is a part of the file's.
        written = sorted(self.builddir.glob("meson-logs/testlog*.json"))
        tests = []
        for line in written[0].read_text().splitlines() if written else []:
            t = json.loads(line)
            output = (t.get("stdout") or "") + (t.get("stderr") or "")
            name = t["name"].split(" / ")[-1]  # without project and suite
            tests.append(UnitTest(name, t["result"], t.get("duration", 0.0), output))
        if not tests:
            raise BuildError(f"meson ran no test (log: {self.log})\n"
                             + "\n".join(self.log.read_text(errors="replace").splitlines()[-20:]))
        return tests


def packaged(release, source):
    """The room in which spawnlet is built as a packager does it."""
    return Room(release, source, release, ["--buildtype=debugoptimized"], {})


def build(release, source):
    """Build as a packager would, and install into a directory."""
    with packaged(release, source).open() as room:
        room.compile()
        stage = room.install(sandbox.WORK / f"stage-{release}")
    return Build(stage, room.builddir)


def unit_tests(release, compiler, source):
    """Build with the sanitizers and run meson's tests. Returns a list of UnitTest."""
    options = ["--buildtype=debug", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
    env = {
        "CC": compiler,
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    with Room(release, source, f"{release}-{compiler}", options, env).open() as room:
        room.compile()
        return room.test()
