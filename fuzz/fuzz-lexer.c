/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes the lexer. Whatever the text is, every part of every value is found again at the line and
 * column that ini_locate() gives, which is where an editor would jump to.
 */

#include <assert.h>

#include "common/base/ini.h"
#include "fuzz/fuzz.h"

typedef struct Text {
        const char *text;
        size_t size;
} Text;

/* The byte at a place; blank for the blank that a continuation makes. */
static char byte_at(const Text *t, unsigned line, unsigned column) {
        const char *p = t->text, *end = t->text + t->size;

        if (t->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
                p += 3;
        for (; line > 1; line--) {
                p = memchr(p, '\n', (size_t) (end - p));
                assert(p);
                p++;
        }
        for (; column > 1; column--) {
                assert(p < end && *p != '\n');
                do
                        p++;
                while (p < end && (*p & 0xc0) == 0x80);
        }
        return p < end ? *p : '\n';
}

static int handle(const IniLine *line, void *userdata) {
        const Text *t = userdata;

        assert(line->section && line->line > 0 && line->column > 0);
        if (!line->key) {
                assert(byte_at(t, line->line, line->column) == '[');
                return 0;
        }

        assert(*line->key && byte_at(t, line->line, line->column) == *line->key);
        for (size_t i = 0; line->value[i]; i++) {
                unsigned number, column;

                if (i > 64 || (line->value[i] & 0xc0) == 0x80)
                        continue;
                ini_locate(line, i, &number, &column);
                assert(number >= line->line && column > 0);

                char c = byte_at(t, number, column);
                assert(c == line->value[i] || (line->value[i] == ' ' && c == '\\'));
        }
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_diags_ Diags diags = {};
        char *text = calloc(1, size + 1);
        Text t = { text, size };

        assert(text);
        memcpy(text, data, size);
        assert(ini_parse("/fuzz.container", text, size, &diags, handle, &t) == 0);
        free(text);
        return 0;
}
