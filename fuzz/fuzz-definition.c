/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes the way from a definition's text to its unit. Whatever the text is, the unit is whole: it
 * has its sections once, and just one command to start, whatever stood in the values.
 */

#include <assert.h>

#include "common/base/check.h"
#include "common/base/unit.h"
#include "fuzz/fuzz.h"

/* A line of [Unit] or [Service] in the definition goes into the unit as it is. */
static unsigned count_passed(const Definition *d, const char *beginning) {
        unsigned n = 0;

        for (size_t i = 0; i < d->n_settings; i++)
                n += !d->settings[i].key && str_starts_with(d->settings[i].name, beginning);
        return n;
}

/* The unit is the same whatever the secrets are. */
static void check_secrets(Definition *d, const char *unit) {
        _cleanup_free_ char *without = NULL;

        if (!definition_find(d, KEY_SET_CREDENTIAL))
                return;
        for (size_t i = 0; i < d->n_settings; i++)
                if (d->settings[i].key == &keys[KEY_SET_CREDENTIAL])
                        strchr(d->settings[i].value, ':')[1] = '\0';
        assert(unit_text(d, &without) == 0);
        assert(strcmp(without, unit) == 0);
}

static void check_diag(const Diag *diag) {
        _cleanup_free_ char *line = NULL;

        assert(diag_format(diag, &line) == 0);
        assert(!strchr(line, '\n'));
        if (!str_equal(diag->key, keys[KEY_SET_CREDENTIAL].name) || !diag->value)
                return;

        const char *colon = strchr(diag->value, ':');
        assert(strcmp(colon ? colon + 1 : diag->value, "...") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *unit = NULL;
        _cleanup_strv_ char **links = NULL;

        /* The lexer's text ends with a NUL, which is not counted, and may have others within. */
        char *text = calloc(1, size + 1);
        assert(text);
        memcpy(text, data, size);

        assert(definition_new("fuzz", &d) == 0);
        assert(definition_parse(d, "/fuzz.container", text, size, &diags) == 0);
        free(text);
        assert(check_definition(d, &diags) == 0);

        for (size_t i = 0; i < diags.n; i++)
                check_diag(&diags.items[i]);

        bool valid = diags_count(&diags, SEVERITY_ERROR) == 0;
        assert((valid ? unit_text(d, &unit) : unit_stub_text(d, &diags, &unit)) == 0);
        assert(count_lines(unit, "[") == 2);

        const char *service = strstr(unit, "\n[Service]\n");
        assert(service);
        assert(count_lines(service, "ExecStart=") == 1);
        assert(count_lines(service, "ExecStop=") == 1);
        if (valid) {
                assert(count_lines(service, "ExecStartPre=") <=
                        2 + count_passed(d, "ExecStartPre"));
                check_secrets(d, unit);
        }

        assert(unit_links(d, &links) == 0);
        STRV_FOREACH(l, links) {
                const char *slash = strchr(*l, '/');

                assert(**l != '/' && **l != '.' && (!slash || !strchr(slash + 1, '/')));
        }

        return 0;
}
