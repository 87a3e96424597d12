/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command in a container that systemd-machined runs, in a session of its own with PAM. The outer end of
 * common/base/session-protocol.h.
 */

#include "common/bus/bus.h"

typedef struct Session {
        const char *name;     /* of the container's definition */
        char *const *command; /* with its arguments; without any, it is root's shell */
        bool stays_home;      /* it runs in root's directory, else in "/" */
} Session;

/**
 * session_open() - have spawnlet-init run in a container
 * @ret: the session's terminal, owned by the caller
 *
 * Return: 0 or negative errno, logged.
 */
int session_open(Bus *bus, const Session *s, int *ret);

/**
 * session_run() - run the command, connected with our input and output
 * @pty: from session_open()
 *
 * Return: its exit status, or negative errno, logged.
 */
int session_run(const Session *s, int pty);
