/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-init: what is ours inside a container.
 *
 * First, the first process of a container that has users and a network of its own.
 *
 * systemd-nspawn cannot join a network namespace made for it when it makes users, too; and one that it
 * makes, which the container's root may then administer, has no network yet when the first process
 * starts. So that process is this one. It says over a socket that the namespaces are there, waits until
 * spawnlet-network, outside, has made the network in them, and executes the container's real init. See
 * common/kernel/gate.h.
 *
 * Nothing of the container has run before it.
 *
 * Second, what systemd-machined runs for `spawnlet run` and `spawnlet shell`, see
 * common/base/session-protocol.h.
 *
 * It is bound read-only from the host into the container, whatever system is in there: so it is linked
 * statically.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/gate-protocol.h"
#include "helpers/session.h"

/* Where systemd-nspawn --boot looks for an init, in this order; systemd-nspawn(1). */
static const char *const inits[] = {
        "/usr/lib/systemd/systemd",
        "/lib/systemd/systemd",
        "/sbin/init",
};

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

/* The command line of the first process is argv[0], then "--boot" and arguments of the init, or "--" and a
 * command. */
static int run_init(char *argv[], bool boot) {
        int gate = take_gate();

        if (gate < 0)
                return fail("find the socket of spawnlet-network");
        /* It has said what was wrong, and ends the container by this. */
        if (!wait_for_network(gate))
                return EXIT_FAILURE;
        (void) tell(gate);
        (void) close(gate);

        if (!boot) {
                (void) execvp(argv[2], argv + 2);
                return fail("execute the container's command");
        }
        for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
                argv[1] = (char *) inits[i];
                (void) execv(argv[1], argv + 1);
                if (errno != ENOENT)
                        break;
        }
        return fail("execute the container's init");
}

int main(int argc, char *argv[]) {
        const char *mode = argc > 1 ? argv[1] : "";

        if (strcmp(mode, "--boot") == 0)
                return run_init(argv, true);
        if (strcmp(mode, "--") == 0 && argc > 2)
                return run_init(argv, false);
        if (strcmp(mode, "--session") == 0)
                return session_run();

        (void) fprintf(stderr,
                "%s --boot [ARGUMENT...]\n%s -- COMMAND...\n%s --session\n\n"
                "Wait until a container's network is there, then execute its init or COMMAND. "
                "Called "
                "by systemd-nspawn; see spawnlet.container(5).\n"
                "With --session, execute a command for who is at the other end of the terminal. "
                "Called by systemd-machined; see spawnlet(1).\n",
                argv[0], argv[0], argv[0]);
        return EXIT_FAILURE;
}
