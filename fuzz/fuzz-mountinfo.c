/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what is read of /proc/PID/mountinfo. Root inside mounts what it likes, under any name: each
 * mount is found by its line, and nowhere else.
 */

#include <assert.h>

#include "common/kernel/mount.c" /* NOLINT: its parser is its own */
#include "fuzz/fuzz.h"

#define OURS 4711

/* What is found lies in one line of the text, that begins with the number. */
static void check_mount(const char *text, uint64_t id) {
        const char *point = NULL;
        uint64_t parent = 0;
        size_t size = 0;

        if (!find_mount(text, id, &parent, &point, &size))
                return;
        assert(point > text && point + size <= text + strlen(text));
        assert(!memchr(point, ' ', size) && !memchr(point, '\n', size));

        const char *line = point;
        while (line > text && line[-1] != '\n')
                line--;
        assert(strtoull(line, NULL, 10) == id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = calloc(1, size + 1);
        _cleanup_str_ Str s = {};
        const char *point;
        uint64_t parent;
        size_t n;

        assert(text);
        memcpy(text, data, size);
        for (const char *p = text; p; p = strchr(p, '\n')) {
                p += *p == '\n';
                check_mount(text, strtoull(p, NULL, 10));
                (void) is_stacked(text, strtoull(p, NULL, 10));
        }

        /* A line of the kernel's with what was mounted as one of its words, escaped as the kernel does it. */
        str_append(&s, "20 1 0:1 / / rw - tmpfs ");
        for (const char *p = text; *p; p++)
                str_append_char(&s, strchr(" \t\n\\", *p) ? '_' : *p);
        str_appendf(&s, " rw\n%i 20 0:2 / /here rw - tmpfs x rw\n", OURS);
        assert(str_error(&s) == 0);
        assert(find_mount(s.data, OURS, &parent, &point, &n));
        assert(parent == 20 && n == strlen("/here") && memcmp(point, "/here", n) == 0);
        assert(!is_stacked(s.data, OURS));

        free(text);
        return 0;
}
