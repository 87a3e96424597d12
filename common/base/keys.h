/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one table of keys. What a key is called, what it takes, what it becomes and what it
 * is for stands here and nowhere else: parsing, suggestions for typing errors, the
 * generated command line and the check of the man page come from it.
 */

#include "common/base/str.h"

typedef enum KeyId {
        KEY_DESCRIPTION,
        KEY_ROOT,
        KEY_SYSTEM,
        KEY_SERVICES,
        KEY_INIT,
        KEY_AUTO_START,
        KEY_RELOAD_COMMAND,

        KEY_PARAMETERS,
        KEY_ENVIRONMENT,
        KEY_HOSTNAME,
        KEY_MACHINE_ID,
        KEY_PRIVATE_USERS,
        KEY_NOTIFY_READY,
        KEY_KILL_SIGNAL,
        KEY_CAPABILITY,
        KEY_DROP_CAPABILITY,
        KEY_NO_NEW_PRIVILEGES,
        KEY_SYSTEM_CALL_FILTER,
        KEY_RESOLV_CONF,
        KEY_TIMEZONE,
        KEY_LINK_JOURNAL,

        KEY_BIND,
        KEY_BIND_READ_ONLY,
        KEY_TEMPORARY_FILE_SYSTEM,

        KEY_PRIVATE,
        KEY_HOST_ADDRESS,
        KEY_LOCAL_ADDRESS,
        KEY_GATEWAY,
        KEY_MAC_ADDRESS,
        KEY_MTU,

        _KEY_MAX,
} KeyId;

typedef enum KeyType {
        TYPE_TEXT,        /* anything in one line */
        TYPE_BOOLEAN,     /* becomes "yes" or "no" */
        TYPE_PATH,        /* absolute, normalized */
        TYPE_SYSTEM,      /* "host" or an absolute path */
        TYPE_UNITS,       /* words, each a unit's name */
        TYPE_COMMAND,     /* words, the first an absolute path */
        TYPE_WORDS,       /* words */
        TYPE_ENVIRONMENT, /* words, each NAME=VALUE */
        TYPE_CAPABILITIES,
        TYPE_SIGNAL,
        TYPE_MACHINE_ID,
        TYPE_BIND, /* SOURCE[:DESTINATION[:OPTIONS]], as nspawn takes it */
        TYPE_ADDRESS,
        TYPE_GATEWAY, /* an address without prefix, or "none" */
        TYPE_MAC,
        TYPE_MTU,
} KeyType;

typedef struct Key {
        const char *section;
        const char *name;
        KeyType type;
        bool list;          /* repeated assignments add up; else the last one counts */
        const char *option; /* the option of systemd-nspawn that each value becomes; NULL where
                               unit.c decides */
        const char *help;
} Key;

/** keys - the table, indexed by KeyId */
extern const Key keys[_KEY_MAX];

/** key_id() - Return: the KeyId of a row of the table. */
KeyId key_id(const Key *key);

/** key_find() - Return: the key, or NULL if there is none of that name in @section. */
const Key *key_find(const char *section, const char *name);

/** key_section_exists() - Return: whether any key belongs to @section. */
bool key_section_exists(const char *section);

/**
 * key_suggest() - what someone who wrote @name in @section may have meant
 *
 * Looks at the keys of that section first, then at the same name in other sections.
 *
 * Return: the key, or NULL.
 */
const Key *key_suggest(const char *section, const char *name);

/** key_suggest_section() - the section that @section is a misspelling of, or NULL. */
const char *key_suggest_section(const char *section);

/**
 * key_parse() - check a value and split it into its elements
 * @ret: the elements in canonical form (one, unless the type is one of words), a list
 *       owned by the caller
 * @reterr: on -EINVAL, what is wrong, owned by the caller
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int key_parse(const Key *key, const char *value, char ***ret, char **reterr);

/** unit_name_is_valid() - Return: whether @s is a name that a unit may have, systemd.unit(5). */
bool unit_name_is_valid(const char *s);
