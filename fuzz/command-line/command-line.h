/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Each program's own way to read its command line: its source is included, main() renamed, and nothing
 * behind the parsing is called. They abort when what comes of it is not what the program goes by.
 */

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/**
 * cli_try() and others - read a command line
 * @argv: as of main(), may be permuted
 * @given: the same, which is not
 */
void cli_try(int argc, char *argv[], char *const given[]);
void enter_try(int argc, char *argv[], char *const given[]);
void health_try(int argc, char *argv[], char *const given[]);
void network_try(int argc, char *argv[], char *const given[]);
void reload_try(int argc, char *argv[], char *const given[]);
void root_try(int argc, char *argv[], char *const given[]);
void stop_try(int argc, char *argv[], char *const given[]);

/** is_end_of() - Return: whether @tail is the last part of the command line, to its end. */
static inline bool is_end_of(char *const *tail, int argc, char *const given[]) {
        int n = 0;

        while (tail[n])
                n++;
        if (n >= argc)
                return false;
        for (int i = 0; i < n; i++)
                if (strcmp(tail[i], given[argc - n + i]) != 0)
                        return false;
        return true;
}
