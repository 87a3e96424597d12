/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-generator: turns definitions into units, at boot and at every daemon-reload.
 *
 * PID 1 waits for it, so it does nothing but read definitions and write units: no other
 * process is talked to, no library but libc is loaded, no user or host is looked up. It
 * writes below the directory it is given and nowhere else. One bad definition costs no
 * other its unit, and gets a unit itself that fails with the reason.
 *
 * See systemd.generator(7).
 */

#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "config.h"
#include "generator/generate.h"

static void help(void) {
        printf("%s NORMAL-DIRECTORY [EARLY-DIRECTORY LATE-DIRECTORY]\n\n"
               "Generate systemd units from the definitions of containers.\n\n"
               "  -h --help     Show this help\n"
               "     --version  Show the version\n\n"
               "The definitions are those in $SPAWNLET_PATH, by default /etc/spawnlet and others.\n"
               "See spawnlet-generator(8).\n",
                program_invocation_short_name);
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_argv(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                {},
        };

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 'V':
                        puts("spawnlet " VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }

        if (argc - optind != 1 && argc - optind != 3)
                return log_error_errno(EINVAL, "Takes one or three directories, see --help");
        return 1;
}

int main(int argc, char *argv[]) {
        const char *exec_pid = getenv("SYSTEMD_EXEC_PID"), *scope = getenv("SYSTEMD_SCOPE"),
                   *initrd = getenv("SYSTEMD_IN_INITRD");
        bool from_systemd = exec_pid && atoll(exec_pid) == getpid();
        int r;

        log_setup("spawnlet-generator", from_systemd ? LOG_TO_KMSG : LOG_TO_STDERR);

        r = parse_argv(argc, argv);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        /* Containers are the system's, and the initrd's /etc is not the host's. */
        if ((scope && strcmp(scope, "user") == 0) || (initrd && strcmp(initrd, "1") == 0))
                return EXIT_SUCCESS;

        umask(0022);
        return generate(argv[optind]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
