/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * /run/spawnlet/network/NAME: what network a running container got. It is written before anything is
 * made, so whatever interrupts a helper, the next one finds all that there may be; and as the
 * definition is not asked, what it says in the meantime does not matter.
 *
 * In the directory are "options"; while a change is made, "next" with those that will be; and a file
 * for each moved interface, see uplink.h. Who holds the directory's lock may change the container's
 * network, who holds the lock of all may change what containers share.
 */

#include "common/base/name.h"
#include "common/kernel/netconfig.h"

#define RECORDS_DIR SPAWNLET_NETWORK_DIR
#define RECORD_OPTIONS "options"
#define RECORD_NEXT "next"

typedef struct Record {
        const char *machine;
        int directory; /* locked as long as it is open */
} Record;

/** record_done() - close and unlock. */
void record_done(Record *r);

#define _cleanup_record_ _cleanup_(record_done)

/**
 * record_open() - open and lock the record of a container
 * @create: make it if there is none
 *
 * Return: 1 if it was made, 0 if it was there; -ENOENT, other negative errno.
 */
int record_open(const char *machine, bool create, Record *ret);

/** record_write() - put the options of a network into @file. Return: 0 or negative errno. */
int record_write(const Record *r, const char *file, const NetworkConfig *c);

/** record_read() - read @file. Return: 0, -ENOENT, -EBADMSG if it is not valid, negative errno. */
int record_read(const Record *r, const char *file, NetworkConfig *ret);

/** record_commit() - "next" is what is: it becomes "options". Return: 0 or negative errno. */
int record_commit(const Record *r);

/** record_remove() - remove the record. Return: 0 or negative errno. */
int record_remove(const Record *r);

/** records_lock() - lock what containers share. Return: a descriptor to close, negative errno. */
int records_lock(void);

typedef struct Records {
        NetworkConfig *items;
        size_t n;
} Records;

/** records_done() - free the content. */
void records_done(Records *r);

#define _cleanup_records_ _cleanup_(records_done)

/**
 * records_read() - the networks of all containers but one
 * @except: its name; NULL for none
 *
 * One that cannot be read is passed over: it must not be in the way of others.
 *
 * Return: 0 or negative errno.
 */
int records_read(const char *except, Records *ret);

/** records_names() - the names of all containers with a record. Return: 0 or negative errno. */
int records_names(char ***ret);
