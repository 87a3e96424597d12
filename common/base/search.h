/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where definitions are found: the directories of the search path, which file of one name
 * counts, and the drop-ins that belong to it.
 */

#include "common/base/definition.h"

/* Something in a directory of the search path: a definition, or a directory of drop-ins. */
typedef struct SearchEntry {
        char *name; /* the file's without its suffix; "" for container.d */
        char *path;
        size_t priority; /* of its directory: the first is 0 and counts before the others */
} SearchEntry;

typedef struct Search {
        SearchEntry *candidates; /* definitions, sorted by name: the first of each name */
        size_t n_candidates;
        SearchEntry *dropin_dirs; /* sorted by name, then priority */
        size_t n_dropin_dirs;
        int *dirs; /* the directories, by priority; negative for one that is missing */
        size_t n_dirs;
} Search;

/** search_free() - free a search. Return: NULL. */
Search *search_free(Search *s);
DEFINE_CLEANUP(Search *, search_free);

/**
 * search_new() - list what the directories of the search path hold
 * @diags: gets directories that cannot be read, and drop-ins of instances without a template
 *
 * The directories are those of $SPAWNLET_PATH, separated by colons, if it is set; else
 * /etc/spawnlet, /run/spawnlet/definitions and the vendor's. A missing one is empty.
 *
 * Return: 0 or -ENOMEM.
 */
int search_new(Search **ret, Diags *diags);

/**
 * search_find() - Return: the candidate called @name, borrowed, or NULL
 *
 * An instance of a template is one only if it has a file, a link or a directory of drop-ins of its
 * own; see search_find_template().
 */
const SearchEntry *search_find(const Search *s, const char *name);

/** search_find_template() - Return: the template of TEMPLATE@INSTANCE, borrowed, or NULL. */
const SearchEntry *search_find_template(const Search *s, const char *name);

/**
 * search_load() - read a candidate and its drop-ins, and check the result
 * @diags: gets what is wrong with it
 * @ret: the definition; NULL if the candidate is masked, by a link to /dev/null or an
 *       empty file, or if its name is no machine name
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int search_load(const Search *s, const SearchEntry *c, Diags *diags, Definition **ret);
