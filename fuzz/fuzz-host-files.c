/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what spawnlet-root takes from files of the host into a container: accounts without people and
 * passwords, name servers that can be reached, and nsswitch.conf with our module, once.
 *
 * The input is one file, or two with a byte 0x1e between: passwd(5) and group(5).
 */

#include <assert.h>

#define main root_main
int root_main(int argc, char *argv[]);
#include "helpers/root.c" /* NOLINT: what it has is its own */
#undef main

#include "fuzz/fuzz.h"

#define SEPARATOR '\x1e'

/* The line is NAME:x:ID with an ID of the system. */
static void check_account(const char *line, const char *shadow, const char *locked) {
        _cleanup_free_ char *entry = NULL;
        size_t n = strcspn(line, ":");

        assert(n > 0 && str_starts_with(line + n, ":x:"));
        long id = strtol(line + n + 3, NULL, 10);
        assert((id >= 0 && id <= SYSTEM_UID_MAX) || id == NOBODY_UID);
        assert(str_format(&entry, "%.*s:%s\n", (int) n, line, locked) == 0);
        assert(count_lines(shadow, entry) > 0);
}

/* Return: how many lines there are. */
static size_t check_accounts(const char *entries, const char *shadow, const char *locked) {
        size_t n = 0;

        for (const char *line = entries; *line; line = strchr(line, '\n') + 1, n++)
                check_account(line, shadow, locked);
        assert(count_lines(shadow, "") == n + 1);
        return n;
}

/* Every member of a group is one of the users. */
static void check_members(const char *groups, const char *users) {
        for (const char *line = groups; *line; line = strchr(line, '\n') + 1) {
                const char *end = strchr(line, '\n'), *p = line;

                for (int colons = 0; p < end && colons < 3; p++)
                        colons += *p == ':';
                for (size_t n; p < end; p += n + 1) {
                        n = strcspn(p, ",\n");
                        assert(n > 0 && has_user(users, p, n));
                }
        }
}

static void check_all_accounts(const char *passwd, const char *group) {
        _cleanup_free_ char *users = NULL, *shadow = NULL, *groups = NULL, *gshadow = NULL;

        assert(filter_accounts(passwd, NULL, "*:::::::", &users, &shadow) == 0);
        assert(filter_accounts(group, users, "*::", &groups, &gshadow) == 0);
        (void) check_accounts(users, shadow, "*:::::::");
        (void) check_accounts(groups, gshadow, "*::");
        check_members(groups, users);
}

static void check_resolv_conf(const char *text) {
        _cleanup_str_ Str s = {}, again = {};
        bool own = append_name_servers(&s, text);

        assert(own == (s.len > 0));
        append_resolv_options(&s, text, own);
        assert(str_error(&s) == 0);
        if (!s.data)
                return;

        /* It is one that is taken as it is. */
        assert(append_name_servers(&again, s.data) == own);
        append_resolv_options(&again, s.data, own);
        assert(str_error(&again) == 0 && again.len == s.len && strcmp(again.data, s.data) == 0);
        assert(count_lines(s.data, "nameserver 127.") == 0);
}

/* In a file that has our module, nothing is to be done. */
static void check_nsswitch(const char *text) {
        _cleanup_str_ Str s = {}, again = {};

        append_nsswitch(&s, text);
        append_nsswitch(&again, s.data ? s.data : "");
        assert(str_error(&s) == 0 && str_error(&again) == 0);
        assert(s.len == again.len && (s.len == 0 || memcmp(s.data, again.data, s.len) == 0));
        assert(count_lines(s.data ? s.data : "", "") == count_lines(text, ""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = calloc(1, size + 1);

        assert(text);
        memcpy(text, data, size);
        check_resolv_conf(text);
        check_nsswitch(text);

        char *separator = memchr(text, SEPARATOR, size);
        if (separator)
                *separator = '\0';
        check_all_accounts(text, separator ? separator + 1 : text);
        free(text);
        return 0;
}
