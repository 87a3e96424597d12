/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet list` and `spawnlet show-ip`: what containers there are, and where. */

#include <sys/pidfd.h>

#include "cli/cli.h"
#include "common/base/health.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/settings.h"
#include "common/kernel/init.h"

typedef struct Row {
        char *name;
        char *state; /* "running", "failed", ..., as systemctl's; "invalid" for a bad definition */
        const char *health; /* "healthy", "unhealthy", "starting"; NULL if nobody looks after it */
        char **addresses;
        uint32_t first_user, n_users; /* that are the container's own; none if it has the host's */
        char *source; /* the definition's file; NULL when it is gone and the container still runs */
} Row;

typedef struct Table {
        Row *rows;
        size_t n;
} Table;

static void table_done(Table *t) {
        for (size_t i = 0; i < t->n; i++) {
                free(t->rows[i].name);
                free(t->rows[i].state);
                free(t->rows[i].source);
                strv_free(t->rows[i].addresses);
        }
        free(t->rows);
}

static Row *table_find(const Table *t, const char *name) {
        for (size_t i = 0; i < t->n; i++)
                if (strcmp(t->rows[i].name, name) == 0)
                        return &t->rows[i];
        return NULL;
}

static int table_add(
        Table *t, const char *name, const Definition *d, const char *source, const char *state) {
        Row new = {};
        Row *rows = reallocarray(t->rows, t->n + 1, sizeof(Row));

        if (!rows)
                return -ENOMEM;
        t->rows = rows;
        t->rows[t->n++] = new; /* from here on freed with the table */

        Row *row = &t->rows[t->n - 1];
        if (str_replace(&row->name, name) < 0 || str_replace(&row->state, state) < 0 ||
                str_replace(&row->source, source) < 0)
                return -ENOMEM;
        return cli_addresses(name, d, &row->addresses);
}

static int add_declared(Table *t) {
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_diags_ Diags ignored = {};
        int r;

        r = search_new(&search, &ignored);
        for (size_t i = 0; r >= 0 && i < search->n_candidates; i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};

                r = search_load(search, &search->candidates[i], &diags, &d);
                /* A template is no container: its instances are. */
                if (r >= 0 && d && !definition_is_template(d))
                        r = table_add(t, d->name, d, search->candidates[i].path,
                                diags_count(&diags, SEVERITY_ERROR) > 0 ? "invalid" : "stopped");
        }

        return r < 0 ? log_oom() : 0;
}

/* One word for people out of systemd's two. */
static const char *state_word(const BusUnit *u) {
        static const struct {
                const char *active, *word;
        } words[] = {
                { "active", "running" },
                { "inactive", "stopped" },
                { "activating", "starting" },
                { "deactivating", "stopping" },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i].active, u->active) == 0)
                        return words[i].word;
        return u->active;
}

/* Whether what runs has health checks, whatever its definition says by now. */
static bool has_checks(const char *name) {
        _cleanup_strv_ char **lines = NULL;

        if (settings_read(name, &lines) < 0)
                return false;
        STRV_FOREACH(line, lines)
                if (str_starts_with(*line, "[Container]HealthCommand="))
                        return true;
        return false;
}

static int add_health(Row *row, pid_t main_pid) {
        _cleanup_free_ char *machine = NULL;

        if (definition_name_to_machine(row->name, &machine) < 0)
                return -ENOMEM;

        row->health = "starting"; /* before the first check has ended, too */
        if (main_pid > 0)
                row->health = health_find(machine, (uint64_t) main_pid) ?: row->health;
        return 0;
}

static void add_users(Row *row, pid_t main_pid) {
        _cleanup_close_ int pidfd = -EBADF;
        uint32_t first, n;
        pid_t init;

        if (init_find(main_pid, &init, &pidfd) <= 0 || init_users(init, &first, &n) < 0 ||
                n == UINT32_MAX || pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
                return; /* it is about to end, mostly */
        row->first_user = first;
        row->n_users = n;
}

/* @all: also what is not in the table that people get */
static int add_running(Row *row, Bus *bus, const char *unit, bool all) {
        _cleanup_free_ char *error = NULL;
        bool checks = has_checks(row->name);
        pid_t pid = 0;

        if (!checks && !all)
                return 0;
        if (bus_main_pid(bus, unit, &pid, &error) < 0)
                pid = 0; /* it is still known to run */
        if (all && pid > 0)
                add_users(row, pid);
        return checks ? add_health(row, pid) : 0;
}

static int add_states(Table *t, bool all) {
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_free_ char *error = NULL;
        BusUnit *units;
        size_t n;
        int r;

        r = cli_open_bus(&bus);
        if (r < 0)
                return r;

        r = bus_list_containers(bus, &units, &n, &error);
        if (r < 0)
                return log_error_errno(r, "Failed to list units: %s", error);

        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ char *name = NULL;

                if (unit_name_to_definition(units[i].name, &name) < 0)
                        continue; /* somebody else's unit of that form */

                Row *row = table_find(t, name);
                bool stopped = strcmp(units[i].active, "inactive") == 0,
                     failed = strcmp(units[i].active, "failed") == 0;

                /* That a start of what is not valid failed is not the news. */
                if (row && (stopped || failed) && strcmp(row->state, "invalid") == 0)
                        continue;
                if (row)
                        r = str_replace(&row->state, state_word(&units[i]));
                else if (!stopped)
                        r = table_add(t, name, NULL, NULL, state_word(&units[i]));
                row = table_find(t, name); /* also the new one */
                if (r >= 0 && row && strcmp(row->state, "running") == 0)
                        r = add_running(row, bus, units[i].name, all);
        }

        bus_units_free(units, n);
        return r < 0 ? log_oom() : 0;
}

static int compare_rows(const void *a, const void *b) {
        return strcmp(((const Row *) a)->name, ((const Row *) b)->name);
}

static int print_json(const Table *t) {
        json_t *array = json_array();

        for (size_t i = 0; i < t->n; i++) {
                const Row *row = &t->rows[i];
                json_t *users = row->n_users > 0
                        ? json_pack("{s:I, s:I}", "first", (json_int_t) row->first_user, "count",
                                  (json_int_t) row->n_users)
                        : json_null();
                json_t *object = json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s?}", "name", row->name,
                        "state", row->state, "health", row->health, "addresses",
                        cli_strings(row->addresses), "users", users, "source", row->source);

                if (json_array_append_new(array, object) < 0) {
                        json_decref(array);
                        array = NULL;
                        break;
                }
        }

        return cli_print_json(array);
}

static void print_table(const Table *t) {
        int width = (int) strlen("NAME");

        if (t->n == 0) {
                log_info("No containers.");
                return;
        }

        for (size_t i = 0; i < t->n; i++)
                width = MAX(width, (int) strlen(t->rows[i].name));

        printf("%-*s %-9s %s\n", width, "NAME", "STATE", "ADDRESSES");
        for (size_t i = 0; i < t->n; i++) {
                bool bad = str_equal(t->rows[i].health, "unhealthy");

                printf("%-*s %-9s ", width, t->rows[i].name,
                        bad ? t->rows[i].health : t->rows[i].state);
                STRV_FOREACH(a, t->rows[i].addresses)
                        printf("%s%s", a == t->rows[i].addresses ? "" : " ", *a);
                puts(t->rows[i].addresses ? "" : "-");
        }
}

int verb_list(const Cli *cli) {
        _cleanup_(table_done) Table table = {};

        if (add_declared(&table) < 0 || add_states(&table, cli->json) < 0)
                return EXIT_FAILURE;
        if (table.n > 0)
                qsort(table.rows, table.n, sizeof(Row), compare_rows);
        if (cli->json)
                return print_json(&table);

        print_table(&table);
        return EXIT_SUCCESS;
}

int verb_show_ip(const Cli *cli) {
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_strv_ char **addresses = NULL;
        const char *name = cli->args[0];
        SearchEntry instance;
        int r;

        r = search_new(&search, &diags);
        if (r < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        const SearchEntry *candidate = cli_find_entry(search, name, &instance);
        if (candidate)
                r = search_load(search, candidate, &diags, &d);
        if (r >= 0)
                r = definition_name_is_valid(name) ? cli_addresses(name, d, &addresses) : 0;
        if (r < 0) {
                log_oom();
                return EXIT_FAILURE;
        }

        if (!addresses && !candidate) {
                log_error("There is no container '%s'.", name);
                return EXIT_FAILURE;
        }
        if (cli->json)
                return cli_print_json(cli_strings(addresses));
        if (!addresses) {
                log_error("Container '%s' has no address.", name);
                return EXIT_FAILURE;
        }

        STRV_FOREACH(a, addresses)
                puts(*a);
        return EXIT_SUCCESS;
}
