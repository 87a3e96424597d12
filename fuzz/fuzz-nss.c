/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes nss-spawnlet, called as glibc calls it, on a directory with whatever in it. Every answer lies in
 * the caller's buffer, which is as large as the input says and not a byte more; errno stays; the codes are
 * those that glibc takes for what they mean; and what was found under a name is found by its address.
 *
 * The input is two bytes of buffer size and one of its offset, the name that is looked up with a line feed, and
 * files: each a name, a line feed, and the content up to a byte 0x1e. A content "-> TARGET" makes it a
 * link, "|" a FIFO, and "/" a directory.
 */

#include <assert.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static char hosts_dir[4096], outer_dir[4096];

#define HOSTS_DIRECTORIES hosts_dir, outer_dir
#include "nss/nss-spawnlet.c" /* NOLINT: its directories are the host's otherwise */

#include "common/base/file.h"
#include "fuzz/fuzz.h"

#define SEPARATOR '\x1e'
#define UNTOUCHED 4242 /* neither an errno nor an h_errno */

typedef struct Call {
        enum nss_status status;
        int error, h_error;
        int32_t ttl;
        char *memory, *buffer; /* which the answer is to be in */
        size_t size;
} Call;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        (void) st;
        (void) flag;
        if (ftw->level > 0)
                assert(remove(path) == 0);
        return 0;
}

static void tear_down(void) {
        (void) rmdir(hosts_dir);
        (void) rmdir(outer_dir);
}

static Call begin(size_t offset, size_t size) {
        Call c = { .error = UNTOUCHED, .h_error = UNTOUCHED, .ttl = UNTOUCHED, .size = size };

        c.memory = malloc(MAX(offset + size, (size_t) 1)); /* not more, for the sanitizers */
        assert(c.memory);
        c.buffer = c.memory + offset;
        errno = UNTOUCHED;
        return c;
}

/* The rules of test-nss.c. */
static void check_codes(const Call *c) {
        bool success = c->status == NSS_STATUS_SUCCESS, again = c->status == NSS_STATUS_TRYAGAIN;

        assert(errno == UNTOUCHED);
        assert(success || again || c->status == NSS_STATUS_NOTFOUND ||
                c->status == NSS_STATUS_UNAVAIL);
        assert((c->error != UNTOUCHED) == (again || c->status == NSS_STATUS_UNAVAIL));
        assert((c->error == ERANGE) == again && (c->h_error == NETDB_INTERNAL) == again);
        assert(c->h_error != UNTOUCHED && (c->h_error == NETDB_SUCCESS) == success);
        assert(c->ttl == (success ? 0 : UNTOUCHED));
}

static void assert_inside(const Call *c, const void *p, size_t size, size_t alignment) {
        const char *begin_of = p;

        assert(begin_of >= c->buffer && size <= c->size && begin_of + size <= c->buffer + c->size);
        assert((uintptr_t) p % alignment == 0);
}

/* A whole name of ours, that may be looked up again. */
static void assert_name(const Call *c, const char *name) {
        char machine[MACHINE_NAME_MAX + 1];

        assert_inside(c, name, 1, 1);
        assert_inside(c, name, strnlen(name, (size_t) (c->buffer + c->size - name)) + 1, 1);
        assert(machine_name_from_host_name(name, machine));
}

/* Return: how many addresses there are. */
static size_t check_hostent(const Call *c, const struct hostent *host, int family) {
        size_t n = 0, length = family == AF_INET6 ? 16 : 4;

        assert_name(c, host->h_name);
        assert(host->h_addrtype == family && (size_t) host->h_length == length);
        assert_inside(c, host->h_aliases, sizeof(char *), alignof(char *));
        assert(!host->h_aliases[0]);
        for (;; n++) {
                assert_inside(c, &host->h_addr_list[n], sizeof(char *), alignof(char *));
                if (!host->h_addr_list[n])
                        break;
                assert_inside(c, host->h_addr_list[n], length, alignof(struct in6_addr));
        }
        assert(n > 0 && n <= ADDRESSES_MAX);
        return n;
}

static enum nss_status ask_name3(
        const char *name, int family, size_t offset, size_t size, size_t *ret_n) {
        Call c = begin(offset, size);
        struct hostent host = {};
        char *canonical = NULL;

        c.status = _nss_spawnlet_gethostbyname3_r(
                name, family, &host, c.buffer, c.size, &c.error, &c.h_error, &c.ttl, &canonical);
        check_codes(&c);
        assert(canonical == host.h_name && (canonical != NULL) == (c.ttl == 0));
        *ret_n = canonical ? check_hostent(&c, &host, family == AF_UNSPEC ? AF_INET : family) : 0;
        free(c.memory);
        return c.status;
}

/* @exists: whether it is an address that a name has */
static void ask_address(
        const void *address, size_t length, int family, size_t offset, size_t size, bool exists) {
        Call c = begin(offset, size);
        struct hostent host = {};

        c.status = _nss_spawnlet_gethostbyaddr2_r(address, (socklen_t) length, family, &host,
                c.buffer, c.size, &c.error, &c.h_error, &c.ttl);
        check_codes(&c);
        if (c.status == NSS_STATUS_SUCCESS) {
                size_t n;

                assert(check_hostent(&c, &host, family) == 1);
                assert(memcmp(host.h_addr_list[0], address, length) == 0);
                assert(ask_name3(host.h_name, family, 0, 8192, &n) != NSS_STATUS_TRYAGAIN);
        }
        assert(!exists || c.status == NSS_STATUS_SUCCESS || c.status == NSS_STATUS_TRYAGAIN);
        free(c.memory);
}

/* Return: how many addresses of a family there are. */
static enum nss_status ask_name4(
        const char *name, size_t offset, size_t size, bool given, size_t ret_n[static 2]) {
        Call c = begin(offset, size);
        struct gaih_addrtuple first = {}, *tuples = given ? &first : NULL;
        size_t n = 0;

        c.status = _nss_spawnlet_gethostbyname4_r(
                name, &tuples, c.buffer, c.size, &c.error, &c.h_error, &c.ttl);
        check_codes(&c);
        ret_n[0] = ret_n[1] = 0;
        assert(given ? tuples == &first : !tuples || c.status == NSS_STATUS_SUCCESS);
        for (const struct gaih_addrtuple *t = c.status == NSS_STATUS_SUCCESS ? tuples : NULL; t;
                t = t->next, n++) {
                if (t != &first)
                        assert_inside(&c, t, sizeof(*t), alignof(struct gaih_addrtuple));
                assert(t->family == AF_INET || t->family == AF_INET6);
                assert(t->scopeid == 0);
                assert_name(&c, t->name);
                ret_n[t->family == AF_INET6]++;

                /* A mapped one is looked for as what it stands for. */
                Address a = { .family = t->family };
                memcpy(a.data, t->addr, sizeof(t->addr));
                if (n < 4) /* they are looked for in all files */
                        ask_address(t->addr, t->family == AF_INET6 ? 16 : 4, t->family, 0, 8192,
                                address_unmap(&a).family == t->family);
        }
        assert(n <= ADDRESSES_MAX && (n > 0) == (c.status == NSS_STATUS_SUCCESS));
        free(c.memory);
        return c.status;
}

/* As much as the input says, and as much as it takes. */
static void ask(const char *name, size_t offset, size_t size) {
        static const int families[] = { AF_INET, AF_INET6, AF_UNSPEC, AF_UNIX };
        size_t all[2], few[2], n;
        enum nss_status status = ask_name4(name, offset, 8192, false, all);

        assert(status != NSS_STATUS_TRYAGAIN);
        enum nss_status less = ask_name4(name, offset, size, true, few);
        assert(less == status || less == NSS_STATUS_TRYAGAIN);
        assert(less != NSS_STATUS_SUCCESS || (few[0] == all[0] && few[1] == all[1]));

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                status = ask_name3(name, families[i], offset, 8192, &n);
                assert(n ==
                        (families[i] == AF_INET6                 ? all[1]
                                        : families[i] == AF_UNIX ? 0
                                                                 : all[0]));
                assert((status == NSS_STATUS_UNAVAIL) == (families[i] == AF_UNIX));
                less = ask_name3(name, families[i], offset, size, &n);
                assert(less == status || less == NSS_STATUS_TRYAGAIN);
        }
        ask_address(name, strlen(name), AF_INET, offset, size, false);
        ask_address(name, strlen(name), AF_INET6, offset, size, false);
}

/* Names that leave the directory are not made. */
static void make_file(const char *directory, const char *name, const char *data, size_t size) {
        _cleanup_free_ char *path = NULL;

        if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return;
        assert(str_join(&path, directory, "/", name) == 0);

        /* What cannot be made, as its name is too long, is not there. */
        if (size == 1 && *data == '|')
                (void) mkfifo(path, 0600);
        else if (size == 1 && *data == '/')
                (void) mkdir(path, 0700);
        else if (str_starts_with(data, "-> ") && size > 3)
                (void) !symlink(data + 3, path);
        else
                (void) file_create(AT_FDCWD, path, data, size, 0644);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *p = (const char *) data + 3, *end = (const char *) data + size;
        _cleanup_free_ char *wanted = NULL;

        if (size < 3)
                return 0;
        if (!*hosts_dir) {
                assert(fuzz_directory(hosts_dir) && fuzz_directory(outer_dir));
                assert(atexit(tear_down) == 0);
        }

        while (p < end) {
                const char *stop = memchr(p, SEPARATOR, (size_t) (end - p));
                const char *record_end = stop ? stop : end;
                const char *newline = memchr(p, '\n', (size_t) (record_end - p));
                _cleanup_free_ char *name =
                        strndup(p, (size_t) ((newline ? newline : record_end) - p));
                const char *content = newline ? newline + 1 : record_end;
                _cleanup_free_ char *copy = calloc(1, (size_t) (record_end - content) + 1);

                assert(name && copy);
                memcpy(copy, content, (size_t) (record_end - content));
                if (!wanted)
                        wanted = TAKE_PTR(name);
                else /* every second one is a sibling's */
                        make_file((p - (const char *) data) % 2 ? hosts_dir : outer_dir, name, copy,
                                (size_t) (record_end - content));
                p = stop ? stop + 1 : end;
        }

        if (wanted)
                ask(wanted, data[2] % 16, (size_t) (data[0] | data[1] << 8) % 8192);
        assert(nftw(hosts_dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS) == 0);
        assert(nftw(outer_dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS) == 0);
        return 0;
}
