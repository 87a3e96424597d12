/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ethernet addresses of what spawnlet makes. */

#include "common/base/macro.h"

typedef enum MacSeed {
        MAC_SEED_HOST = 1, /* the host's end of a pair */
        MAC_SEED_CONTAINER,
        MAC_SEED_ZONE,
} MacSeed;

/**
 * mac_of() - a locally administered address that is always the same for an interface on one host
 * @name: of the container or zone
 * @interface: of several of one container, which; NULL
 *
 * It differs between hosts cloned from one image, as their machine IDs do.
 */
void mac_of(const char *name, const char *interface, MacSeed seed, uint8_t ret[static 6]);
