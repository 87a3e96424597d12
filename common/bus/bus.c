/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/bus/bus.h"

#include <fcntl.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/str.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"

#define MACHINED_NAME "org.freedesktop.machine1"
#define MACHINED_PATH "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

/* Where systemd takes calls of root's without a D-Bus daemon; systemctl(1) uses it, too. */
#define SYSTEMD_PRIVATE "unix:path=/run/systemd/private"

struct Bus {
        sd_bus *bus;
};

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;

        sd_bus_flush_close_unref(b->bus);
        free(b);
        return NULL;
}

int bus_new(Bus **ret) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return -ENOMEM;

        r = sd_bus_open_system(&b->bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}

int bus_new_direct(Bus **ret) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return -ENOMEM;

        r = sd_bus_new(&b->bus);
        if (r >= 0)
                r = sd_bus_set_address(b->bus, SYSTEMD_PRIVATE);
        if (r >= 0)
                r = sd_bus_start(b->bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}

int bus_let_ask(Bus *b) {
        return sd_bus_set_allow_interactive_authorization(b->bus, true);
}

/* Hand systemd's words for a failure to the caller. Return: @r. */
static int bus_failed(int r, const sd_bus_error *error, char **reterr) {
        if (str_format(reterr, "%s", error->message ? error->message : strerror(-r)) < 0)
                return -ENOMEM;
        return r;
}

static bool is_refused(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
                sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
}

/* What polkit(8) does not permit has a remedy. @details: what its rules know of the call */
static int describe_refusal(const char *action, const char *details, char **ret) {
        return str_format(ret,
                "not permitted to this user: polkit's action %s, %s. A rule of polkit's can permit "
                "it, see DELEGATION in spawnlet(1); or use sudo",
                action, details);
}

void bus_units_free(BusUnit *units, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(units[i].name);
                free(units[i].load);
                free(units[i].active);
                free(units[i].sub);
        }
        free(units);
}

static int read_unit(sd_bus_message *m, BusUnit *ret) {
        const char *name, *load, *active, *sub;
        int r;

        r = sd_bus_message_read(
                m, "(ssssssouso)", &name, NULL, &load, &active, &sub, NULL, NULL, NULL, NULL, NULL);
        if (r <= 0)
                return r;

        /* The strings belong to the message, sd_bus_message_read_basic(3). */
        *ret = (BusUnit){ strdup(name), strdup(load), strdup(active), strdup(sub) };
        return ret->name && ret->load && ret->active && ret->sub ? 1 : -ENOMEM;
}

static int read_units(sd_bus_message *m, BusUnit **units, size_t *n) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        while (r >= 0) {
                BusUnit *grown = reallocarray(*units, *n + 1, sizeof(BusUnit));

                if (!grown)
                        return -ENOMEM;
                *units = grown;
                grown[*n] = (BusUnit){};

                r = read_unit(m, &grown[*n]);
                if (r == 0)
                        return 0;
                (*n)++; /* also a half-read one, to be freed */
        }

        return r;
}

int bus_list_containers(Bus *b, BusUnit **ret, size_t *ret_n, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        BusUnit *units = NULL;
        size_t n = 0;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "ListUnitsByPatterns", &error, &reply, "asas", 0, 1, "container-*.service");
        if (r >= 0)
                r = read_units(reply, &units, &n);
        if (r < 0) {
                bus_units_free(units, n);
                return bus_failed(r, &error, reterr);
        }

        *ret = units;
        *ret_n = n;
        return 0;
}

int bus_main_pid(Bus *b, const char *unit, pid_t *ret, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        uint32_t pid;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit",
                &error, &reply, "s", unit);
        if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit")) {
                *ret = 0;
                return 0;
        }
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = sd_bus_get_property_trivial(
                        b->bus, SYSTEMD_NAME, path, SYSTEMD_SERVICE, "MainPID", &error, 'u', &pid);
        if (r < 0)
                return bus_failed(r, &error, reterr);

        *ret = (pid_t) pid;
        return 0;
}

int bus_is_terminating(Bus *b, const char *unit, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL, *state = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(
                        b->bus, SYSTEMD_NAME, path, SYSTEMD_UNIT, "SubState", &error, &state);
        if (r < 0)
                return bus_failed(r, &error, reterr);

        return strcmp(state, "stop-sigterm") == 0;
}

int bus_stop_timeout(Bus *b, const char *unit, uint64_t *ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        return r < 0 ? r
                     : sd_bus_get_property_trivial(b->bus, SYSTEMD_NAME, path, SYSTEMD_SERVICE,
                               "TimeoutStopUSec", NULL, 't', ret);
}

int bus_unregister_machine(Bus *b, const char *machine, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(
                b->bus, &call, MACHINED_NAME, MACHINED_PATH, MACHINED_MANAGER, "UnregisterMachine");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", machine);
        /* At shutdown machined may be gone, and is not wanted back. */
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call(b->bus, call, 0, &error, NULL);

        if (r >= 0 || sd_bus_error_has_name(&error, "org.freedesktop.machine1.NoSuchMachine") ||
                sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return 0;
        return bus_failed(r, &error, reterr);
}

/* To reload all units, and to ask somebody for a password, takes its time; as in systemctl(1). */
#define PATIENCE_USEC (5 * 60 * USEC_PER_SEC)

static int new_call(Bus *b, const char *method, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(
                b->bus, ret, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
}

/* What goes wrong inside comes in words that do not say where. */
static int shell_failed(int r, const sd_bus_error *error, const BusShell *shell, char **reterr) {
        _cleanup_free_ char *details = NULL;
        int k;

        if (is_refused(error)) {
                k = str_format(&details, "machine %s, user root", shell->machine);
                if (k >= 0)
                        k = describe_refusal("org.freedesktop.machine1.shell", details, reterr);
        } else {
                k = str_format(reterr, "%s (this needs systemd and D-Bus inside)",
                        error->message ? error->message : strerror(-r));
        }
        return k < 0 ? k : r;
}

int bus_open_shell(Bus *b, const BusShell *shell, int *ret, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r, fd;

        r = sd_bus_message_new_method_call(
                b->bus, &call, MACHINED_NAME, MACHINED_PATH, MACHINED_MANAGER, "OpenMachineShell");
        if (r >= 0)
                r = sd_bus_message_append(call, "sss", shell->machine, "root", shell->path);
        if (r >= 0)
                r = sd_bus_message_append_strv(call, (char **) shell->argv);
        if (r >= 0)
                r = sd_bus_message_append_strv(call, (char **) shell->environment);
        if (r >= 0)
                r = sd_bus_call(b->bus, call, PATIENCE_USEC, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "hs", &fd, NULL);
        if (r < 0)
                return shell_failed(r, &error, shell, reterr);

        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the other one is the message's */
        if (fd < 0)
                return bus_failed(-errno, &error, reterr);
        *ret = fd;
        return 0;
}

int bus_reload(Bus *b, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_call(b, "Reload", &call);
        if (r >= 0)
                r = sd_bus_call(b->bus, call, PATIENCE_USEC, &error, NULL);
        return r < 0 ? bus_failed(r, &error, reterr) : 0;
}

int bus_queue_job(Bus *b, const char *method, const char *unit, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method, &error,
                NULL, "ss", unit, "replace");
        return r < 0 ? bus_failed(r, &error, reterr) : 0;
}

int bus_reset_failed(Bus *b, const char *unit, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_call(b, "ResetFailedUnit", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", unit);
        if (r >= 0)
                r = sd_bus_call(b->bus, call, PATIENCE_USEC, &error, NULL);
        return r < 0 ? bus_failed(r, &error, reterr) : 0;
}

int bus_has_run(Bus *b, const char *unit, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        uint64_t started;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_trivial(b->bus, SYSTEMD_NAME, path, SYSTEMD_UNIT,
                        "InactiveExitTimestampMonotonic", &error, 't', &started);
        return r < 0 ? bus_failed(r, &error, reterr) : started != 0;
}

int bus_status_text(Bus *b, const char *unit, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        return r < 0 ? r
                     : sd_bus_get_property_string(b->bus, SYSTEMD_NAME, path, SYSTEMD_SERVICE,
                               "StatusText", NULL, ret);
}

int bus_needs_reload(Bus *b, const char *unit) {
        _cleanup_free_ char *path = NULL;
        int r, needs;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_trivial(b->bus, SYSTEMD_NAME, path, SYSTEMD_UNIT,
                        "NeedDaemonReload", NULL, 'b', &needs);
        return r < 0 ? r : needs != 0;
}

/* Jobs */

/* Calls that are under way at a time: the bus allows no unlimited number. */
#define CALLS_MAX 100

/* How often the handler of BusJobs is told that jobs run. */
#define TICK_USEC (500 * USEC_PER_MSEC)

typedef struct Jobs Jobs;

/* A job of BusJobs as it is waited for. */
typedef struct Wait {
        Jobs *jobs;
        BusJob *job;
        sd_bus_slot *call; /* that makes the job */
        char *path;        /* of the job while it is there */
        bool canceled;     /* to be looked after: maybe another job took its place */
        bool replaced;     /* path is that of such another one */
} Wait;

struct Jobs {
        Bus *bus;
        const BusJobs *all;
        Wait *waits; /* index by index those of all */
        size_t n_called, n_calls, n_ended;
        int n_failed;
        int error; /* of a callback: sd-bus has no way to hand it on */
};

static void jobs_done(Jobs *jobs) {
        for (size_t i = 0; jobs->waits && i < jobs->all->n; i++) {
                sd_bus_slot_unref(jobs->waits[i].call);
                free(jobs->waits[i].path);
        }
        free(jobs->waits);
}

static void end_job(Wait *w, const char *result) {
        Jobs *jobs = w->jobs;

        free(w->path);
        w->path = NULL;
        w->job->ended = true;
        jobs->n_ended++;
        if (strcmp(result, "done") != 0)
                jobs->n_failed++;
        if (jobs->all->on_end)
                jobs->all->on_end(w->job, result, jobs->all->userdata);
}

/* A job that another one took the place of is as good as done if the unit is as it should be. */
static int end_by_state(Wait *w) {
        _cleanup_free_ char *path = NULL, *active = NULL;
        int r;

        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", w->job->unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(w->jobs->bus->bus, SYSTEMD_NAME, path, SYSTEMD_UNIT,
                        "ActiveState", NULL, &active);
        if (r < 0)
                return r;

        bool stopped = strcmp(active, "inactive") == 0 || strcmp(active, "failed") == 0,
             running = strcmp(active, "active") == 0 || strcmp(active, "reloading") == 0;
        end_job(w,
                (strcmp(w->job->method, "StopUnit") == 0 ? stopped : running) ? "done"
                                                                              : "canceled");
        return 0;
}

/* Whose place another job took, as that of a unit that is restarted and whose dependency is, too,
 * has that other one waited for. */
static int follow_job(Wait *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *unit = NULL;
        const char *path;
        uint32_t id;
        int r;

        w->canceled = false;
        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", w->job->unit, &unit);
        if (r >= 0)
                r = sd_bus_get_property(w->jobs->bus->bus, SYSTEMD_NAME, unit, SYSTEMD_UNIT, "Job",
                        NULL, &reply, "(uo)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "(uo)", &id, &path);
        if (r < 0)
                return r;
        if (id == 0)
                return end_by_state(w);

        w->replaced = true;
        w->path = strdup(path);
        return w->path ? 0 : -ENOMEM;
}

static int follow_jobs(Jobs *jobs) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < jobs->all->n; i++)
                if (jobs->waits[i].canceled)
                        r = follow_job(&jobs->waits[i]);
        return r;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path, *result;
        Jobs *jobs = userdata;
        int r;

        (void) error; /* a signal is not answered */
        r = sd_bus_message_read(m, "uoss", NULL, &path, NULL, &result);
        if (r < 0)
                return 0; /* not from systemd as we know it */

        for (size_t i = 0; i < jobs->all->n; i++) {
                Wait *w = &jobs->waits[i];

                if (!str_equal(w->path, path))
                        continue;
                bool canceled = strcmp(result, "canceled") == 0;
                if (canceled || (w->replaced && strcmp(result, "done") == 0)) {
                        free(w->path);
                        w->path = NULL;
                        w->canceled = true;
                } else {
                        end_job(w, result);
                }
        }

        return 0;
}

/* There is no job. */
static int refuse_job(Wait *w, const sd_bus_error *error) {
        static const struct {
                const char *method, *verb;
        } verbs[] = {
                { "StartUnit", "start" },
                { "StopUnit", "stop" },
                { "RestartUnit", "restart" },
                { "ReloadUnit", "reload" },
        };
        _cleanup_free_ char *details = NULL, *why = NULL;
        const char *verb = "";

        if (!is_refused(error)) {
                end_job(w, error->message ? error->message : error->name);
                return 0;
        }

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(verbs[i].method, w->job->method) == 0)
                        verb = verbs[i].verb;
        if (str_format(&details, "unit %s, verb %s", w->job->unit, verb) < 0 ||
                describe_refusal("org.freedesktop.systemd1.manage-units", details, &why) < 0)
                return -ENOMEM;
        end_job(w, why);
        return 0;
}

static int on_job_made(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Wait *w = userdata;
        const char *path;
        int r;

        (void) error; /* an answer is not answered */
        w->jobs->n_calls--;
        if (sd_bus_message_is_method_error(m, NULL)) {
                r = refuse_job(w, sd_bus_message_get_error(m));
                if (r < 0)
                        w->jobs->error = r;
                return 0;
        }

        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0) {
                w->path = strdup(path);
                r = w->path ? 0 : -ENOMEM;
        }
        if (r < 0)
                w->jobs->error = r;
        return 0;
}

static int call_job(Wait *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_call(w->jobs->bus, w->job->method, &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", w->job->unit, "replace");
        if (r >= 0)
                r = sd_bus_call_async(
                        w->jobs->bus->bus, &w->call, call, on_job_made, w, PATIENCE_USEC);
        return r;
}

/* systemd answers calls before it starts with a job. So it knows all jobs of one go when it orders
 * them, if nobody waits for the answer to one before the next is sent. */
static int call_jobs(Jobs *jobs) {
        int r = 0;

        while (r >= 0 && jobs->n_called < jobs->all->n && jobs->n_calls < CALLS_MAX) {
                jobs->n_calls++;
                r = call_job(&jobs->waits[jobs->n_called++]);
        }
        return r;
}

/* Some of the jobs wait for others. */
static int mark_running(Jobs *jobs) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path, *state;
        int r;

        r = sd_bus_call_method(jobs->bus->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "ListJobs", NULL, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(usssoo)");
        while (r >= 0) {
                r = sd_bus_message_read(reply, "(usssoo)", NULL, NULL, NULL, &state, &path, NULL);
                if (r <= 0)
                        break;
                for (size_t i = 0; i < jobs->all->n; i++) {
                        BusJob *job = jobs->waits[i].job;

                        if (str_equal(jobs->waits[i].path, path) && job->running_since == 0 &&
                                strcmp(state, "running") == 0)
                                job->running_since = now_usec();
                }
        }

        return r;
}

/* Return: 0 when all have ended. */
static int wait_jobs(Jobs *jobs) {
        uint64_t tick = now_usec() + TICK_USEC;
        int r = 0;

        while (r >= 0 && jobs->n_ended < jobs->all->n) {
                r = call_jobs(jobs);
                if (r >= 0)
                        r = sd_bus_process(jobs->bus->bus, NULL);
                if (r > 0) {
                        r = jobs->error < 0 ? jobs->error : follow_jobs(jobs);
                } else if (r == 0) {
                        uint64_t now = now_usec();

                        if (jobs->all->on_tick && now >= tick) {
                                tick = now + TICK_USEC;
                                (void) mark_running(jobs); /* only to be shown */
                                jobs->all->on_tick(jobs->all->userdata);
                                continue;
                        }
                        r = sd_bus_wait(
                                jobs->bus->bus, jobs->all->on_tick ? tick - now : UINT64_MAX);
                }
        }

        return r;
}

static int run_jobs(Jobs *jobs) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        sd_bus *bus = jobs->bus->bus;
        int r;

        jobs->waits = calloc(jobs->all->n, sizeof(Wait));
        if (!jobs->waits)
                return -ENOMEM;
        for (size_t i = 0; i < jobs->all->n; i++)
                jobs->waits[i] = (Wait){ .jobs = jobs, .job = &jobs->all->items[i] };

        /* systemd sends its signals only to those who asked. */
        r = sd_bus_match_signal(bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "JobRemoved", on_job_removed, jobs);
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                        "Subscribe", &error, NULL, NULL);
        /* As after other jobs on this connection. */
        if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.AlreadySubscribed"))
                r = 0;
        return r < 0 ? r : wait_jobs(jobs);
}

int bus_run_jobs(Bus *b, const BusJobs *all, char **reterr) {
        Jobs jobs = { .bus = b, .all = all };
        int r;

        if (all->n == 0)
                return 0;

        r = run_jobs(&jobs);
        jobs_done(&jobs);
        return r < 0 ? bus_failed(r, &(sd_bus_error){}, reterr) : jobs.n_failed;
}

unsigned bus_systemd_version(void) {
        _cleanup_(bus_freep) Bus *b = NULL;
        _cleanup_free_ char *version = NULL;

        if (bus_new(&b) < 0 ||
                sd_bus_get_property_string(b->bus, SYSTEMD_NAME, "/org/freedesktop/systemd1",
                        SYSTEMD_MANAGER, "Version", NULL, &version) < 0)
                return 0;

        /* "257.13-1~deb13u1": what follows the number is the distribution's. */
        return (unsigned) strtoul(version, NULL, 10);
}

/* Where systemd keeps what was set until the next boot; systemctl(1), set-property --runtime. */
#define CONTROL_DIR "/run/systemd/system.control"

/* The D-Bus property of a setting of resource control. */
static void property_of(const char *setting, char ret[static 64]) {
        const char *seconds = str_ends_with(setting, "Sec");

        if (strcmp(setting, "CPUQuota") == 0)
                setting = "CPUQuotaPerSecUSec";
        else if (seconds) { /* D-Bus has microseconds */
                (void) snprintf(ret, 64, "%.*sUSec", (int) (seconds - setting), setting);
                return;
        }
        (void) snprintf(ret, 64, "%s", setting);
}

/* Set a property of a unit, until the next boot, to the value that it has. */
static int set_again(
        Bus *b, const char *unit, const char *path, const char *property, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *value = NULL, *call = NULL;
        const char *type;
        int r;

        r = sd_bus_call_method(b->bus, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties", "Get",
                error, &value, "ss", SYSTEMD_SERVICE, property);
        if (r >= 0)
                r = sd_bus_message_peek_type(value, NULL, &type);
        if (r >= 0)
                r = sd_bus_message_new_method_call(b->bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
                        SYSTEMD_MANAGER, "SetUnitProperties");
        if (r >= 0)
                r = sd_bus_message_append(call, "sb", unit, true);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", property);
        if (r >= 0)
                r = sd_bus_message_copy(call, value, false);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? r : sd_bus_call(b->bus, call, 0, error, NULL);
}

/* Whether there is, or to remove, the drop-in that systemd writes for a property: it is named after
 * one or the other. */
static int for_drop_ins(const char *directory, const char *setting, const char *property,
        int (*call)(const char *path)) {
        const char *const names[] = { setting, property };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL;

                if (str_join(&path, directory, "/50-", names[i], ".conf") < 0)
                        return -ENOMEM;
                if (call(path) == 0)
                        return 1;
        }
        return 0;
}

static int exists(const char *path) {
        return access(path, F_OK);
}

int bus_reapply(Bus *b, const char *unit, const char *setting, char **reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL, *directory = NULL;
        char property[64];
        int r, q;

        property_of(setting, property);
        r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);
        if (r >= 0)
                r = str_join(&directory, CONTROL_DIR "/", unit, ".d");
        /* What somebody has set with `systemctl set-property --runtime` is in force, and stays. */
        if (r >= 0)
                r = for_drop_ins(directory, setting, property, exists);
        if (r != 0)
                return r < 0 ? bus_failed(r, &error, reterr) : 0;

        r = set_again(b, unit, path, property, &error);
        if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_PROPERTY))
                r = 0;
        q = for_drop_ins(directory, setting, property, unlink);
        (void) rmdir(directory); /* there may be others */
        return r < 0 || q < 0 ? bus_failed(r < 0 ? r : q, &error, reterr) : 0;
}
