/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/cli.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/name.h"

int cli_print_json(json_t *value) {
        int r = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;

        json_decref(value);
        if (r < 0 || putchar('\n') == EOF || fflush(stdout) == EOF) {
                log_error("Failed to print JSON.");
                return EXIT_FAILURE;
        }

        return EXIT_SUCCESS;
}

int cli_open_bus(Bus **ret) {
        int r = bus_new(ret);

        return r < 0 ? log_error_errno(r, "Failed to connect to the system bus: %m") : 0;
}

int cli_units(char *const *names, char ***ret) {
        _cleanup_strv_ char **units = NULL;

        STRV_FOREACH(name, names) {
                char *unit;

                if (!machine_name_is_valid(*name))
                        return log_error_errno(
                                EINVAL, "'%s' is not the name of a container.", *name);
                if (unit_name(*name, &unit) < 0 || strv_consume(&units, unit) < 0)
                        return log_oom();
        }

        *ret = TAKE_PTR(units);
        return 0;
}

/* Those of a running container, from what the network helper wrote for name resolution. */
static int running_addresses(const char *name, char ***l) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        r = str_format(&path, SPAWNLET_RUN_DIR "/hosts/%s", name);
        if (r < 0)
                return r;
        if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
                return 0; /* it does not run, or has no address */

        for (char *line = text; *line;) {
                size_t n = strcspn(line, "\n");

                r = n > 0 ? strv_extendf(l, "%.*s", (int) n, line) : 0;
                if (r < 0)
                        return r;
                line += n + (line[n] == '\n');
        }

        return 0;
}

int cli_addresses(const char *name, const Definition *d, char ***ret) {
        _cleanup_strv_ char **addresses = NULL;
        int r;

        r = running_addresses(name, &addresses);
        if (r < 0)
                return r;

        if (!addresses && d)
                for (const Setting *s = NULL; (s = definition_next(d, KEY_LOCAL_ADDRESS, s));) {
                        char text[INET6_ADDRSTRLEN];
                        Address a;

                        if (address_parse(s->value, &a, NULL) < 0)
                                continue; /* was checked when it was read */
                        r = strv_extend(&addresses, address_format(&a, text));
                        if (r < 0)
                                return r;
                }

        *ret = TAKE_PTR(addresses);
        return 0;
}

json_t *cli_strings(char *const *l) {
        json_t *array = json_array();

        STRV_FOREACH(s, l)
                if (json_array_append_new(array, json_string(*s)) < 0) {
                        json_decref(array);
                        return NULL;
                }

        return array;
}
