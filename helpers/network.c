/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-network: makes, changes, repairs and takes down a container's private network.
 *
 * Run by ExecStartPre=, ExecReload= and ExecStopPost= of container-NAME.service, and by
 * spawnlet-repair.service. All that it needs is on its command line; it reads no definition, and
 * "down" and "repair" need the name alone.
 */

#include <getopt.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/notify.h"
#include "common/kernel/confine.h"
#include "common/kernel/network.h"

/* The number of options of a network, and what getopt_long() returns for the first of them. */
#define OPTIONS_MAX 32U
#define OPTION_FIRST 256

typedef struct Verb {
        const char *name;
        int (*run)(const char *machine, const NetworkConfig *config, char **reterr);
        const char *help;
        bool has_options, is_for_all;
} Verb;

static int up(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) machine; /* it is the configuration's */
        return network_up(config, reterr);
}

static int down(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) config;
        return network_down(machine, reterr);
}

static int repair(const char *machine, const NetworkConfig *config, char **reterr) {
        (void) config;
        return network_reload(machine, NULL, reterr);
}

static const Verb verbs[] = {
        { "up", up, "Make the network of a container", .has_options = true },
        { "reload", network_reload, "Change that of a running one", .has_options = true },
        { "repair", repair, "Make whole again what others broke, of all without NAME",
                .is_for_all = true },
        { "down", down, "Take it down" },
};

static void help(void) {
        printf("%1$s up|reload NAME [OPTION...]\n"
               "%1$s down NAME\n"
               "%1$s repair [NAME]\n\n"
               "Make, change, repair or take down the private network of a container.\n\n",
                program_invocation_short_name);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-29s %s\n", verbs[i].name, verbs[i].help);
        printf("\n  %-29s %s\n", "-h --help", "Show this help");
        for (const NetworkOption *o = network_options; o->name; o++) {
                char option[64];

                (void) snprintf(option, sizeof(option), "--%s%s%s", o->name, o->value ? "=" : "",
                        o->value ? o->value : "");
                printf("     %-26s %s\n", option, o->help);
        }
        printf("\nOptions of a pair follow its --veth=, those of eth0 come before all of them. "
               "Called by\nthe container's unit; see spawnlet.container(5).\n");
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return &verbs[i];
        return NULL;
}

static void fill_options(struct option options[static OPTIONS_MAX + 2]) {
        size_t n = 0;

        for (const NetworkOption *o = network_options; o->name && n < OPTIONS_MAX; o++, n++)
                options[n] = (struct option){ o->name, o->value ? required_argument : no_argument,
                        NULL, OPTION_FIRST + (int) n };
        options[n] = (struct option){ "help", no_argument, NULL, 'h' };
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_options(int argc, char *argv[], NetworkConfig *config, bool *ret_any) {
        struct option options[OPTIONS_MAX + 2] = {};
        const char *error = NULL;

        fill_options(options);
        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c == 'h') {
                        help();
                        return 0;
                }
                if (c < OPTION_FIRST)
                        return -EINVAL; /* getopt_long() has said it */

                const char *option = network_options[c - OPTION_FIRST].name;
                int r = netconfig_set(config, option, optarg, &error);

                *ret_any = true;
                if (r == -ENOMEM)
                        return log_oom();
                if (r < 0)
                        return log_error_errno(r, "--%s%s%s: %s", option, optarg ? "=" : "",
                                optarg ? optarg : "", error);
        }

        return 1;
}

static int run(const Verb *verb, const char *machine, const NetworkConfig *config) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = verb->run(machine, config, &error);
        return r < 0 ? log_error_errno(r, "%s", error ? error : strerror(-r)) : 0;
}

/* One that cannot be repaired is not in the way of the others. */
static int run_all(const Verb *verb) {
        _cleanup_strv_ char **names = NULL;
        int r;

        r = network_names(&names);
        if (r < 0)
                return log_error_errno(r, "Failed to list the networks of containers: %m");

        STRV_FOREACH(name, names) {
                _cleanup_free_ char *error = NULL;
                int q = verb->run(*name, NULL, &error);

                if (q < 0 && q != -ENOENT) /* not one that starts or stops meanwhile */
                        r = log_error_errno(q, "%s", error ? error : strerror(-q));
        }
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_netconfig_ NetworkConfig config = {};
        bool any = false;
        int r;

        log_setup("spawnlet-network", log_target_of_service());
        log_on_error(notify_status);

        /* The name is known only behind the options. */
        r = netconfig_init(&config, "");
        if (r < 0)
                return log_oom(), EXIT_FAILURE;
        r = parse_options(argc, argv, &config, &any);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        const Verb *verb = optind < argc ? find_verb(argv[optind]) : NULL;
        const char *machine = optind + 1 < argc ? argv[optind + 1] : NULL;

        if (!verb || optind + 2 < argc || (!machine && !verb->is_for_all) ||
                (any && !verb->has_options)) {
                log_error("Takes up, reload, down or repair, a name, and options; see --help");
                return EXIT_FAILURE;
        }
        r = confine("spawnlet-network", verb->name);
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return EXIT_FAILURE;
        }
        if (!machine)
                return run_all(verb) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (!machine_name_is_valid(machine)) {
                log_error("'%s' is not the name of a container", machine);
                return EXIT_FAILURE;
        }
        if (str_replace(&config.machine, machine) < 0)
                return log_oom(), EXIT_FAILURE;

        netconfig_complete(&config);
        r = run(verb, machine, &config);
        if (r >= 0 && strcmp(verb->name, "reload") == 0)
                notify_status("Container running, network reloaded."); /* no failure of before */
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
