/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The resolv.conf(5) of a container, a file of the host's in SPAWNLET_RESOLV_DIR that is mounted in it.
 */

#include "common/base/str.h"

/**
 * resolv_format() - the text for DNS= and Search=
 * @servers, @domains: lists
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int resolv_format(char *const *servers, char *const *domains, char **ret);

/** resolv_make() - write the file of a container that starts. Return: 0 or negative errno. */
int resolv_make(const char *machine, const char *text);

/**
 * resolv_rewrite() - write the file of a running container anew, in place: another file would not be
 * the one that is mounted
 *
 * Return: 0; -ENOENT if it has none; other negative errno.
 */
int resolv_rewrite(const char *machine, const char *text);
