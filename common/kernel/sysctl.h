/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Settings of network interfaces, below /proc/sys/net/ipv4/conf and ipv6/conf; ip-sysctl.rst. All that
 * are needed are numbers of one digit.
 */

#include "common/base/macro.h"

/**
 * sysctl_read() - a setting of an interface
 * @family: AF_INET or AF_INET6
 * @interface: its name; "all" or "default"
 *
 * Return: the number; -ENOENT without such an interface, setting, or family; negative errno.
 */
int sysctl_read(int family, const char *interface, const char *key);

/**
 * sysctl_write() - change a setting of an interface, if it has another value
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int sysctl_write(int family, const char *interface, const char *key, int value, char **reterr);

/**
 * sysctl_init() - set a setting of an interface that is new
 * @reterr: as above
 *
 * Its value is not looked at first, which takes as long again.
 *
 * Return: 0, also if there is no such setting, as without IPv6; negative errno.
 */
int sysctl_init(int family, const char *interface, const char *key, int value, char **reterr);
