/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What single values cannot say: settings of a definition that contradict each other, and
 * definitions that want the same thing.
 */

#include "common/base/definition.h"

/**
 * check_definition() - check the settings of a definition against each other
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int check_definition(const Definition *d, Diags *diags);

typedef struct Claim Claim;

/* What the definitions claim for themselves, collected one after the other. */
typedef struct Claims {
        Claim *items;
        size_t n, n_allocated;
        char **blocks; /* what their strings are in, many in each */
        char *room;    /* what is left of the last one */
        size_t left;
} Claims;

/** claims_done() - free the content. */
void claims_done(Claims *c);

#define _cleanup_claims_ _cleanup_(claims_done)

/**
 * claims_add() - add what @d claims: its machine, addresses, ports, Ethernet addresses and users
 *
 * @d is not kept. Templates claim nothing: their instances do.
 *
 * Return: 0 or -ENOMEM.
 */
int claims_add(Claims *c, const Definition *d);

/**
 * claims_check() - find what is claimed twice, and references to what is not there
 * @name: only findings that concern this definition; NULL for all
 * @diags: gets an error if both containers start at boot, else a warning, as they may never run
 *         at once; each names both places
 *
 * None of this makes a definition bad by itself: which of the two is wrong nobody can tell, so
 * both keep their units, and the one that starts second fails.
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int claims_check(Claims *c, const char *name, Diags *diags);
