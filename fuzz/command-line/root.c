/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main root_main
int root_main(int argc, char *argv[]);
#include "helpers/root.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void root_try(int argc, char *argv[], char *const given[]) {
        _cleanup_(arguments_done) Arguments a = { .system = SYSTEM_IN_ROOT };
        int n = argc;

        a.command = argv_cut(&n, argv);
        if (parse_argv(n, argv, &a) <= 0)
                return;
        assert(definition_name_is_valid(a.name) && !a.root == a.image);
        assert(a.system >= 0 && a.system < _SYSTEM_MAX);
        if (a.command)
                assert(a.command[0] && is_end_of(a.command, argc, given) &&
                        strcmp(given[a.command - argv - 1], "--") == 0);
        STRV_FOREACH(line, a.settings)
                assert(!a.command || line < a.command);
}
