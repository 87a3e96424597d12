/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Limits of the kernel that all containers of a machine share, and of which each takes its part. The
 * defaults are made for machines that run one system: units/60-spawnlet.conf raises them.
 */

#include "common/base/diag.h"

/* inotify instances that the kernel lets a user have. All containers without users of their own are
 * root's, and those of a user namespace are counted for whoever made it, too. */
#define LIMIT_INOTIFY_INSTANCES "/proc/sys/fs/inotify/max_user_instances"

/* What systemd inside of a container, its bus, logind and a getty take of them. */
#define INOTIFY_INSTANCES_EACH 8

/**
 * limits_read() - read a limit of the running kernel
 * @path: below /proc/sys
 *
 * Return: 0; -ENOENT if this kernel or namespace has no such limit; other negative errno.
 */
int limits_read(const char *path, uint64_t *ret);

/**
 * limits_check() - compare the limits of the running kernel with the number of containers
 * @n: containers that boot a system
 * @diags: gets a warning for each that is too small; its place is the file below /proc/sys
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int limits_check(size_t n, Diags *diags);
