/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet: the command line. The verbs are in files of their own; here is their table, from
 * which the help comes, too.
 */

#include <getopt.h>

#include "cli/cli.h"
#include "common/base/log.h"
#include "config.h"

typedef struct Verb {
        const char *name;
        const char *arguments;
        size_t min_args, max_args;
        bool json;    /* takes --json */
        bool command; /* what follows the first argument is a command, with options of its own */
        int (*run)(const Cli *cli);
        const char *help;
} Verb;

static const Verb verbs[] = {
        { "list", "", 0, 0, true, false, verb_list, "List containers, declared or running" },
        { "status", "[NAME...]", 0, SIZE_MAX, false, false, verb_status,
                "Show the state and last messages of containers" },
        { "start", "NAME...", 1, SIZE_MAX, false, false, verb_start,
                "Start containers and wait until they are up" },
        { "stop", "NAME...", 1, SIZE_MAX, false, false, verb_stop,
                "Stop containers and wait until they are gone" },
        { "restart", "NAME...", 1, SIZE_MAX, false, false, verb_restart,
                "Stop and start containers" },
        { "reload", "NAME...", 1, SIZE_MAX, false, false, verb_reload,
                "Apply what takes no restart (network, mounts, ...)" },
        { "diff", "[NAME...]", 0, SIZE_MAX, true, false, verb_diff,
                "Show how what runs differs from what is declared" },
        { "apply", "[NAME...]", 0, SIZE_MAX, true, false, verb_apply,
                "Make what runs match what is declared" },
        { "check", "[NAME|FILE...]", 0, SIZE_MAX, true, false, verb_check,
                "Check definitions, all by default" },
        { "show", "NAME|FILE", 1, 1, true, false, verb_show,
                "Show what a definition sets, and where" },
        { "cat", "NAME|FILE", 1, 1, false, false, verb_cat, "Print the files of a definition" },
        { "unit", "NAME|FILE", 1, 1, false, false, verb_unit,
                "Print the unit that a definition makes" },
        { "keys", "", 0, 0, true, false, verb_keys, "List the keys that a definition may have" },
        { "show-ip", "NAME", 1, 1, true, false, verb_show_ip,
                "Print the addresses of a container" },
        { "run", "NAME COMMAND...", 2, SIZE_MAX, false, true, verb_run,
                "Run a command in a container" },
        { "shell", "NAME [COMMAND...]", 1, SIZE_MAX, false, true, verb_shell,
                "Open a shell in a container" },
};

static void help(void) {
        printf("%s [OPTION...] VERB [ARGUMENT...]\n\nManage declarative system "
               "containers.\n\nVerbs:\n",
                program_invocation_short_name);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-8s %-18s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
        printf("\nOptions:\n"
               "  -h --help     Show this help\n"
               "     --version  Show the version\n"
               "     --json     Print data as JSON: list, diff, apply, check, show, keys,\n"
               "                show-ip\n"
               "     --strict   check: warnings count as errors\n"
               "     --dry-run  apply: print what would be done, and do nothing\n"
               "     --no-ask-password\n                   Do not ask for a password where polkit "
               "wants one\n\n"
               "Containers are declared in /etc/spawnlet, see spawnlet.container(5).\n");
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

static int unknown_verb(const char *name) {
        const Verb *best = NULL;
        unsigned best_distance = 3; /* more is no typing error in words this short */

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                unsigned distance = str_distance(verbs[i].name, name);

                if (distance < best_distance) {
                        best = &verbs[i];
                        best_distance = distance;
                }
        }

        if (best)
                log_error("Unknown verb '%s', did you mean '%s'?", name, best->name);
        else
                log_error("Unknown verb '%s', see --help.", name);
        return EXIT_USAGE;
}

static int run_verb(const Verb *verb, Cli *cli, char *argv[], size_t n) {
        cli->args = argv;

        if (n < verb->min_args || n > verb->max_args) {
                log_error("Usage: %s %s %s", program_invocation_short_name, verb->name,
                        verb->arguments);
                return EXIT_USAGE;
        }
        if (cli->json && !verb->json) {
                log_error("'%s' prints no data: --json has no meaning with it.", verb->name);
                return EXIT_USAGE;
        }

        if (cli->strict && verb->run != verb_check) {
                log_error("--strict has no meaning with '%s'.", verb->name);
                return EXIT_USAGE;
        }
        if (cli->dry_run && verb->run != verb_apply) {
                log_error("--dry-run has no meaning with '%s'.", verb->name);
                return EXIT_USAGE;
        }

        int status = verb->run(cli);

        /* Output that did not arrive is no success; full disks show only here. */
        if (fflush(stdout) == EOF || ferror(stdout)) {
                (void) log_error_errno(errno, "Failed to write the output: %m");
                return status == EXIT_SUCCESS ? EXIT_FAILURE : status;
        }
        return status;
}

/* Where the options of spawnlet end: behind "VERB NAME" of a verb that takes a command, else at the
 * end. getopt_long() permutes the arguments, which must not touch the command's. */
static int own_arguments(int argc, char *argv[]) {
        int words = 0;

        for (int i = 1; i < argc; i++) {
                if (*argv[i] == '-')
                        continue;
                if (words == 0) {
                        const Verb *verb = find_verb(argv[i]);

                        if (!verb || !verb->command)
                                return argc;
                }
                if (++words == 2)
                        return i + 1;
        }

        return argc;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "json", no_argument, NULL, 'j' },
                { "strict", no_argument, NULL, 's' },
                { "dry-run", no_argument, NULL, 'd' },
                { "no-ask-password", no_argument, NULL, 'n' },
                { "from-unit", no_argument, NULL, 'u' },
                {},
        };
        Cli cli = {};

        log_setup("spawnlet", log_target_of_service());

        for (int c; (c = getopt_long(own_arguments(argc, argv), argv, "h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return EXIT_SUCCESS;
                case 'V':
                        puts("spawnlet " VERSION);
                        return EXIT_SUCCESS;
                case 'j':
                        cli.json = true;
                        break;
                case 's':
                        cli.strict = true;
                        break;
                case 'd':
                        cli.dry_run = true;
                        break;
                case 'n':
                        cli.no_ask_password = true;
                        break;
                case 'u':
                        cli.from_unit = true;
                        break;
                default:
                        return EXIT_USAGE;
                }

        if (optind >= argc) {
                log_error("A verb is missing, see --help.");
                return EXIT_USAGE;
        }

        if (strcmp(argv[optind], "help") == 0) {
                help();
                return EXIT_SUCCESS;
        }

        const Verb *verb = find_verb(argv[optind]);
        if (!verb)
                return unknown_verb(argv[optind]);
        return run_verb(verb, &cli, argv + optind + 1, (size_t) (argc - optind - 1));
}
