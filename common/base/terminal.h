/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command on a pseudo terminal, connected with whatever we have as standard input, output and error.
 */

#include <termios.h>

#include "common/base/macro.h"

/* The user's terminal. */
typedef struct Terminal {
        bool is_terminal[3]; /* standard input, output, error */
        int any;             /* one of those that are; -EBADF if none is */
        struct termios saved;
} Terminal;

/**
 * terminal_find() - look which of standard input, output and error are a terminal
 *
 * Return: 0 or negative errno.
 */
int terminal_find(Terminal *ret);

/** terminal_is_interactive() - Return: whether both standard input and output are a terminal. */
bool terminal_is_interactive(const Terminal *t);

/**
 * terminal_connect() - set up a command's terminal and the user's for one another
 * @pty: either end of the command's
 *
 * The command's becomes what the user's is. If that is interactive, it passes everything on from
 * here until this program exits, and the command's does what terminals do. In a pipeline it is the other
 * way round: others use the user's terminal, too.
 *
 * Return: 0 or negative errno.
 */
int terminal_connect(const Terminal *t, int pty);

/**
 * terminal_make_raw() - have the user's terminal pass everything on until this program exits
 *
 * Return: 0 or negative errno.
 */
int terminal_make_raw(const Terminal *t);

/** terminal_copy_size() - give a command's terminal the size of the user's, if there is one. */
void terminal_copy_size(const Terminal *t, int pty);

typedef struct TerminalForward {
        const Terminal *terminal;
        int pty; /* the command's terminal, the master's end, non-blocking */
        int end; /* what is readable when the command has ended; -EBADF: when the terminal is closed */
        int input; /* what is passed on to it; -EBADF: nothing, as after the end of input */

        /* Gets what the command prints. Return: whether to go on. */
        bool (*on_output)(struct TerminalForward *f, const char *data, size_t n);
        void *userdata;

        char typed[1024]; /* not yet taken by the command */
        size_t n_typed;
} TerminalForward;

/**
 * terminal_forward() - connect the user with a command's terminal
 *
 * Until the command has ended (what it leaves in the background may keep the terminal open), or on_output()
 * has had enough.
 *
 * Return: 0 or negative errno.
 */
int terminal_forward(TerminalForward *f);

/** terminal_write() - write all of it, also to a descriptor that others have made non-blocking.
 * Return: 0 or negative errno. */
int terminal_write(int fd, const char *data, size_t n);
