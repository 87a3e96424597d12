/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main enter_main
int enter_main(int argc, char *argv[]);
#include "helpers/enter.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void enter_try(int argc, char *argv[], char *const given[]) {
        Arguments a = {};

        if (parse_argv(argc, argv, &a) <= 0)
                return;
        assert(a.main_pid > 1 && a.command[0]);
        assert(is_end_of(a.command, argc, given)); /* the command's options are not ours */
}
