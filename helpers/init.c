/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-init: what is ours inside a container.
 *
 * First, the first process of a container. Nothing of the container has run before it, and it executes the
 * container's real init. Before that,
 *
 * - it waits until a container with users of its own has its network. systemd-nspawn cannot join a network
 *   namespace made for it when it makes users, too; and one that it makes, which the container's root may
 *   then administer, has no network yet. So this process says over a socket that the namespaces are there,
 *   and spawnlet-network, outside, makes the network in them. See common/kernel/gate.h.
 * - it binds the resolv.conf that spawnlet-root wrote over the container's. That may be a link to
 *   /run/systemd/resolve, and a directory that systemd-nspawn 252 makes there for a mount belongs to
 *   nobody: systemd inside could not start.
 * - it tells systemd-networkd inside which interfaces are configured already.
 *
 * What users of their own mount inside they can unmount, too, but not what systemd-nspawn mounts for them.
 *
 * Second, what systemd-machined runs for `spawnlet run` and `spawnlet shell`, see
 * common/base/session-protocol.h.
 *
 * It is bound read-only from the host into the container, whatever system is in there: so it is linked
 * statically.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/init-protocol.h"
#include "helpers/session.h"

#define UNMANAGED "--unmanaged="

/* Where systemd-nspawn --boot looks for an init, in this order; systemd-nspawn(1). */
static const char *const inits[] = {
        "/usr/lib/systemd/systemd",
        "/lib/systemd/systemd",
        "/sbin/init",
};

/* Of the files that match an interface, systemd-networkd takes the one whose name comes first; in /etc is a place
 * for one that the container's administrator prefers. Not a name that is in the /usr of a host:
 * there are rules for its containers. systemd.network(5). */
#define UNMANAGED_FILE "/run/systemd/network/05-spawnlet-inside.network"

/* So many links the kernel follows, too; path_resolution(7). */
#define LINKS_MAX 40

static int fail(const char *action) {
        (void) fprintf(stderr, "spawnlet-init: Failed to %s: %s\n", action, strerror(errno));
        return EXIT_FAILURE;
}

/* Take the last of the descriptors of sd_listen_fds(3), which is ours. Others are the container's.
 * Return: it, or -1. */
static int take_gate(void) {
        const char *text = getenv(GATE_VARIABLE);
        int n = text ? atoi(text) : 0;
        char number[16];

        if (n < 1) {
                errno = EBADF;
                return -1;
        }
        if (n == 1) {
                (void) unsetenv(GATE_VARIABLE);
                (void) unsetenv("LISTEN_PID");
        } else {
                (void) snprintf(number, sizeof(number), "%i", n - 1);
                if (setenv(GATE_VARIABLE, number, 1) < 0)
                        return -1;
        }
        return GATE_FIRST_FD + n - 1;
}

/* As the second process inside, SIGPIPE would end this one: nobody may be there any more. */
static bool tell(int gate) {
        ssize_t n;

        do
                n = send(gate, "", 1, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n == 1;
}

/* Return: whether the network is there. */
static bool wait_for_network(int gate) {
        char byte;
        ssize_t n;

        if (!tell(gate))
                return false;
        do
                n = read(gate, &byte, 1);
        while (n < 0 && errno == EINTR);
        return n == 1;
}

/* Make the directories above @path, and an empty file there, if they are missing. */
static int make_file(const char *path) {
        char parent[PATH_MAX];

        (void) snprintf(parent, sizeof(parent), "%s", path);
        for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(parent, 0755) < 0 && errno != EEXIST)
                        return -1;
                *slash = '/';
        }
        return mknod(path, S_IFREG | 0644, 0) < 0 && errno != EEXIST ? -1 : 0;
}

/* Where a link leads, also if there is nothing. The kernel follows those in the directories on the way.
 * @path: a buffer of PATH_MAX, with an absolute path; changed
 * Return: 1 if it was one, 0 if not, -1 if it failed. */
static int follow_link(char *path) {
        char target[PATH_MAX], *name = strrchr(path, '/') + 1;
        ssize_t n = readlink(path, target, sizeof(target));

        if (n < 0)
                return errno == EINVAL || errno == ENOENT ? 0 : -1;
        if (target[0] == '/')
                name = path;
        if (n + (name - path) >= PATH_MAX) {
                errno = ENAMETOOLONG;
                return -1;
        }
        memcpy(name, target, (size_t) n);
        name[n] = '\0';
        return 1;
}

static int bind_resolv_conf(void) {
        char path[PATH_MAX] = "/etc/resolv.conf";
        int r, n_links = 0;

        while ((r = follow_link(path)) > 0)
                if (++n_links > LINKS_MAX) {
                        errno = ELOOP;
                        return -1;
                }
        if (r < 0 || make_file(path) < 0)
                return -1;
        return mount(INIT_RESOLV_CONF, path, NULL, MS_BIND, NULL);
}

/* @names: with spaces between them */
static int write_unmanaged(const char *names) {
        int fd = make_file(UNMANAGED_FILE) < 0 ? -1 : open(UNMANAGED_FILE, O_WRONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -1;
        r = dprintf(fd, "[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n", names);
        (void) close(fd);
        return r;
}

typedef struct Setup {
        bool waits, binds;
        const char *unmanaged; /* or NULL */
} Setup;

/* Return: an exit status, if it returns. */
static int run_init(char *argv[], bool boots, const Setup *setup) {
        int gate = setup->waits ? take_gate() : -1;

        if (setup->waits && gate < 0)
                return fail("find the socket of spawnlet-network");
        if (setup->binds && bind_resolv_conf() < 0)
                return fail("put resolv.conf in its place");
        if (setup->unmanaged && write_unmanaged(setup->unmanaged) < 0)
                return fail("write '" UNMANAGED_FILE "'");
        if (setup->waits) {
                /* If it is not there, spawnlet-network has said why, and ends the container by this. */
                if (!wait_for_network(gate))
                        return EXIT_FAILURE;
                (void) tell(gate);
                (void) close(gate);
        }

        if (!boots) {
                (void) execvp(argv[1], argv + 1);
                return fail("execute the container's command");
        }
        for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
                argv[0] = (char *) inits[i];
                (void) execv(argv[0], argv);
                if (errno != ENOENT)
                        break;
        }
        return fail("execute the container's init");
}

int main(int argc, char *argv[]) {
        Setup setup = {};

        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--network") == 0)
                        setup.waits = true;
                else if (strcmp(argv[i], "--resolv-conf") == 0)
                        setup.binds = true;
                else if (strncmp(argv[i], UNMANAGED, strlen(UNMANAGED)) == 0)
                        setup.unmanaged = argv[i] + strlen(UNMANAGED);
                else if (strcmp(argv[i], "--boot") == 0)
                        return run_init(argv + i, true, &setup);
                else if (strcmp(argv[i], "--") == 0 && i + 1 < argc)
                        return run_init(argv + i, false, &setup);
                else if (strcmp(argv[i], "--session") == 0)
                        return session_run();
                else
                        break;

        (void) fprintf(stderr,
                "%s [OPTION...] --boot [ARGUMENT...]\n"
                "%s [OPTION...] -- COMMAND...\n"
                "%s --session\n\n"
                "Execute a container's init, or COMMAND. Called by systemd-nspawn; see "
                "spawnlet.container(5).\n"
                "With --session, execute a command for who is at the other end of the terminal. "
                "Called by systemd-machined; see spawnlet(1).\n\n"
                "  --network          Wait until the container's network is there\n"
                "  --resolv-conf      Put the resolv.conf of DNS= in its place\n"
                "  --unmanaged=NAMES  Keep systemd-networkd inside off these interfaces\n",
                argv[0], argv[0], argv[0]);
        return EXIT_FAILURE;
}
