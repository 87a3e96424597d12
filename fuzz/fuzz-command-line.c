/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes the command lines of the programs, see command-line/command-line.h.
 *
 * The input is as /proc/PID/cmdline has it: arguments with a NUL between, of which the first is
 * the program's name.
 */

#include <assert.h>
#include <getopt.h>

#include "fuzz/command-line/command-line.h"
#include "fuzz/fuzz.h"

static const struct {
        const char *name;
        void (*try)(int argc, char *argv[], char *const given[]);
} programs[] = {
        { "spawnlet", cli_try },
        { "spawnlet-enter", enter_try },
        { "spawnlet-health", health_try },
        { "spawnlet-network", network_try },
        { "spawnlet-reload", reload_try },
        { "spawnlet-root", root_try },
        { "spawnlet-stop", stop_try },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_strv_ char **arguments = NULL;
        const char *p = (const char *) data, *end = p + size;

        while (p < end) {
                size_t n = strnlen(p, (size_t) (end - p));

                assert(strv_extendf(&arguments, "%.*s", (int) n, p) == 0);
                p += n + 1;
        }

        size_t argc = strv_length(arguments);
        for (size_t i = 0; argc > 0 && i < ELEMENTSOF(programs); i++) {
                if (strcmp(programs[i].name, arguments[0]) != 0)
                        continue;

                char **argv = calloc(argc + 1, sizeof(char *));
                assert(argv);
                memcpy(argv, arguments, argc * sizeof(char *));
                optind = 0; /* glibc's getopt_long() begins anew */
                programs[i].try((int) argc, argv, arguments);
                free(argv);
        }
        return 0;
}
