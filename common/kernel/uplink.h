/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Interfaces of the host in a container: moved ones, and macvlans and ipvlans of them.
 *
 * The kernel takes addresses and routes from an interface that changes its namespace, and destroys a
 * virtual one with the namespace. So what a moved interface had is written into the container's
 * record first, as the kernel's own messages; when the container stops, however it comes to that, it
 * is brought back and gets all of it again.
 */

#include "common/kernel/netconfig.h"
#include "common/kernel/netlink.h"
#include "common/kernel/record.h"

/* Between whom an interface goes. */
typedef struct Ends {
        Netlink *host; /* sockets in both namespaces */
        Netlink *container;
        int host_namespace;
        int container_namespace;
} Ends;

/**
 * uplink_give() - move an interface into a container, or make one of it there; sets it up
 * @reterr: on failure, a sentence that says what failed and why, owned by the caller
 *
 * Return: 0 or negative errno.
 */
int uplink_give(const Ends *ends, const Record *record, const Uplink *u, char **reterr);

/** uplink_is_given() - Return: whether a container has a moved interface, as far as can be told. */
bool uplink_is_given(const Ends *ends, const Record *record, const Uplink *u);

/**
 * uplink_take_back() - undo uplink_give(), as far as it went
 * @reterr: as above
 *
 * Return: 0 or negative errno.
 */
int uplink_take_back(const Ends *ends, const Record *record, const Uplink *u, char **reterr);
