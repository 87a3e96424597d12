/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where definitions are found: the directories of the search path, which file of one name
 * counts, and the drop-ins that belong to it.
 */

#include "common/base/definition.h"

typedef struct Candidate {
        char *name;      /* the file's name without ".container" */
        char *path;      /* the file that counts: that of the first directory with one */
        size_t priority; /* index of that directory */
} Candidate;

typedef struct DropinDir {
        char *owner; /* "NAME" of NAME.container.d, or "" of container.d */
        char *path;
        size_t priority;
} DropinDir;

typedef struct Search {
        Candidate *candidates; /* sorted by name, each name once */
        size_t n_candidates;
        DropinDir *dropin_dirs; /* sorted by owner, then priority */
        size_t n_dropin_dirs;
} Search;

/** search_free() - free a search. Return: NULL. */
Search *search_free(Search *s);
DEFINE_CLEANUP(Search *, search_free);

/**
 * search_new() - list what the directories of the search path hold
 * @diags: gets directories that cannot be read
 *
 * The directories are those of $SPAWNLET_PATH, separated by colons, if it is set; else
 * /etc/spawnlet, /run/spawnlet/definitions and the vendor's. A missing one is empty.
 *
 * Return: 0 or -ENOMEM.
 */
int search_new(Search **ret, Diags *diags);

/** search_find() - Return: the candidate called @name, borrowed, or NULL. */
const Candidate *search_find(const Search *s, const char *name);

/**
 * search_load() - read a candidate and its drop-ins, and check the result
 * @diags: gets what is wrong with it
 * @ret: the definition; NULL if the candidate is masked, by a link to /dev/null or an
 *       empty file, or if its name is no machine name
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int search_load(const Search *s, const Candidate *c, Diags *diags, Definition **ret);
