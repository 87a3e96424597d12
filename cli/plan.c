/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/plan.h"

#define HEALTH_PREFIX "[Container]HealthCommand="
#define DNS_PREFIX "[Network]DNS="
#define CREDENTIAL_PREFIX "[Exec]SetCredential="

static void change_done(Change *c) {
        free(c->prefix);
        free(c->section);
        free(c->key);
        free(c->veth);
        strv_free(c->old);
        strv_free(c->new);
}

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n_changes; i++)
                change_done(&p->changes[i]);
        free(p->changes);
        free(p->reason);
        *p = (Plan){};
}

const char *action_name(Action a) {
        static const char *const names[_ACTION_MAX] = {
                [ACTION_NOTHING] = "nothing",
                [ACTION_LIVE] = "live",
                [ACTION_RELOAD] = "reload",
                [ACTION_RESTART] = "restart",
                [ACTION_START] = "start",
                [ACTION_STOP] = "stop",
        };

        return names[a];
}

const char *effect_name(Effect e) {
        static const char *const names[_EFFECT_MAX] = {
                [EFFECT_RESTART] = "restart",
                [EFFECT_RELOAD] = "reload",
                [EFFECT_LIVE] = "live",
                [EFFECT_NONE] = "nothing",
        };

        return names[e];
}

/* Lines and their values */

/* How long what stands before the value of a line is. */
static size_t prefix_size(const char *line) {
        SettingLine s;

        return settings_split(line, &s) ? (size_t) (s.value - line) : strlen(line);
}

static bool same_prefix(const char *line, const char *prefix, size_t size) {
        return prefix_size(line) == size && strncmp(line, prefix, size) == 0;
}

static bool has_prefix(char *const *lines, const char *prefix, size_t size) {
        STRV_FOREACH(line, lines)
                if (same_prefix(*line, prefix, size))
                        return true;
        return false;
}

/* The values of all lines that begin with a prefix: by their effects, as a record may have them in that
 * order, and else in their own. */
static int values_of(char *const *lines, const char *prefix, size_t size, char ***ret) {
        for (Effect e = 0; e < _EFFECT_MAX; e++)
                STRV_FOREACH(line, lines)
                        if (same_prefix(*line, prefix, size) && settings_effect(*line) == e &&
                                strv_extend(ret, *line + size) < 0)
                                return -ENOMEM;
        return 0;
}

static bool same_list(char *const *a, char *const *b) {
        for (; a && *a && b && *b; a++, b++)
                if (strcmp(*a, *b) != 0)
                        return false;
        return (!a || !*a) && (!b || !*b);
}

static size_t count(char *const *l, size_t n, const char *s) {
        size_t found = 0;

        for (size_t i = 0; i < n; i++)
                found += strcmp(l[i], s) == 0;
        return found;
}

/* What is in @l more often than in @other. */
static int difference(char *const *l, char *const *other, char ***ret) {
        _cleanup_strv_ char **result = NULL;
        size_t n_other = strv_length(other), n = strv_length(l);

        for (size_t i = 0; i < n; i++)
                if (count(l, i + 1, l[i]) > count(other, n_other, l[i]) &&
                        strv_extend(&result, l[i]) < 0)
                        return -ENOMEM;

        *ret = TAKE_PTR(result);
        return 0;
}

int change_removed(const Change *c, char ***ret) {
        return difference(c->old, c->new, ret);
}

int change_added(const Change *c, char ***ret) {
        return difference(c->new, c->old, ret);
}

/* Changes */

/* The strongest effect of some values of a key. */
static int weigh(Change *c, char *const *values) {
        STRV_FOREACH(value, values) {
                _cleanup_free_ char *line = NULL;

                if (str_join(&line, c->prefix, *value) < 0)
                        return -ENOMEM;
                c->takes = MIN(c->takes, settings_effect(line));
        }
        return 0;
}

static int find_takes(Change *c) {
        _cleanup_strv_ char **removed = NULL, **added = NULL;
        int r;

        c->takes = EFFECT_NONE;
        r = change_removed(c, &removed);
        if (r >= 0)
                r = change_added(c, &added);
        if (r >= 0)
                r = weigh(c, removed);
        if (r >= 0)
                r = weigh(c, added);
        /* In another order, which may matter. */
        if (r >= 0 && !removed && !added)
                r = weigh(c, c->new);
        return r;
}

static int name_change(Change *c, const char *line) {
        SettingLine s;

        if (!settings_split(line, &s)) /* what another version has written, maybe */
                return str_replace(&c->section, "") < 0 || str_replace(&c->key, c->prefix) < 0
                        ? -ENOMEM
                        : 0;

        c->section = strndup(s.section, s.section_size);
        c->key = strndup(s.name, s.name_size);
        c->veth = s.veth ? strndup(s.veth, s.veth_size) : NULL;
        if (!c->section || !c->key || (s.veth && !c->veth))
                return -ENOMEM;

        const Key *key = key_find(c->section, c->key);
        c->is_list = !key || key->flags & KEY_LIST;
        return 0;
}

/* Of a credential there is only its ID to show. */
static int mark_changed_credentials(const Facts *facts, char *const *old, char **ids) {
        for (; ids && *ids; ids++) {
                char *marked;

                if (!strv_contains(facts->changed_credentials, *ids) || !strv_contains(old, *ids))
                        continue;
                if (str_join(&marked, *ids, " (another value)") < 0)
                        return -ENOMEM;
                free(*ids);
                *ids = marked;
        }
        return 0;
}

/* Compare the lines of the key that @line is of. */
static int compare_key(Plan *p, const Facts *facts, char *const *lines, const char *line) {
        size_t size = prefix_size(line);
        Change *changes;
        Change c = {};
        int r;

        r = values_of(facts->record, line, size, &c.old);
        if (r >= 0)
                r = values_of(lines, line, size, &c.new);
        if (r >= 0 && str_starts_with(line, CREDENTIAL_PREFIX))
                r = mark_changed_credentials(facts, c.old, c.new);
        if (r < 0 || same_list(c.old, c.new)) {
                change_done(&c);
                return r;
        }

        changes = reallocarray(p->changes, p->n_changes + 1, sizeof(Change));
        c.prefix = strndup(line, size);
        if (changes)
                p->changes = changes;
        if (!changes || !c.prefix) {
                change_done(&c);
                return -ENOMEM;
        }
        changes[p->n_changes++] = c; /* from here on freed with the others */

        r = name_change(&changes[p->n_changes - 1], line);
        return r < 0 ? r : find_takes(&changes[p->n_changes - 1]);
}

static bool is_first(char *const *lines, char *const *line) {
        size_t size = prefix_size(*line);

        for (; lines != line; lines++)
                if (same_prefix(*lines, *line, size))
                        return false;
        return true;
}

static int compare(Plan *p, const Facts *facts) {
        _cleanup_strv_ char **lines = NULL;
        int r;

        r = settings_of(facts->definition, &lines);
        if (r < 0 || (same_list(lines, facts->record) && !facts->changed_credentials))
                return r;

        STRV_FOREACH(line, lines)
                if (r >= 0 && is_first(lines, line))
                        r = compare_key(p, facts, lines, *line);
        STRV_FOREACH(line, facts->record)
                if (r >= 0 && is_first(facts->record, line) &&
                        !has_prefix(lines, *line, prefix_size(*line)))
                        r = compare_key(p, facts, lines, *line);
        return r;
}

static bool is_key(const Change *c, KeyId id) {
        return strcmp(c->section, keys[id].section) == 0 && strcmp(c->key, keys[id].name) == 0;
}

static bool is_network(const Change *c) {
        return strcmp(c->section, keys[KEY_PRIVATE].section) == 0 ||
                strcmp(c->section, SECTION_VETH) == 0;
}

static bool is_path(char *const *values) {
        return values && values[0] && *values[0] == '/';
}

/* switch-to-configuration, which runs inside at a reload, goes from one NixOS system to another. */
static bool switches_system(const Change *c, const Facts *facts) {
        return is_key(c, KEY_SYSTEM) && is_path(c->old) && is_path(c->new) &&
                !definition_find(facts->definition, KEY_RELOAD_COMMAND);
}

/* Its start waits for the health check of before, with NotifyReady=healthy. */
static bool is_waited_for(const Change *c, const Facts *facts) {
        return facts->state == RUN_STARTING && str_starts_with(c->prefix, "[Container]Health");
}

static bool is_resolv_conf(const Change *c) {
        return is_key(c, KEY_DNS) || is_key(c, KEY_SEARCH);
}

/* The members of a zone share its bridge, and the address that it has. */
static int is_address_of_zone(const Plan *p, const Change *c, const Facts *facts) {
        _cleanup_free_ char *zone = NULL;

        if (!is_network(c) || strcmp(c->key, keys[KEY_HOST_ADDRESS].name) != 0)
                return 0;
        if (str_format(&zone, "%.*s%s=", (int) (strlen(c->prefix) - strlen(c->key) - 1), c->prefix,
                    keys[KEY_ZONE].name) < 0)
                return -ENOMEM;

        if (has_prefix(facts->record, zone, strlen(zone)))
                return 1;
        for (size_t i = 0; i < p->n_changes; i++)
                if (strcmp(p->changes[i].prefix, zone) == 0)
                        return 1;
        return 0;
}

/* A reload takes off what the checks have told. */
static bool removes_health(const Change *c, const Facts *facts) {
        return is_key(c, KEY_HEALTH_COMMAND) &&
                !definition_find(facts->definition, KEY_HEALTH_COMMAND);
}

/* A resolv.conf is mounted inside at the start, or not. */
static bool changes_mount_of_resolv_conf(const Change *c, const Facts *facts) {
        return is_resolv_conf(c) &&
                !(has_prefix(facts->record, DNS_PREFIX, strlen(DNS_PREFIX)) &&
                        definition_find(facts->definition, KEY_DNS));
}

static const char *recorded(const Facts *facts, const char *prefix) {
        STRV_FOREACH(line, facts->record) {
                const char *value = str_starts_with(*line, prefix);

                if (value)
                        return value;
        }
        return NULL;
}

/*
 * With users of its own, the container's mount namespace is not the owner of what nspawn has mounted, which
 * the kernel then keeps together; mount_namespaces(7), "Restrictions". What a reload has mounted since
 * could go, but nobody wrote down which that is. Without, owners of a mount are mapped at the start only,
 * mount.c.
 */
static int is_locked(const Change *c, const Facts *facts) {
        _cleanup_strv_ char **removed = NULL, **added = NULL;

        if (!(is_key(c, KEY_BIND) || is_key(c, KEY_BIND_READ_ONLY)))
                return 0;
        if (users_are_private(recorded(facts, "[Exec]PrivateUsers="),
                    recorded(facts, "[Container]Hardening=")))
                return change_removed(c, &removed) < 0 ? -ENOMEM : removed != NULL;

        if (change_added(c, &added) < 0)
                return -ENOMEM;
        STRV_FOREACH(value, added)
                if (bind_idmap(*value) > IDMAP_NONE)
                        return 1;
        return 0;
}

/*
 * What one line alone does not tell.
 * @ret_blocked: whether a reload is of no use before a restart: what it would do is meant for another
 *               kind of network, or of system, than the one that runs
 */
static int weigh_together(Plan *p, const Facts *facts, bool *ret_blocked) {
        bool own = definition_network(facts->definition) == NETWORK_OWN;

        *ret_blocked = false;
        for (size_t i = 0; i < p->n_changes; i++) {
                Change *c = &p->changes[i];
                int locked = is_locked(c, facts), of_zone = is_address_of_zone(p, c, facts);

                if (locked < 0 || of_zone < 0)
                        return -ENOMEM;
                if (removes_health(c, facts)) {
                        c->takes = EFFECT_RELOAD;
                        continue;
                }
                if (changes_mount_of_resolv_conf(c, facts) || is_waited_for(c, facts)) {
                        c->takes = EFFECT_RESTART;
                        continue;
                }
                if (locked > 0 || of_zone > 0)
                        c->takes = EFFECT_RESTART;
                else if (switches_system(c, facts))
                        c->takes = EFFECT_RELOAD;
                else if (is_network(c) && own != facts->has_own_network)
                        c->takes = EFFECT_RESTART;
                else if (is_network(c) && !own && c->takes == EFFECT_RELOAD)
                        c->takes = is_resolv_conf(c) ? EFFECT_RESTART : EFFECT_NONE;
                else if (!is_key(c, KEY_SYSTEM))
                        continue;
                *ret_blocked |= c->takes == EFFECT_RESTART;
        }
        return 0;
}

/* The plan */

static Effect strongest(const Plan *p, Effect no_stronger_than) {
        Effect e = EFFECT_NONE;

        for (size_t i = 0; i < p->n_changes; i++)
                if (p->changes[i].takes >= no_stronger_than)
                        e = MIN(e, p->changes[i].takes);
        return e;
}

/* Why nothing is to be done where that is what everybody expects. */
static int say_usual(Plan *p, const char *reason) {
        p->is_usual = true;
        return str_join(&p->reason, reason);
}

static int plan_running(Plan *p, const Facts *facts) {
        static const Action actions[_EFFECT_MAX] = {
                [EFFECT_RESTART] = ACTION_RESTART,
                [EFFECT_RELOAD] = ACTION_RELOAD,
                [EFFECT_LIVE] = ACTION_LIVE,
                [EFFECT_NONE] = ACTION_NOTHING,
        };
        bool blocked;
        Effect e;
        int r;

        r = compare(p, facts);
        if (r < 0)
                return r;

        r = weigh_together(p, facts, &blocked);
        if (r < 0)
                return r;
        e = strongest(p, EFFECT_RESTART);
        if (e == EFFECT_RESTART &&
                !definition_boolean(facts->definition, KEY_RESTART_IF_CHANGED, true)) {
                p->is_pending = true;
                if (str_join(&p->reason, "RestartIfChanged=no: apply does not restart it") < 0)
                        return -ENOMEM;
                e = strongest(p, blocked ? EFFECT_LIVE : EFFECT_RELOAD);
        }
        p->action = actions[e];
        if (facts->has_unknown_credentials) {
                p->is_unknown = true;
                return p->reason ? 0
                                 : str_join(&p->reason,
                                           "only root can see if the values of SetCredential= "
                                           "are the same");
        }
        return p->n_changes > 0 ? 0 : say_usual(p, "it runs as it is declared");
}

static int plan_stopped(Plan *p, const Facts *facts) {
        if (!facts->is_declared)
                return say_usual(p, "it does not run, and only its template is defined");
        if (!definition_boolean(facts->definition, KEY_AUTO_START, true))
                return say_usual(p, "it does not run, and AutoStart=no");

        if (facts->state != RUN_FAILED && facts->has_run)
                return str_format(&p->reason, "it is stopped: 'spawnlet start %s' starts it",
                        facts->definition->name);
        p->action = ACTION_START;
        return str_join(
                &p->reason, facts->state == RUN_FAILED ? "it has failed" : "it has not run yet");
}

static int plan_unknown(Plan *p, const Facts *facts) {
        if (facts->state != RUN_RUNNING)
                return say_usual(p,
                        facts->state == RUN_STARTING           ? "it is being started"
                                : facts->state == RUN_STOPPING ? "it is being stopped"
                                                               : "it is not known to run");
        p->is_unknown = true;
        return str_join(&p->reason,
                "what it was started with is not known: a restart would bring it up to date");
}

int plan_make(const Facts *facts, Plan *ret) {
        bool up = facts->state == RUN_RUNNING || facts->state == RUN_STARTING;

        *ret = (Plan){};
        if (!facts->is_valid) {
                ret->is_invalid = true;
                return str_join(&ret->reason,
                        facts->is_unreadable ? "its definition cannot be read"
                                             : "its definition has errors");
        }
        if (!facts->definition) {
                ret->action = up ? ACTION_STOP : ACTION_NOTHING;
                return up ? str_join(&ret->reason, "its definition is gone")
                          : say_usual(ret, "it does not run, and its definition is gone");
        }
        if (facts->is_masked)
                return say_usual(ret, "its unit is masked: see 'systemctl unmask'");
        if (facts->state == RUN_STOPPED || facts->state == RUN_FAILED)
                return plan_stopped(ret, facts);
        return up && facts->has_record ? plan_running(ret, facts) : plan_unknown(ret, facts);
}

bool plan_says_something(const Plan *p) {
        return p->action != ACTION_NOTHING || p->n_changes > 0 || p->is_invalid || p->is_unknown;
}

bool plan_leaves(const Plan *p, const Change *c) {
        static const Effect enough[_ACTION_MAX] = {
                [ACTION_NOTHING] = EFFECT_LIVE,
                [ACTION_LIVE] = EFFECT_LIVE,
                [ACTION_RELOAD] = EFFECT_RELOAD,
                [ACTION_RESTART] = EFFECT_RESTART,
        };

        return c->takes < enough[p->action];
}

int plan_record(const Plan *p, const Facts *facts, char ***ret) {
        _cleanup_strv_ char **lines = NULL, **result = NULL;
        int r;

        r = settings_of(facts->definition, &lines);
        if (r < 0)
                return r;

        STRV_FOREACH(line, lines) {
                bool is_left = false;

                for (size_t i = 0; i < p->n_changes; i++)
                        is_left |= plan_leaves(p, &p->changes[i]) &&
                                same_prefix(
                                        *line, p->changes[i].prefix, strlen(p->changes[i].prefix));
                if (!is_left && strv_extend(&result, *line) < 0)
                        return -ENOMEM;
        }

        for (size_t i = 0; i < p->n_changes; i++)
                STRV_FOREACH(value, plan_leaves(p, &p->changes[i]) ? p->changes[i].old : NULL)
                        if (strv_extendf(&result, "%s%s", p->changes[i].prefix, *value) < 0)
                                return -ENOMEM;

        *ret = TAKE_PTR(result);
        return 0;
}

bool plan_changes_health(const Plan *p) {
        for (size_t i = 0; i < p->n_changes; i++)
                if (strcmp(p->changes[i].section, keys[KEY_HEALTH_COMMAND].section) == 0 &&
                        str_starts_with(p->changes[i].key, "Health"))
                        return true;
        return false;
}

bool plan_had_health(const Facts *facts) {
        return has_prefix(facts->record, HEALTH_PREFIX, strlen(HEALTH_PREFIX));
}

bool plan_changes_system(const Plan *p) {
        for (size_t i = 0; i < p->n_changes; i++)
                if (is_key(&p->changes[i], KEY_SYSTEM))
                        return true;
        return false;
}
