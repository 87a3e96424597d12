/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-nss: what glibc gets from nss-spawnlet, called as glibc calls it.
 *
 * The module is part of this program, with directories that each test has for itself. Every
 * question goes through begin() and end(), which check what has to hold whatever the answer
 * is: errno stays, and *errnop and *h_errnop are written when, and only when, they have to
 * be. Every test ends with as many open files as it began with, and in time: one that waits is
 * ended by SIGALRM.
 */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

static char hosts_dir[PATH_MAX], outer_dir[PATH_MAX]; /* of the host, as a container sees it */

#define HOSTS_DIRECTORIES hosts_dir, outer_dir
#include "../../nss/nss-spawnlet.c"

/* A lookup takes less than a millisecond, but for a directory with many files. */
#define TEST_SECONDS 60U

#define UNTOUCHED 4242 /* neither an errno nor an h_errno */
#define NAME_OF_60 "a23456789-123456789-123456789-123456789-123456789-123456789x"

typedef struct Answer {
        enum nss_status status;
        int error;
        int h_error;
        struct hostent host;
        struct gaih_addrtuple *tuples;
        char *canonical;
        alignas(max_align_t) char buffer[8192];
} Answer;

/* The directory */

static unsigned count_open_files(void) {
        unsigned n = 0;
        _cleanup_(closedirp) DIR *dir = opendir("/proc/self/fd");

        assert_non_null(dir);
        while (readdir(dir))
                n++;

        return n;
}

static int setup(void **state) {
        (void) snprintf(hosts_dir, sizeof(hosts_dir), "%s", "/tmp/test-nss-XXXXXX");
        assert_non_null(mkdtemp(hosts_dir));
        outer_dir[0] = '\0'; /* there is none on a host */
        *state = (void *) (uintptr_t) count_open_files();
        (void) alarm(TEST_SECONDS);
        return 0;
}

static void remove_directory(const char *path) {
        const struct dirent *entry;
        _cleanup_(closedirp) DIR *dir = opendir(path);

        assert_non_null(dir);
        while ((entry = readdir(dir)))
                if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
                        (void) unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR); /* not "." */

        assert_int_equal(rmdir(path), 0);
}

static int teardown(void **state) {
        assert_int_equal(count_open_files(), (uintptr_t) *state);
        remove_directory(hosts_dir);
        if (*outer_dir)
                remove_directory(outer_dir);
        return 0;
}

static void make_outer_directory(void) {
        (void) snprintf(outer_dir, sizeof(outer_dir), "%s", "/tmp/test-nss-XXXXXX");
        assert_non_null(mkdtemp(outer_dir));
}

static void path_in_hosts(const char *name, char path[static PATH_MAX]) {
        int n = snprintf(path, PATH_MAX, "%s/%s", hosts_dir, name);

        assert_true(n > 0 && n < PATH_MAX);
}

static void write_file(const char *path, const void *data, size_t size) {
        _cleanup_fclose_ FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(data, 1, size, f), size);
        assert_int_equal(fflush(f), 0);
}

static void write_bytes(const char *name, const void *data, size_t size) {
        char path[PATH_MAX];

        path_in_hosts(name, path);
        write_file(path, data, size);
}

static void write_text(const char *name, const char *text) {
        write_bytes(name, text, strlen(text));
}

static void write_outer(const char *name, const char *text) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s", outer_dir, name);

        assert_true(n > 0 && (size_t) n < sizeof(path));
        write_file(path, text, strlen(text));
}

/* Questions and answers */

static void begin(Answer *a) {
        memset(a, 0, sizeof(*a));
        a->error = a->h_error = UNTOUCHED;
        errno = UNTOUCHED;
}

static void end(const Answer *a) {
        bool has_error = a->status == NSS_STATUS_TRYAGAIN || a->status == NSS_STATUS_UNAVAIL;

        assert_int_equal(errno, UNTOUCHED);
        assert_int_equal(a->error != UNTOUCHED, has_error);
        assert_int_not_equal(a->h_error, UNTOUCHED);
        assert_int_equal(a->h_error == NETDB_SUCCESS, a->status == NSS_STATUS_SUCCESS);

        /* getaddrinfo() grows the buffer if, and only if, all three say so, and takes
         * NETDB_INTERNAL with anything else for the end of the lookup. */
        assert_int_equal(a->h_error == NETDB_INTERNAL, a->status == NSS_STATUS_TRYAGAIN);
        assert_int_equal(a->error == ERANGE, a->status == NSS_STATUS_TRYAGAIN);
}

static void ask_name4(const char *name, char *buffer, size_t size, Answer *a) {
        int32_t ttl = UNTOUCHED;

        begin(a);
        a->status = _nss_spawnlet_gethostbyname4_r(
                name, &a->tuples, buffer, size, &a->error, &a->h_error, &ttl);
        end(a);
        assert_int_equal(ttl, a->status == NSS_STATUS_SUCCESS ? 0 : UNTOUCHED);
        assert_int_equal(!!a->tuples, a->status == NSS_STATUS_SUCCESS);
}

static void ask_name3(const char *name, int family, char *buffer, size_t size, Answer *a) {
        int32_t ttl = UNTOUCHED;

        begin(a);
        a->status = _nss_spawnlet_gethostbyname3_r(
                name, family, &a->host, buffer, size, &a->error, &a->h_error, &ttl, &a->canonical);
        end(a);
        assert_int_equal(ttl, a->status == NSS_STATUS_SUCCESS ? 0 : UNTOUCHED);
        assert_ptr_equal(a->canonical, a->host.h_name);
}

static void ask_address(
        const void *address, socklen_t length, int family, char *buffer, size_t size, Answer *a) {

        int32_t ttl = UNTOUCHED;

        begin(a);
        a->status = _nss_spawnlet_gethostbyaddr2_r(
                address, length, family, &a->host, buffer, size, &a->error, &a->h_error, &ttl);
        end(a);
        assert_int_equal(ttl, a->status == NSS_STATUS_SUCCESS ? 0 : UNTOUCHED);
}

static void append_address(char *text, size_t size, int family, const void *address) {
        size_t n = strlen(text);

        assert_true(n + 1 + INET6_ADDRSTRLEN <= size);
        text[n] = ' ';
        assert_non_null(inet_ntop(family, address, text + n + 1, INET6_ADDRSTRLEN));
}

/* @expected: "NAME ADDRESS ADDRESS", in this order */
static void assert_hostent(const struct hostent *host, int family, const char *expected) {
        char text[ADDRESSES_MAX * INET6_ADDRSTRLEN + 128];

        assert_int_equal(host->h_addrtype, family);
        assert_int_equal((size_t) host->h_length, family_size(family));
        assert_null(host->h_aliases[0]);

        (void) snprintf(text, sizeof(text), "%s", host->h_name);
        for (char **p = host->h_addr_list; *p; p++)
                append_address(text, sizeof(text), family, *p);

        assert_string_equal(text, expected);
}

static void assert_tuples(const struct gaih_addrtuple *tuples, const char *expected) {
        char text[ADDRESSES_MAX * INET6_ADDRSTRLEN + 128];

        (void) snprintf(text, sizeof(text), "%s", tuples->name);
        for (const struct gaih_addrtuple *t = tuples; t; t = t->next) {
                assert_string_equal(t->name, tuples->name);
                assert_int_equal(t->scopeid, 0);
                append_address(text, sizeof(text), t->family, t->addr);
        }

        assert_string_equal(text, expected);
}

static void assert_resolves(const char *name, int family, const char *expected) {
        Answer a;

        ask_name3(name, family, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, family, expected);

        begin(&a);
        a.status = _nss_spawnlet_gethostbyname2_r(
                name, family, &a.host, a.buffer, sizeof(a.buffer), &a.error, &a.h_error);
        end(&a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, family, expected);
}

static void assert_resolves_to_all(const char *name, const char *expected) {
        Answer a;

        ask_name4(name, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_tuples(a.tuples, expected);
}

static void assert_not_found(const char *name, int family, int h_error) {
        Answer a;

        ask_name3(name, family, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_NOTFOUND);
        assert_int_equal(a.h_error, h_error);
}

static void assert_nothing_found(const char *name, int h_error) {
        Answer a;

        ask_name4(name, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_NOTFOUND);
        assert_int_equal(a.h_error, h_error);

        assert_not_found(name, AF_INET, h_error);
        assert_not_found(name, AF_INET6, h_error);
}

/* @expected: the name, or NULL for not found */
static void assert_reverse(const char *text, int family, const char *expected) {
        char host[INET6_ADDRSTRLEN + 128];
        struct in6_addr address;
        Answer a;

        assert_int_equal(inet_pton(family, text, &address), 1);
        ask_address(
                &address, (socklen_t) family_size(family), family, a.buffer, sizeof(a.buffer), &a);

        if (!expected) {
                assert_int_equal(a.status, NSS_STATUS_NOTFOUND);
                assert_int_equal(a.h_error, HOST_NOT_FOUND);
                return;
        }

        (void) snprintf(host, sizeof(host), "%s %s", expected, text);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, family, host);
}

/* Forward */

static void test_families(void **state) {
        (void) state;

        write_text("v4", "10.90.0.2\n");
        assert_resolves("v4.containers", AF_INET, "v4.containers 10.90.0.2");
        assert_not_found("v4.containers", AF_INET6, NO_DATA);
        assert_resolves_to_all("v4.containers", "v4.containers 10.90.0.2");

        write_text("v6", "fd90::2\n");
        assert_not_found("v6.containers", AF_INET, NO_DATA);
        assert_resolves("v6.containers", AF_INET6, "v6.containers fd90::2");
        assert_resolves_to_all("v6.containers", "v6.containers fd90::2");

        write_text("both", "10.90.0.3\nfd90::3\n10.90.0.4\nfd90::4\n");
        assert_resolves("both.containers", AF_INET, "both.containers 10.90.0.3 10.90.0.4");
        assert_resolves("both.containers", AF_INET6, "both.containers fd90::3 fd90::4");
        assert_resolves_to_all(
                "both.containers", "both.containers 10.90.0.3 fd90::3 10.90.0.4 fd90::4");

        write_text("htob", "fd90::5\n10.90.0.5\n");
        assert_resolves("htob.containers", AF_INET, "htob.containers 10.90.0.5");
        assert_resolves("htob.containers", AF_INET6, "htob.containers fd90::5");
        assert_resolves_to_all("htob.containers", "htob.containers fd90::5 10.90.0.5");
}

static void test_default_family(void **state) {
        Answer a;

        (void) state;

        write_text("web", "fd90::2\n10.90.0.2\n");

        ask_name3("web.containers", AF_UNSPEC, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, AF_INET, "web.containers 10.90.0.2");

        begin(&a);
        a.status = _nss_spawnlet_gethostbyname_r(
                "web.containers", &a.host, a.buffer, sizeof(a.buffer), &a.error, &a.h_error);
        end(&a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, AF_INET, "web.containers 10.90.0.2");
}

/* nscd brings the memory for the first tuple, and nobody has to want the TTL. */
static void test_first_tuple_given(void **state) {
        struct gaih_addrtuple first = { .family = UNTOUCHED }, *tuples = &first;
        Answer a;

        (void) state;

        write_text("web", "10.90.0.2\nfd90::2\n");

        begin(&a);
        a.status = _nss_spawnlet_gethostbyname4_r(
                "web.containers", &tuples, a.buffer, sizeof(a.buffer), &a.error, &a.h_error, NULL);
        end(&a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_ptr_equal(tuples, &first);
        assert_tuples(&first, "web.containers 10.90.0.2 fd90::2");
}

static void test_unsupported_family(void **state) {
        Answer a;

        (void) state;

        ask_name3("web.containers", AF_UNIX, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_UNAVAIL);
        assert_int_equal(a.error, EAFNOSUPPORT);

        ask_address("", 0, AF_UNIX, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_UNAVAIL);
        assert_int_equal(a.error, EAFNOSUPPORT);

        ask_address("\x0a\x5a\x00\x02", 4, AF_INET6, a.buffer, sizeof(a.buffer), &a);
        assert_int_equal(a.status, NSS_STATUS_UNAVAIL);
        assert_int_equal(a.error, EINVAL);
}

/* Names */

static void test_domain(void **state) {
        (void) state;

        write_text("web", "10.90.0.2\n");
        write_text("web.containers", "10.90.0.3\n");
        write_text("a.b-c.9", "10.90.0.4\n");

        assert_resolves("web.containers.", AF_INET, "web.containers 10.90.0.2");
        assert_resolves("web.CONTAINERS", AF_INET, "web.containers 10.90.0.2");
        assert_resolves("web.CoNtAiNeRs.", AF_INET, "web.containers 10.90.0.2");
        assert_resolves(
                "web.containers.containers", AF_INET, "web.containers.containers 10.90.0.3");
        assert_resolves("a.b-c.9.containers", AF_INET, "a.b-c.9.containers 10.90.0.4");
}

static void test_case_of_name(void **state) {
        (void) state;

        write_text("Web", "10.90.0.2\n");
        assert_resolves("Web.containers", AF_INET, "Web.containers 10.90.0.2");
        assert_resolves("web.containers", AF_INET, "Web.containers 10.90.0.2");

        write_text("WEB", "10.90.0.3\n");
        assert_resolves("Web.containers", AF_INET, "Web.containers 10.90.0.2");
        assert_resolves("web.containers", AF_INET, "WEB.containers 10.90.0.3");

        write_text("web", ""); /* a container without addresses is that container, too */
        assert_not_found("web.containers", AF_INET, NO_DATA);
        assert_resolves("wEB.containers", AF_INET, "WEB.containers 10.90.0.3");

        assert_nothing_found("we.containers", HOST_NOT_FOUND);
        assert_nothing_found("webb.containers", HOST_NOT_FOUND);
}

static void test_names_not_ours(void **state) {
        static const char *const names[] = {
                "",
                ".",
                "..",
                "web",
                "web.",
                "web.container",
                "web.containersx",
                "web.containers.org",
                "webcontainers",
                "containers",
                "containers.",
                ".containers",
                ".containers.",
                "..containers",
                "...containers",
                "web.containers..",
                "web..containers",
                ".web.containers",
                "-web.containers",
                "web-.containers",
                "we..b.containers",
                "we.-b.containers",
                "we-.b.containers",
                "we_b.containers",
                "web .containers",
                "web\n.containers",
                "w\xc3\xa9.containers",
                "/.containers",
                "./web.containers",
                "../web.containers",
                "sub/web.containers",
                "/etc/passwd.containers",
                "../../etc/passwd.containers",
                "10.90.0.2",
                "localhost",
        };

        (void) state;

        write_text("web", "10.90.0.2\n");
        write_text(".web", "10.90.0.2\n");
        write_text("we_b", "10.90.0.2\n");
        write_text("web-", "10.90.0.2\n");

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_nothing_found(names[i], HOST_NOT_FOUND);
}

static void test_name_length(void **state) {
        static char host_name[1 << 20];

        (void) state;

        write_text(NAME_OF_60 "1234", "10.90.0.2\n");
        assert_resolves(
                NAME_OF_60 "1234.containers", AF_INET, NAME_OF_60 "1234.containers 10.90.0.2");

        write_text(NAME_OF_60 "12345", "10.90.0.2\n");
        assert_nothing_found(NAME_OF_60 "12345.containers", HOST_NOT_FOUND);

        memset(host_name, 'a', sizeof(host_name));
        memcpy(host_name + sizeof(host_name) - sizeof(DOMAIN_SUFFIX), DOMAIN_SUFFIX,
                sizeof(DOMAIN_SUFFIX));
        assert_nothing_found(host_name, HOST_NOT_FOUND);
}

/* Files */

static void test_content(void **state) {
        static const struct {
                const char *text;
                const char *expected; /* NULL: no addresses */
        } cases[] = {
                { "", NULL },
                { "\n", NULL },
                { "\n\n\n", NULL },
                { "garbage\n", NULL },
                { "10.90.0.300\n", NULL },
                { "10.90.0.2/24\n", NULL },
                { " 10.90.0.2\n", NULL },
                { "10.90.0.2 \n", NULL },
                { "10.90.0.2\r\n", NULL },
                { "10.90.2\n", NULL },
                { "fd90::2%eth0\n", NULL },
                { "fd90:::2\n", NULL },
                { "10.90.0.2", "x.containers 10.90.0.2" },
                { "\n10.90.0.2\n\n", "x.containers 10.90.0.2" },
                { "mac 02:00:00:00:00:01\n10.90.0.2\n", "x.containers 10.90.0.2" },
                { "10.90.0.2\n10.90.0.2\n", "x.containers 10.90.0.2 10.90.0.2" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                write_text("x", cases[i].text);
                if (cases[i].expected)
                        assert_resolves_to_all("x.containers", cases[i].expected);
                else
                        assert_nothing_found("x.containers", NO_DATA);
        }

        write_bytes("x", "10.90.0.2\0\n10.90.0.3\n", 21);
        assert_nothing_found("x.containers", HOST_NOT_FOUND);
}

static void test_file_size(void **state) {
        char text[FILE_SIZE_MAX + 1];

        (void) state;

        memset(text, '\n', sizeof(text));
        memcpy(text, "10.90.0.2", strlen("10.90.0.2"));

        write_bytes("web", text, FILE_SIZE_MAX);
        assert_resolves("web.containers", AF_INET, "web.containers 10.90.0.2");

        write_bytes("web", text, FILE_SIZE_MAX + 1);
        assert_nothing_found("web.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);
}

static void test_number_of_addresses(void **state) {
        char text[FILE_SIZE_MAX] = "";
        char expected[FILE_SIZE_MAX] = "web.containers";

        (void) state;

        for (unsigned i = 1; i <= 100; i++) {
                size_t n = strlen(text);

                (void) snprintf(text + n, sizeof(text) - n, "10.90.0.%u\n", i);

                n = strlen(expected);
                if (i <= ADDRESSES_MAX)
                        (void) snprintf(expected + n, sizeof(expected) - n, " 10.90.0.%u", i);

                write_text("web", text);
                assert_resolves("web.containers", AF_INET, expected);
                assert_resolves_to_all("web.containers", expected);
        }

        assert_reverse("10.90.0.64", AF_INET, "web.containers");
        assert_reverse("10.90.0.65", AF_INET, NULL);
}

static void test_longest_addresses_fit(void **state) {
        char text[FILE_SIZE_MAX] = "";
        char expected[FILE_SIZE_MAX] = "web.containers";

        (void) state;

        for (unsigned i = 0; i < ADDRESSES_MAX; i++) {
                size_t n = strlen(text);

                (void) snprintf(text + n, sizeof(text) - n,
                        "fd90:1111:2222:3333:4444:5555:6666:%x\n", 0x1000 + i);

                n = strlen(expected);
                (void) snprintf(expected + n, sizeof(expected) - n,
                        " fd90:1111:2222:3333:4444:5555:6666:%x", 0x1000 + i);
        }

        write_text("web", text);
        assert_resolves_to_all("web.containers", expected);
}

static void test_not_regular_files(void **state) {
        static const struct {
                const char *name;
                const char *target;
        } links[] = {
                { "passwd", "/etc/passwd" },
                { "terminal", "/dev/tty" },
                { "dangling", "nowhere" },
                { "link", "web" },
        };
        char path[PATH_MAX];

        (void) state;

        write_text("web", "10.90.0.2\n");

        path_in_hosts("fifo", path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_nothing_found("fifo.containers", HOST_NOT_FOUND);
        assert_nothing_found("FIFO.containers", HOST_NOT_FOUND);

        path_in_hosts("directory", path);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_nothing_found("directory.containers", HOST_NOT_FOUND);

        /* No other container steps in for one whose own file is of no use. */
        write_text("Directory", "10.90.0.9\n");
        assert_nothing_found("directory.containers", HOST_NOT_FOUND);
        assert_resolves("Directory.containers", AF_INET, "Directory.containers 10.90.0.9");

        for (size_t i = 0; i < ELEMENTSOF(links); i++) {
                char host_name[64];

                path_in_hosts(links[i].name, path);
                assert_int_equal(symlink(links[i].target, path), 0);

                (void) snprintf(host_name, sizeof(host_name), "%s.containers", links[i].name);
                assert_nothing_found(host_name, HOST_NOT_FOUND);
        }

        assert_reverse("10.90.0.2", AF_INET, "web.containers");
        assert_reverse("10.90.0.3", AF_INET, NULL);
}

/* What a container's root could put into its own /run/spawnlet/hosts, where sshd inside looks. */
static void test_devices(void **state) {
        const struct {
                const char *name;
                mode_t mode;
                dev_t device;
        } nodes[] = {
                { "zero", S_IFCHR, makedev(1, 5) },
                { "random", S_IFCHR, makedev(1, 8) },
                { "tty", S_IFCHR, makedev(5, 0) },
                { "terminal", S_IFCHR, makedev(4, 64) }, /* a serial line waits for its carrier */
                { "loop", S_IFBLK, makedev(7, 0) },
                { "nothing", S_IFCHR, makedev(0, 0) },
        };
        char path[PATH_MAX], host_name[64];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(nodes); i++) {
                path_in_hosts(nodes[i].name, path);
                if (mknod(path, nodes[i].mode | 0666, nodes[i].device) < 0)
                        continue; /* that takes CAP_MKNOD */
                (void) snprintf(host_name, sizeof(host_name), "%s.containers", nodes[i].name);
                assert_nothing_found(host_name, HOST_NOT_FOUND);
        }
        assert_reverse("10.90.0.2", AF_INET, NULL);
}

static void test_socket(void **state) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void) state;
        assert_true(fd >= 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/socket", hosts_dir);
        assert_int_equal(bind(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_nothing_found("socket.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);
}

/* To open such a file waits until who has the lease gives it back, or 45 s: fcntl(2), "Leases". */
static void test_lease(void **state) {
        char path[PATH_MAX];

        (void) state;
        write_text("web", "10.90.0.2\n");
        path_in_hosts("web", path);

        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        (void) signal(SIGIO, SIG_IGN);
        if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
                skip(); /* not every file system has them */
        assert_nothing_found("web.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);

        assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
        assert_resolves("web.containers", AF_INET, "web.containers 10.90.0.2");
}

static void test_huge_file(void **state) {
        char path[PATH_MAX];

        (void) state;
        write_text("web", "10.90.0.2\n");
        path_in_hosts("web", path);
        assert_int_equal(truncate(path, (off_t) 1 << 40), 0); /* no bytes of that are on the disk */
        assert_nothing_found("web.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);
}

/* Write files over and over, in all the ways that no helper of ours would, until killed. */
static _Noreturn void write_for_ever(void) {
        static const char address[] = "10.90.0.2\n";
        char path[PATH_MAX], other[PATH_MAX];

        path_in_hosts("web", path);
        path_in_hosts("Web", other);
        for (unsigned i = 0;; i++) {
                int fd = open(
                        path, O_WRONLY | O_CREAT | O_CLOEXEC | (i % 64 ? O_APPEND : O_TRUNC), 0644);

                /* In pieces: a reader sees half of an address. */
                for (size_t k = 0; k < sizeof(address) - 1; k += 3)
                        (void) !write(fd, address + k, MIN((size_t) 3, sizeof(address) - 1 - k));
                (void) close(fd);
                if (i % 16 == 0)
                        (void) rename(path, other);
                if (i % 48 == 0 && mkfifo(path, 0600) == 0)
                        (void) unlink(path);
                (void) unlink(other);
        }
}

/* Whatever is read meanwhile, it is an address that stands there, or nothing. */
static void test_changing_files(void **state) {
        /* As in test.h. */
        unsigned n_rounds = getenv("SPAWNLET_TEST_UNDER_VALGRIND") ? 2000 : 20000;
        bool found = false;
        pid_t pid;
        Answer a;

        (void) state;
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                write_for_ever();

        for (unsigned i = 0; i < n_rounds || !found; i++) {
                ask_name4("web.containers", a.buffer, sizeof(a.buffer), &a);
                assert_true(a.status == NSS_STATUS_SUCCESS || a.status == NSS_STATUS_NOTFOUND);
                for (const struct gaih_addrtuple *t = a.tuples; t; t = t->next) {
                        char text[INET6_ADDRSTRLEN];

                        assert_non_null(inet_ntop(t->family, t->addr, text, sizeof(text)));
                        assert_string_equal(text, "10.90.0.2");
                        found = true;
                }
                ask_address("\x0a\x5a\x00\x02", 4, AF_INET, a.buffer, sizeof(a.buffer), &a);
                assert_true(a.status == NSS_STATUS_SUCCESS || a.status == NSS_STATUS_NOTFOUND);
        }

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_no_directory(void **state) {
        size_t n = strlen(hosts_dir);

        (void) state;

        (void) snprintf(hosts_dir + n, sizeof(hosts_dir) - n, "/missing");
        assert_nothing_found("web.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);
        hosts_dir[n] = '\0';

        write_text("file", "10.90.0.2\n");
        (void) snprintf(hosts_dir + n, sizeof(hosts_dir) - n, "/file");
        assert_nothing_found("web.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.2", AF_INET, NULL);
        hosts_dir[n] = '\0';
}

/* In a container: what runs in it comes first, then what runs beside it. */
static void test_siblings(void **state) {
        (void) state;

        make_outer_directory();
        write_outer("web", "10.90.0.2\nfd90::2\n");
        write_outer("Db", "10.90.0.3\n");

        assert_resolves_to_all("web.containers", "web.containers 10.90.0.2 fd90::2");
        assert_resolves("db.containers", AF_INET, "Db.containers 10.90.0.3");
        assert_reverse("fd90::2", AF_INET6, "web.containers");
        assert_nothing_found("cache.containers", HOST_NOT_FOUND);
        assert_reverse("10.90.0.9", AF_INET, NULL);

        /* Its own are nearer, in whatever case they are asked for and whatever is in them. */
        write_text("WEB", "10.91.0.2\n");
        write_text("db", "");
        write_text("own", "10.91.0.4\n10.90.0.3\n");
        assert_resolves("own.containers", AF_INET, "own.containers 10.91.0.4 10.90.0.3");
        assert_resolves_to_all("web.containers", "WEB.containers 10.91.0.2");
        assert_nothing_found("db.containers", NO_DATA);
        assert_reverse("10.90.0.3", AF_INET, "own.containers");
        assert_reverse("10.90.0.2", AF_INET, "web.containers");
}

/* A container that runs none itself has no /run/spawnlet. */
static void test_siblings_alone(void **state) {
        size_t n = strlen(hosts_dir);

        (void) state;

        make_outer_directory();
        write_outer("web", "10.90.0.2\n");

        (void) snprintf(hosts_dir + n, sizeof(hosts_dir) - n, "/missing");
        assert_resolves("web.containers", AF_INET, "web.containers 10.90.0.2");
        assert_reverse("10.90.0.2", AF_INET, "web.containers");
        assert_nothing_found("db.containers", HOST_NOT_FOUND);
        hosts_dir[n] = '\0';
}

static void limit_open_files(rlim_t soft) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = soft;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Without a free descriptor nobody knows whether the container exists: not "not found". */
static void test_no_free_descriptor(void **state) {
        struct rlimit before;
        Answer a;
        int lowest;

        (void) state;

        write_text("web", "10.90.0.2\n");
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        lowest = dup(STDERR_FILENO);
        assert_true(lowest >= 0);
        assert_int_equal(close(lowest), 0);

        /* No descriptor for the directory, then none for the file. */
        for (int n_free = 0; n_free < 2; n_free++) {
                limit_open_files((rlim_t) (lowest + n_free));

                ask_name4("web.containers", a.buffer, sizeof(a.buffer), &a);
                assert_int_equal(a.status, NSS_STATUS_UNAVAIL);
                assert_int_equal(a.error, EMFILE);

                ask_address("\x0a\x5a\x00\x03", 4, AF_INET, a.buffer, sizeof(a.buffer), &a);
                assert_int_equal(a.status, NSS_STATUS_UNAVAIL);
                assert_int_equal(a.error, EMFILE);

                assert_nothing_found("example.org", HOST_NOT_FOUND);
        }

        limit_open_files((rlim_t) (lowest + 2));
        assert_resolves("web.containers", AF_INET, "web.containers 10.90.0.2");

        limit_open_files(before.rlim_cur);
}

/* Buffers: allocated with their exact size, so that the sanitizers see a byte too much */

typedef void (*AskFunc)(char *buffer, size_t size, Answer *a);

static void ask_tuples_of_web(char *buffer, size_t size, Answer *a) {
        ask_name4("web.containers", buffer, size, a);
        if (a->status != NSS_STATUS_SUCCESS)
                return;

        assert_int_equal((uintptr_t) a->tuples % alignof(struct gaih_addrtuple), 0);
        assert_tuples(a->tuples, "web.containers 10.90.0.2 fd90::2 10.90.0.3");
}

static void assert_aligned(const struct hostent *host) {
        assert_int_equal((uintptr_t) host->h_aliases % alignof(char *), 0);
        assert_int_equal((uintptr_t) host->h_addr_list % alignof(char *), 0);
        for (char **p = host->h_addr_list; *p; p++)
                assert_int_equal((uintptr_t) *p % alignof(struct in6_addr), 0);
}

static void ask_v4_of_web(char *buffer, size_t size, Answer *a) {
        ask_name3("web.containers", AF_INET, buffer, size, a);
        if (a->status != NSS_STATUS_SUCCESS)
                return;

        assert_aligned(&a->host);
        assert_hostent(&a->host, AF_INET, "web.containers 10.90.0.2 10.90.0.3");
}

static void ask_v6_of_web(char *buffer, size_t size, Answer *a) {
        ask_name3("web.containers", AF_INET6, buffer, size, a);
        if (a->status != NSS_STATUS_SUCCESS)
                return;

        assert_aligned(&a->host);
        assert_hostent(&a->host, AF_INET6, "web.containers fd90::2");
}

static void ask_name_of_v4(char *buffer, size_t size, Answer *a) {
        ask_address("\x0a\x5a\x00\x03", 4, AF_INET, buffer, size, a);
        if (a->status != NSS_STATUS_SUCCESS)
                return;

        assert_aligned(&a->host);
        assert_hostent(&a->host, AF_INET, "web.containers 10.90.0.3");
}

static const AskFunc ask_functions[] = {
        ask_tuples_of_web,
        ask_v4_of_web,
        ask_v6_of_web,
        ask_name_of_v4,
};

/* Grow the buffer byte by byte, as glibc does in larger steps, until the answer fits. */
static void assert_buffer_grows(AskFunc ask, size_t offset) {
        Answer a = { .status = NSS_STATUS_TRYAGAIN };
        size_t size;

        for (size = 0; a.status == NSS_STATUS_TRYAGAIN; size++) {
                _cleanup_free_ char *memory = malloc(offset + size);

                assert_non_null(memory);
                ask(memory + offset, size, &a);
        }

        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_true(size >= sizeof("web.containers") && size <= 256);
}

static void test_buffers(void **state) {
        (void) state;

        write_text("web", "10.90.0.2\nfd90::2\n10.90.0.3\n");

        for (size_t i = 0; i < ELEMENTSOF(ask_functions); i++)
                for (size_t offset = 0; offset < alignof(max_align_t); offset++)
                        assert_buffer_grows(ask_functions[i], offset);
}

static void test_no_buffer(void **state) {
        Answer a;

        (void) state;

        write_text("web", "10.90.0.2\nfd90::2\n10.90.0.3\n");

        for (size_t i = 0; i < ELEMENTSOF(ask_functions); i++) {
                ask_functions[i](NULL, 0, &a);
                assert_int_equal(a.status, NSS_STATUS_TRYAGAIN);
        }
}

/* Reverse */

static void test_reverse(void **state) {
        Answer a;

        (void) state;

        assert_reverse("10.90.0.2", AF_INET, NULL);

        write_text("Web", "10.90.0.2\nfd90::2\n");
        write_text("db", "garbage\nfd90::3\n10.90.0.3\n");
        write_text("empty", "");
        write_text(".new", "10.90.0.9\n");
        write_text("not_a_name", "10.90.0.9\n");

        assert_reverse("10.90.0.2", AF_INET, "Web.containers");
        assert_reverse("fd90::2", AF_INET6, "Web.containers");
        assert_reverse("10.90.0.3", AF_INET, "db.containers");
        assert_reverse("fd90::3", AF_INET6, "db.containers");
        assert_reverse("10.90.0.4", AF_INET, NULL);
        assert_reverse("fd90::4", AF_INET6, NULL);
        assert_reverse("10.90.0.9", AF_INET, NULL);

        /* The IPv4 peer of a dual-stack socket, and an address that begins with its bytes. */
        assert_reverse("::ffff:10.90.0.2", AF_INET6, "Web.containers");
        assert_reverse("::ffff:10.90.0.4", AF_INET6, NULL);
        assert_reverse("a5a:2::", AF_INET6, NULL);

        begin(&a);
        a.status = _nss_spawnlet_gethostbyaddr_r("\x0a\x5a\x00\x02", 4, AF_INET, &a.host, a.buffer,
                sizeof(a.buffer), &a.error, &a.h_error);
        end(&a);
        assert_int_equal(a.status, NSS_STATUS_SUCCESS);
        assert_hostent(&a.host, AF_INET, "Web.containers 10.90.0.2");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(test_families),
                TEST(test_default_family),
                TEST(test_first_tuple_given),
                TEST(test_unsupported_family),
                TEST(test_domain),
                TEST(test_case_of_name),
                TEST(test_names_not_ours),
                TEST(test_name_length),
                TEST(test_content),
                TEST(test_file_size),
                TEST(test_number_of_addresses),
                TEST(test_longest_addresses_fit),
                TEST(test_not_regular_files),
                TEST(test_devices),
                TEST(test_socket),
                TEST(test_lease),
                TEST(test_huge_file),
                TEST(test_changing_files),
                TEST(test_no_directory),
                TEST(test_siblings),
                TEST(test_siblings_alone),
                TEST(test_no_free_descriptor),
                TEST(test_buffers),
                TEST(test_no_buffer),
                TEST(test_reverse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
