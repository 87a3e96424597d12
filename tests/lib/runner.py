# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the tests, runs them and counts.

    build/debian-N                            spawnlet builds on this release
    unit/N-COMPILER/NAME                      a unit test, under ASan and UBSan
    analysis/TOOL                             static analysis, and valgrind
    analysis/hardening[debian-N]              what is installed has all hardening
    integration/FILE/FUNCTION[debian-N]       a test on a freshly booted host
    integration/FILE/FUNCTION                 a test that takes no host
    vm/FILE/FUNCTION[debian-N]                a test on a freshly booted virtual machine

A line for each as it ends, and as the last line of all `N passed, N failed, N skipped`.
"""

import argparse
import importlib.util
import os
import re
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import analysis
import build
import roots
import sandbox
import vm
from case import Skip
from host import Host
from vm import Vm

TESTS = Path(__file__).resolve().parent.parent
SOURCE = Path(os.environ.get("SPAWNLET_TEST_SOURCE", TESTS.parent)).resolve()

# Whatever a test waits for: after this long its host is switched off.
TEST_TIMEOUT = 600

# Both compilers on one release, and the newer headers with one of them.
UNIT_TESTS = [("12", "gcc"), ("12", "clang"), ("13", "gcc")]

# Virtual machines are slow: on one release, if the test does not ask for others.
VM_RELEASES = ["13"]


class Report:
    """Counts, and prints whole lines whoever calls."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self._lock = threading.Lock()

    def _print(self, text):
        print(text, flush=True)

    def ok(self, name, seconds):
        with self._lock:
            self.passed += 1
            self._print(f"ok {name} ({seconds:.1f} s)")

    def skip(self, name, reason):
        with self._lock:
            self.skipped += 1
            self._print(f"skip {name}: {reason}")

    def fail(self, name, reason):
        with self._lock:
            self.failed += 1
            lines = str(reason).rstrip().splitlines() or ["(no reason given)"]
            self._print("\n".join([f"FAIL {name}"] + [f"    {line}" for line in lines]))

    def end(self, seconds):
        with self._lock:
            self._print(f"{seconds:.0f} s")
            self._print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")


def reason(error):
    """What failed and where in the test, without the harness's own frames."""
    frames = [f for f in traceback.extract_tb(error.__traceback__)
              if not Path(f.filename).is_relative_to(TESTS / "lib")
              and Path(f.filename).is_relative_to(TESTS)]
    where = [f"{Path(f.filename).name}:{f.lineno}: {f.line}" for f in frames]
    if not where:  # the harness itself
        return "".join(traceback.format_exception(error))
    text = [f"{type(error).__name__}: {error}".rstrip(": ")]
    if error.__cause__:
        text.append(f"last: {error.__cause__}")
    return "\n".join(where + text)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def discover(directory, releases, default):
    """All tests of a directory, as (name, function, release or None). default: the releases
    of a test that asks for none."""
    found = []
    for path in sorted((TESTS / directory).glob("test_*.py")):
        for key, function in vars(load(path)).items():
            if not key.startswith("test_") or not callable(function):
                continue
            name = f"{directory}/{path.stem}/{key}"
            if getattr(function, "no_host", False):
                found.append((name, function, None))
                continue
            for release in releases:
                if release in getattr(function, "releases", default):
                    found.append((f"{name}[debian-{release}]", function, release))
    return found


class Runner:
    def __init__(self, patterns):
        self.patterns = patterns
        self.report = Report()
        self.builds = {}
        self.pending = {}  # names of all that has not ended, in their order

    def wanted(self, name):
        return not self.patterns or any(p in name for p in self.patterns)

    def wanted_unit(self, prefix):
        """Names of unit tests are known only after a build, so a pattern asks for them by
        its beginning."""
        return not self.patterns or any(
            prefix.startswith(p) or p.startswith(prefix) for p in self.patterns)

    def submit(self, pool, name, function, *args):
        self.pending[name] = True
        return pool.submit(self.guarded, name, function, *args)

    def guarded(self, name, function, *args):
        """Nothing that goes wrong with one test may keep the others from being counted."""
        try:
            return function(name, *args)
        except BaseException as e:  # a test may also call sys.exit()
            self.report.fail(name, e if isinstance(e, build.BuildError) else reason(e))
        finally:
            del self.pending[name]

    def out_of_time(self, limit):
        """Whatever hangs: say what, and end."""
        for name in list(self.pending):
            self.report.fail(name, f"not finished when all tests had taken {limit} s")
        self.report.end(limit)
        os._exit(1)

    def build(self, name, release):
        started = time.monotonic()
        built = build.build(release, SOURCE)
        self.report.ok(name, time.monotonic() - started)
        return built

    def unit(self, name, release, compiler):
        for test in build.unit_tests(release, compiler, SOURCE):
            full = f"{name}/{test.name}"
            if not self.wanted(full):
                continue
            if test.passed:
                self.report.ok(full, test.seconds)
            elif test.result == "SKIP":
                self.report.skip(full, test.output.strip().splitlines()[-1] if test.output.strip() else "no reason given")
            else:
                self.report.fail(full, f"{test.result}\n{test.tail()}")

    def analysis(self, name, check, *args):
        started = time.monotonic()
        try:
            check(*args)
        except analysis.Findings as e:
            self.report.fail(name, e)
        else:
            self.report.ok(name, time.monotonic() - started)

    def integration(self, name, function, release, kind):
        started = time.monotonic()
        try:
            if kind is Vm and (why := vm.missing()):
                raise Skip(why)
            if release is None:
                function()
            else:
                built = self.builds[release].result()
                if built is None:
                    raise Skip("it did not build")
                with kind(release, built.stage, SOURCE) as host:
                    self.on_host(name, function, host)
        except Skip as e:
            self.report.skip(name, e)
        except Failed as e:
            self.report.fail(name, e)
        else:
            self.report.ok(name, time.monotonic() - started)

    def on_host(self, name, function, host):
        watchdog = threading.Timer(getattr(function, "timeout", TEST_TIMEOUT), host.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            function(host)
        except Skip:
            raise
        except Exception as e:
            log = build.LOGS / (re.sub(r"[^\w.-]+", "-", name).strip("-") + ".log")
            log.parent.mkdir(parents=True, exist_ok=True)
            text = host.journal()
            log.write_text(text)
            tail = "\n".join(text.splitlines()[-40:])
            raise Failed(f"{reason(e)}\nlog: {log}, which ends:\n{tail}") from e
        finally:
            watchdog.cancel()


class Failed(Exception):
    """A test failed, with all there is to say about it."""


def main():
    parser = argparse.ArgumentParser(
        prog="tests/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="append", choices=sorted(roots.CODENAMES),
                        help=f"only this Debian release (default: {' and '.join(roots.DEFAULT_RELEASES)})")
    parser.add_argument("-k", metavar="PATTERN", action="append", dest="patterns",
                        help="only tests whose name contains this; unit tests by the beginning of theirs")
    parser.add_argument("-j", metavar="N", type=int, dest="jobs",
                        default=1 + min(2, len(os.sched_getaffinity(0))),
                        help="as many at a time, beside a virtual machine (default: %(default)s)")
    parser.add_argument("--limit", metavar="SECONDS", type=int,
                        help="what has not ended by then has failed")
    parser.add_argument("--list", action="store_true", help="print the names and do nothing")
    options = parser.parse_args()

    releases = options.release or roots.DEFAULT_RELEASES
    runner = Runner(options.patterns)
    units = [(f"unit/{r}-{cc}", r, cc) for r, cc in UNIT_TESTS
             if r in releases and runner.wanted_unit(f"unit/{r}-{cc}")]
    sys.path.append(str(TESTS / "integration"))  # what the scenarios share
    tests = [t for t in discover("integration", releases, releases) if runner.wanted(t[0])]
    vms = [t for t in discover("vm", releases, VM_RELEASES) if runner.wanted(t[0])]
    analyses = [(f"analysis/{tool}", check, SOURCE) for tool, check in analysis.CHECKS.items()
                if analysis.RELEASE in releases]
    analyses += [(f"analysis/hardening[debian-{r}]", analysis.installed, r, SOURCE) for r in releases]
    analyses = [a for a in analyses if runner.wanted(a[0])]
    builds = [r for r in releases
              if runner.wanted(f"build/debian-{r}") or any(t[2] == r for t in tests + vms)]
    if options.list:
        for name in [f"build/debian-{r}" for r in builds] + [u[0] + "/*" for u in units] + [
                t[0] for t in analyses + tests + vms]:
            print(name)
        return 0
    sandbox.enter(lambda: run(runner, options.jobs, options.limit, builds, units, analyses, tests, vms))


def run(runner, jobs, limit, builds, units, analyses, tests, vms):
    started = time.monotonic()
    if limit:
        watchdog = threading.Timer(limit, runner.out_of_time, [limit])
        watchdog.daemon = True
        watchdog.start()
    # First in, first out: by the time that a test waits for its build, that one is running. A machine
    # has the memory and the processors for one virtual machine at a time; so they begin early.
    with ThreadPoolExecutor(jobs) as pool, ThreadPoolExecutor(1) as vm_pool:
        for release in builds:
            runner.builds[release] = runner.submit(pool, f"build/debian-{release}", runner.build, release)
        for name, function, release in vms:
            runner.submit(vm_pool, name, runner.integration, function, release, Vm)
        for name, release, compiler in units:
            runner.submit(pool, name, runner.unit, release, compiler)
        for name, check, *args in analyses:
            runner.submit(pool, name, runner.analysis, check, *args)
        for name, function, release in tests:
            runner.submit(pool, name, runner.integration, function, release, Host)
    report = runner.report
    report.end(time.monotonic() - started)
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
