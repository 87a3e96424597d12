/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * systemd over D-Bus: the state of containers' units, and jobs that start and stop them. The
 * only place that knows its object paths, interfaces and signatures, see
 * org.freedesktop.systemd1(5).
 */

#include <sys/types.h>

#include "common/base/macro.h"

typedef struct Bus Bus;

/** bus_free() - close a connection. Return: NULL. */
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free);

/**
 * bus_new() - connect to the system bus
 *
 * Return: 0 or negative errno.
 */
int bus_new(Bus **ret);

/**
 * bus_new_direct() - connect to systemd itself
 *
 * Works for root only, and also when there is no D-Bus daemon yet or any more.
 *
 * Return: 0 or negative errno.
 */
int bus_new_direct(Bus **ret);

/**
 * bus_let_ask() - let polkit(8) ask somebody for a password where a call needs one
 *
 * Return: 0 or negative errno.
 */
int bus_let_ask(Bus *b);

typedef struct BusUnit {
        char *name;   /* container-NAME.service */
        char *load;   /* LoadState: "loaded", "masked", ... */
        char *active; /* ActiveState: "active", "inactive", "failed", "activating", ... */
        char *sub;    /* SubState: "running", ... */
} BusUnit;

/** bus_units_free() - free an array of @n units. */
void bus_units_free(BusUnit *units, size_t n);

/**
 * bus_list_containers() - the loaded units of containers
 * @ret: the units, in no order, owned by the caller
 * @reterr: on failure, systemd's words for it, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int bus_list_containers(Bus *b, BusUnit **ret, size_t *ret_n, char **reterr);

/**
 * bus_main_pid() - the main process of a unit
 * @ret: its PID; 0 if the unit does not run
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 or negative errno.
 */
int bus_main_pid(Bus *b, const char *unit, pid_t *ret, char **reterr);

/**
 * bus_is_terminating() - whether systemd waits for a service to end that it has sent SIGTERM
 *
 * While ExecStop= commands run, it does not yet.
 *
 * @reterr: as in bus_list_containers()
 *
 * Return: 1 or 0, negative errno.
 */
int bus_is_terminating(Bus *b, const char *unit, char **reterr);

/**
 * bus_stop_timeout() - how long systemd lets a service take to stop, TimeoutStopSec=
 * @ret: in µs; UINT64_MAX: for ever
 *
 * Also what a drop-in of the unit says, which the definition does not know of.
 *
 * Return: 0 or negative errno.
 */
int bus_stop_timeout(Bus *b, const char *unit, uint64_t *ret);

/**
 * bus_unregister_machine() - make systemd-machined forget a machine that is gone
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 also if it does not know the machine, or does not run; negative errno.
 */
int bus_unregister_machine(Bus *b, const char *machine, char **reterr);

typedef struct BusShell {
        const char *machine;
        const char *path;         /* of the program inside, which runs as root */
        const char *const *argv;  /* argv[0] included */
        char *const *environment; /* beside that of the session */
} BusShell;

/**
 * bus_open_shell() - have systemd-machined run a program in a session of its own in a container
 * @ret: the master's end of the session's terminal, owned by the caller
 * @reterr: as in bus_list_containers()
 *
 * For every user who is permitted org.freedesktop.machine1.shell. How it ends is not told: it is a service
 * of the systemd inside.
 *
 * Return: 0 or negative errno.
 */
int bus_open_shell(Bus *b, const BusShell *shell, int *ret, char **reterr);

/**
 * bus_reload() - have systemd run its generators, and read all units anew
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 or negative errno.
 */
int bus_reload(Bus *b, char **reterr);

/**
 * bus_queue_job() - have systemd start, stop or restart a unit, and do not wait for it
 * @method: "StartUnit", "StopUnit", "TryRestartUnit" and the like
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 or negative errno.
 */
int bus_queue_job(Bus *b, const char *method, const char *unit, char **reterr);

/**
 * bus_reset_failed() - make a unit that failed one that may be started again
 * @reterr: as in bus_list_containers()
 *
 * Return: 0 or negative errno.
 */
int bus_reset_failed(Bus *b, const char *unit, char **reterr);

/**
 * bus_has_run() - whether a unit was started since the system was
 * @reterr: as in bus_list_containers()
 *
 * Return: 1 or 0, negative errno.
 */
int bus_has_run(Bus *b, const char *unit, char **reterr);

/**
 * bus_status_text() - the status that the processes of a service told systemd last
 * @ret: it, "" if there is none, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int bus_status_text(Bus *b, const char *unit, char **ret);

/**
 * bus_needs_reload() - whether systemd goes by a unit that is not up to date any more
 *
 * It compares the times of its files, that of SourcePath= included; systemd.unit(5).
 *
 * Return: 1 or 0, negative errno.
 */
int bus_needs_reload(Bus *b, const char *unit);

/* A job to be done, and how far it is. */
typedef struct BusJob {
        const char *unit;
        const char *method;     /* "StartUnit", "StopUnit", "RestartUnit" or "ReloadUnit" */
        uint64_t running_since; /* of CLOCK_MONOTONIC in µs, known to half a second; 0: it has not
                                   begun, as far as is known */
        bool ended;
} BusJob;

typedef struct BusJobs {
        BusJob *items;
        size_t n;
        /* A job has ended. @result is systemd's: "done", "failed", "canceled", ...; or, if there was
         * no job to be had, a sentence that says why. May be NULL. */
        void (*on_end)(const BusJob *job, const char *result, void *userdata);
        /* Half a second has passed; running_since is up to date. May be NULL. */
        void (*on_tick)(void *userdata);
        void *userdata;
} BusJobs;

/**
 * bus_run_jobs() - start, stop, restart or reload units, and wait until that is done
 * @reterr: as in bus_list_containers()
 *
 * systemd gets all at once, and brings them into the order that the units ask for. One that fails does
 * not stop the others. Where another job took the place of one, that one is waited for, and it counts
 * if the unit runs in the end, or does not, as it should.
 *
 * Return: the number of jobs that did not end as "done"; negative errno.
 */
int bus_run_jobs(Bus *b, const BusJobs *all, char **reterr);

/**
 * bus_systemd_version() - Return: the version of the running systemd, such as 257; 0 if nobody
 * says, for want of a bus
 */
unsigned bus_systemd_version(void);

/**
 * bus_reapply() - have systemd carry out a setting of resource control that a daemon-reload has changed
 * @setting: its name in [Service], such as "MemoryMax"
 * @reterr: as in bus_list_containers()
 *
 * At a daemon-reload systemd only reads it; what the cgroup has it writes when a property is set
 * (unit_invalidate_cgroup() in its bus_cgroup_set_property()). So it is set to the value that it has. The
 * drop-in that systemd writes for this is removed again, as it would hide the next change: bus_reload()
 * is to follow.
 *
 * Return: 0, also if this systemd does not know the setting; negative errno.
 */
int bus_reapply(Bus *b, const char *unit, const char *setting, char **reterr);
