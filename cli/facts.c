/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/facts.h"

#include "cli/cli.h"
#include "common/base/credential.h"
#include "common/base/log.h"
#include "common/base/name.h"

typedef struct Units {
        BusUnit *items;
        size_t n;
} Units;

static void units_done(Units *u) {
        bus_units_free(u->items, u->n);
}

void containers_done(Containers *c) {
        for (size_t i = 0; i < c->n; i++) {
                free(c->items[i].name);
                definition_free(c->items[i].definition);
                diags_done(&c->items[i].diags);
                strv_free(c->items[i].record);
                strv_free(c->items[i].changed_credentials);
                plan_done(&c->items[i].plan);
        }
        free(c->items);
        *c = (Containers){};
}

/* Which containers */

static int add_declared(const Search *search, char ***names) {
        for (size_t i = 0; i < search->n_candidates; i++) {
                const char *name = search->candidates[i].name, *at = definition_name_instance(name);

                /* A template is no container: its instances are. */
                if ((!at || *at) && strv_extend(names, name) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int add_started(char ***names) {
        _cleanup_closedir_ DIR *directory = opendir(SPAWNLET_STARTED_DIR);

        if (!directory)
                return errno == ENOENT ? 0 : -errno;

        for (const struct dirent *entry; (entry = readdir(directory));)
                if (definition_name_is_valid(entry->d_name) &&
                        strv_extend(names, entry->d_name) < 0)
                        return -ENOMEM;
        return 0;
}

static int add_container(Containers *c, const char *name) {
        Container *items = reallocarray(c->items, c->n + 1, sizeof(Container));

        if (!items)
                return -ENOMEM;
        c->items = items;
        items[c->n++] = (Container){}; /* from here on freed with the others */
        return str_replace(&items[c->n - 1].name, name);
}

static int list_containers(const Search *search, char *const *wanted, Containers *ret) {
        _cleanup_strv_ char **names = NULL;
        const char *last = NULL;
        int r = 0;

        STRV_FOREACH(name, wanted)
                if (r >= 0)
                        r = strv_extend(&names, *name);
        if (strv_length(wanted) == 0) {
                r = add_declared(search, &names);
                if (r >= 0)
                        r = add_started(&names);
        }
        if (r < 0)
                return r;

        strv_sort(names);
        STRV_FOREACH(name, names)
                if (r >= 0 && !str_equal(*name, last)) {
                        last = *name;
                        r = add_container(ret, *name);
                }
        return r;
}

/* What there is to know of one */

static bool has_own_network(const Container *c) {
        _cleanup_free_ char *machine = NULL, *path = NULL;

        return definition_name_to_machine(c->name, &machine) >= 0 &&
                str_join(&path, SPAWNLET_NETWORK_DIR "/", machine) >= 0 && access(path, F_OK) == 0;
}

static RunState run_state(const char *active) {
        static const struct {
                const char *active;
                RunState state;
        } states[] = {
                { "active", RUN_RUNNING },
                { "reloading", RUN_RUNNING },
                { "refreshing", RUN_RUNNING },
                { "activating", RUN_STARTING },
                { "deactivating", RUN_STOPPING },
                { "failed", RUN_FAILED },
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (strcmp(states[i].active, active) == 0)
                        return states[i].state;
        return RUN_STOPPED;
}

static int ask_systemd(Container *c, Bus *bus, const Units *units, bool is_started) {
        _cleanup_free_ char *unit = NULL, *error = NULL;
        int r;

        if (!bus) {
                c->facts.state = is_started ? RUN_RUNNING : RUN_UNKNOWN;
                return 0;
        }

        r = unit_name(c->name, &unit);
        if (r < 0)
                return log_oom();

        c->facts.state = RUN_STOPPED; /* also of what is not loaded */
        for (size_t i = 0; i < units->n; i++)
                if (strcmp(units->items[i].name, unit) == 0) {
                        c->facts.state = run_state(units->items[i].active);
                        c->facts.is_masked = strcmp(units->items[i].load, "masked") == 0;
                }
        if (c->facts.state != RUN_STOPPED || !c->facts.is_declared || !c->facts.is_valid)
                return 0;

        r = bus_has_run(bus, unit, &error);
        if (r < 0)
                return log_error_errno(r, "Failed to ask systemd about '%s': %s", unit, error);
        c->facts.has_run = r > 0;
        return 0;
}

/* Return: -ENOENT */
static int log_unknown(const Search *search, const char *name) {
        const char *other = cli_similar_name(search, name);

        return log_error_errno(ENOENT, "There is no container '%s'%s%s%s", name,
                other ? ": did you mean '" : "", other ? other : "", other ? "'?" : ".");
}

/* Whether this user may not read a file of a definition. */
static bool is_unreadable(const SearchEntry *entry, const Definition *d) {
        if (!entry)
                return false;
        if (access(entry->path, R_OK) < 0 && errno == EACCES)
                return true;
        STRV_FOREACH(file, d ? d->files : NULL)
                if (access(*file, R_OK) < 0 && errno == EACCES)
                        return true;
        return false;
}

/* Only root may look at the values that it runs with. */
static int compare_credentials(Container *c) {
        int r = c->definition && c->facts.has_record
                ? credentials_compare(c->definition, &c->changed_credentials)
                : 0;

        c->facts.changed_credentials = c->changed_credentials;
        c->facts.has_unknown_credentials = r == -EACCES || r == -EPERM;
        if (r < 0 && !c->facts.has_unknown_credentials)
                return log_error_errno(
                        r, "Failed to compare the credentials of container '%s': %m", c->name);
        return 0;
}

static int find_facts(Container *c, const Search *search, Bus *bus, const Units *units) {
        SearchEntry instance;
        const SearchEntry *entry = cli_find_entry(search, c->name, &instance);
        int r, e;

        r = entry ? search_load(search, entry, &c->diags, &c->definition) : 0;
        if (r < 0)
                return log_oom();

        e = settings_read(c->name, &c->record);
        if (e < 0 && e != -ENOENT && e != -ENODATA)
                return log_error_errno(e, "Failed to read what '%s' was started with: %m", c->name);
        if (!entry && e == -ENOENT)
                return log_unknown(search, c->name);

        c->facts = (Facts){
                .definition = c->definition,
                .is_valid = diags_count(&c->diags, SEVERITY_ERROR) == 0,
                .is_unreadable = is_unreadable(entry, c->definition),
                .is_declared = search_find(search, c->name) != NULL,
                .record = c->record,
                .has_record = e >= 0,
                .has_own_network = has_own_network(c),
        };
        r = compare_credentials(c);
        if (r >= 0)
                r = ask_systemd(c, bus, units, e != -ENOENT);
        if (r < 0)
                return r;

        return plan_make(&c->facts, &c->plan) < 0 ? log_oom() : 0;
}

int containers_check_names(char *const *names) {
        STRV_FOREACH(name, names) {
                const char *at = definition_name_instance(*name);

                if (!definition_name_is_valid(*name))
                        return log_error_errno(
                                EINVAL, "'%s' is not the name of a container.", *name);
                if (at && !*at)
                        return log_error_errno(
                                EINVAL, "'%s' is a template: name an instance of it.", *name);
        }
        return 0;
}

static bool was_started(const char *name) {
        _cleanup_free_ char *path = NULL;

        return str_join(&path, SPAWNLET_STARTED_DIR "/", name) >= 0 && access(path, F_OK) == 0;
}

int containers_check_known(char *const *names) {
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_diags_ Diags ignored = {}; /* they come again */
        int r = 0;

        if (search_new(&search, &ignored) < 0)
                return log_oom();
        STRV_FOREACH(name, names) {
                SearchEntry instance;

                if (!cli_find_entry(search, *name, &instance) && !was_started(*name))
                        r = log_unknown(search, *name);
        }
        return r;
}

bool containers_are_lost(const Containers *c) {
        _cleanup_str_ Str names = {};
        size_t n = 0;

        for (size_t i = 0; i < c->n; i++)
                if (c->items[i].plan.action == ACTION_STOP) {
                        str_append_all(&names, " ", c->items[i].name);
                        n++;
                }
        if (!c->none_declared || n == 0)
                return false;

        if (str_error(&names) < 0)
                log_oom();
        else
                log_error("No definition is found in /etc/spawnlet and the other directories, but "
                          "%zu "
                          "container%s: nothing is done. To stop %s: spawnlet apply%s",
                        n, n == 1 ? " runs" : "s run", n == 1 ? "it, name it" : "them, name them",
                        names.data);
        return true;
}

void containers_log(const Containers *c, bool (*wanted)(const Plan *p)) {
        for (size_t i = 0; i < c->n; i++)
                if (wanted(&c->items[i].plan))
                        cli_log_diags(&c->items[i].diags);
}

int containers_find(char *const *names, Bus *bus, Diags *search_diags, Containers *ret) {
        _cleanup_(search_freep) Search *search = NULL;
        _cleanup_(units_done) Units units = {};
        _cleanup_free_ char *error = NULL;
        int r;

        r = bus ? bus_list_containers(bus, &units.items, &units.n, &error) : 0;
        if (r < 0)
                return log_error_errno(r, "Failed to list units: %s", error);

        r = search_new(&search, search_diags);
        if (r < 0)
                return log_oom();
        ret->none_declared = search->n_candidates == 0;
        r = list_containers(search, names, ret);
        if (r < 0)
                return log_error_errno(r, "Failed to list the containers: %m");

        for (size_t i = 0; i < ret->n; i++) {
                int q = find_facts(&ret->items[i], search, bus, &units);

                r = r < 0 ? r : q;
        }
        return r;
}
