/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The types of values: which text a value of each type may be, and the words that say what
 * is wrong with another. The whole string counts, and numbers have ranges; nothing is guessed.
 */

#include "common/base/str.h"

typedef enum ValueType {
        TYPE_TEXT,    /* anything in one line */
        TYPE_BOOLEAN, /* becomes "yes" or "no" */
        TYPE_READY,   /* a boolean, or "healthy" */
        TYPE_CHOICE,  /* one of the key's choices */
        TYPE_PATH,    /* absolute, normalized */
        TYPE_SYSTEM,  /* "host" or an absolute path */
        TYPE_UNITS,   /* words, each a unit's name */
        TYPE_COMMAND, /* words, the first an absolute path */
        TYPE_WORDS,
        TYPE_ENVIRONMENT, /* words, each NAME=VALUE */
        TYPE_CAPABILITIES,
        TYPE_CALL_FILTER,      /* [~] and system calls, @groups; the whole is one element */
        TYPE_ADDRESS_FAMILIES, /* [~] and AF_...; the whole is one element */
        TYPE_SIGNAL,
        TYPE_HOSTNAME,
        TYPE_MACHINE_ID,
        TYPE_USER,
        TYPE_USERS,         /* words */
        TYPE_PRIVATE_USERS, /* as --private-users= takes it */
        TYPE_USER_SHELL,    /* a boolean or an absolute path */
        TYPE_LIMIT,         /* [SOFT:]HARD of a count, or "infinity"; setrlimit(2) */
        TYPE_LIMIT_SIZE,    /* the same of bytes, with K M G T P E */
        TYPE_LIMIT_SECONDS, /* the same of time, in seconds without a unit */
        TYPE_LIMIT_USEC,    /* the same of time, in microseconds without a unit */
        TYPE_LIMIT_NICE,    /* the same of a nice level with sign, or the raw limit */
        TYPE_OOM_SCORE,
        TYPE_CPUS,    /* numbers and ranges of CPUs */
        TYPE_BIND,    /* SOURCE[:DESTINATION[:OPTIONS]] */
        TYPE_TMPFS,   /* PATH[:OPTIONS] */
        TYPE_OVERLAY, /* LOWER:...:UPPER:DESTINATION */
        TYPE_PIVOT,   /* PATH[:PATH] */
        TYPE_LOAD_CREDENTIAL,
        TYPE_SET_CREDENTIAL,
        TYPE_DEVICE, /* a node below /dev, and what is allowed */
        TYPE_ADDRESS,
        TYPE_GATEWAY,    /* an address without prefix, or "none" */
        TYPE_NAMESERVER, /* words, each an address without prefix */
        TYPE_DOMAINS,    /* words, each a domain */
        TYPE_MAC,
        TYPE_MTU,
        TYPE_INTERFACE,
        TYPE_ZONE,
        TYPE_INTERFACE_PAIR, /* words, each HOST[:INSIDE] */
        TYPE_NAMESPACE,      /* container:OTHER */
        TYPE_PORT,
        TYPE_TIMESPAN,
        TYPE_COUNT, /* 1 to 1000 */
        _TYPE_MAX,
} ValueType;

/** type_name() - what values of a type are called in the manual page, such as "path". */
const char *type_name(ValueType type);

/** type_is_words() - Return: whether a value of this type is a list of words. */
bool type_is_words(ValueType type);

/**
 * type_check() - check one element
 * @choices: of TYPE_CHOICE, separated by blanks
 * @reterr: on -EINVAL, what is wrong, as a clause without subject, owned by the caller
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int type_check(ValueType type, const char *choices, const char *s, char **reterr);

/** unit_name_is_valid() - Return: whether @s is a name that a unit may have, systemd.unit(5). */
bool unit_name_is_valid(const char *s);

/**
 * part_end() - where a part ends that a colon may end, as in values of Bind= and Overlay=
 *
 * "\:" is a colon in it, "\\" a backslash; systemd-nspawn(1), --bind=.
 *
 * Return: the colon, or the end of the text.
 */
const char *part_end(const char *part);

/* A forwarded port, as Port= has it. */
typedef struct Port {
        bool udp;
        const char *host; /* where the host's address begins in the text; NULL for any */
        size_t host_size;
        unsigned first, last; /* on the host */
        unsigned inside;      /* the first one inside */
} Port;

/**
 * port_parse() - [tcp:|udp:][HOSTADDR:]HOSTPORT[-HOSTPORT][:PORT[-PORT]]
 * @reterr: on -EINVAL, what is wrong, a constant string
 *
 * Return: 0 or -EINVAL.
 */
int port_parse(const char *s, Port *ret, const char **reterr);

/* Users of the host's that PrivateUsers= gives to a container. */
typedef struct UserRange {
        uint32_t first, last;
} UserRange;

/**
 * user_range_parse() - FIRST[:COUNT], of 65536 users without COUNT
 *
 * The rules are those of systemd-nspawn, userns_shift_range_valid(): neither -1 nor 65535, which is the -1 of
 * 16 bits, is a first user, and the last user is not -1.
 *
 * Return: 0, also for FIRST 0, which is the host's root; -EINVAL for all else, such as "pick", and the
 * numbers 0 and 1 alone, which are booleans.
 */
int user_range_parse(const char *s, UserRange *ret);
