/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-cleanup: cleans up after a container's end, however it came.
 *
 * Run by ExecStopPost= of container-NAME.service. A systemd-nspawn that ended by itself leaves
 * little to do; one that was killed leaves its mount and its registration with machined, and
 * would find both in its way at the next start.
 */

#include <getopt.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/bus/bus.h"
#include "common/kernel/machine.h"

static int unregister(const char *machine) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        if (!machine_is_registered(machine))
                return 0;

        r = bus_new(&bus);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the system bus: %m");

        r = bus_unregister_machine(bus, machine, &error);
        if (r < 0)
                return log_error_errno(r, "Failed to unregister machine '%s': %s", machine, error);
        return 0;
}

/* The resolv.conf that spawnlet-root wrote, if it did. */
static int remove_resolv_conf(const char *machine) {
        int r = file_remove(SPAWNLET_RESOLV_DIR, machine);

        return r < 0
                ? log_error_errno(r, "Failed to remove '" SPAWNLET_RESOLV_DIR "/%s': %m", machine)
                : 0;
}

/* Everything is tried, whatever fails before. */
static int clean_up(const char *name) {
        _cleanup_free_ char *machine = NULL;
        int r, q;

        if (definition_name_to_machine(name, &machine) < 0)
                return log_oom();

        r = unregister(machine);

        q = remove_resolv_conf(machine);
        if (q < 0)
                r = q;

        q = machine_remove_leftovers(machine);
        if (q < 0)
                r = log_error_errno(
                        q, "Failed to remove what systemd-nspawn left of '%s': %m", machine);

        q = machine_unlink(machine);
        if (q < 0)
                r = log_error_errno(
                        q, "Failed to remove the link '" MACHINES_DIR "/%s': %m", machine);

        q = machine_unmark_started(name);
        if (q < 0)
                r = log_error_errno(q, "Failed to remove '" SPAWNLET_STARTED_DIR "/%s': %m", name);

        return r;
}

static void help(void) {
        printf("%s NAME\n\n"
               "Clean up after the end of a container.\n\n"
               "  -h --help  Show this help\n\n"
               "NAME is the definition's: NAME or TEMPLATE@INSTANCE. Called by the container's "
               "unit; see spawnlet.container(5).\n",
                program_invocation_short_name);
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                {},
        };

        log_setup("spawnlet-cleanup", log_target_of_service());

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c != 'h')
                        return EXIT_FAILURE;
                help();
                return EXIT_SUCCESS;
        }

        if (argc - optind != 1 || !definition_name_is_valid(argv[optind])) {
                log_error("Takes the name of a container, see --help");
                return EXIT_FAILURE;
        }

        return clean_up(argv[optind]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
