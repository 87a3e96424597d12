/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Control groups, version 2: finding a unit's, knowing when one has no processes left.
 *
 * systemd-nspawn divides the delegated cgroup of its unit: itself in "supervisor", the
 * container in "payload". Processes of ExecStop= and the like are in ".control", so the
 * unit's own cgroup is never empty while a helper looks at it.
 */

#include <sys/types.h>

#include "common/base/macro.h"

#define CGROUP_PAYLOAD "payload"

/**
 * cgroup_of_own_unit() - the cgroup of the unit that this control process belongs to
 * @ret: its path below /sys/fs/cgroup, absolute, owned by the caller
 *
 * Return: 0, -ENOMEDIUM if there is no unified hierarchy, other negative errno.
 */
int cgroup_of_own_unit(char **ret);

/**
 * cgroup_find_unit() - find the cgroup of a service in whatever slice it is
 * @unit: the unit's name
 * @ret: its absolute path, owned by the caller
 *
 * Return: 0, -ENOENT if the unit has no cgroup now, other negative errno.
 */
int cgroup_find_unit(const char *unit, char **ret);

/**
 * cgroup_supervisor() - the main process of a container's unit, systemd-nspawn
 * @path: the unit's cgroup
 *
 * Return: its PID, 0 if there is none yet or any more, negative errno.
 */
pid_t cgroup_supervisor(const char *path);

/**
 * cgroup_open_events() - open a cgroup's cgroup.events
 *
 * poll(2) reports POLLPRI on the descriptor when it changes; cgroup-v2.rst, "populated".
 *
 * Return: the descriptor, owned by the caller; -ENOENT if there is no such cgroup; other
 * negative errno.
 */
int cgroup_open_events(const char *path);

/**
 * cgroup_is_populated() - whether a cgroup or one below it has processes
 * @events: what cgroup_open_events() returned
 *
 * A cgroup that was removed has none.
 *
 * Return: 1 or 0, negative errno.
 */
int cgroup_is_populated(int events);

/* The processes of a cgroup and those below it. */
typedef struct CgroupProcesses {
        size_t n;
        bool more;     /* there are, in cgroups that were not looked at */
        pid_t some[8]; /* those found first; 0 behind the last */
} CgroupProcesses;

/**
 * cgroup_processes() - count the processes of a cgroup and those below it
 *
 * Cheap, as it looks at no process. What is inside makes the cgroups: there is a limit to how many
 * are looked at, and how deep.
 *
 * Return: 0, with what was found until then; -ENOENT if there is no such cgroup; other negative errno.
 */
int cgroup_processes(const char *path, CgroupProcesses *ret);

/**
 * cgroup_remove_below() - remove all cgroups below one
 *
 * However many there are, and however deep below each other: that is for what was inside to choose. systemd
 * gives up on some 64 levels.
 *
 * Return: 0 also if @path is not there; -EBUSY if there are processes; other negative errno.
 */
int cgroup_remove_below(const char *path);

/**
 * cgroup_thaw() - thaw the cgroup of a process, and all above it up to one
 * @path: the last one that is thawed
 *
 * Return: 0 also if they were not frozen, or the process is elsewhere or gone; negative errno.
 */
int cgroup_thaw(const char *path, pid_t pid);

/**
 * cgroup_join() - move this process into the cgroup of another
 *
 * Return: 0 or negative errno.
 */
int cgroup_join(pid_t pid);

/**
 * cgroup_step_aside() - move this process from its cgroup into one below it, made if missing
 *
 * A cgroup that has processes cannot give its controllers to those below it; cgroup-v2.rst, "No Internal
 * Process Constraint".
 *
 * Return: 0 or negative errno.
 */
int cgroup_step_aside(const char *name);
