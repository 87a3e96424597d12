/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/macro.h"

static pid_t agent; /* for the function at exit alone; 0: there is none */

static void execute(pid_t parent, int notify) {
        char descriptor[16];

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || fcntl(notify, F_SETFD, 0) < 0)
                _exit(EXIT_FAILURE);
        (void) snprintf(descriptor, sizeof(descriptor), "%i", notify);
        /* With --fallback, an agent that the user has goes first. */
        (void) execlp(
                "pkttyagent", "pkttyagent", "--notify-fd", descriptor, "--fallback", (char *) NULL);
        _exit(EXIT_FAILURE); /* it is part of polkit, which may not be there either */
}

void agent_start(void) {
        int ready[2];
        pid_t parent = getpid();

        if (geteuid() == 0 || !isatty(STDIN_FILENO) || pipe2(ready, O_CLOEXEC) < 0)
                return;

        agent = fork();
        if (agent == 0)
                execute(parent, ready[1]);
        (void) close(ready[1]);
        if (agent > 0) {
                struct pollfd closed = { .fd = ready[0], .events = 0 };

                (void) poll(&closed, 1, -1); /* when it is registered, or has failed */
                (void) atexit(agent_stop);
        } else {
                agent = 0;
        }
        (void) close(ready[0]);
}

void agent_stop(void) {
        if (agent == 0)
                return;

        /* It sets the terminal right if it is just asking. */
        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        (void) waitpid(agent, NULL, 0);
        agent = 0;
}
