/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is known about containers: their definitions, what they run with, what systemd says; and the
 * plans that come of it.
 */

#include "cli/plan.h"
#include "common/base/search.h"
#include "common/bus/bus.h"

typedef struct Container {
        char *name;
        Definition *definition; /* NULL: gone, or masked */
        Diags diags;            /* what is wrong with it */
        char **record;
        Plan plan;
        Facts facts; /* borrowed from the others */
} Container;

typedef struct Containers {
        Container *items;
        size_t n;
} Containers;

/** containers_done() - free the content. */
void containers_done(Containers *c);

#define _cleanup_containers_ _cleanup_(containers_done)

/** containers_check_names() - Return: 0 if each is a container's name; -EINVAL, logged. */
int containers_check_names(char *const *names);

/**
 * containers_find() - find out all about containers, and make their plans
 * @names: of the wanted ones, a list; empty for all that are declared or run
 * @bus: NULL if systemd cannot be asked: what it runs is written down, what it does not is unknown
 * @search_diags: gets what is wrong with the search path; with an error in it, containers may seem
 *                to have no definition
 * @ret: in the order of their names
 *
 * Return: 0; -ENOENT if there is no container of a wanted name; other negative errno; logged.
 */
int containers_find(char *const *names, Bus *bus, Diags *search_diags, Containers *ret);
