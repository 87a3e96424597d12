/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet check`: says of definitions what the generator would say, with the same code. */

#include <libgen.h>

#include "cli/cli.h"
#include "common/base/log.h"
#include "common/base/name.h"

#define SUFFIX ".container"

static const char *severity_word(Severity s) {
        return s == SEVERITY_ERROR ? "error" : "warning";
}

static int print_json(const Diags *diags) {
        json_t *array = json_array();

        for (size_t i = 0; i < diags->n; i++) {
                const Diag *d = &diags->items[i];
                json_t *object = json_pack("{s:s, s:i, s:s?, s:s?, s:s?, s:s, s:s, s:s?}", "file",
                        d->file, "line", (int) d->line, "section", d->section, "key", d->key,
                        "value", d->value, "severity", severity_word(d->severity), "message",
                        d->message, "hint", d->hint);

                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        array = NULL;
                        break;
                }
        }

        return cli_print_json(array);
}

static int print_text(const Diags *diags) {
        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *text = NULL;

                if (diag_format(&diags->items[i], &text) < 0) {
                        log_oom();
                        return EXIT_FAILURE;
                }
                printf("%s%s\n", diags->items[i].severity == SEVERITY_WARNING ? "warning: " : "",
                        text);
        }

        return EXIT_SUCCESS;
}

/* A file that is named: by itself, without the search path's drop-ins. */
static int check_file(const char *path, Diags *diags) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *copy = strdup(path), *name = NULL;
        int r;

        if (!copy)
                return -ENOMEM;

        const char *base = basename(copy), *end = str_ends_with(base, SUFFIX);
        name = end ? strndup(base, (size_t) (end - base)) : strdup(base);
        if (!name)
                return -ENOMEM;
        if (!machine_name_is_valid(name))
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = path },
                        "name the file NAME.container",
                        "the file's name does not make the name of a container");

        r = definition_new(name, &d);
        if (r >= 0)
                r = definition_read(d, path, diags);
        return r < 0 ? r : definition_check(d, diags);
}

static int check_candidate(const Search *s, const SearchEntry *c, Diags *diags) {
        _cleanup_(definition_freep) Definition *d = NULL;

        return search_load(s, c, diags, &d);
}

static int check_argument(const Search *s, const char *argument, Diags *diags) {
        const SearchEntry *c;

        if (strchr(argument, '/') || str_ends_with(argument, SUFFIX))
                return check_file(argument, diags);

        c = search_find(s, argument);
        if (!c)
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = argument },
                        "write a path with '/' for a file", "no definition of this name");
        return check_candidate(s, c, diags);
}

static int check(const Cli *cli, Diags *diags, size_t *ret_n) {
        _cleanup_(search_freep) Search *search = NULL;
        int r;

        r = search_new(&search, diags);
        *ret_n = 0;

        if (!cli->args[0]) {
                for (; r >= 0 && *ret_n < search->n_candidates; (*ret_n)++)
                        r = check_candidate(search, &search->candidates[*ret_n], diags);
                return r;
        }

        for (; r >= 0 && cli->args[*ret_n]; (*ret_n)++)
                r = check_argument(search, cli->args[*ret_n], diags);
        return r;
}

int verb_check(const Cli *cli) {
        _cleanup_diags_ Diags diags = {};
        size_t n;

        if (check(cli, &diags, &n) < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        size_t errors = diags_count(&diags, SEVERITY_ERROR);
        if (cli->strict)
                errors = diags.n;

        int r = cli->json ? print_json(&diags) : print_text(&diags);
        if (r != EXIT_SUCCESS)
                return r;

        if (cli->from_unit && errors == 0) {
                log_error("The definition is right by now, but its unit was made when it was not. "
                          "Run 'systemctl daemon-reload' and start it again.");
                return EXIT_FAILURE;
        }
        if (diags.n == 0 && !cli->json)
                log_info("%zu definition%s, no problems.", n, n == 1 ? "" : "s");

        return errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
