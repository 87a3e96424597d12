# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demonstration: a container from one file, on a real host, and nothing left of it.

Every command shown is run on a freshly booted Debian, and its real output printed.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

import build
import roots
import sandbox
from host import Host, HostError, wait_until

SOURCE = Path(os.environ.get("SPAWNLET_TEST_SOURCE", Path(__file__).resolve().parents[2])).resolve()

ROOT = "/var/lib/machines/web"
HELLO = "Hello from inside web\n"
FILES = {
    "/etc/spawnlet/web.container": """\
[Container]
Description=A small web server
System=host
Services=hello.socket

[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2
HostAddress=fd90::1
LocalAddress=fd90::2
""",
    f"{ROOT}/etc/systemd/system/hello.socket": """\
[Socket]
ListenStream=80
Accept=yes
""",
    f"{ROOT}/etc/systemd/system/hello@.service": """\
[Service]
ExecStart=/usr/bin/busybox httpd -i -h /srv
StandardInput=socket
""",
    f"{ROOT}/srv/index.html": HELLO,
}


def say(text):
    print(text, flush=True)


class Session:
    """Commands on the host, shown as in a terminal."""

    def __init__(self, host):
        self.host = host

    def __call__(self, *command):
        say(f"# {shlex.join(command)}")
        done = self.host.run(*command, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode != 0:
            raise HostError(f"{shlex.join(command)}: exited with {done.returncode}")
        return done.stdout


def demonstrate(host):
    shell = Session(host)
    for path, text in FILES.items():
        host.write(path, text)
    before = host.footprint()

    say("\n=== One file declares the container ...")
    definition, *own = FILES
    shell("cat", definition)
    say("\n=== ... and these are its own. It shares the host's /usr.")
    for path in own:
        shell("cat", path)

    say("\n=== It is a service.")
    shell("systemctl", "daemon-reload")
    shell("systemctl", "start", "container-web")
    answer = shell("curl", "-s", "http://web.containers/")
    shell("machinectl", "list", "--no-pager")
    shell("spawnlet", "list")
    if answer != HELLO:
        raise HostError(f"the web server answered {answer!r}, not {HELLO!r}")

    say("\n=== Stopped, it is gone.")
    shell("systemctl", "stop", "container-web")
    shell("machinectl", "list", "--no-pager")

    def nothing_left():
        after = host.footprint()
        # Left in both: machine.slice and spawnlet's own directory, empty.
        left = {what: sorted(set(after[what]) - set(before[what])) for what in after}
        if any(left.values()):
            raise HostError(f"left behind: { {what: names for what, names in left.items() if names} }")
        return True

    # The kernel frees interfaces a moment after they are out of service.
    wait_until("nothing left of the container", nothing_left)
    shell("ip", "-br", "link")
    say("\nNo interface, namespace, mount, cgroup or file in /run/spawnlet is left of it.")


def demo(release):
    try:
        say(f"Preparing Debian {release} (the first run builds its roots, which takes a few minutes) ...")
        roots.build_root(release)
        say("Building spawnlet ...")
        stage = build.build(release, SOURCE).stage
        say("Booting a host ...")
        with Host(release, stage, SOURCE) as host:
            try:
                demonstrate(host)
            except HostError:
                say("\n" + host.journal(60))
                raise
    except (HostError, build.BuildError) as e:
        say(f"\nThe demonstration FAILED: {e}" + (f"\nBecause: {e.__cause__}" if e.__cause__ else ""))
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(prog="tests/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", choices=sorted(roots.CODENAMES), default="13",
                        help="the Debian release of the host (default: 13)")
    options = parser.parse_args()
    sandbox.enter(lambda: demo(options.release))


if __name__ == "__main__":
    sys.exit(main())
