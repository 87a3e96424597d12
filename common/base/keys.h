/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The one table of keys. What a key is called, what it takes, what it becomes and what it
 * is for stands here and nowhere else: parsing, suggestions for typing errors, the
 * generated command line, `spawnlet keys` and with it the check of the man page come from it.
 */

#include "common/base/types.h"

typedef enum KeyId {
        KEY_DESCRIPTION,
        KEY_ROOT,
        KEY_IMAGE,
        KEY_SYSTEM,
        KEY_SERVICES,
        KEY_INIT,
        KEY_COMMAND,
        KEY_AUTO_START,
        KEY_RELOAD_COMMAND,
        KEY_RESTART_IF_CHANGED,
        KEY_HEALTH_COMMAND,
        KEY_HEALTH_INTERVAL,
        KEY_HEALTH_RETRIES,
        KEY_HEALTH_TIMEOUT,
        KEY_HEALTH_START_PERIOD,
        KEY_HEALTH_ON_FAILURE,
        KEY_HARDENING,

        KEY_PROCESS_TWO,
        KEY_PARAMETERS,
        KEY_ENVIRONMENT,
        KEY_USER,
        KEY_WORKING_DIRECTORY,
        KEY_PIVOT_ROOT,
        KEY_HOSTNAME,
        KEY_MACHINE_ID,
        KEY_EPHEMERAL,
        KEY_PRIVATE_USERS,
        KEY_PRIVATE_USERS_DELEGATE,
        KEY_NOTIFY_READY,
        KEY_KILL_SIGNAL,
        KEY_CAPABILITY,
        KEY_DROP_CAPABILITY,
        KEY_AMBIENT_CAPABILITY,
        KEY_NO_NEW_PRIVILEGES,
        KEY_SYSTEM_CALL_FILTER,
        KEY_RESTRICT_ADDRESS_FAMILIES,
        KEY_PERSONALITY,
        KEY_LIMIT_CPU,
        KEY_LIMIT_FSIZE,
        KEY_LIMIT_DATA,
        KEY_LIMIT_STACK,
        KEY_LIMIT_CORE,
        KEY_LIMIT_RSS,
        KEY_LIMIT_NOFILE,
        KEY_LIMIT_AS,
        KEY_LIMIT_NPROC,
        KEY_LIMIT_MEMLOCK,
        KEY_LIMIT_LOCKS,
        KEY_LIMIT_SIGPENDING,
        KEY_LIMIT_MSGQUEUE,
        KEY_LIMIT_NICE,
        KEY_LIMIT_RTPRIO,
        KEY_LIMIT_RTTIME,
        KEY_OOM_SCORE_ADJUST,
        KEY_CPU_AFFINITY,
        KEY_RESOLV_CONF,
        KEY_TIMEZONE,
        KEY_LINK_JOURNAL,
        KEY_SUPPRESS_SYNC,
        KEY_LOAD_CREDENTIAL,
        KEY_SET_CREDENTIAL,

        KEY_READ_ONLY,
        KEY_VOLATILE,
        KEY_BIND,
        KEY_BIND_READ_ONLY,
        KEY_BIND_USER,
        KEY_BIND_USER_SHELL,
        KEY_TEMPORARY_FILE_SYSTEM,
        KEY_INACCESSIBLE,
        KEY_OVERLAY,
        KEY_OVERLAY_READ_ONLY,
        KEY_PRIVATE_USERS_OWNERSHIP,
        KEY_DEVICE,

        KEY_PRIVATE,
        KEY_HOST_ADDRESS,
        KEY_LOCAL_ADDRESS,
        KEY_GATEWAY,
        KEY_BRIDGE,
        KEY_ZONE,
        KEY_MAC_ADDRESS,
        KEY_MTU,
        KEY_PORT,
        KEY_MASQUERADE,
        KEY_INTERFACE,
        KEY_MACVLAN,
        KEY_IPVLAN,
        KEY_NAMESPACE_PATH,
        KEY_NAMESPACE,
        KEY_DNS,
        KEY_SEARCH,

        KEY_VETH_HOST_ADDRESS,
        KEY_VETH_LOCAL_ADDRESS,
        KEY_VETH_BRIDGE,
        KEY_VETH_ZONE,
        KEY_VETH_MAC_ADDRESS,
        KEY_VETH_MTU,

        _KEY_MAX,
} KeyId;

typedef enum KeyFlags {
        KEY_LIST = 1 << 0, /* repeated assignments add up; else the last one counts */
        KEY_FLAG = 1 << 1, /* "yes" becomes the option, without a value, "no" nothing */
} KeyFlags;

/* What it takes to have a changed setting in a container that runs. */
typedef enum Effect {
        EFFECT_RESTART, /* first, so that it holds for what nobody has thought of */
        EFFECT_RELOAD,  /* systemctl reload: our helpers do it */
        EFFECT_LIVE,    /* systemd does it, see bus_reapply(); or its timers do */
        EFFECT_NONE,    /* nothing: it counts at the next start, or only for systemd itself */
        _EFFECT_MAX,
} Effect;

typedef struct Key {
        const char *section;
        const char *name;
        ValueType type;
        KeyFlags flags;
        const char *option;  /* the option of systemd-nspawn that each value becomes; NULL where
                               unit.c decides */
        const char *choices; /* of TYPE_CHOICE, separated by blanks */
        unsigned since;      /* the version of systemd that knows the option; 0: 252 does */
        Effect effect;
        const char *help;
} Key;

/** keys - the table, indexed by KeyId; the keys of a section stand together */
extern const Key keys[_KEY_MAX];

#define SECTION_VETH "Veth" /* the one that may be there several times: [Veth NAME] */

/** key_id() - Return: the KeyId of a row of the table. */
KeyId key_id(const Key *key);

/** key_find() - Return: the key, or NULL if there is none of that name in @section. */
const Key *key_find(const char *section, const char *name);

/** key_since() - Return: the version of systemd that knows the option with this value; 0: 252. */
unsigned key_since(const Key *key, const char *value);

/** key_section() - Return: the table's own string of a section's name; NULL if there is none. */
const char *key_section(const char *section);

/**
 * key_hint() - what someone who wrote @name in @section may have meant
 * @ret: a hint, owned by the caller; NULL if nothing comes to mind
 *
 * Looks at the keys of that section first, then at the same name in other sections, then at
 * keys of systemd.nspawn(5) that have another form here.
 *
 * Return: 0 or -ENOMEM.
 */
int key_hint(const char *section, const char *name, char **ret);

/** key_suggest_section() - the section that @section is a misspelling of, or NULL. */
const char *key_suggest_section(const char *section);

/** key_expand() - put @instance in the place of each "%i" in *@text. Return: 0 or -ENOMEM. */
int key_expand(char **text, const char *instance);

/* One element of a value, and where in the value's text it begins, in bytes. */
typedef struct Element {
        char *text;
        size_t offset;
} Element;

typedef struct Elements {
        Element *items;
        size_t n, n_allocated;
} Elements;

/** elements_done() - free the content. */
void elements_done(Elements *e);

#define _cleanup_elements_ _cleanup_(elements_done)

/**
 * key_parse() - check a value and split it into its elements
 * @value: not empty
 * @instance: what "%i" in it stands for; "%i" itself in a template; NULL: nothing special
 * @ret: emptied, then gets the elements in canonical form (one, unless the type is one of
 *       words); initialised, to be passed to elements_done() in the end
 * @reterr: on -EINVAL, what is wrong, owned by the caller
 * @reterr_offset: on -EINVAL, where in @value, in bytes
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int key_parse(const Key *key, const char *value, const char *instance, Elements *ret, char **reterr,
        size_t *reterr_offset);
