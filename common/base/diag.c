/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/diag.h"

/* A value is quoted in a message up to here; the rest would hide the message. */
#define VALUE_SHOWN 80

static void diag_done(Diag *d) {
        free(d->file);
        free(d->section);
        free(d->key);
        free(d->value);
        free(d->message);
        free(d->hint);
}

void diags_done(Diags *d) {
        for (size_t i = 0; i < d->n; i++)
                diag_done(&d->items[i]);
        free(d->items);
        *d = (Diags){};
}

/* Also where the key has a typing error, for which nothing but the hint may know what was meant. */
static bool is_secret(const Place *place, const char *hint) {
        if (!place->key || !place->value || strcmp(place->key, "LoadCredential") == 0)
                return false;
        return strcasestr(place->key, "cred") || (hint && strstr(hint, "SetCredential"));
}

/* Of ID:VALUE, the ID. */
static int conceal(char **value) {
        char *colon = strchr(*value, ':'), *concealed;
        int r;

        (colon ? colon + 1 : *value)[0] = '\0';
        r = str_join(&concealed, *value, "...");
        if (r < 0)
                return r;
        free(*value);
        *value = concealed;
        return 0;
}

int diags_add(Diags *d, Severity severity, const Place *place, const char *hint, const char *format,
        ...) {
        Diag new = { .severity = severity,
                .line = place->line,
                .column = place->column,
                .is_secret = is_secret(place, hint) };
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        int k = vasprintf(&text, format, ap);
        va_end(ap);
        if (k < 0) {
                text = NULL; /* undefined then, asprintf(3) */
                return -ENOMEM;
        }

        Diag *items = reallocarray(d->items, d->n + 1, sizeof(Diag));
        if (!items)
                return -ENOMEM;
        d->items = items;

        if (str_replace(&new.file, place->file) < 0 ||
                str_replace(&new.section, place->section) < 0 ||
                str_replace(&new.key, place->key) < 0 ||
                str_replace(&new.value, place->value) < 0 || str_replace(&new.message, text) < 0 ||
                str_replace(&new.hint, hint) < 0 ||
                (is_secret(place, hint) && conceal(&new.value) < 0)) {
                diag_done(&new);
                return -ENOMEM;
        }

        d->items[d->n++] = new;
        return 0;
}

size_t diags_count(const Diags *d, Severity severity) {
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++)
                if (d->items[i].severity == severity)
                        n++;
        return n;
}

/* Control characters would let a definition write lines of its own into a log. */
static void append_printable(Str *s, const char *text, size_t n) {
        if (strnlen(text, n) == n) /* cut off: not in the middle of a character */
                while (n > 0 && (text[n] & 0xc0) == 0x80)
                        n--;

        for (size_t i = 0; i < n && text[i]; i++)
                str_append_char(
                        s, (unsigned char) text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
}

int diag_format(const Diag *d, char **ret) {
        _cleanup_str_ Str s = {};

        append_printable(&s, d->file, strlen(d->file) + 1);
        if (d->line > 0)
                str_appendf(&s, ":%u", d->line);
        str_append(&s, ":");

        if (d->section) {
                str_append(&s, " [");
                append_printable(&s, d->section, VALUE_SHOWN);
                str_append(&s, "]");
        }
        if (d->key) {
                str_append(&s, " ");
                append_printable(&s, d->key, VALUE_SHOWN);
                str_append(&s, "=");
        }
        if (d->value) {
                append_printable(&s, d->value, VALUE_SHOWN);
                if (strlen(d->value) > VALUE_SHOWN)
                        str_append(&s, "...");
        }
        if (d->section || d->key)
                str_append(&s, ":");

        str_append(&s, " ");
        append_printable(&s, d->message, strlen(d->message) + 1);
        if (d->hint) {
                str_append(&s, " (");
                append_printable(&s, d->hint, strlen(d->hint) + 1);
                str_append(&s, ")");
        }

        return str_take(&s, ret);
}
