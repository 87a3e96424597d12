/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command run inside a running container, in its namespaces and its cgroup, as root.
 *
 * Only the command and one process that waits for it are in the container. The caller stays outside:
 * whatever holds it up (a stopped job, a terminal that nobody reads) must not hold up the container's
 * end, for which its cgroup has to be empty and its last process reaped.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/* As a shell says it: 126 found, but cannot be run; 127 not found; 128 + signal. */
#define INSIDE_CANNOT_EXECUTE 126
#define INSIDE_NOT_FOUND 127
#define INSIDE_SIGNAL_BASE 128

typedef struct InsideCommand {
        char *const *argv;
        pid_t init; /* of the container */
        int init_pidfd;

        /* What becomes its standard input, output and error; -EBADF: the caller's own. All others
         * have to be closed on execution. */
        int stdio[3];

        /* Becomes its controlling terminal, whose hangup ends it; else -EBADF, and the caller's end is
         * a SIGTERM to it. */
        int terminal;

        /* The command and all that it starts is one process group, which is killed when the command
         * ends, when @timeout_usec is over (UINT64_MAX: never), or when the caller ends or sends the
         * waiting process SIGTERM. What makes itself another group or session goes on. Not with a
         * terminal. */
        bool is_group;
        uint64_t timeout_usec;

        /* Called in the child that cannot go on, before it ends with INSIDE_CANNOT_EXECUTE or
         * INSIDE_NOT_FOUND. @action is what follows "Failed to". */
        void (*on_failure)(int error, const char *action);
} InsideCommand;

/**
 * inside_protect() - execute this program anew from a read-only mount of its file
 * @argv: its arguments
 *
 * A process of ours that is in the container's PID namespace is seen there before it executes the command,
 * and with it, as /proc/PID/exe, the file of this program: root inside could write to it, and the host would
 * run that (CVE-2019-5736, of runc, is of this kind). On a read-only mount nobody can. To be called
 * first of all.
 *
 * Return: 0 if it is protected already, or runs for another user than root; negative errno; else it
 * does not return.
 */
int inside_protect(char *argv[]);

/**
 * inside_start() - start a command
 *
 * Return: the process that waits for it, to be waited for with inside_wait(); negative errno.
 */
pid_t inside_start(const InsideCommand *command);

/**
 * inside_wait() - wait for the process that inside_start() returned
 *
 * Return: the command's exit status, or INSIDE_SIGNAL_BASE + the signal that killed it; -ETIMEDOUT if
 * it was killed when its time was over; other negative errno.
 */
int inside_wait(pid_t waiter);
