# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `systemd-analyze security` says of spawnlet's units, beside systemd-nspawn@.service as it is
shipped and a unit of Quadlet's, on one booted host: the exposure, from 0 (none) to 10.

The figure is about the settings of a unit alone. It knows nothing of what systemd-nspawn, conmon or a
helper of ours does to itself and its children.
"""

import argparse
import os
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.append(str(BENCH.parent / "tests/lib"))

import build  # noqa: E402
import roots  # noqa: E402
import sandbox  # noqa: E402
from host import Host  # noqa: E402

DEFINITION = ("[Container]\nSystem=host\nAutoStart=no\nHealthCommand=/usr/bin/true\nHardening={}\n"
              "[Network]\nPrivate=yes\n")
PRESETS = ("trusted", "default", "strict")
QUADLET = "[Container]\nImage=localhost/web\n"

UNITS = [
    ("container-trusted.service", "a container, `Hardening=trusted`"),
    ("container-default.service", "a container"),
    ("container-strict.service", "a container, `Hardening=strict`"),
    ("systemd-nspawn@web.service", "systemd's own"),
    ("quadlet.service", "Quadlet's"),
    ("spawnlet-health-default.service", "health check"),
    ("spawnlet-health-strict.service", "health check, `Hardening=strict`"),
    ("spawnlet-repair.service", "repair of networks"),
    ("spawnlet-repair@br0.service", "the same for a bridge"),
    ("spawnlet-stop@default.service", "stop during a start"),
]


class PodmanHost(Host):
    generators = [*Host.generators, "podman-system-generator"]

    def _base(self):
        return roots.podman_root(self.release)


def exposures(host, units):
    """A line for each unit that there is: name, exposure, a word for it, a smiley."""
    text = host.out("systemd-analyze", "security", "--no-pager", *units)
    return {line.split()[0]: line.split()[1:3] for line in text.splitlines() if ".service" in line}


def measure(release):
    built = build.build(release, BENCH.parent)
    with PodmanHost(release, built.stage) as host:
        for preset in PRESETS:
            host.define(preset, DEFINITION.format(preset), reload=False)
        host.write("/etc/containers/systemd/quadlet.container", QUADLET)
        host.run("systemctl", "daemon-reload")
        found = exposures(host, [unit for unit, _ in UNITS])
        for unit, what in UNITS:
            if unit in found:
                print(f"| `{unit}` | {what} | {found[unit][0]} | {found[unit][1]} |")
            else:
                print(f"| `{unit}` | {what} | | not there |")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="bench/security", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", choices=sorted(roots.CODENAMES), default="13",
                        help="the Debian release to measure on (default: 13)")
    return measure(parser.parse_args().release)


if __name__ == "__main__":
    os.umask(0o022)
    sandbox.enter(main)
