/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main health_main
int health_main(int argc, char *argv[]);
#include "helpers/health.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void health_try(int argc, char *argv[], char *const given[]) {
        Health h = { .n_retries = 3, .timeout_usec = USEC_PER_SEC };

        if (parse_argv(argc, argv, &h) <= 0)
                return;
        assert(definition_name_is_valid(h.name));
        assert(h.n_retries > 0 && h.n_retries <= INT32_MAX && h.timeout_usec > 0);
        assert(h.on_failure >= 0 && h.on_failure < _ON_FAILURE_MAX);
        assert(h.command[0] && is_end_of(h.command, argc, given));
}
