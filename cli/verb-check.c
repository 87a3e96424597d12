/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `spawnlet check`: says of definitions what the generator would say, with the same code; and what
 * the generator cannot know, as it asks nobody: whether the running systemd is new enough, and the
 * kernel's limits large enough.
 */

#include <fcntl.h>
#include <sys/ioctl.h>

#include "cli/cli.h"
#include "common/base/check.h"
#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/name.h"

/* Colours as compilers have them; all empty where there is no terminal. */
typedef struct Style {
        bool terminal;
        const char *place, *error, *warning, *hint, *reset;
} Style;

typedef struct Check {
        const Search *search;
        Claims claims;
        Diags diags;
        unsigned systemd; /* the running version; 0 if nobody says */
        size_t n;         /* definitions looked at */
        size_t n_booting; /* of them those whose container boots a system when the machine does */
} Check;

static void check_done(Check *c) {
        claims_done(&c->claims);
        diags_done(&c->diags);
}

static const char *severity_word(Severity s) {
        return s == SEVERITY_ERROR ? "error" : "warning";
}

static int print_json(const Diags *diags) {
        json_t *array = json_array();

        for (size_t i = 0; i < diags->n; i++) {
                const Diag *d = &diags->items[i];
                json_t *object = json_pack("{s:s, s:i, s:i, s:s?, s:s?, s:s?, s:s, s:s, s:s?}",
                        "file", d->file, "line", (int) d->line, "column", (int) d->column,
                        "section", d->section, "key", d->key, "value", d->value, "severity",
                        severity_word(d->severity), "message", d->message, "hint", d->hint);

                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        array = NULL;
                        break;
                }
        }

        return cli_print_json(array);
}

/* no-color.org and terminfo(5) each have a way to ask for none. */
static Style style_of_stdout(void) {
        Style style = { isatty(STDOUT_FILENO), "", "", "", "", "" };

        if (cli_has_colours())
                style = (Style){ true, "\x1b[1m", "\x1b[1;31m", "\x1b[1;35m", "\x1b[36m",
                        "\x1b[0m" };
        return style;
}

/* Line @number of a file, without its end. Return: the line, or NULL if it cannot be read. */
static char *read_line(const char *path, unsigned number) {
        _cleanup_free_ char *text = NULL;
        const char *p;

        if (number == 0 || file_read(AT_FDCWD, path, INI_FILE_MAX, &text, NULL) < 0)
                return NULL;

        p = str_starts_with(text, "\xef\xbb\xbf");
        p = p ? p : text;
        for (; number > 1; number--) {
                p = strchr(p, '\n');
                if (!p)
                        return NULL;
                p++;
        }
        return strndup(p, strcspn(p, "\n"));
}

static size_t terminal_width(void) {
        struct winsize size = {};

        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20 ? 80 : size.ws_col;
}

/* The line, and a caret below the column; of a long line what is around that. */
static void print_place(const Diag *d, const Style *style) {
        _cleanup_free_ char *line = read_line(d->file, d->line);
        size_t width = terminal_width() - 4, first = 0, column = 1, shown = 0;
        _cleanup_str_ Str text = {}, caret = {};

        if (!line || d->column == 0 || d->is_secret)
                return;
        if (d->column > width * 3 / 4)
                first = d->column - width / 2;

        for (const char *p = line; *p; p++) {
                bool begins = (*p & 0xc0) != 0x80; /* a character, not the rest of one */

                if (begins && p > line)
                        column++;
                if (column <= first)
                        continue;
                if (begins && ++shown > width)
                        break;
                /* Nothing in a file may control the terminal. */
                bool control = ((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f;
                str_append_char(&text, control ? '?' : *p);
                if (begins && column < d->column)
                        str_append_char(&caret, *p == '\t' ? '\t' : ' ');
        }

        if (str_error(&text) == 0 && str_error(&caret) == 0 && text.data &&
                str_is_utf8(text.data, text.len))
                printf("  %s\n  %s%s^%s\n", text.data, caret.data ? caret.data : "", style->error,
                        style->reset);
}

/* The format of a line is a contract; a terminal gets more. */
static int print_diag(const Diag *d, const Style *style) {
        _cleanup_free_ char *text = NULL;
        bool error = d->severity == SEVERITY_ERROR;

        if (diag_format(d, &text) < 0)
                return -ENOMEM;

        if (!style->terminal) {
                printf("%s%s\n", error ? "" : "warning: ", text);
                return 0;
        }

        /* "FILE:LINE:" stands at the beginning, the hint in parentheses at the end. */
        size_t place = strlen(d->file) + 1, hint = strlen(text);
        if (d->line > 0)
                place += (size_t) snprintf(NULL, 0, ":%u", d->line);
        if (d->hint && hint > strlen(d->hint) + 3)
                hint -= strlen(d->hint) + 3;
        printf("%s%.*s%s %s%s:%s%.*s%s%s%s\n", style->place, (int) place, text, style->reset,
                error ? style->error : style->warning, severity_word(d->severity), style->reset,
                (int) (hint - place), text + place, style->hint, text + hint, style->reset);
        print_place(d, style);
        return 0;
}

static int print_text(const Diags *diags) {
        Style style = style_of_stdout();

        for (size_t i = 0; i < diags->n; i++)
                if (print_diag(&diags->items[i], &style) < 0) {
                        log_oom();
                        return EXIT_FAILURE;
                }

        return EXIT_SUCCESS;
}

/* Settings that are newer than the systemd that would have to know their options. */
static int check_versions(Check *c, const Definition *d) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];
                unsigned since = definition_since(d, s);
                _cleanup_free_ char *message = NULL;
                int r;

                if (c->systemd == 0 || since <= c->systemd)
                        continue;
                r = str_format(&message, "needs systemd %u, and %u runs here", since, c->systemd);
                if (r >= 0)
                        r = definition_complain(&c->diags, SEVERITY_WARNING, s, NULL, message);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Secrets that stand where everybody can read them. Once for each file. */
static int check_readable(Check *c, const Definition *d) {
        const char *last = NULL;

        for (const Setting *s = NULL; (s = definition_next(d, KEY_SET_CREDENTIAL, s));) {
                _cleanup_free_ char *hint = NULL;
                struct stat st;
                int r;

                if (s->file == last || stat(s->file, &st) < 0 || !(st.st_mode & S_IROTH))
                        continue;
                last = s->file;
                r = str_join(&hint, "chmod 0600 ", s->file);
                if (r >= 0)
                        r = definition_complain(&c->diags, SEVERITY_WARNING, s, hint,
                                "every user can read this file, and so the credential");
                if (r < 0)
                        return r;
        }

        return 0;
}

/* @d: what was read; NULL if there is nothing to it */
static int look_at(Check *c, const Definition *d, bool valid) {
        int r;

        c->n++;
        if (!d)
                return 0;
        r = check_versions(c, d);
        if (r >= 0)
                r = check_readable(c, d);
        if (r < 0 || !valid)
                return r;
        if (definition_boots(d) && !definition_is_template(d) &&
                definition_boolean(d, KEY_AUTO_START, true))
                c->n_booting++;
        return claims_add(&c->claims, d);
}

static int check_candidate(Check *c, const SearchEntry *candidate) {
        _cleanup_(definition_freep) Definition *d = NULL;
        size_t errors = diags_count(&c->diags, SEVERITY_ERROR);
        int r;

        r = search_load(c->search, candidate, &c->diags, &d);
        return r < 0 ? r : look_at(c, d, diags_count(&c->diags, SEVERITY_ERROR) == errors);
}

static int check_file(Check *c, const char *path) {
        _cleanup_(definition_freep) Definition *d = NULL;
        size_t errors = diags_count(&c->diags, SEVERITY_ERROR);
        int r;

        r = cli_read_file(path, &c->diags, &d);
        return r < 0 ? r : look_at(c, d, diags_count(&c->diags, SEVERITY_ERROR) == errors);
}

/* What another definition has that the named one wants, too. */
static int check_against_others(Check *c, const char *name) {
        _cleanup_claims_ Claims claims = {};

        for (size_t i = 0; i < c->search->n_candidates; i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags ignored = {};
                int r;

                r = search_load(c->search, &c->search->candidates[i], &ignored, &d);
                if (r >= 0 && d && diags_count(&ignored, SEVERITY_ERROR) == 0)
                        r = claims_add(&claims, d);
                if (r < 0)
                        return r;
        }

        return claims_check(&claims, name, &c->diags);
}

static int check_name(Check *c, const char *name) {
        SearchEntry instance;
        const SearchEntry *candidate = cli_find_entry(c->search, name, &instance);
        int r;

        if (candidate) {
                r = check_candidate(c, candidate);
                return r < 0 ? r : check_against_others(c, name);
        }

        c->n++;
        return diags_add(&c->diags, SEVERITY_ERROR, &(Place){ .file = name },
                "write a path with '/' for a file", "no definition of this name");
}

static int check_all(Check *c) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < c->search->n_candidates; i++)
                r = check_candidate(c, &c->search->candidates[i]);
        if (r >= 0)
                r = claims_check(&c->claims, NULL, &c->diags);

        /* With a search path of their own the definitions are not this machine's. */
        return r < 0 || getenv("SPAWNLET_PATH") ? r : limits_check(c->n_booting, &c->diags);
}

static int check(const Cli *cli, Check *c) {
        bool files = false;
        int r = 0;

        if (!cli->args[0])
                return check_all(c);

        for (char *const *a = cli->args; r >= 0 && *a; a++) {
                files = files || cli_is_file(*a);
                r = cli_is_file(*a) ? check_file(c, *a) : check_name(c, *a);
        }

        /* Files are checked against each other, not against what is installed. */
        return r < 0 || !files ? r : claims_check(&c->claims, NULL, &c->diags);
}

static int run(const Cli *cli, Check *c) {
        _cleanup_(search_freep) Search *search = NULL;
        int r;

        c->systemd = bus_systemd_version();
        r = search_new(&search, &c->diags);
        if (r < 0)
                return r;

        c->search = search;
        return check(cli, c);
}

int verb_check(const Cli *cli) {
        _cleanup_(check_done) Check c = {};

        if (run(cli, &c) < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        size_t errors = cli->strict ? c.diags.n : diags_count(&c.diags, SEVERITY_ERROR);
        int r = cli->json ? print_json(&c.diags) : print_text(&c.diags);
        if (r != EXIT_SUCCESS)
                return r;

        if (cli->from_unit && errors == 0) {
                log_error("The definition is right by now, but its unit was made when it was not. "
                          "Run 'systemctl daemon-reload' and start it again.");
                return EXIT_FAILURE;
        }
        if (c.diags.n == 0 && !cli->json)
                log_info("%zu definition%s, no problems.", c.n, c.n == 1 ? "" : "s");

        return errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
