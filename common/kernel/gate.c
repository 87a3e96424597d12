/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/gate.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "common/base/init-protocol.h"

int gate_new(int *ret_outside, int *ret_inside) {
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        *ret_outside = ends[0];
        *ret_inside = ends[1];
        return 0;
}

int gate_hand_on(int inside) {
        const char *before = getenv(GATE_VARIABLE), *of = getenv("LISTEN_PID");
        int n = before && of && atoi(of) == (int) getpid() ? atoi(before) : 0, fd;
        char number[16], pid[16];

        if (n < 0 || n > 1000)
                return -EINVAL;

        /* Without O_CLOEXEC, which dup2(2) would not take from a descriptor that is there already. */
        fd = GATE_FIRST_FD + n;
        if (fd != inside) {
                if (dup2(inside, fd) < 0)
                        return -errno;
                (void) close(inside);
        } else if (fcntl(fd, F_SETFD, 0) < 0) {
                return -errno;
        }

        (void) snprintf(number, sizeof(number), "%i", n + 1);
        (void) snprintf(pid, sizeof(pid), "%i", (int) getpid());
        return setenv(GATE_VARIABLE, number, 1) < 0 || setenv("LISTEN_PID", pid, 1) < 0 ? -errno
                                                                                        : 0;
}

int gate_wait(int outside) {
        ssize_t n;
        char byte;

        do
                n = read(outside, &byte, 1);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n == 1;
}

int gate_open(int outside) {
        char byte = 0;

        /* Nobody at the other end is no signal for us. */
        return send(outside, &byte, 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
