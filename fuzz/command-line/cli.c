/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All of main() is called here, as its verbs are ours. */

#define main cli_main
int cli_main(int argc, char *argv[]);
#include "cli/main.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

static const Cli *called;
static Cli call;

static int take(const Cli *cli) {
        assert(!called);
        call = *cli;
        called = &call;
        return EXIT_SUCCESS;
}

#define VERB(name)                                                                                 \
        int name(const Cli *cli) {                                                                 \
                return take(cli);                                                                  \
        }

VERB(verb_apply)
VERB(verb_cat)
VERB(verb_check)
VERB(verb_diff)
VERB(verb_keys)
VERB(verb_list)
VERB(verb_reload)
VERB(verb_restart)
VERB(verb_run)
VERB(verb_shell)
VERB(verb_show)
VERB(verb_show_ip)
VERB(verb_start)
VERB(verb_status)
VERB(verb_stop)
VERB(verb_unit)

void cli_try(int argc, char *argv[], char *const given[]) {
        called = NULL;
        int status = cli_main(argc, argv);

        assert(status == EXIT_SUCCESS || (status == EXIT_USAGE && !called));
        if (!called)
                return;

        const Verb *verb = find_verb(call.args[-1]);
        size_t n = 0;

        while (call.args[n])
                n++;
        assert(verb && n >= verb->min_args && n <= verb->max_args);
        assert(!call.json || verb->json);
        if (verb->command) /* NAME, and a command with options of its own */
                assert(is_end_of(call.args + 1, argc, given));
}
