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
        char **changed_credentials; /* their IDs */
        Plan plan;
        Facts facts; /* borrowed from the others */
} Container;

typedef struct Containers {
        Container *items;
        size_t n;
        bool none_declared; /* there is no definition anywhere */
} Containers;

/** containers_done() - free the content. */
void containers_done(Containers *c);

#define _cleanup_containers_ _cleanup_(containers_done)

/** containers_check_names() - Return: 0 if each is a container's name; -EINVAL, logged. */
int containers_check_names(char *const *names);

/**
 * containers_check_known() - make sure that there are containers of these names, defined or started
 *
 * Return: 0; -ENOENT if there is no container of one of the names; other negative errno; logged.
 */
int containers_check_known(char *const *names);

/**
 * containers_are_lost() - whether they seem to be gone only because no definition can be found
 *
 * As with a file system that is not mounted. It is logged.
 */
bool containers_are_lost(const Containers *c);

/**
 * containers_log() - log what is wrong with definitions
 * @wanted: with which of them
 */
void containers_log(const Containers *c, bool (*wanted)(const Plan *p));

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
