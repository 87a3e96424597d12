/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `spawnlet apply`: has what is declared run, and touches nothing that runs so already. */

#include "cli/cli.h"
#include "cli/diff.h"
#include "cli/progress.h"
#include "common/base/health.h"
#include "common/base/log.h"
#include "common/base/name.h"

#define TIMER_SUFFIX ".timer"

/* What is done to a container, and came of it. */
typedef struct Step {
        Container *container;
        char *error;     /* why it failed; NULL if it did not */
        size_t n_jobs;   /* that have not ended */
        bool job_failed; /* in this round */
        bool is_done;    /* or has failed for good */
        bool is_quiet;   /* there is nothing to say of it */
} Step;

/* What one container gives up, another one may be to get: a name, an address, a port. */
typedef enum Round {
        ROUND_STOP,
        ROUND_CHANGE,
        ROUND_RETRY, /* of what has failed, after others have changed */
} Round;

typedef struct Apply {
        const Cli *cli;
        Bus *bus;
        Containers containers;
        Step *steps; /* index by index those of containers */
        Round round;
        size_t n_changed; /* containers that jobs have changed in this round */
        BusJob *jobs;
        Step **owners; /* index by index those of jobs */
        char **units;  /* that the jobs are for, a list */
        size_t n_jobs;
} Apply;

static void apply_done(Apply *a) {
        for (size_t i = 0; a->steps && i < a->containers.n; i++)
                free(a->steps[i].error);
        free(a->steps);
        free(a->jobs);
        free(a->owners);
        strv_free(a->units);
        containers_done(&a->containers);
        bus_free(a->bus);
}

static bool is_named(const Plan *p) {
        (void) p;
        return true;
}

static bool is_worth_saying(const Plan *p) {
        return plan_says_something(p) || !p->is_usual;
}

/* Who names a container is told of it in any case. */
static bool (*wanted_plans(const Apply *a))(const Plan *p) {
        return a->cli->args[0] ? is_named : is_worth_saying;
}

/* Results */

static const char *done_word(Action a) {
        static const char *const words[_ACTION_MAX] = {
                [ACTION_NOTHING] = "nothing to do",
                [ACTION_LIVE] = "changed live",
                [ACTION_RELOAD] = "reloaded",
                [ACTION_RESTART] = "restarted",
                [ACTION_START] = "started",
                [ACTION_STOP] = "stopped",
        };

        return words[a];
}

/* What waits for a restart that is not ours to make. */
static void print_left(const Container *c) {
        const char *separator = " ";

        if (c->plan.action != ACTION_NOTHING)
                printf("%s, but ", done_word(c->plan.action));
        printf("not restarted (RestartIfChanged=no); these wait for 'spawnlet restart %s':",
                c->name);
        for (size_t i = 0; i < c->plan.n_changes; i++) {
                const Change *change = &c->plan.changes[i];

                if (!plan_leaves(&c->plan, change))
                        continue;
                printf("%s[%s%s%s] %s=", separator, change->section, change->veth ? " " : "",
                        change->veth ? change->veth : "", change->key);
                separator = ", ";
        }
}

static void print_step(const Apply *a, const Step *s) {
        const Plan *p = &s->container->plan;

        if (a->cli->json || s->is_quiet)
                return;

        printf("%s: ", s->container->name);
        if (p->is_invalid)
                printf("left as it is: %s", s->error);
        else if (s->error)
                printf("failed: %s", s->error);
        else if (p->is_pending)
                print_left(s->container);
        else
                (void) fputs(done_word(p->action), stdout);
        if (p->reason && !p->is_pending && !s->error)
                printf(" (%s)", p->reason);
        (void) putchar('\n');
        (void) fflush(stdout); /* others take longer; a failure shows at the end */
}

/* The helpers write down what they have done; systemd does not, nor can what runs inside. */
static bool leaves_record_to_us(const Plan *p) {
        bool is_reload = p->action == ACTION_RELOAD;

        if (is_reload && plan_changes_system(p))
                return true;
        if (!is_reload && p->action != ACTION_NOTHING && p->action != ACTION_LIVE)
                return false;

        for (size_t i = 0; i < p->n_changes; i++)
                if (is_reload ? p->changes[i].takes == EFFECT_LIVE
                              : !plan_leaves(p, &p->changes[i]))
                        return true;
        return false;
}

static int write_record(Step *s) {
        _cleanup_strv_ char **lines = NULL, **before = NULL;
        const Container *c = s->container;
        int r;

        /* One that has ended meanwhile runs with nothing. */
        if (!leaves_record_to_us(&c->plan) || settings_read(c->name, &before) == -ENOENT)
                return 0;

        r = plan_record(&c->plan, &c->facts, &lines);
        if (r >= 0)
                r = settings_write(c->name, lines);
        return r < 0 ? str_format(&s->error, "what it runs with could not be written down: %s",
                               strerror(-r))
                     : 0;
}

/* All jobs of a container have ended. What has failed is told when it is not tried again. */
static int finish_step(Apply *a, Step *s) {
        int r;

        if (a->round == ROUND_CHANGE && s->job_failed)
                return 0;

        r = s->error ? 0 : write_record(s);
        s->is_done = true;
        print_step(a, s);
        return r;
}

/* A timer whose unit is gone needs not be stopped, or has failed at the reload for want of what it is
 * to start. */
static bool end_timer(Apply *a, const BusJob *job, const char *result) {
        _cleanup_free_ char *ignored = NULL;

        (void) bus_reset_failed(a->bus, job->unit, &ignored); /* only to be tidy */
        return strcmp(result, "done") == 0 || str_ends_with(result, " not loaded.");
}

static void on_end(const BusJob *job, const char *result, void *userdata) {
        Apply *a = userdata;
        Step *s = a->owners[job - a->jobs];
        bool stops_timer =
                     strcmp(job->method, "StopUnit") == 0 && str_ends_with(job->unit, TIMER_SUFFIX),
             done = stops_timer ? end_timer(a, job, result) : strcmp(result, "done") == 0;

        if (!done && !s->error) {
                s->job_failed = true;
                if (progress_explain(a->bus, job, result, &s->error) < 0)
                        log_oom();
        }
        if (--s->n_jobs > 0)
                return;
        a->n_changed += !s->job_failed && !s->error;
        if (finish_step(a, s) < 0)
                log_oom();
}

/* Jobs */

/* @unit: is owned by @a from now on */
static int add_job(Apply *a, Step *s, char *unit, const char *method) {
        int r = strv_consume(&a->units, unit);

        if (r < 0)
                return r;
        a->jobs[a->n_jobs] = (BusJob){ .unit = unit, .method = method };
        a->owners[a->n_jobs++] = s;
        s->n_jobs++;
        return 0;
}

/* The timer of health checks that goes, or has other settings by now. That of a container which starts
 * comes with it. */
static int add_health_job(Apply *a, Step *s) {
        const Container *c = s->container;
        bool wanted = c->definition && c->facts.is_valid &&
                definition_find(c->definition, KEY_HEALTH_COMMAND);
        char *unit;
        int r;

        if (c->plan.action == ACTION_STOP ? !plan_had_health(&c->facts)
                                          : !plan_changes_health(&c->plan))
                return 0;
        if (wanted && c->plan.action == ACTION_RESTART)
                return 0;

        r = str_join(&unit, HEALTH_UNIT_PREFIX, c->name, TIMER_SUFFIX);
        return r < 0 ? r : add_job(a, s, unit, wanted ? "RestartUnit" : "StopUnit");
}

static int add_jobs(Apply *a, Step *s) {
        static const char *const methods[_ACTION_MAX] = {
                [ACTION_RELOAD] = "ReloadUnit",
                [ACTION_RESTART] = "RestartUnit",
                [ACTION_START] = "StartUnit",
                [ACTION_STOP] = "StopUnit",
        };
        _cleanup_free_ char *ignored = NULL;
        const Container *c = s->container;
        char *unit;
        int r;

        r = add_health_job(a, s);
        if (r < 0 || !methods[c->plan.action])
                return r;

        r = unit_name(c->name, &unit);
        if (r < 0)
                return r;
        /* What was started too often is not started any more, and also a start that somebody asks for
         * counts; systemd.unit(5), StartLimitBurst=. A unit that is not loaded has none. */
        if (c->plan.action == ACTION_START || c->plan.action == ACTION_RESTART)
                (void) bus_reset_failed(a->bus, unit, &ignored);
        return add_job(a, s, unit, methods[c->plan.action]);
}

static int prepare(Apply *a) {
        size_t n = a->containers.n;

        a->steps = calloc(n + 1, sizeof(Step));
        a->jobs = calloc(2 * n + 1, sizeof(BusJob)); /* of a container and its timer */
        a->owners = calloc(2 * n + 1, sizeof(Step *));
        if (!a->steps || !a->jobs || !a->owners)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                Step *s = &a->steps[i];

                s->container = &a->containers.items[i];
                s->is_quiet = !wanted_plans(a)(&s->container->plan);
                if (s->container->plan.is_invalid &&
                        str_join(&s->error, s->container->plan.reason) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Have systemd carry out what it has only read at its reload. Return: whether there was any; -ENOMEM. */
static int reapply(Apply *a, Step *s) {
        const Plan *p = &s->container->plan;
        _cleanup_free_ char *unit = NULL;
        int n = 0;

        if (p->action != ACTION_LIVE && p->action != ACTION_RELOAD)
                return 0;
        if (unit_name(s->container->name, &unit) < 0)
                return -ENOMEM;

        for (size_t i = 0; i < p->n_changes && !s->error; i++) {
                const Change *c = &p->changes[i];

                if (c->takes == EFFECT_LIVE && strcmp(c->section, "Service") == 0) {
                        (void) bus_reapply(a->bus, unit, c->key, &s->error);
                        n++;
                }
        }
        return n > 0;
}

/* Resource control of all containers. */
static int reapply_all(Apply *a) {
        _cleanup_free_ char *error = NULL;
        bool any = false;
        int r;

        for (size_t i = 0; i < a->containers.n; i++) {
                r = reapply(a, &a->steps[i]);
                if (r < 0)
                        return r;
                any |= r > 0;
        }

        r = any ? bus_reload(a->bus, &error) : 0;
        return r < 0 ? log_error_errno(r, "Failed to have systemd reload its units: %s", error) : 0;
}

static bool is_of_round(const Step *s, Round round) {
        if (s->container->plan.action == ACTION_STOP)
                return round == ROUND_STOP;
        return round == ROUND_CHANGE || (round == ROUND_RETRY && s->job_failed);
}

/* Return: 0; -ENOMEM. */
static int begin_round(Apply *a, Round round) {
        int r = 0;

        a->round = round;
        a->n_jobs = a->n_changed = 0;
        a->units = strv_free(a->units);
        for (size_t i = 0; r >= 0 && i < a->containers.n; i++) {
                Step *s = &a->steps[i];

                if (!is_of_round(s, round))
                        continue;
                if (s->job_failed) {
                        free(s->error);
                        s->error = NULL;
                        s->job_failed = false;
                }
                if (!s->container->plan.is_invalid)
                        r = add_jobs(a, s);
                if (r >= 0 && s->n_jobs == 0)
                        r = finish_step(a, s);
        }
        return r;
}

static int run_round(Apply *a, Round round) {
        _cleanup_free_ char *error = NULL;
        int r;

        if (begin_round(a, round) < 0)
                return log_oom();
        r = progress_run_jobs(
                a->bus, &(BusJobs){ a->jobs, a->n_jobs, .on_end = on_end, .userdata = a }, &error);
        return r < 0 ? log_error_errno(r, "Failed to talk to systemd: %s", error) : r;
}

static int carry_out(Apply *a) {
        int r;

        r = reapply_all(a);
        if (r >= 0)
                r = run_round(a, ROUND_STOP);
        if (r >= 0)
                r = run_round(a, ROUND_CHANGE);
        if (r <= 0)
                return r;

        if (a->n_changed > 0)
                return run_round(a, ROUND_RETRY);
        for (size_t i = 0; i < a->containers.n; i++)
                if (is_of_round(&a->steps[i], ROUND_RETRY))
                        print_step(a, &a->steps[i]);
        return 0;
}

static const char *result_of(const Step *s) {
        const Plan *p = &s->container->plan;

        return s->error || !s->is_done           ? "failed"
                : p->is_pending || p->is_unknown ? "pending"
                                                 : "done";
}

static int report(const Apply *a, bool complete) {
        json_t *array = a->cli->json ? json_array() : NULL;
        bool failed = !complete, quiet = true;

        for (size_t i = 0; i < a->containers.n; i++) {
                const Step *s = &a->steps[i];
                const char *reason = s->error ? s->error : s->container->plan.reason;

                failed |= s->error != NULL;
                quiet &= s->is_quiet;
                if (!array || s->is_quiet)
                        continue;
                if (json_array_append_new(array, diff_json(s->container, result_of(s), reason)) <
                        0) {
                        json_decref(array);
                        return cli_print_json(NULL);
                }
        }

        if (array && cli_print_json(array) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        if (!a->cli->json && complete && quiet)
                log_info("Nothing to do.");
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Where definitions cannot be found, containers would seem to have none, and be stopped. */
static int find(Apply *a) {
        _cleanup_diags_ Diags diags = {};
        int r;

        r = containers_find(a->cli->args, a->bus, &diags, &a->containers);
        cli_log_diags(&diags);
        if (r < 0)
                return r;
        if (diags_count(&diags, SEVERITY_ERROR) > 0)
                return log_error_errno(EIO, "Not all definitions can be read: nothing is done.");
        return !a->cli->args[0] && containers_are_lost(&a->containers) ? -ENOENT : 0;
}

int verb_apply(const Cli *cli) {
        _cleanup_(apply_done) Apply a = { .cli = cli };
        _cleanup_free_ char *error = NULL;
        int r;

        if (containers_check_names(cli->args) < 0)
                return EXIT_USAGE;
        if (getenv("SPAWNLET_PATH")) {
                log_error("What systemd runs does not come from $SPAWNLET_PATH: unset it, or use "
                          "'diff'.");
                return EXIT_USAGE;
        }

        if (containers_check_known(cli->args) < 0 || cli_open_bus(&a.bus) < 0)
                return EXIT_FAILURE;
        r = cli->dry_run ? 0 : bus_reload(a.bus, &error);
        if (r < 0) {
                log_error("Failed to have systemd reload its units: %s%s", error,
                        r == -EACCES || r == -EPERM ? " (needs root; 'spawnlet diff' does not)"
                                                    : "");
                return EXIT_FAILURE;
        }

        if (find(&a) < 0)
                return EXIT_FAILURE;
        if (cli->dry_run)
                return diff_print_all(&a.containers, cli->json, wanted_plans(&a));

        if (prepare(&a) < 0) {
                log_oom();
                return EXIT_FAILURE;
        }
        containers_log(&a.containers, wanted_plans(&a));
        r = carry_out(&a);
        return report(&a, r >= 0);
}
