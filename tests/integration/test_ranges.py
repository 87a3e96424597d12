# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which users a container has: the same at each start, and never those of another one."""

import itertools
import json
import struct

from case import equal

# What systemd-nspawn's uid_shift_pick() makes a range of, and the ranges that there are.
HASH_KEY = struct.unpack("<QQ", bytes.fromhex("e156e0f04af041af9641cf413394ff72"))
FIRST, LAST = 524288, 1878982656
MASK = (1 << 64) - 1


def siphash24(data, k0, k1):
    """SipHash-2-4, Aumasson and Bernstein 2012."""
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotated(x, n):
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotated(v[1], 13) ^ v[0]
            v[3] = rotated(v[3], 16) ^ v[2]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1] = rotated(v[1], 17) ^ v[2]
            v[3] = rotated(v[3], 21) ^ v[0]
            v[2] = rotated(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def picked(name):
    """The first user of a container of this name."""
    candidate = siphash24(name.encode(), *HASH_KEY) & 0xFFFFFFFF
    return (candidate % (LAST - FIRST) + FIRST) & 0xFFFF0000


def two_names():
    """Two names that are hashed to the same range."""
    seen = {}
    for name in (f"c{i}" for i in itertools.count()):
        if (range_ := picked(name)) in seen:
            return seen[range_], name
        seen[range_] = name


def users(host, name):
    """The first user of a container, and how many they are; None if it has none."""
    [found] = [c for c in json.loads(host.out("spawnlet", "list", "--json")) if c["name"] == name]
    return found["users"] and (found["users"]["first"], found["users"]["count"])


def owners(host, name):
    lines = host.out("find", f"/var/lib/machines/{name}", "-xdev", "-printf", "%P %U:%G %m\n").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_two_names_of_one_range(host):
    names = one, two = two_names()
    before = {}
    for name in names:
        host.copied_root(f"/var/lib/machines/{name}")
        host.define(name, "[Container]\nAutoStart=no\nCommand=/bin/sleep infinity\n[Exec]\nPrivateUsers=pick\n")
        before[name] = owners(host, name)
        equal(users(host, name), None)

    # Alone, each has it; together, who starts second has another one.
    for name, other in (names, names[::-1]):
        host.run("systemctl", "start", f"container-{name}")
        equal(users(host, name), (picked(name), 65536))
        host.run("systemctl", "start", f"container-{other}")
        first, count = users(host, other)
        assert first != picked(name) and first % 65536 == 0 and FIRST <= first <= LAST, first
        equal((count, users(host, name)), (65536, (picked(name), 65536)))

        for each in names:
            host.run("spawnlet", "run", each, "/bin/sh", "-ec",
                     "echo x >>/made; chown 1000:1000 /made; ls /root; touch /var/log/wtmp")
        host.run("systemctl", "stop", f"container-{name}", f"container-{other}")

        # Not a word of it on the disk.
        for each in names:
            after = owners(host, each)
            equal({path: after.get(path) for path in before[each]}, before[each])
            equal(after["made"], "1000:1000 644")
            made = {path: owner for path, owner in after.items() if path not in before[each]}
            assert all(int(number) < 65536 for owner in made.values()
                       for number in owner.split()[0].split(":")), made
