/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The presets of Hardening=: what each stands for, as lines of [Service] and as options of systemd-nspawn.
 * One table, hardening.c, which the table in spawnlet.container(5), HARDENING, is tested against.
 *
 * A preset is what holds where the definition says nothing. A key of the definition comes in its place. Of a
 * list that takes something away, it keeps back what the definition asks for by name.
 */

#include "common/base/definition.h"

typedef enum Hardening {
        HARDENING_TRUSTED, /* as systemd-nspawn@.service */
        HARDENING_DEFAULT,
        HARDENING_STRICT,
        _HARDENING_MAX,
} Hardening;

/** hardening_of() - Return: the preset of a definition. */
Hardening hardening_of(const Definition *d);

/**
 * hardening_append_lines() - append the lines of [Service] of the container's unit
 * @hardening: the preset; HARDENING_TRUSTED for the unit of a definition that is not valid, as
 *             the container may run with any
 */
void hardening_append_lines(Str *s, const Definition *d, Hardening hardening);

/** hardening_append_filters() - append those of them that the container's processes inherit, for another
 * unit whose processes go into it */
void hardening_append_filters(Str *s, const Definition *d);

/** hardening_append_options() - append the options of systemd-nspawn, a blank before each. */
void hardening_append_options(Str *s, const Definition *d);
