# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ordinary users may do, by polkit's rules; DELEGATION in spawnlet(1)."""

import re

from case import contains, equal, releases
from host import wait_until

EXAMPLE = "/usr/share/doc/spawnlet/examples/50-spawnlet.rules"
RULES = "/etc/polkit-1/rules.d/50-spawnlet.rules"

PLAIN = "[Container]\nSystem=host\nAutoStart=no\n"


def users(host):
    """ann is in the group crew, ben is a user with a row of his own, eve is nobody to the rules."""
    host.run("groupadd", "crew")
    host.run("useradd", "--create-home", "--shell=/bin/bash", "--groups=crew", "ann")
    for name in ("ben", "eve"):
        host.run("useradd", "--create-home", "--shell=/bin/bash", name)
    host.run("chpasswd", input="ann:secret\n")


def rules(host):
    """The example, with names of one's own, as its first lines say."""
    text = host.read(EXAMPLE)
    for old, new in (("web-admins", "crew"), ("alice", "ben"), ("database", "other")):
        contains(f'"{old}"', text)
        text = text.replace(old, new)
    host.write(RULES, text)
    return text


def by(host, user, *command, **options):
    done = host.run("runuser", "-u", user, "--", *command, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def bash(host, user, script, **options):
    return by(host, user, "/bin/bash", "-c", f"cd ~{user}; {script}", **options)


def remedy(action, details):
    return (f"not permitted to this user: polkit's action org.freedesktop.{action}, {details}. A rule of "
            "polkit's can permit it, see DELEGATION in spawnlet(1); or use sudo\n")


def may_not(host, user, verb, name):
    equal(by(host, user, "spawnlet", verb, name),
          (1, "", f"spawnlet: {name}: " + remedy("systemd1.manage-units",
                                                 f"unit container-{name}.service, verb {verb}")))


def may_not_enter(host, user, name):
    for command in (["run", name, "id"], ["shell", name]):
        equal(by(host, user, "spawnlet", *command), (126, "", (
            f"spawnlet: Container '{name}' cannot be entered: "
            + remedy("machine1.shell", f"machine {name}, user root"))))


def refuses(host, *command):
    code, out, err = by(host, "ann", *command)
    assert code != 0, f"{command} is permitted"
    assert re.search("Access denied|[Aa]uthentication required|interactive authentication", out + err), (out, err)


def asks_for_a_password(host, verb):
    """As ann on a terminal, in a session of hers: whether she was asked, and it was done."""
    done = host.run("/bin/bash", "-c", """
        (until grep -qs 'Password: \\|not permitted' /run/typescript; do :; done; echo secret) |
            script -qfec "$0" /run/typescript
    """, f"su -l ann --session-command 'spawnlet {verb} web'", check=False)
    return "Password: " in done.stdout, done.returncode == 0


def test_start_and_stop(host):
    users(host)
    for name in ("web", "other"):
        host.define(name, PLAIN)
    may_not(host, "ann", "start", "web")

    text = rules(host)
    wait_until("polkit knows", lambda: by(host, "ann", "spawnlet", "start", "web") == (0, "", ""))
    for verb in ("restart", "reload", "stop", "start"):
        equal(by(host, "ann", "spawnlet", verb, "web"), (0, "", ""))
        equal(host.state("container-web"), "inactive" if verb == "stop" else "active")
    equal(by(host, "ben", "spawnlet", "restart", "other"), (0, "", ""))

    # Another container, another user, another verb.
    for user, verb, name in (("ann", "start", "other"), ("eve", "stop", "web"), ("ben", "stop", "other"),
                             ("ben", "restart", "web")):
        may_not(host, user, verb, name)
    for user, name in (("ann", "other"), ("ben", "other"), ("eve", "web")):
        may_not_enter(host, user, name)
    code, _, err = by(host, "ann", "spawnlet", "apply")
    equal(code, 1)
    contains("needs root; 'spawnlet diff' does not", err)

    # All that would give more than the container.
    refuses(host, "systemctl", "--no-ask-password", "set-property", "--runtime", "container-web",
            "DeviceAllow=block-sd rwm")
    refuses(host, "systemctl", "--no-ask-password", "kill", "container-web")
    refuses(host, "systemctl", "--no-ask-password", "mask", "--runtime", "container-web")
    refuses(host, "systemctl", "--no-ask-password", "daemon-reload")
    refuses(host, "machinectl", "--no-ask-password", "bind", "web", "/etc", "/mnt")
    refuses(host, "machinectl", "--no-ask-password", "terminate", "web")
    refuses(host, "machinectl", "--no-ask-password", "shell", ".host", "/bin/true")
    refuses(host, "machinectl", "--no-ask-password", "shell", "daemon@web", "/bin/true")
    equal(by(host, "ann", "spawnlet", "stop", "web"), (0, "", ""))
    # Not even by another unit in the place of the container's, for which root would run anything.
    host.run("mv", "/etc/spawnlet/web.container", "/etc/spawnlet/web")
    host.run("systemctl", "daemon-reload")
    refuses(host, "systemd-run", "--no-ask-password", "--unit=container-web", "/bin/true")
    host.run("mv", "/etc/spawnlet/web", "/etc/spawnlet/web.container")
    host.run("systemctl", "daemon-reload")

    # Where a rule wants a password, there is somebody to ask for it.
    host.write(RULES, text.replace("polkit.Result.YES", "polkit.Result.AUTH_SELF"))
    wait_until("polkit knows", lambda: by(host, "ann", "spawnlet", "start", "web")[0] == 1)
    code, out, _ = by(host, "ann", "script", "-qec", "spawnlet --no-ask-password start web", "/dev/null")
    equal((code, "Password" in out), (1, False))
    equal(asks_for_a_password(host, "start"), (True, True))
    equal(host.state("container-web"), "active")

    # Root needs no polkit.
    host.run("systemctl", "mask", "--runtime", "--now", "polkit")
    equal(host.out("spawnlet", "run", "web", "id", "-u"), "0")
    equal(host.out("spawnlet", "shell", "web", "id", "-u"), "0")
    host.run("spawnlet", "stop", "web", "other")


def test_commands(host):
    users(host)
    rules(host)
    host.define("web", PLAIN)
    host.run("spawnlet", "start", "web")

    def run(*command, **options):
        return by(host, "ann", "spawnlet", "run", "web", *command, **options)

    # The exit status, and what is wrong.
    equal(run("id", "-u"), (0, "0\n", ""))
    equal(run("sh", "-c", "exit 7")[0], 7)
    equal(run("sh", "-c", "kill -KILL $$")[0], 137)
    equal(run("nothing"), (127, "", "spawnlet: Failed to execute 'nothing': No such file or directory\n"))
    equal(run("/etc/hosts"), (126, "", "spawnlet: Failed to execute '/etc/hosts': Permission denied\n"))
    equal(run("sh", "-c", "echo out; echo error >&2; pwd"), (0, "out\n/\n", "error\n"))
    equal(run("sh", "-c", "[ -t 0 ] || [ -t 1 ] || [ -t 2 ]; echo $?"), (0, "1\n", ""))
    equal(run("--", "printf", "%s|", "$HOME", "$$", "%n", "a b", "", "\\x41", "--json"),
          (0, "$HOME|$$|%n|a b||\\x41|--json|", ""))

    # All bytes, in and out, until the end of both; ends that are not wanted.
    bash(host, "ann", "head -c 3000000 /dev/urandom >in")
    equal(bash(host, "ann", "spawnlet run web cat <in | cmp - in"), (0, "", ""))
    equal(bash(host, "ann", "spawnlet run web sh -c 'cat >&2; exit 3' <in 2>&1 >/dev/null | cmp - in; "
                            "echo ${PIPESTATUS[0]}"), (0, "3\n", ""))
    equal(run("cat", input="no line feed\x04\x03\x1a\x16"), (0, "no line feed\x04\x03\x1a\x16", ""))
    equal(bash(host, "ann", "spawnlet run web sh -c 'exec <&- >&- 2>&-; exit 4' <in")[0], 4)
    equal(bash(host, "ann", "spawnlet run web yes | head -n 1; echo ${PIPESTATUS[0]}"), (0, "y\n141\n", ""))
    equal(bash(host, "ann", "spawnlet run web true <&-"), (0, "", ""))
    # What it leaves behind is not waited for.
    equal(run("sh", "-c", "sleep 1000 & echo started"), (0, "started\n", ""))
    host.run("pkill", "-x", "sleep")
    # It ends with the caller.
    bash(host, "ann", "spawnlet run web sleep 1000 & until pgrep -x sleep; do :; done; kill $!")
    wait_until("it is gone", lambda: not host.ok("pgrep", "-x", "sleep"))

    # A terminal, with the user's size and modes.
    bash(host, "ann", "mkfifo endless")

    def on_terminal(command, **options):
        # script(1) sends an end of file if it gets one, and at the wrong time that is a NUL to a terminal.
        # A FIFO that one reads and writes has none.
        script = 'exec script -qec "$0" /dev/null' + ("" if options else " <>~ann/endless")
        return by(host, "ann", "/bin/bash", "-c", script, f"stty rows 33 cols 99 erase ^H; {command}",
                  **options)[:2]

    code, out = on_terminal("spawnlet run web sh -c 'tty; stty -a; exit 5'")
    equal(code, 5)
    for text in ("/dev/pts/", "rows 33; columns 99", "erase = ^H", " onlcr"):
        contains(text, out)
    code, out = on_terminal("spawnlet run web sh -c \"seq 20000; printf '\\033_x\\033_y\\033'\"")
    equal((code, out[-13:]), (0, "20000\n\033_x\033_y\033"))
    assert out.startswith("".join(f"{i}\n" for i in range(1, 20001))), "lines are missing"
    code, out = on_terminal("spawnlet shell web", input="echo $((6*7)) $0 $PWD\nexit 6\n")
    equal(code, 6)
    contains("42 -bash /root", out)
    equal(by(host, "ann", "spawnlet", "shell", "web", "sh", "-c", "pwd; exit 9"), (9, "/root\n", ""))


@releases("13")
def test_where_no_session_can_be_opened(host):
    users(host)
    host.write(RULES, rules(host).replace('container: "other", verbs: ["start", "restart"], enter_as: []',
                                          'container: "other", verbs: verbs, enter_as: ["root"]'))
    host.overlay_root("/var/lib/machines/other")
    host.define("web", PLAIN, reload=False)
    host.define("other", "[Container]\nAutoStart=no\nCommand=/bin/sleep infinity\n[Exec]\nPrivateUsers=no\n")
    host.run("spawnlet", "start", "other", "web")

    def fails(user, name):
        code, out, err = by(host, user, "spawnlet", "run", name, "sleep", "1000")
        equal((code, out), (126, ""))
        return err

    contains("(this needs systemd and D-Bus inside)", fails("ben", "other"))

    # It is stopped meanwhile.
    host.run("systemd-run", "--unit=stopper", "/bin/bash", "-c",
             "until pgrep -x sleep -P $(pgrep -xf '.*spawnlet/init --session'); do :; done; spawnlet stop web")
    contains("has ended the session: how the command ended is not known", fails("ann", "web"))
    wait_until("it is stopped", lambda: host.state("container-web") == "inactive")
    equal(fails("ann", "web"), "spawnlet: Container 'web' cannot be entered: it is not running\n")

    # PAM inside refuses.
    host.write("/var/lib/machines/web/etc/pam.d/login", "auth required pam_deny.so\naccount required pam_deny.so\n")
    host.run("spawnlet", "start", "web")
    contains("cannot be entered: no session could be opened in it; `journalctl -M web` may show why",
             fails("ann", "web"))
