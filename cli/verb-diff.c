/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet diff`: how what runs differs from what is declared, and what it takes to have that. */

#include "cli/cli.h"
#include "cli/diff.h"
#include "common/base/log.h"

/* Colours as other programs have them for differences; all empty where there are none. */
typedef struct Style {
        const char *name, *removed, *added, *reset;
} Style;

static Style style_of_stdout(void) {
        return cli_has_colours() ? (Style){ "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m" }
                                 : (Style){ "", "", "", "" };
}

/* Nothing in a file may control the terminal. */
static void print_text(const char *text) {
        for (; *text; text++)
                (void) putchar((unsigned char) *text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_values(char sign, char *const *values, bool is_list, const char *colour) {
        const char *reset = *colour ? style_of_stdout().reset : "";

        STRV_FOREACH(value, values) {
                if (is_list || value == values)
                        printf("    %s%c ", colour, sign);
                else
                        (void) putchar(' ');
                print_text(*value);
                if (is_list || !value[1])
                        printf("%s\n", reset);
        }
}

static int print_change(const Change *c, const Style *style) {
        _cleanup_strv_ char **removed = NULL, **added = NULL;

        if (change_removed(c, &removed) < 0 || change_added(c, &added) < 0)
                return -ENOMEM;

        printf("  [");
        print_text(c->section);
        if (c->veth) {
                (void) putchar(' ');
                print_text(c->veth);
        }
        printf("] ");
        print_text(c->key);
        printf("=: %s\n", effect_name(c->takes));

        if (c->is_list && !removed && !added)
                puts("    in another order");
        print_values('-', c->is_list ? removed : c->old, c->is_list, style->removed);
        print_values('+', c->is_list ? added : c->new, c->is_list, style->added);
        return 0;
}

int diff_print(const Container *c) {
        Style style = style_of_stdout();
        const Plan *p = &c->plan;
        int r = 0;

        printf("%s%s%s: ", style.name, c->name, style.reset);
        if (!p->is_pending)
                (void) fputs(action_name(p->action), stdout);
        else if (p->action != ACTION_NOTHING)
                printf("%s, and restart needed", action_name(p->action));
        else
                (void) fputs("restart needed", stdout);
        if (p->reason)
                printf(" (%s)", p->reason);
        (void) putchar('\n');
        for (size_t i = 0; r >= 0 && i < p->n_changes; i++)
                r = print_change(&p->changes[i], &style);
        return r;
}

static json_t *changes_json(const Plan *p) {
        json_t *array = json_array();

        for (size_t i = 0; i < p->n_changes; i++) {
                const Change *c = &p->changes[i];
                json_t *object = json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s}", "section", c->section,
                        "key", c->key, "veth", c->veth, "old", cli_strings(c->old), "new",
                        cli_strings(c->new), "takes", effect_name(c->takes));

                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        return NULL;
                }
        }

        return array;
}

json_t *diff_json(const Container *c, const char *result, const char *reason) {
        json_t *object = json_pack("{s:s, s:s, s:s?, s:o}", "name", c->name, "action",
                action_name(c->plan.action), "reason", reason, "changes", changes_json(&c->plan));

        if (object && result && json_object_set_new(object, "result", json_string(result)) < 0) {
                json_decref(object);
                return NULL;
        }
        return object;
}

int diff_print_all(const Containers *c, bool json, bool (*wanted)(const Plan *p)) {
        json_t *array = json ? json_array() : NULL;
        int r = EXIT_SUCCESS;

        containers_log(c, wanted);
        for (size_t i = 0; i < c->n; i++) {
                const Container *item = &c->items[i];

                if (item->plan.is_invalid)
                        r = EXIT_FAILURE;
                if (!wanted(&item->plan))
                        continue;
                if (json &&
                        json_array_append_new(array, diff_json(item, NULL, item->plan.reason)) <
                                0) {
                        json_decref(array);
                        return cli_print_json(NULL);
                }
                if (!json && diff_print(item) < 0) {
                        log_oom();
                        return EXIT_FAILURE;
                }
        }

        return json && cli_print_json(array) != EXIT_SUCCESS ? EXIT_FAILURE : r;
}

int verb_diff(const Cli *cli) {
        _cleanup_containers_ Containers containers = {};
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_diags_ Diags diags = {};
        int r, q;

        if (containers_check_names(cli->args) < 0)
                return EXIT_USAGE;

        r = bus_new(&bus);
        if (r < 0)
                log_warning_errno(r,
                        "Failed to connect to the system bus, so only what runs is compared: %m");

        r = containers_find(cli->args, bus, &diags, &containers);
        cli_log_diags(&diags);
        if (r < 0 && r != -ENOENT)
                return EXIT_FAILURE;
        if (!*cli->args)
                (void) containers_are_lost(&containers); /* it is said */

        q = diff_print_all(&containers, cli->json, plan_says_something);
        return r < 0 || diags_count(&diags, SEVERITY_ERROR) > 0 ? EXIT_FAILURE : q;
}
