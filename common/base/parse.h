/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Single values: whole-string parsers with ranges. They know nothing of keys or files;
 * keys.c says which key takes which of them.
 */

#include "common/base/macro.h"

#define SIGNAL_HALT "SIGRTMIN+3" /* systemd's own: halt in order, see systemd(1), SIGNALS */

/** parse_boolean() - systemd's booleans. Return: 1, 0, or -EINVAL. */
int parse_boolean(const char *s);

/** parse_unsigned() - decimal digits only, within [@min, @max]. Return: 0 or -EINVAL. */
int parse_unsigned(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/**
 * parse_signal() - a signal's name ("SIGTERM", "TERM", "SIGRTMIN+3") or number
 *
 * Return: the number, 1 to SIGRTMAX, or -EINVAL.
 */
int parse_signal(const char *s);

/**
 * parse_timespan() - a time span as systemd.time(7) has it ("90", "3min 20s", "infinity")
 * @ret: microseconds; UINT64_MAX for "infinity"
 *
 * Return: 0 or -EINVAL.
 */
int parse_timespan(const char *s, uint64_t *ret);

/** parse_mac() - six pairs of hexadecimal digits with colons. Return: 0 or -EINVAL. */
int parse_mac(const char *s, uint8_t ret[static 6]);

/**
 * path_is_normalized() - Return: whether @s is an absolute path with no empty, "." or
 * ".." part and no slash at its end, the form that unit files and comparisons need
 */
bool path_is_normalized(const char *s);
