/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Helpers confine themselves. What runs in container-NAME.service shares the settings of its [Service] section
 * with systemd-nspawn, which needs nearly everything: so systemd cannot confine it. Each helper gives up
 * what it does not need at its start, before it looks at anything that a container has a hand in.
 *
 * It keeps the capabilities of its row in confinements[], and of the environment what we read ourselves. A
 * program that runs none of the container's gets no new privileges by execve(2), either: PR_SET_NO_NEW_PRIVS.
 *
 * Not used, and why:
 * - Landlock: under it nobody looks into a process that is not under it, too (/proc/PID/ns, root, exe),
 *   and nobody mounts or unmounts; landlock(7). That is what most helpers are there for. The one that does
 *   neither, spawnlet-root, executes spawnlet-network, which inherits it.
 * - seccomp: what a helper could be made to do with the capabilities that it keeps, it does with system calls
 *   that it needs. What runs inside would inherit a filter.
 */

#include "common/base/macro.h"

typedef struct Confinement {
        const char *program;
        const char *verb;      /* NULL: all others */
        uint64_t capabilities; /* a bit for each, capabilities(7) */

        /* It runs commands of the container's. They get what the bounding set has, which is that of the
         * container's init by then, and are to find set-user-ID programs working: both are left. So is the
         * permitted set: an execve(2) that adds to it forgets the PR_SET_PDEATHSIG by which a command
         * ends with us. What is limited is the effective set. */
        bool runs_commands;
} Confinement;

/* All of them, with a NULL program at the end. */
extern const Confinement confinements[];

/**
 * confinement_find() - how a program is confined
 * @verb: what it is about to do; NULL if there is one thing only
 *
 * Return: the row, NULL if there is none.
 */
const Confinement *confinement_find(const char *program, const char *verb);

/**
 * confine() - give up all that this process does not need, with all that it will start
 * @program: name of the program
 * @verb: as in confinement_find()
 *
 * May be called again, when it is known that less is needed. What is not there to be given up, or not
 * to be kept, is no failure.
 *
 * Return: 0 or negative errno.
 */
int confine(const char *program, const char *verb);

/**
 * confine_inside() - keep of the capabilities those of the bounding set, and have no other user look into us
 *
 * For a process in a container's namespaces, with the bounding set of its init, before it executes the
 * container's program: root inside can trace it, and would get what it has.
 *
 * Return: 0 or negative errno.
 */
int confine_inside(void);
