/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * rtnetlink requests in batches: many messages in one sendmsg(2), each acknowledged by
 * the kernel on its own, with the kernel's error and its words for it.
 *
 * libnl builds messages and owns the socket. Its own error codes are not used: it folds
 * most of the kernel's into one "Unspecific failure" (github.com/thom311/libnl/issues/410).
 */

#include <netlink/msg.h>

#include "common/base/macro.h"

#define NETLINK_BATCH_MAX 256U

typedef struct Netlink Netlink;

/** netlink_free() - close a socket. Return: NULL. */
Netlink *netlink_free(Netlink *n);
DEFINE_CLEANUP(Netlink *, netlink_free);

/**
 * netlink_new() - open a rtnetlink socket in the network namespace the process is in
 *
 * The socket stays in that namespace when the process enters another one.
 *
 * Return: 0 or negative errno.
 */
int netlink_new(Netlink **ret);

/** netlink_descriptor() - Return: the socket, borrowed. */
int netlink_descriptor(const Netlink *n);

/**
 * netlink_add() - add a request to the batch
 * @type: RTM_NEWLINK, ...
 * @flags: NLM_F_CREATE, ...; request and acknowledgement are added
 * @header, @size: the fixed part of the message, such as struct ifinfomsg
 * @format: what the request does, as it completes the sentence "Failed to ..."
 *
 * Return: the message, to which attributes are to be added; borrowed, gone after
 * netlink_run(). NULL when memory or the batch is exhausted; netlink_run() fails then.
 */
struct nl_msg *netlink_add(Netlink *n, uint16_t type, int flags, const void *header, size_t size,
        const char *format, ...) _printf_(6, 7);

/** netlink_tolerate() - let @error, an errno, be no failure of the request added last; twice at most. */
void netlink_tolerate(Netlink *n, int error);

/**
 * netlink_run() - send the batch and wait for all acknowledgements; empties the batch
 * @reterr: on failure of a request, what failed and the kernel's words for why, owned by
 *          the caller; else untouched
 *
 * The kernel goes on behind a failed request: the caller takes back what the others did.
 *
 * Return: 0, or the negative errno of the first request that failed.
 */
int netlink_run(Netlink *n, char **reterr);

/* Looks at an answer. What it returns that is negative ends netlink_query(). */
typedef int (*NetlinkHandler)(struct nlmsghdr *answer, void *userdata);

/**
 * netlink_query() - as netlink_run(), for requests with answers
 * @handler: is called for each answer; after an error of its own the socket is of no more use
 *
 * Return: as netlink_run(); -EAGAIN if a list (NLM_F_DUMP) may be wrong, as it changed meanwhile.
 */
int netlink_query(Netlink *n, NetlinkHandler handler, void *userdata, char **reterr);
