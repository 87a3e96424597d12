/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is wrong with definitions: a list of messages with their places. The libraries
 * fill it, the programs print it: the generator to the kernel log, `spawnlet check` to
 * people and scripts.
 */

#include "common/base/str.h"

typedef enum Severity {
        SEVERITY_WARNING, /* the definition still makes a unit */
        SEVERITY_ERROR,   /* it makes a stub that fails with the message */
} Severity;

typedef struct Place {
        const char *file;    /* these are only read while a finding is added */
        unsigned line;       /* from 1; 0 for the whole file */
        unsigned column;     /* from 1, in characters; 0 for the whole line */
        const char *section; /* this and the next two may be NULL */
        const char *key;
        const char *value;
} Place;

typedef struct Diag {
        Severity severity;
        char *file;
        unsigned line;
        unsigned column;
        char *section;
        char *key;
        char *value; /* of a credential, not the secret part */
        bool is_secret;
        char *message;
        char *hint; /* what to do about it, or NULL */
} Diag;

typedef struct Diags {
        Diag *items;
        size_t n;
} Diags;

/** diags_done() - free the content of a list. */
void diags_done(Diags *d);

#define _cleanup_diags_ _cleanup_(diags_done)

/**
 * diags_add() - add one finding
 * @place: where; all strings in it are copied
 * @hint: what to do about it; may be NULL; copied
 * @format: printf(3) format of the message, a clause without a full stop
 *
 * What is found is logged where many can read it. So the value of a credential is not taken over; for the
 * same reason it must not be in @format's message.
 *
 * Return: 0 or -ENOMEM.
 */
int diags_add(Diags *d, Severity severity, const Place *place, const char *hint, const char *format,
        ...) _printf_(5, 6);

/** diags_count() - Return: how many findings of @severity the list has. */
size_t diags_count(const Diags *d, Severity severity);

/**
 * diag_format() - a finding as one line of text
 *
 * "FILE:LINE: [SECTION] KEY=VALUE: MESSAGE (HINT)", the absent parts left out.
 *
 * Return: 0 or -ENOMEM.
 */
int diag_format(const Diag *d, char **ret);
