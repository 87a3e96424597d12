# SPDX-License-Identifier: LGPL-2.1-or-later
"""Port= and Masquerade=: from another host, from the host, over loopback, from the container; beside
other firewalls, and what they leave."""

from case import contains, contains_not, equal, raises
from containers import bridge, echo, fetch, serve, talk, web
from host import HostError, wait_until

HOST, OTHER = ("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2")
PORT = "    Port=8080:80\n"
TABLE = ("nft", "list", "table", "inet", "spawnlet")

UDP_SERVER = ('use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 5300, Proto => "udp") or die; '
              '$s->send("echo $m") while defined $s->recv($m, 99);')
UDP_CLIENT = ('use IO::Socket::INET; alarm 5; ($a, $p) = @ARGV; '
              '$s = IO::Socket::INET->new(PeerAddr => $a, PeerPort => $p, Proto => "udp"); '
              '$s->send("hi"); $s->recv($m, 99); print $m;')


def background(host, name, *command):
    """Run a command as a service of the host, until the host goes."""
    host.run("systemd-run", "--quiet", f"--unit={name}", "--", *command)


def server_on_loopback(host):
    """A service of the host that nobody outside may reach."""
    host.write("/srv/secret/index.html", "secret\n")
    background(host, "secret", "busybox", "httpd", "-f", "-p", "127.0.0.1:7777", "-h", "/srv/secret")
    wait_until("it listens", lambda: fetch(host, "http://127.0.0.1:7777/") == "secret")


def test_from_everywhere(host):
    before = host.footprint()
    web(host, PORT + "    Port=udp:5301:5300\n    Port=9000-9002:80\n    Port=127.0.0.1:9080:80\n")
    host.write("/var/lib/machines/web/etc/systemd/system/udp.service",
               f"[Service]\nExecStart=/usr/bin/perl -e '{UDP_SERVER.replace('$', '$$')}'\n")
    host.write("/etc/spawnlet/web.container.d/udp.conf", "[Container]\nServices=udp.service\n")
    host.run("systemctl", "daemon-reload")
    with host.another() as other:
        host.join(other)
        host.run("systemctl", "start", "container-web")
        for url in (f"http://{HOST[0]}:8080/", f"http://[{HOST[1]}]:8080/"):
            equal(fetch(other, url), "hello")
            equal(fetch(host, url), "hello")
        equal(fetch(other, f"http://{HOST[0]}:9000/"), "hello")
        equal(other.out("perl", "-e", UDP_CLIENT, HOST[0], "5301"), "echo hi")
        assert not other.ok("curl", "-s", "--max-time", "3", f"http://{HOST[0]}:9080/"), "a loopback port"

        for name in ("127.0.0.1", "localhost", "10.90.0.1"):
            equal(fetch(host, f"http://{name}:8080/"), "hello")
        equal(fetch(host, "http://127.0.0.1:9080/"), "hello")
        equal(host.out("perl", "-e", UDP_CLIENT, "127.0.0.1", "5301"), "echo hi")
        # The kernel cannot forward ::1: it is refused, and at once.
        refused = host.run("curl", "-s", "--max-time", "5", "http://[::1]:8080/", check=False)
        equal(refused.returncode, 7)

        # The container itself, as anybody else.
        equal(host.out("spawnlet", "run", "web", "curl", "-s", "--max-time", "5",
                       f"http://{HOST[0]}:8080/"), "hello")
        equal(host.out("spawnlet", "run", "web", "curl", "-s", "--max-time", "5",
                       f"http://[{HOST[1]}]:8080/"), "hello")

        host.run("systemctl", "stop", "container-web")
        assert not other.ok("curl", "-s", "--max-time", "3", f"http://{HOST[0]}:8080/")
        assert not host.ok(*TABLE), "the table is still there"
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


ATTACK = """\
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip address del 127.0.0.1/8 dev lo
ip route replace 127.0.0.1 via 10.90.0.1 dev eth0 src 10.90.0.2
curl -sS --max-time 3 http://127.0.0.1:7777/
"""


def test_the_hosts_loopback_is_closed(host):
    """CVE-2020-8558: what forwards 127.0.0.1 opens the host's own services to the container."""
    server_on_loopback(host)
    web(host, PORT)
    host.run("systemctl", "start", "container-web")
    equal(fetch(host, "http://127.0.0.1:8080/"), "hello")
    attack = ("spawnlet", "run", "web", "/bin/sh", "-c", ATTACK)
    assert not host.ok(*attack), "the container reached the host's loopback"

    # That the attack is one: without the table it succeeds, as the manual page says. A repair is all
    # that it takes.
    host.run("nft", "flush", "ruleset")
    equal(host.out(*attack), "secret")
    host.run("systemctl", "reload", "container-web")
    assert not host.ok(*attack), "the container reached the host's loopback after a reload"

    host.run("systemctl", "stop", "container-web")
    equal(host.out("cat", "/proc/sys/net/ipv4/conf/all/route_localnet"), "0")


def test_a_container_cannot_advertise_routes_to_its_host(host):
    """CVE-2020-13401."""
    web(host)
    host.run("systemctl", "start", "container-web")
    equal(host.read("/proc/sys/net/ipv6/conf/c-web/accept_ra"), "0\n")


def test_one_port_for_two(host):
    web(host, PORT)
    web(host, "    HostAddress=\n    LocalAddress=\n    HostAddress=10.91.0.1\n    LocalAddress=10.91.0.2\n"
              "    Port=8000-8100\n", name="other")
    text = host.out("spawnlet", "check", check=False)
    contains("the same port as that of", text)
    host.run("systemctl", "start", "container-web")
    before = host.footprint()

    assert not host.ok("systemctl", "start", "container-other")
    # The status, which the restarts do not push out of sight as they do the journal's lines.
    contains("TCP port 8080 is forwarded to container 'web' already", host.unit("container-other")["StatusText"])
    equal(fetch(host, "http://127.0.0.1:8080/"), "hello")
    host.run("systemctl", "stop", "container-other")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_many_at_once(host):
    """The table has the ports of all that run and of no other, whoever writes it when."""
    before = host.footprint()
    host.run("bash", "-c", """
        all() {
            local i
            for i in 1 2 3 4; do
                /usr/libexec/spawnlet/spawnlet-network $1 m$i ${2:+--host-address=10.9$i.0.1 \\
                    --local-address=10.9$i.0.2 --port=$2$i} & eval "pid$i=$!"
            done
            wait $pid1 && wait $pid2 && wait $pid3 && wait $pid4
        }
        for round in 1 2 3 4 5 6 7 8; do
            all up 800 && all reload 810 || exit
            [ $(nft list table inet spawnlet | grep -o ' \. 810[1-4] :' | wc -l) = 4 ] || { nft list table inet spawnlet; exit 1; }
            ! nft list table inet spawnlet | grep ' \. 800[1-4] :' || exit 1
            all down || exit
            ! nft list table inet spawnlet 2>/dev/null || exit 1
        done
    """, timeout=120)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_other_firewalls(host):
    """Their tables are not touched; and when one flushes ours, it is repaired by itself."""
    host.write("/etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\ntable inet theirs { chain c { "
                                     "type filter hook input priority 0; counter; }; }\n")
    host.run("systemctl", "start", "nftables")
    theirs = host.out("nft", "-s", "list", "table", "inet", "theirs")
    web(host, PORT)
    host.run("systemctl", "start", "container-web")
    equal(host.out("nft", "-s", "list", "table", "inet", "theirs"), theirs)
    ours = host.out("nft", "-s", *TABLE[1:])

    host.run("systemctl", "restart", "nftables")
    wait_until("it is repaired", lambda: equal(host.out("nft", "-s", *TABLE[1:]), ours) or True)
    equal(fetch(host, "http://127.0.0.1:8080/"), "hello")

    host.run("systemctl", "reload", "nftables")
    wait_until("it is repaired", lambda: equal(host.out("nft", "-s", *TABLE[1:]), ours) or True)

    # Stopping it flushes everything; starting it again is an occasion as well.
    host.run("systemctl", "stop", "nftables")
    raises(HostError, host.out, *TABLE)
    host.run("systemctl", "start", "nftables")
    wait_until("it is repaired", lambda: equal(host.out("nft", "-s", *TABLE[1:]), ours) or True)
    host.run("systemctl", "stop", "container-web")
    equal(host.out("nft", "-s", "list", "table", "inet", "theirs"), theirs)


def test_masquerade(host):
    web(host)
    with host.another() as other:
        host.join(other)
        other.write("/srv/index.html", "outside\n")
        background(other, "web", "busybox", "httpd", "-f", "-p", "80", "-h", "/srv")
        wait_until("it listens", lambda: fetch(other, "http://localhost/") == "outside")
        host.run("systemctl", "start", "container-web")
        urls = [f"http://{OTHER[0]}/", f"http://[{OTHER[1]}]/"]
        inside = ("spawnlet", "run", "web", "curl", "-s", "--max-time", "3")
        for url in urls:
            assert not host.ok(*inside, url), "the other host has a way back"

        # Live, and back.
        host.write("/etc/spawnlet/web.container.d/nat.conf", "[Network]\nMasquerade=yes\n")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "reload", "container-web")
        for url in urls:
            equal(host.out(*inside, url), "outside")
        equal(host.read("/proc/sys/net/ipv4/ip_forward"), "0\n")  # interfaces, not all of them
        host.remove("/etc/spawnlet/web.container.d/nat.conf")
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "reload", "container-web")
        for url in urls:
            assert not host.ok(*inside, url)


def test_a_zone_with_ports(host):
    """Members reach each other, themselves by the host's port, and the outside."""
    for i, name in enumerate(("a", "b"), 2):
        serve(host, f"/var/lib/machines/{name}")
        host.define(name, f"""\
            [Container]
            System=host
            Services=hello.socket

            [Network]
            Zone=blue
            HostAddress=10.90.0.1/24
            LocalAddress=10.90.0.{i}/24
            HostAddress=fd90::1/64
            LocalAddress=fd90::{i}/64
            Port=808{i}:80
        """)
    with host.another() as other:
        host.join(other)
        host.run("systemctl", "start", "container-a", "container-b")
        for port in (8082, 8083):
            for address in (HOST[0], f"[{HOST[1]}]"):
                equal(fetch(other, f"http://{address}:{port}/"), "hello")
                for name in "ab":
                    equal(host.out("spawnlet", "run", name, "curl", "-sS", "--max-time", "5",
                                   f"http://{address}:{port}/"), "hello", f"{name} to {address}:{port}")
            equal(fetch(host, f"http://127.0.0.1:{port}/"), "hello")
        host.run("systemctl", "stop", "container-a")
        equal(fetch(host, "http://127.0.0.1:8083/"), "hello")
        equal(host.read("/proc/sys/net/ipv4/conf/z-blue/route_localnet"), "1\n")
        host.run("systemctl", "stop", "container-b")


def test_ports_on_somebodys_bridge(host):
    """The container's gateway is not the host, and its own port is beside it on the bridge."""
    bridge(host)
    serve(host, "/var/lib/machines/web")
    host.define("web", """\
        [Container]
        System=host
        Services=hello.socket

        [Network]
        Bridge=br0
        LocalAddress=10.80.0.2/24
        Gateway=10.80.0.254
        Port=8080:80
    """)
    with host.another() as other:
        host.join(other)
        host.run("systemctl", "start", "container-web")
        equal(fetch(other, f"http://{HOST[0]}:8080/"), "hello")
        equal(fetch(host, "http://127.0.0.1:8080/"), "hello")
        equal(host.out("spawnlet", "run", "web", "curl", "-sS", "--max-time", "5",
                       "http://10.80.0.1:8080/"), "hello")
        host.run("systemctl", "stop", "container-web")
        equal(host.read("/proc/sys/net/ipv4/conf/br0/route_localnet"), "0\n")


def test_a_changed_port_keeps_connections(host):
    """Live change: a connection over one port goes on while others come and go."""
    echo(host)
    web(host, "    Port=7001:7\n")
    with host.another() as other:
        host.join(other)
        host.run("systemctl", "start", "container-web")
        ask = talk(other, HOST[0], 7001)
        for i, ports in enumerate(("Port=8080:80\n", "", "Port=\nPort=8081:80\n")):
            host.write("/etc/spawnlet/web.container.d/more.conf", f"[Network]\n{ports}")
            host.run("systemctl", "daemon-reload")
            host.run("systemctl", "reload", "container-web")
            ask(f"more{i}")
        equal(fetch(host, "http://127.0.0.1:8081/"), "hello")
        assert not host.ok("curl", "-s", "--max-time", "3", "http://127.0.0.1:8080/")
        contains_not("7001", host.out(*TABLE))


def test_a_kernel_without_nftables(host):
    """The start fails with the reason, and leaves nothing."""
    before = host.footprint()
    up = ("/usr/libexec/spawnlet/spawnlet-network", "up", "x", "--local-address=10.90.0.2",
          "--host-address=10.90.0.1", "--port=80")
    # A socket for NETLINK_NETFILTER is 12.
    result = host.run("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=socket",
                      "-e", "inject=socket:error=EPROTONOSUPPORT:when=3+", *up, check=False)
    assert result.returncode != 0
    contains("Failed to write the nftables table 'inet spawnlet': ", result.stderr)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
