/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * nss-spawnlet: NAME.containers resolves to the addresses of container NAME, on the host and in
 * its containers.
 *
 * The network helper knows the addresses before the container's init runs, and leaves them in the
 * file NAME in the host's /run/spawnlet/hosts: one address per line, as inet_pton(3) reads it, put
 * in place by rename(2). Each container has this directory read-only below /run/host. This module
 * for the "hosts" database of nsswitch.conf(5) reads these files. nss-mymachines asks machined over
 * D-Bus, for bare names; this works without a daemon and a bus, hence also early at boot and in a
 * sandbox, and cannot deadlock.
 *
 * The module is loaded into processes that know nothing of it, privileged ones among them:
 *
 * - It has no state, takes no lock, reads no environment variable, logs nothing, aborts
 *   nothing, and allocates nothing but what opendir(3) needs. So it is thread-safe.
 * - It never waits: the files are opened without following a link and with O_NONBLOCK, and
 *   what is not a small regular file is no file. A lookup of another domain opens nothing.
 * - A name becomes a path only after machine_name_is_valid(), below an open directory.
 * - Nothing depends on the locale: in a Turkish one, tolower('I') may not be 'i'.
 * - errno stays what it was unless an error goes out through *errnop, which in glibc's own
 *   calls is the address of errno, as *h_errnop is that of h_errno.
 *
 * A name that is not found stays NSS_STATUS_NOTFOUND, also below ".containers": what comes
 * next in nsswitch.conf is asked then, and an administrator who does not want that writes
 * [NOTFOUND=return] there.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/name.h"

/*
 * Where the files are, in the order of the search: those of containers that run here, then, in a
 * container, those of its host. So a container that has containers resolves its own and its
 * siblings, and its own where both have one of that name. The unit test has its own directories.
 */
#ifndef HOSTS_DIRECTORIES
#define HOSTS_DIRECTORIES SPAWNLET_HOSTS_DIR, "/run/host/spawnlet/hosts"
#endif

static const char *const hosts_directories[] = { HOSTS_DIRECTORIES };

#define DOMAIN_SUFFIX ".containers"
#define DOMAIN_SUFFIX_LENGTH (sizeof(DOMAIN_SUFFIX) - 1)

/* Limits, so that a lookup has a bounded cost whatever lies in the directory. */
#define ADDRESSES_MAX 64U   /* of one container, further ones are ignored */
#define FILE_SIZE_MAX 4096U /* 64 addresses take 64 * INET6_ADDRSTRLEN = 2944 */
#define DIRECTORY_ENTRIES_MAX 65536U

#define _public_ __attribute__((__visibility__("default")))

/* glibc's own function types: a wrong prototype does not compile. */
_public_ extern nss_gethostbyname4_r _nss_spawnlet_gethostbyname4_r;
_public_ extern nss_gethostbyname3_r _nss_spawnlet_gethostbyname3_r;
_public_ extern nss_gethostbyname2_r _nss_spawnlet_gethostbyname2_r;
_public_ extern nss_gethostbyname_r _nss_spawnlet_gethostbyname_r;
_public_ extern nss_gethostbyaddr2_r _nss_spawnlet_gethostbyaddr2_r;
_public_ extern nss_gethostbyaddr_r _nss_spawnlet_gethostbyaddr_r;

typedef struct Address {
        int family; /* AF_INET or AF_INET6 */
        uint8_t data[sizeof(struct in6_addr)];
} Address;

typedef struct Host {
        char name[MACHINE_NAME_MAX + 1]; /* valid, in the case of the file's name */
        Address addresses[ADDRESSES_MAX];
        size_t n_addresses;
} Host;

/* What is left of the caller's buffer. */
typedef struct Buffer {
        char *data;
        size_t size;
} Buffer;

static inline void restore_errno(const int *saved) {
        errno = *saved;
}

/* To stand before every other variable: then it also covers their cleanup. */
#define PROTECT_ERRNO _cleanup_(restore_errno) _unused_ int saved_errno = errno

/* Names */

static char ascii_lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool ascii_equal_ignoring_case(const char *a, const char *b, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (ascii_lower(a[i]) != ascii_lower(b[i]))
                        return false;

        return true;
}

/* "NAME.containers" or "NAME.containers." to "NAME"; false for what is not of our domain. */
static bool machine_name_from_host_name(
        const char *host_name, char ret[static MACHINE_NAME_MAX + 1]) {

        size_t length = strlen(host_name);

        if (length > 0 && host_name[length - 1] == '.')
                length--;

        if (length < DOMAIN_SUFFIX_LENGTH)
                return false;

        length -= DOMAIN_SUFFIX_LENGTH;
        if (!ascii_equal_ignoring_case(host_name + length, DOMAIN_SUFFIX, DOMAIN_SUFFIX_LENGTH))
                return false;

        if (length > MACHINE_NAME_MAX)
                return false;

        memcpy(ret, host_name, length);
        ret[length] = '\0';
        return machine_name_is_valid(ret);
}

/* Addresses */

static size_t family_size(int family) {
        switch (family) {
        case AF_INET:
                return sizeof(struct in_addr);
        case AF_INET6:
                return sizeof(struct in6_addr);
        default:
                return 0;
        }
}

static bool address_equal(const Address *a, const Address *b) {
        return a->family == b->family && memcmp(a->data, b->data, family_size(a->family)) == 0;
}

static bool address_parse(const char *text, Address *ret) {
        static const int families[] = { AF_INET, AF_INET6 };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                Address address = { .family = families[i] };

                if (inet_pton(address.family, text, address.data) == 1) {
                        *ret = address;
                        return true;
                }
        }

        return false;
}

/* A dual-stack socket sees an IPv4 peer as ::ffff:a.b.c.d: look for a.b.c.d then, as nss_dns. */
static Address address_unmap(const Address *address) {
        static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

        if (address->family != AF_INET6 || memcmp(address->data, prefix, sizeof(prefix)) != 0)
                return *address;

        Address unmapped = { .family = AF_INET };

        memcpy(unmapped.data, address->data + sizeof(prefix), sizeof(struct in_addr));
        return unmapped;
}

/* Files: functions that return int return 0 or a negative errno, see failure() */

static int read_text(int fd, char *text, size_t size) {
        size_t n = 0;

        while (n < size) {
                ssize_t k = read(fd, text + n, size - n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;

                n += (size_t) k;
        }

        if (n == size) /* no place for the final NUL */
                return -EFBIG;

        text[n] = '\0';
        return strlen(text) == n ? 0 : -EBADMSG;
}

/* Lines that are no address are skipped: a later version may write more than addresses. */
static void host_parse(Host *host, char *text) {
        for (char *line = text, *next; line && host->n_addresses < ADDRESSES_MAX; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';

                if (address_parse(line, &host->addresses[host->n_addresses]))
                        host->n_addresses++;
        }
}

/* @name is valid; *ret is written also on failure. -ENOENT is: no file of exactly this name. */
static int host_load(int dir_fd, const char *name, Host *ret) {
        char text[FILE_SIZE_MAX + 1];
        struct stat st;
        int r;

        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;

        if (fstat(fd, &st) < 0)
                return -errno;

        if (!S_ISREG(st.st_mode))
                return -EBADMSG;

        r = read_text(fd, text, sizeof(text));
        if (r < 0)
                return r;

        memcpy(ret->name, name, strlen(name) + 1);
        ret->n_addresses = 0;
        host_parse(ret, text);
        return 0;
}

/* The next container's name, valid until the next call; *n_entries counts what readdir() gave. */
static const char *hosts_next(DIR *dir, unsigned *n_entries) {
        while ((*n_entries)++ < DIRECTORY_ENTRIES_MAX) {
                /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
                const struct dirent *entry = readdir(dir);

                if (!entry)
                        break;

                if (machine_name_is_valid(entry->d_name))
                        return entry->d_name;
        }

        return NULL;
}

/* Give @name the case that a file has; of several files, the first in strcmp(3)'s order. */
static bool hosts_find_ignoring_case(DIR *dir, char *name) {
        size_t size = strlen(name) + 1;
        const char *candidate;
        unsigned n_entries = 0;
        char best[MACHINE_NAME_MAX + 1] = "";

        while ((candidate = hosts_next(dir, &n_entries)))
                if (strlen(candidate) + 1 == size &&
                        ascii_equal_ignoring_case(candidate, name, size) &&
                        (best[0] == '\0' || strcmp(candidate, best) < 0))
                        memcpy(best, candidate, size);

        if (best[0] == '\0')
                return false;

        memcpy(name, best, size);
        return true;
}

static bool error_is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Whether a search ends with @r: the container was found, though maybe of no use, or nobody can
 * tell whether it would be. */
static bool search_ends(int r) {
        return r != -ENOENT;
}

/* Return: NULL with *reterr set, to -ENOENT where there are just no containers to be seen. */
static DIR *hosts_open(const char *path, int *reterr) {
        DIR *dir = opendir(path);

        if (!dir)
                *reterr = error_is_shortage(-errno) ? -errno : -ENOENT;
        return dir;
}

static int hosts_find_by_name(const char *path, const char *wanted, Host *ret) {
        char name[MACHINE_NAME_MAX + 1];
        int r;

        _cleanup_closedir_ DIR *dir = hosts_open(path, &r);
        if (!dir)
                return r;

        r = host_load(dirfd(dir), wanted, ret);
        if (search_ends(r))
                return r;

        memcpy(name, wanted, strlen(wanted) + 1);
        if (!hosts_find_ignoring_case(dir, name))
                return -ENOENT;

        return host_load(dirfd(dir), name, ret);
}

static int host_find_by_name(const char *host_name, Host *ret) {
        PROTECT_ERRNO;
        char name[MACHINE_NAME_MAX + 1];
        int r = -ENOENT;

        if (!machine_name_from_host_name(host_name, name))
                return -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(hosts_directories) && !search_ends(r); i++)
                r = hosts_find_by_name(hosts_directories[i], name, ret);
        return r;
}

static int hosts_find_by_address(const char *path, const Address *address, Host *ret) {
        const char *name;
        unsigned n_entries = 0;
        int r;

        _cleanup_closedir_ DIR *dir = hosts_open(path, &r);
        if (!dir)
                return r;

        while ((name = hosts_next(dir, &n_entries))) {
                r = host_load(dirfd(dir), name, ret);
                if (error_is_shortage(r))
                        return r;
                if (r < 0)
                        continue; /* gone in between, or not the helper's */

                for (size_t i = 0; i < ret->n_addresses; i++)
                        if (address_equal(&ret->addresses[i], address))
                                return 0;
        }

        return -ENOENT;
}

static int host_find_by_address(const Address *address, Host *ret) {
        PROTECT_ERRNO;
        int r = -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(hosts_directories) && !search_ends(r); i++)
                r = hosts_find_by_address(hosts_directories[i], address, ret);
        return r;
}

/* Answers: they live in the caller's buffer, of any size and alignment */

static void *buffer_take(Buffer *buffer, size_t size, size_t alignment) {
        size_t padding = (alignment - (uintptr_t) buffer->data % alignment) % alignment;

        if (buffer->size < padding || buffer->size - padding < size)
                return NULL;

        char *taken = buffer->data + padding;

        buffer->data = taken + size;
        buffer->size -= padding + size;
        return taken;
}

static char *buffer_take_canonical_name(Buffer *buffer, const Host *host) {
        size_t length = strlen(host->name);
        char *name = buffer_take(buffer, length + sizeof(DOMAIN_SUFFIX), 1);

        if (!name)
                return NULL;

        memcpy(name, host->name, length);
        memcpy(name + length, DOMAIN_SUFFIX, sizeof(DOMAIN_SUFFIX));
        return name;
}

/* Return: 0, -ENODATA without an address of @family, -ERANGE when @buffer is too small. */
static int host_to_hostent(
        const Host *host, int family, struct hostent *ret, char *buffer, size_t size) {

        Buffer left = { .data = buffer, .size = size };
        size_t n = 0, address_size = family_size(family);

        for (size_t i = 0; i < host->n_addresses; i++)
                if (host->addresses[i].family == family)
                        n++;

        if (n == 0)
                return -ENODATA;

        char *name = buffer_take_canonical_name(&left, host);
        char **aliases = buffer_take(&left, sizeof(char *), alignof(char *));
        char **list = buffer_take(&left, (n + 1) * sizeof(char *), alignof(char *));
        char *data = buffer_take(&left, n * address_size, alignof(struct in6_addr));
        if (!name || !aliases || !list || !data)
                return -ERANGE;

        n = 0;
        for (size_t i = 0; i < host->n_addresses; i++)
                if (host->addresses[i].family == family) {
                        list[n] = data + n * address_size;
                        memcpy(list[n], host->addresses[i].data, address_size);
                        n++;
                }

        list[n] = NULL;
        aliases[0] = NULL;

        *ret = (struct hostent){
                .h_name = name,
                .h_aliases = aliases,
                .h_addrtype = family,
                .h_length = (int) address_size,
                .h_addr_list = list,
        };
        return 0;
}

/* Return: 0, -ENODATA without any address, -ERANGE when @buffer is too small. */
static int host_to_tuples(
        const Host *host, struct gaih_addrtuple **ret, char *buffer, size_t size) {

        Buffer left = { .data = buffer, .size = size };
        size_t n = host->n_addresses;

        if (n == 0)
                return -ENODATA;

        char *name = buffer_take_canonical_name(&left, host);
        struct gaih_addrtuple *tuples =
                buffer_take(&left, n * sizeof(*tuples), alignof(struct gaih_addrtuple));
        if (!name || !tuples)
                return -ERANGE;

        for (size_t i = 0; i < n; i++) {
                const Address *address = &host->addresses[i];

                tuples[i] = (struct gaih_addrtuple){
                        .next = i + 1 < n ? &tuples[i + 1] : NULL,
                        .name = name,
                        .family = address->family,
                };
                memcpy(tuples[i].addr, address->data, family_size(address->family));
        }

        /* nscd brings the memory for the first one. */
        if (*ret)
                **ret = tuples[0];
        else
                *ret = tuples;

        return 0;
}

static enum nss_status success(int *h_errnop, int32_t *ttlp) {
        if (ttlp)
                *ttlp = 0; /* not to be cached: it is as cheap to ask again */

        *h_errnop = NETDB_SUCCESS;
        return NSS_STATUS_SUCCESS;
}

/* Tell glibc of the negative errno @r. UNAVAIL must not come with NETDB_INTERNAL: getaddrinfo(3)
 * would fail with EAI_SYSTEM instead of going on to the next module (gethosts() in glibc). */
static enum nss_status failure(int r, int *errnop, int *h_errnop) {
        switch (r) {
        case -ERANGE: /* come again with a larger buffer */
                *errnop = ERANGE;
                *h_errnop = NETDB_INTERNAL;
                return NSS_STATUS_TRYAGAIN;

        case -ENODATA: /* the container exists, but has no such address */
                *h_errnop = NO_DATA;
                return NSS_STATUS_NOTFOUND;

        case -EAFNOSUPPORT: /* no question for us */
        case -EINVAL:
        case -EMFILE: /* cannot tell, see error_is_shortage() */
        case -ENFILE:
        case -ENOMEM:
                *errnop = -r;
                *h_errnop = NO_RECOVERY;
                return NSS_STATUS_UNAVAIL;

        default: /* no file, no access to it, or none that the helper wrote */
                *h_errnop = HOST_NOT_FOUND;
                return NSS_STATUS_NOTFOUND;
        }
}

/* The interface, in glibc's parameter order */

enum nss_status _nss_spawnlet_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat,
        char *buffer, size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp) {

        Host host = {};
        int r;

        r = host_find_by_name(name, &host);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        r = host_to_tuples(&host, pat, buffer, buflen);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        return success(h_errnop, ttlp);
}

enum nss_status _nss_spawnlet_gethostbyname3_r(const char *name, int af, struct hostent *result,
        char *buffer, size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp, char **canonp) {

        Host host = {};
        int r;

        if (af == AF_UNSPEC)
                af = AF_INET;

        if (family_size(af) == 0)
                return failure(-EAFNOSUPPORT, errnop, h_errnop);

        r = host_find_by_name(name, &host);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        r = host_to_hostent(&host, af, result, buffer, buflen);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        if (canonp)
                *canonp = result->h_name;

        return success(h_errnop, ttlp);
}

enum nss_status _nss_spawnlet_gethostbyname2_r(const char *name, int af, struct hostent *result,
        char *buffer, size_t buflen, int *errnop, int *h_errnop) {

        return _nss_spawnlet_gethostbyname3_r(
                name, af, result, buffer, buflen, errnop, h_errnop, NULL, NULL);
}

enum nss_status _nss_spawnlet_gethostbyname_r(const char *name, struct hostent *result,
        char *buffer, size_t buflen, int *errnop, int *h_errnop) {

        return _nss_spawnlet_gethostbyname3_r(
                name, AF_INET, result, buffer, buflen, errnop, h_errnop, NULL, NULL);
}

enum nss_status _nss_spawnlet_gethostbyaddr2_r(const void *addr, socklen_t len, int af,
        struct hostent *result, char *buffer, size_t buflen, int *errnop, int *h_errnop,
        int32_t *ttlp) {

        Address asked = { .family = af };
        Host host = {};
        int r;

        if (family_size(af) == 0)
                return failure(-EAFNOSUPPORT, errnop, h_errnop);

        if (len != family_size(af))
                return failure(-EINVAL, errnop, h_errnop);

        memcpy(asked.data, addr, len);

        Address wanted = address_unmap(&asked);

        r = host_find_by_address(&wanted, &host);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        /* The answer is the name, with the address that was asked for. */
        host.addresses[0] = asked;
        host.n_addresses = 1;

        r = host_to_hostent(&host, af, result, buffer, buflen);
        if (r < 0)
                return failure(r, errnop, h_errnop);

        return success(h_errnop, ttlp);
}

enum nss_status _nss_spawnlet_gethostbyaddr_r(const void *addr, socklen_t len, int af,
        struct hostent *result, char *buffer, size_t buflen, int *errnop, int *h_errnop) {

        return _nss_spawnlet_gethostbyaddr2_r(
                addr, len, af, result, buffer, buflen, errnop, h_errnop, NULL);
}
