/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Health checks: the units that make them, what is known from one to the next, and what another
 * result makes of that.
 *
 * A check is a process that a timer of systemd's starts, and that ends: nothing of ours runs in
 * between. What it has to know of those before it is in a file for each container.
 */

#include "common/base/definition.h"
#include "common/base/name.h"

/* As those of Podman and Docker, spawnlet.container(5) says why. */
#define HEALTH_INTERVAL "30s"
#define HEALTH_RETRIES "3"
#define HEALTH_TIMEOUT "30s"
#define HEALTH_START_PERIOD "0"
#define HEALTH_ON_FAILURE "none"

/* What the names of its units begin with; the definition's follows. Not container-, which would be the name
 * of another container. */
#define HEALTH_UNIT_PREFIX "spawnlet-health-"

/* The name of a file in here is a machine's. */
#define SPAWNLET_HEALTH_DIR SPAWNLET_RUN_DIR "/health"

typedef enum HealthUnit {
        HEALTH_SERVICE,
        HEALTH_TIMER,
        _HEALTH_UNIT_MAX,
} HealthUnit;

/**
 * health_unit() - one of the units of a definition's health checks
 * @ret_name: its name, owned by the caller; NULL if it has no HealthCommand=
 * @ret_text: its content, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int health_unit(const Definition *d, HealthUnit unit, char **ret_name, char **ret_text);

/**
 * health_append_wait() - append the line of container-NAME.service that has its start wait for the
 * first check that goes well
 */
void health_append_wait(Str *s, const Definition *d);

typedef enum HealthState {
        HEALTH_STARTING, /* no check went well yet, nor did enough fail */
        HEALTH_HEALTHY,
        HEALTH_UNHEALTHY,
        _HEALTH_STATE_MAX,
} HealthState;

/* What is known of a container's health. */
typedef struct HealthRecord {
        /* The run of the container that it is about: systemd-nspawn, and when that was started, in
         * clock ticks after the boot of the host. */
        uint64_t pid, start_time;
        HealthState state;
        uint64_t n_failures; /* in a row */
        char *message;       /* why the last check failed, one line, owned; NULL if it did not */
} HealthRecord;

/** health_done() - free the content of a record. */
void health_done(HealthRecord *h);

#define _cleanup_health_ _cleanup_(health_done)

/**
 * health_read() - read the record of a run of a container
 * @pid, @start_time: the run
 *
 * Where there is none, or it is of another run, it is that of a container nobody has looked at yet.
 *
 * Return: 0 or negative errno.
 */
int health_read(const char *machine, uint64_t pid, uint64_t start_time, HealthRecord *ret);

/**
 * health_find() - the state of a container's health, for those who only show it
 * @pid: its systemd-nspawn; a record of another one does not count
 *
 * Return: its word, "healthy", "unhealthy" or "starting"; NULL if there is no record of it.
 */
const char *health_find(const char *machine, uint64_t pid);

/** health_write() - replace the record of a container. Return: 0 or negative errno. */
int health_write(const char *machine, const HealthRecord *h);

/** health_status() - the status of an unhealthy container. Return: 0 or -ENOMEM. */
int health_status(const HealthRecord *h, char **ret);

/**
 * health_bad_status() - the status of a container that is unhealthy
 * @ret: owned by the caller; NULL if it is not, or nobody has looked
 *
 * Return: 0 or -ENOMEM.
 */
int health_bad_status(const char *machine, char **ret);

/**
 * health_remove() - remove the record of a container that has ended
 * @ret_status: its status if it was unhealthy, owned by the caller, else NULL: what it ended with
 *
 * Return: 0, also if there is none; negative errno.
 */
int health_remove(const char *machine, char **ret_status);

typedef enum HealthEvent {
        HEALTH_SAME,      /* nothing that anybody has to be told */
        HEALTH_PASSED,    /* the first check went well */
        HEALTH_FAILED,    /* another failure, not enough of them yet */
        HEALTH_LOST,      /* it is unhealthy from now on */
        HEALTH_STILL_BAD, /* it is unhealthy for another reason */
        HEALTH_RECOVERED, /* it was unhealthy, and is healthy */
} HealthEvent;

/**
 * health_judge() - what a check's result makes of a container's health
 * @h: what is known, and is known then
 * @message: why the check failed; NULL if it went well
 * @n_retries: failures in a row that make it unhealthy
 * @may_fail: whether it is new enough that failures do not count before the first success
 * @ret: what has happened
 *
 * Return: 0 or -ENOMEM.
 */
int health_judge(
        HealthRecord *h, const char *message, uint64_t n_retries, bool may_fail, HealthEvent *ret);

/**
 * health_clean_line() - make harmless what a container has printed
 * @line: a line, changed in place
 *
 * It is shown on the terminals of administrators: no control characters, and UTF-8 or ASCII only.
 */
void health_clean_line(char *line);
