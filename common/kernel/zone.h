/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Zones: a bridge z-ZONE for the containers of a zone, made for the first and removed with the last.
 * The caller holds records_lock(): between the look whether a bridge has ports and its removal nobody
 * may join it.
 */

#include "common/kernel/netconfig.h"
#include "common/kernel/netlink.h"

/**
 * zone_up() - find the bridge of a zone, or make it
 * @ret_index: its index
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * Return: 0, -EEXIST if another interface has its name, other negative errno.
 */
int zone_up(Netlink *host, const char *zone, int *ret_index, char **reterr);

/** zone_down() - remove the bridge of a zone if nobody is on it. Return: 0 or negative errno. */
int zone_down(Netlink *host, const char *zone, char **reterr);

/**
 * zone_agrees() - whether two containers say the same of the zones that they share
 *
 * The host's addresses are those of the bridge. Who gives none agrees with everybody.
 *
 * Return: 0, -EINVAL with the reason in @reterr, -ENOMEM.
 */
int zone_agrees(const NetworkConfig *a, const NetworkConfig *b, char **reterr);
