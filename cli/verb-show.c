/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `spawnlet show`, `cat`, `unit` and `keys`: what a definition says, where it says so, what comes
 * of it, and what it may say.
 */

#include <fcntl.h>

#include "cli/cli.h"
#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/log.h"
#include "common/base/unit.h"

/* A key as it is written, also of the sections that go into the unit as they are. */
static const char *setting_name(const Setting *s) {
        return s->key ? s->key->name : s->name;
}

static bool same_section(const Setting *a, const Setting *b) {
        return strcmp(a->section, b->section) == 0 && a->veth == b->veth;
}

static void section_title(const Setting *s, char ret[static 32]) {
        (void) snprintf(ret, 32, "%s%s%s", s->section, s->veth ? " " : "", s->veth ? s->veth : "");
}

static int show_json(const Definition *d) {
        json_t *array = json_array();

        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];
                char section[32];

                section_title(s, section);
                json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "section", section,
                        "key", setting_name(s), "value", s->value, "file", s->file, "line",
                        (int) s->line, "column", (int) s->column);
                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        return cli_print_json(NULL);
                }
        }

        return cli_print_json(array);
}

/* Whether an earlier setting has printed the section of this one. */
static bool is_printed(const Definition *d, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (same_section(&d->settings[k], &d->settings[i]))
                        return true;
        return false;
}

static void show_section(const Definition *d, size_t first) {
        char section[32];
        int width = 0;

        section_title(&d->settings[first], section);
        printf("[%s]\n", section);
        for (size_t i = first; i < d->n_settings; i++)
                if (same_section(&d->settings[i], &d->settings[first]))
                        width = MAX(width,
                                (int) (strlen(setting_name(&d->settings[i])) +
                                        strlen(d->settings[i].value) + 1));
        width = MIN(width, 48); /* one long value must not push all places off the screen */

        for (size_t i = first; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (!same_section(s, &d->settings[first]))
                        continue;
                int pad = width - (int) (strlen(setting_name(s)) + 1 + strlen(s->value));
                printf("%s=%s%*s  # %s:%u\n", setting_name(s), s->value, MAX(pad, 0), "", s->file,
                        s->line);
        }
}

int verb_show(const Cli *cli) {
        _cleanup_(definition_freep) Definition *d = NULL;
        bool valid;
        int r;

        r = cli_load_definition(cli->args[0], &d, &valid);
        if (r != EXIT_SUCCESS)
                return r;

        if (cli->json) {
                r = show_json(d);
                return r != EXIT_SUCCESS || valid ? r : EXIT_FAILURE;
        }

        bool first = true;
        for (size_t i = 0; i < d->n_settings; i++) {
                if (is_printed(d, i))
                        continue;
                if (!first)
                        (void) putchar('\n');
                show_section(d, i);
                first = false;
        }
        return valid ? EXIT_SUCCESS : EXIT_FAILURE;
}

int verb_cat(const Cli *cli) {
        _cleanup_(definition_freep) Definition *d = NULL;
        bool valid;
        int r;

        r = cli_load_definition(cli->args[0], &d, &valid);
        if (r != EXIT_SUCCESS)
                return r;

        STRV_FOREACH(f, d->files) {
                _cleanup_free_ char *text = NULL;
                size_t size;
                int e = file_read(AT_FDCWD, *f, INI_FILE_MAX, &text, &size);

                printf("%s# %s\n", f == d->files ? "" : "\n", *f);
                if (e < 0) {
                        (void) log_error_errno(e, "Failed to read '%s': %m", *f);
                        r = EXIT_FAILURE;
                        continue;
                }
                (void) fwrite(text, 1, size, stdout);
                if (size > 0 && text[size - 1] != '\n')
                        (void) putchar('\n');
        }

        return r;
}

int verb_unit(const Cli *cli) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = cli_find_definition(cli->args[0], &diags, &d);
        if (r != EXIT_SUCCESS)
                return r;

        bool valid = diags_count(&diags, SEVERITY_ERROR) == 0;
        cli_log_diags(&diags);
        if ((valid ? unit_text(d, &text) : unit_stub_text(d, &diags, &text)) < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        (void) fputs(text, stdout);
        return valid ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int keys_json(void) {
        json_t *array = json_array();

        for (size_t i = 0; i < _KEY_MAX; i++) {
                const Key *k = &keys[i];
                json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s?, s:i, s:s}", "section",
                        k->section, "key", k->name, "type", type_name(k->type), "list",
                        k->flags & KEY_LIST, "choices", k->choices, "option", k->option, "since",
                        (int) k->since, "help", k->help);

                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        return cli_print_json(NULL);
                }
        }

        return cli_print_json(array);
}

int verb_keys(const Cli *cli) {
        const char *section = NULL;

        if (cli->json)
                return keys_json();

        for (size_t i = 0; i < _KEY_MAX; i++) {
                const Key *k = &keys[i];

                if (k->section != section)
                        printf("%s[%s%s]\n", section ? "\n" : "", k->section,
                                strcmp(k->section, SECTION_VETH) == 0 ? " NAME" : "");
                section = k->section;
                printf("%-24s %-22s %s\n", k->name, type_name(k->type), k->help);
        }
        return EXIT_SUCCESS;
}
