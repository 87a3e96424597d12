/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-file: files read whole with a limit, made, and replaced; directories made.
 */

#include "tests/unit/test.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/file.h"

static unsigned count_open_files(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        assert_int_equal(closedir(dir), 0);
        return n;
}

static unsigned count_entries(const char *path) {
        DIR *dir = opendir(path);
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        assert_int_equal(closedir(dir), 0);
        return n - 2;
}

static void assert_content(const char *path, const char *expected) {
        _cleanup_free_ char *data = NULL;

        assert_int_equal(file_read(AT_FDCWD, path, 4096, &data, NULL), 0);
        assert_string_equal(data, expected);
}

static void test_read(void **state) {
        static const char content[] = "a\0b\n";
        _cleanup_free_ char *data = NULL;
        char path[PATH_MAX];
        size_t size = 0;

        write_bytes(*state, "file", content, 4);
        assert_int_equal(file_read(AT_FDCWD, path_in(*state, "file", path), 4096, &data, &size), 0);
        assert_int_equal(size, 4);
        assert_memory_equal(data, content, 5); /* with the NUL behind it */
}

static void test_read_below_a_directory(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *data = NULL;

        assert_true(dir >= 0);
        write_text(*state, "file", "text");
        assert_int_equal(file_read(dir, "file", 4096, &data, NULL), 0);
        assert_string_equal(data, "text");
}

static void test_read_empty(void **state) {
        char path[PATH_MAX];

        write_text(*state, "file", "");
        (void) path_in(*state, "file", path);

        const char *const paths[] = { path, "/dev/null" };
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *data = NULL;
                size_t size = 42;

                assert_int_equal(file_read(AT_FDCWD, paths[i], 4096, &data, &size), 0);
                assert_int_equal(size, 0);
                assert_string_equal(data, "");
        }
}

static void test_read_to_the_limit(void **state) {
        static const struct {
                size_t size, max;
                int result;
        } cases[] = {
                { 0, 0, 0 },
                { 1, 0, -EFBIG },
                { 1, 1, 0 },
                { 2, 1, -EFBIG },
                { 4095, 4096, 0 },
                { 4096, 4096, 0 },
                { 4097, 4096, -EFBIG },
                { 1048576, 1048576, 0 },
                { 1048577, 1048576, -EFBIG },
                { 100000, 1048576, 0 },
        };
        _cleanup_free_ char *content = malloc(1048577);
        char path[PATH_MAX];

        assert_non_null(content);
        memset(content, 'x', 1048577);
        (void) path_in(*state, "file", path);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *data = NULL;
                size_t size = 42;

                write_bytes(*state, "file", content, cases[i].size);
                assert_int_equal(
                        file_read(AT_FDCWD, path, cases[i].max, &data, &size), cases[i].result);
                if (cases[i].result < 0) {
                        assert_null(data);
                        assert_int_equal(size, 42);
                } else {
                        assert_int_equal(size, cases[i].size);
                        assert_int_equal(strlen(data), size);
                }
        }
}

/* Files in /proc have no size to go by: they are read to the limit, and no further. */
static void test_read_file_without_size(void **state) {
        const size_t page = (size_t) sysconf(_SC_PAGESIZE), n_pages = 4000;
        _cleanup_free_ char *data = NULL, *none = NULL;
        size_t size = 0;

        (void) state;

        /* Every other page is another mapping, each a line of some fifty bytes. */
        char *pages = mmap(NULL, n_pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(pages, MAP_FAILED);
        for (size_t i = 0; i < n_pages; i += 2)
                assert_int_equal(mprotect(pages + i * page, page, PROT_READ), 0);

        assert_int_equal(file_read(AT_FDCWD, "/proc/self/maps", 64U << 20, &data, &size), 0);
        assert_true(size > 65536);
        assert_int_equal(strlen(data), size);
        assert_int_equal(data[size - 1], '\n');

        assert_int_equal(file_read(AT_FDCWD, "/proc/self/maps", 65536, &none, NULL), -EFBIG);
        assert_null(none);
        assert_int_equal(munmap(pages, n_pages * page), 0);
}

static void test_read_refuses_other_kinds(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned before = count_open_files();
        _cleanup_free_ char *data = NULL;
        char path[PATH_MAX];

        assert_int_equal(mkfifo(path_in(*state, "fifo", path), 0600), 0);
        assert_int_equal(file_read(AT_FDCWD, path, 4096, &data, NULL), -EBADFD);
        assert_int_equal(file_read(AT_FDCWD, *state, 4096, &data, NULL), -EBADFD);
        assert_int_equal(file_read(AT_FDCWD, "/dev/zero", 4096, &data, NULL), -EBADFD);

        assert_true(fd >= 0);
        int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", (char *) *state);
        assert_true(n > 0 && (size_t) n < sizeof(address.sun_path));
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_true(file_read(AT_FDCWD, address.sun_path, 4096, &data, NULL) < 0);

        assert_null(data);
        assert_int_equal(count_open_files(), before);
}

static void test_read_missing(void **state) {
        char *data = NULL;
        char path[PATH_MAX];

        assert_int_equal(
                file_read(AT_FDCWD, path_in(*state, "missing", path), 1, &data, NULL), -ENOENT);
        assert_int_equal(
                file_read(AT_FDCWD, path_in(*state, "a/b", path), 1, &data, NULL), -ENOENT);
        assert_null(data);
}

static void test_create(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        unsigned before = count_open_files();
        char path[PATH_MAX];
        struct stat st;

        assert_true(dir >= 0);
        (void) path_in(*state, "file", path);
        assert_int_equal(file_create(dir, "file", "one", 3, 0640), 0);
        assert_content(path, "one");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);

        assert_int_equal(file_create(dir, "file", "two", 3, 0640), -EEXIST);
        assert_content(path, "one");
        assert_int_equal(file_create(dir, "empty", NULL, 0, 0644), 0);
        assert_content(path_in(*state, "empty", path), "");
        assert_int_equal(file_create(dir, "missing/file", "x", 1, 0644), -ENOENT);
        assert_int_equal(count_open_files(), before);
}

static void test_create_does_not_follow_links(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        assert_true(dir >= 0);
        assert_int_equal(symlinkat("target", dir, "link"), 0);
        assert_int_equal(file_create(dir, "link", "x", 1, 0644), -EEXIST);
        assert_int_equal(access(path_in(*state, "target", path), F_OK), -1);
}

/* What was begun goes away, what was there stays. */
static void test_failed_writes_leave_nothing(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        assert_true(dir >= 0);
        assert_int_equal(file_replace(dir, "file", "old", 3, 0644), 0);
        assert_int_equal(mkdirat(dir, "directory", 0755), 0);
        assert_true(file_replace(dir, "directory", "new", 3, 0644) < 0);
        assert_int_equal(file_replace(dir, "missing/file", "new", 3, 0644), -ENOENT);
        assert_content(path_in(*state, "file", path), "old");
        assert_int_equal(count_entries(*state), 2);
}

static void test_replace(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        assert_true(dir >= 0);
        (void) path_in(*state, "file", path);
        assert_int_equal(file_replace(dir, "file", "one", 3, 0644), 0);
        assert_content(path, "one");
        assert_int_equal(file_replace(dir, "file", "two", 3, 0644), 0);
        assert_content(path, "two");
        assert_int_equal(count_entries(*state), 1);
}

/* Also with what a writer that was killed has left. */
static void test_remove(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        assert_true(dir >= 0);
        write_text(*state, ".file", "half");
        assert_int_equal(file_replace(dir, "file", "one", 3, 0644), 0);
        assert_int_equal(count_entries(*state), 1);

        write_text(*state, ".file", "half");
        assert_int_equal(file_remove(*state, "file"), 0);
        assert_int_equal(count_entries(*state), 0);
        assert_int_equal(file_remove(*state, "file"), 0);
        assert_int_equal(file_remove(path_in(*state, "missing", path), "file"), 0);

        assert_int_equal(mkdirat(dir, "directory", 0755), 0);
        assert_int_equal(file_remove(*state, "directory"), -EISDIR);
}

/* The file that is replaced, not what it points to. */
static void test_replace_a_link(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char path[PATH_MAX];

        assert_true(dir >= 0);
        write_text(*state, "target", "old");
        assert_int_equal(symlinkat("target", dir, "link"), 0);
        assert_int_equal(file_replace(dir, "link", "new", 3, 0644), 0);
        assert_content(path_in(*state, "link", path), "new");
        assert_content(path_in(*state, "target", path), "old");
}

static void test_replace_too_long_a_name(void **state) {
        _cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char name[NAME_MAX + 2] = {};

        assert_true(dir >= 0);
        memset(name, 'x', NAME_MAX + 1);
        assert_int_equal(file_replace(dir, name, "x", 1, 0644), -ENAMETOOLONG);
        assert_int_equal(count_entries(*state), 0);
}

static void test_mkdir_parents(void **state) {
        static const char *const names[] = { "a/b/c", "a", "a/b/c/", "a//b///d", "./e/../f" };
        char path[PATH_MAX];
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                (void) path_in(*state, names[i], path);
                for (int twice = 0; twice < 2; twice++)
                        assert_int_equal(mkdir_parents(path, 0755), 0);
                assert_int_equal(stat(path, &st), 0);
                assert_true(S_ISDIR(st.st_mode));
        }
}

static void test_mkdir_parents_over_files(void **state) {
        char path[PATH_MAX];

        write_text(*state, "file", "");
        assert_int_equal(mkdir_parents(path_in(*state, "file/a", path), 0755), -ENOTDIR);
        /* It says "done" only of what is a directory then. */
        assert_true(mkdir_parents(path_in(*state, "file", path), 0755) < 0);
}

static void test_mkdir_parents_too_long(void **state) {
        _cleanup_free_ char *path = malloc(PATH_MAX + 1);

        (void) state;

        assert_non_null(path);
        memset(path, 'x', PATH_MAX);
        path[0] = '/';
        path[PATH_MAX] = '\0';
        assert_int_equal(mkdir_parents(path, 0755), -ENAMETOOLONG);
}

#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, directory_setup, directory_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                IN_DIRECTORY(test_read),
                IN_DIRECTORY(test_read_below_a_directory),
                IN_DIRECTORY(test_read_empty),
                IN_DIRECTORY(test_read_to_the_limit),
                cmocka_unit_test(test_read_file_without_size),
                IN_DIRECTORY(test_read_refuses_other_kinds),
                IN_DIRECTORY(test_read_missing),
                IN_DIRECTORY(test_create),
                IN_DIRECTORY(test_create_does_not_follow_links),
                IN_DIRECTORY(test_failed_writes_leave_nothing),
                IN_DIRECTORY(test_replace),
                IN_DIRECTORY(test_remove),
                IN_DIRECTORY(test_replace_a_link),
                IN_DIRECTORY(test_replace_too_long_a_name),
                IN_DIRECTORY(test_mkdir_parents),
                IN_DIRECTORY(test_mkdir_parents_over_files),
                cmocka_unit_test(test_mkdir_parents_too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
