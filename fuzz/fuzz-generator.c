/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes the whole generator on a directory. Whatever files are in there, it writes whole units,
 * relative links, and credentials that others cannot read, nothing else and nowhere else.
 *
 * The input is a list of files: each a name, a line feed, and the content up to a byte 0x1e. A
 * name may be of one of the search path's two directories, "1/" or "2/", of a directory of
 * drop-ins in it, and a content "-> TARGET" makes it a link.
 */

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/health.h"
#include "common/base/name.h"
#include "common/base/str.h"
#include "fuzz/fuzz.h"
#include "generator/generate.h"

#define SEPARATOR '\x1e'

static char top[PATH_MAX];

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        (void) st;
        (void) flag;
        if (ftw->level > 0)
                assert(remove(path) == 0);
        return 0;
}

static void set_up(void) {
        _cleanup_free_ char *path = NULL;

        assert(fuzz_directory(top));
        assert(str_format(&path, "%s/1:%s/2", top, top) == 0);
        assert(setenv("SPAWNLET_PATH", path, 1) == 0);
}

static void tear_down(void) {
        (void) nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        (void) rmdir(top);
}

/* Names that leave the directory, or go deeper than definitions do, are not made. */
static void write_file(const char *name, const char *data, size_t size) {
        _cleanup_free_ char *path = NULL;
        unsigned slashes = 0;

        for (const char *p = name; *p; p++)
                slashes += *p == '/';
        if (!(str_starts_with(name, "1/") || str_starts_with(name, "2/")) || strstr(name, "..") ||
                slashes > 2 || str_ends_with(name, "/"))
                return;

        assert(str_format(&path, "%s/%s", top, name) == 0);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        (void) mkdir(path, 0755);
        *slash = '/';

        const char *target = size > 3 && size < 200 ? str_starts_with(data, "-> ") : NULL;
        if (!target) {
                (void) file_create(AT_FDCWD, path, data, size, 0644);
                return;
        }

        _cleanup_free_ char *link = strndup(target, size - 3);
        /* Not to what another input, or the machine, has. */
        if (link && (!strchr(link, '/') || strcmp(link, "/dev/null") == 0) && *link)
                (void) !symlink(link, path);
}

static int check_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        _cleanup_free_ char *text = NULL;
        char target[4096];

        (void) flag;
        if (strstr(path + strlen(top), ".credentials")) {
                assert(S_ISDIR(st->st_mode) ? ftw->level == 1 : S_ISREG(st->st_mode));
                assert((st->st_mode & 077) == 0);
                return 0;
        }
        if (S_ISDIR(st->st_mode)) {
                assert(ftw->level <= 1);
                return 0;
        }
        if (S_ISLNK(st->st_mode)) {
                ssize_t n = readlink(path, target, sizeof(target) - 1);

                assert(n > 0);
                target[n] = '\0';
                const char *rest = str_starts_with(target, "../");
                assert(!strchr(rest ? rest : target, '/') && (rest != NULL) == (ftw->level == 2));
                return 0;
        }

        assert(S_ISREG(st->st_mode) && ftw->level == 1);
        bool is_health = str_starts_with(path + ftw->base, HEALTH_UNIT_PREFIX) != NULL;
        bool is_timer = is_health && str_ends_with(path, ".timer");

        assert(is_health || str_starts_with(path + ftw->base, "container-"));
        assert(is_timer || str_ends_with(path, ".service"));
        assert(file_read(AT_FDCWD, path, SIZE_MAX / 2, &text, NULL) == 0);
        assert(count_lines(text, "[") == 2 && text[strlen(text) - 1] == '\n');

        /* Lines of [Unit] go into the unit as they are, where systemd ignores those two. */
        const char *service = strstr(text, is_timer ? "\n[Timer]\n" : "\n[Service]\n");
        assert(service && count_lines(service, "ExecStart=") == !is_timer);
        assert(count_lines(service, "ExecStop=") == !is_health);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *out = NULL;

        if (!*top) {
                set_up();
                assert(atexit(tear_down) == 0);
        }

        for (const uint8_t *p = data, *end = data + size; p < end;) {
                const uint8_t *stop = memchr(p, SEPARATOR, (size_t) (end - p));
                const uint8_t *record_end = stop ? stop : end;
                const uint8_t *newline = memchr(p, '\n', (size_t) (record_end - p));

                if (newline) {
                        _cleanup_free_ char *name =
                                strndup((const char *) p, (size_t) (newline - p));
                        _cleanup_free_ char *content = calloc(
                                1, (size_t) (record_end - newline)); /* one more than it has */

                        assert(name && content);
                        memcpy(content, newline + 1, (size_t) (record_end - newline - 1));
                        write_file(name, content, (size_t) (record_end - newline - 1));
                }
                p = stop ? stop + 1 : end;
        }

        assert(str_format(&out, "%s/out", top) == 0);
        assert(mkdir(out, 0755) == 0);
        (void) generate(out); /* fails for some directories, and says so */
        assert(nftw(out, check_entry, 16, FTW_PHYS) == 0);
        assert(nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
        return 0;
}
