/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is to be done so that a container runs as it is declared. Pure: from facts about it to a plan;
 * facts.c finds out the facts, verb-diff.c prints plans, verb-apply.c carries them out.
 */

#include "common/base/settings.h"

typedef enum RunState {
        RUN_UNKNOWN, /* systemd could not be asked, and nothing is written down of it */
        RUN_STOPPED,
        RUN_FAILED,
        RUN_STARTING,
        RUN_RUNNING,
        RUN_STOPPING,
} RunState;

/* All is borrowed. */
typedef struct Facts {
        const Definition *definition; /* NULL: gone, or masked */
        bool is_valid;                /* it has no errors */
        bool is_unreadable;           /* not all of its files can be read by this user */
        bool is_declared;             /* by more than its template alone */
        char *const *record;          /* what it runs with, see settings_read() */
        bool has_record;
        char *const *changed_credentials; /* IDs of SetCredential= that it has with another value */
        bool has_unknown_credentials;     /* this user may not see with which */
        RunState state;
        bool is_masked;       /* by `systemctl mask`: systemd starts it for nobody */
        bool has_run;         /* since the host has booted */
        bool has_own_network; /* spawnlet-network made one for it */
} Facts;

/* What is done to a container as a whole. */
typedef enum Action {
        ACTION_NOTHING,
        ACTION_LIVE, /* systemd has done it, or its timers do */
        ACTION_RELOAD,
        ACTION_RESTART,
        ACTION_START,
        ACTION_STOP,
        _ACTION_MAX,
} Action;

/* A key whose values are not what they were. */
typedef struct Change {
        char *prefix; /* of its lines, "[SECTION]KEY=" */
        char *section, *key;
        char *veth;        /* of [Veth NAME], the NAME; else NULL */
        char **old, **new; /* all values, lists */
        bool is_list;      /* each value stands for itself; else all are one value */
        Effect takes;
} Change;

typedef struct Plan {
        Action action;
        char *reason;    /* why this, or why no more; NULL where changes say it */
        bool is_usual;   /* that nothing is done needs no word, unless somebody asks for one */
        bool is_invalid; /* the definition has errors, and so nothing is done */
        bool is_unknown; /* it is not known what it was started with */
        bool is_pending; /* some changes are left until somebody restarts it */
        Change *changes;
        size_t n_changes;
} Plan;

/** plan_done() - free the content. */
void plan_done(Plan *p);

/**
 * plan_make() - make the plan of a container
 * @ret: to be passed to plan_done(), also on failure
 *
 * Return: 0 or -ENOMEM.
 */
int plan_make(const Facts *facts, Plan *ret);

/** plan_says_something() - Return: whether there is a difference, or an obstacle. */
bool plan_says_something(const Plan *p);

/** plan_leaves() - Return: whether a change of the plan takes more than its action. */
bool plan_leaves(const Plan *p, const Change *c);

/**
 * plan_record() - what the container runs with when the plan was carried out
 * @ret: lines for settings_write(), a list owned by the caller
 *
 * Those are the lines of the definition, but for what plan_leaves().
 *
 * Return: 0 or -ENOMEM.
 */
int plan_record(const Plan *p, const Facts *facts, char ***ret);

/** plan_changes_health() - Return: whether the plan is about health checks, too. */
bool plan_changes_health(const Plan *p);

/** plan_had_health() - Return: whether the container that runs was started with health checks. */
bool plan_had_health(const Facts *facts);

/** plan_changes_system() - Return: whether the plan switches to another NixOS system. */
bool plan_changes_system(const Plan *p);

/** change_removed(), change_added() - the values that only @c->old, or only @c->new has. */
int change_removed(const Change *c, char ***ret);
int change_added(const Change *c, char ***ret);

/** action_name(), effect_name() - Return: the word of an enum's value. */
const char *action_name(Action a);
const char *effect_name(Effect e);
