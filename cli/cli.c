/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/cli.h"

#include <fcntl.h>
#include <libgen.h>

#include "cli/agent.h"
#include "common/base/check.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/name.h"

bool cli_is_terminal(int fd) {
        const char *term = getenv("TERM");

        return isatty(fd) && term && strcmp(term, "dumb") != 0; /* terminfo(5) */
}

bool cli_has_colours(void) {
        const char *no_color = getenv("NO_COLOR"); /* no-color.org */

        return cli_is_terminal(STDOUT_FILENO) && (!no_color || !*no_color);
}

int cli_print_json(json_t *value) {
        int r = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;

        json_decref(value);
        if (r < 0 && !ferror(stdout)) { /* the other case is reported at the end */
                log_error("Failed to print JSON.");
                return EXIT_FAILURE;
        }

        (void) putchar('\n');
        return EXIT_SUCCESS;
}

#define SUFFIX ".container"

bool cli_is_file(const char *argument) {
        return strchr(argument, '/') || str_ends_with(argument, SUFFIX);
}

void cli_log_diags(const Diags *diags) {
        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *text = NULL;

                if (diag_format(&diags->items[i], &text) < 0)
                        log_oom();
                else if (diags->items[i].severity == SEVERITY_ERROR)
                        log_error("%s", text);
                else
                        log_warning("warning: %s", text);
        }
}

int cli_read_file(const char *path, Diags *diags, Definition **ret) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *copy = strdup(path), *name = NULL;
        int r;

        *ret = NULL;
        if (!copy)
                return -ENOMEM;

        const char *base = basename(copy), *end = str_ends_with(base, SUFFIX);
        name = end ? strndup(base, (size_t) (end - base)) : strdup(base);
        if (!name)
                return -ENOMEM;
        if (!definition_name_is_valid(name))
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = path },
                        "name the file NAME.container",
                        "the file's name does not make the name of a container");

        r = definition_new(name, &d);
        if (r >= 0)
                r = definition_read(d, path, diags);
        if (r >= 0)
                r = check_definition(d, diags);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(d);
        return 0;
}

const SearchEntry *cli_find_entry(const Search *s, const char *name, SearchEntry *instance) {
        const SearchEntry *entry = search_find(s, name);

        if (entry || !definition_name_is_valid(name))
                return entry;

        /* An instance that nobody declared, as systemd would start it. */
        entry = search_find_template(s, name);
        if (!entry)
                return NULL;

        *instance = *entry;
        instance->name = (char *) name;
        return instance;
}

const char *cli_similar_name(const Search *s, const char *name) {
        _cleanup_free_ char *copy = strdup(name);
        unsigned best_distance = 3; /* more is no typing error in names this short */
        const char *best = NULL, *wanted, *end;

        if (!copy)
                return NULL; /* it is only a hint */

        /* As the unit is called, or the file. */
        end = str_ends_with(copy, ".service") ?: str_ends_with(copy, SUFFIX);
        if (end)
                copy[end - copy] = '\0';
        wanted = str_starts_with(copy, "container-") ?: copy;

        for (size_t i = 0; i < s->n_candidates; i++) {
                const char *other = s->candidates[i].name, *at = definition_name_instance(other);
                unsigned distance = str_distance(other, wanted);

                if (!(at && !*at) && distance < MIN(best_distance, strlen(other))) {
                        best = other;
                        best_distance = distance;
                }
        }
        return best;
}

int cli_find_definition(const char *argument, Diags *diags, Definition **ret) {
        _cleanup_(search_freep) Search *search = NULL;
        const SearchEntry *entry = NULL;
        SearchEntry instance;
        int r;

        *ret = NULL;
        if (cli_is_file(argument)) {
                r = cli_read_file(argument, diags, ret);
        } else {
                r = search_new(&search, diags);
                if (r >= 0)
                        entry = cli_find_entry(search, argument, &instance);
                if (entry)
                        r = search_load(search, entry, diags, ret);
        }
        if (r < 0) {
                log_oom();
                return EXIT_FAILURE;
        }
        if (*ret)
                return EXIT_SUCCESS;

        cli_log_diags(diags);
        if (!entry && !cli_is_file(argument))
                log_error("There is no definition of '%s'.", argument);
        else if (diags_count(diags, SEVERITY_ERROR) == 0)
                log_error("The definition of '%s' is masked.", argument);
        return EXIT_FAILURE;
}

int cli_load_definition(const char *argument, Definition **ret, bool *ret_valid) {
        _cleanup_diags_ Diags diags = {};
        int r;

        r = cli_find_definition(argument, &diags, ret);
        if (r == EXIT_SUCCESS)
                cli_log_diags(&diags);
        *ret_valid = diags_count(&diags, SEVERITY_ERROR) == 0;
        return r;
}

int cli_open_bus(Bus **ret) {
        int r = bus_new(ret);

        return r < 0 ? log_error_errno(r, "Failed to connect to the system bus: %m") : 0;
}

int cli_open_bus_to_act(const Cli *cli, Bus **ret) {
        int r = cli_open_bus(ret);

        if (r < 0 || cli->no_ask_password)
                return r;

        r = bus_let_ask(*ret);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the connection to the system bus: %m");
        agent_start();
        return 0;
}

int cli_units(char *const *names, char ***ret) {
        _cleanup_strv_ char **units = NULL;

        STRV_FOREACH(name, names) {
                char *unit;

                if (!definition_name_is_valid(*name))
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
        _cleanup_free_ char *machine = NULL, *path = NULL, *text = NULL;
        int r;

        r = definition_name_to_machine(name, &machine);
        if (r >= 0)
                r = str_join(&path, SPAWNLET_HOSTS_DIR "/", machine);
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
