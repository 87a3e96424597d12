/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-root: what a container's root has, looked at while its links lead out of it, and while
 * others rename; and what is made and removed in it, while others put links in its place.
 */

#include "tests/unit/test.h"

#include <linux/openat2.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/kernel/root.h"

/* What is done before the system calls of root.c, see test_races(). */
static struct {
        int root;
        size_t what;         /* of exchanged[] */
        unsigned when, call; /* before which call, and which one it is */
        bool back;           /* put back before the next */
} attack = { .root = -EBADF };

static void before_call(void);

#define faccessat(...) (before_call(), faccessat(__VA_ARGS__))
#define fdopendir(...) (before_call(), fdopendir(__VA_ARGS__))
#define file_create(...) (before_call(), file_create(__VA_ARGS__))
#define mkdirat(...) (before_call(), mkdirat(__VA_ARGS__))
#define openat(...) (before_call(), openat(__VA_ARGS__))
#define readdir(...) (before_call(), readdir(__VA_ARGS__))
#define renameat2(...) (before_call(), renameat2(__VA_ARGS__))
#define statx(...) (before_call(), statx(__VA_ARGS__))
#define symlinkat(...) (before_call(), symlinkat(__VA_ARGS__))
#define syscall(...) (before_call(), syscall(__VA_ARGS__))
#define unlinkat(...) (before_call(), unlinkat(__VA_ARGS__))

#include "common/kernel/root.c"

#undef faccessat
#undef fdopendir
#undef file_create
#undef mkdirat
#undef openat
#undef readdir
#undef renameat2
#undef statx
#undef symlinkat
#undef syscall
#undef unlinkat

/* The test itself is not to be led astray. Two parts at most. */
static int open_below(int root, const char *path) {
        const char *slash = strchr(path, '/');
        char first[NAME_MAX + 1];
        int parent, fd;

        if (root < 0)
                return -EBADF;
        (void) snprintf(first, sizeof(first), "%.*s", (int) strcspn(path, "/"), path);
        parent = openat(root, first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (parent < 0 || !slash)
                return parent;
        fd = openat(parent, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        (void) close(parent);
        return fd;
}

static int open_root(const char *directory) {
        int root = root_open(directory);

        assert_true(root >= 0);
        return root;
}

static void test_links_stay_inside(void **state) {
        _cleanup_close_ int root = open_root(*state);

        write_text(*state, "usr/lib/os-release", "");
        assert_int_equal(mkdirat(root, "etc", 0755), 0);
        assert_int_equal(symlinkat("../usr/lib/os-release", root, "etc/os-release"), 0);
        assert_int_equal(symlinkat("/usr/lib/os-release", root, "absolute"), 0);
        assert_int_equal(symlinkat("../../../../../../proc/self/status", root, "etc/above"), 0);
        assert_int_equal(symlinkat("/proc/self/status", root, "etc/outside"), 0);
        assert_int_equal(symlinkat("loop", root, "loop"), 0);

        assert_int_equal(root_has_file(root, "usr/lib/os-release"), 1);
        assert_int_equal(root_has_file(root, "etc/os-release"), 1);
        assert_int_equal(root_has_file(root, "absolute"), 1);
        assert_int_equal(root_has_file(root, "etc/above"), 0);
        assert_int_equal(root_has_file(root, "etc/outside"), 0);
        assert_int_equal(root_has_file(root, "loop"), 0);
        assert_int_equal(root_has_file(root, "usr/lib/os-release/x"), 0);
        assert_int_equal(root_has_file(root, "missing"), 0);
}

/* A rename anywhere makes openat2(2) give up on a path with "..". */
static void test_renames_meanwhile(void **state) {
        _cleanup_close_ int root = open_root(*state);

        write_text(*state, "usr/lib/os-release", "");
        assert_int_equal(mkdirat(root, "etc", 0755), 0);
        assert_int_equal(mkdirat(root, "a", 0755), 0);
        assert_int_equal(symlinkat("../usr/lib/os-release", root, "etc/os-release"), 0);

        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                while (renameat(root, "a", root, "b") == 0 && renameat(root, "b", root, "a") == 0)
                        ;

        for (unsigned i = 0; i < test_rounds(); i++) {
                int r = root_has_file(root, "etc/os-release");

                if (r != 1) {
                        (void) kill(pid, SIGKILL);
                        fail_msg("%u: %s", i, strerror(-r));
                }
        }

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What is no file would block whoever reads it. */
static void test_no_regular_file(void **state) {
        _cleanup_close_ int root = open_root(*state);

        assert_int_equal(mkfifoat(root, "fifo", 0644), 0);
        assert_int_equal(mkdirat(root, "directory", 0755), 0);
        assert_int_equal(symlinkat("/fifo", root, "link"), 0);

        assert_int_equal(root_has_file(root, "fifo"), -EBADFD);
        assert_int_equal(root_has_file(root, "link"), -EBADFD);
        assert_int_equal(root_has_file(root, "directory"), -EBADFD);
}

static void test_leads_out(void **state) {
        _cleanup_close_ int root = open_root(*state);

        write_text(*state, "data/log/file", "");
        assert_int_equal(mkdirat(root, "var", 0755), 0);
        assert_int_equal(symlinkat("../data/log", root, "var/log"), 0);
        assert_int_equal(symlinkat("/usr/lib", root, "usr"), 0);
        assert_int_equal(symlinkat("/not/there", root, "nowhere"), 0);
        assert_int_equal(symlinkat("/data", root, "absolute"), 0);
        assert_int_equal(symlinkat("loop", root, "loop"), 0);
        assert_int_equal(symlinkat("/etc", root, "etc"), 0);

        assert_int_equal(root_leads_out(root, "var/log/file"), 0);
        assert_int_equal(root_leads_out(root, "var/missing"), 0);
        assert_int_equal(root_leads_out(root, "nowhere"), 0);
        assert_int_equal(
                root_leads_out(root, "absolute/log"), 0); /* nothing is there on the host */
        assert_int_equal(root_leads_out(root, "loop"), 0);
        assert_int_equal(root_leads_out(root, "usr"), 1);
        assert_int_equal(root_leads_out(root, "etc/passwd"), 1);
}

static void test_root_of_the_host(void **state) {
        char path[PATH_MAX];

        assert_int_equal(root_open("/"), -EXDEV);
        assert_int_equal(symlink("/", path_in(*state, "link", path)), 0);
        assert_int_equal(root_open(path), -EXDEV);
}

static void look_above_is(const char *directory, mode_t mode, bool others_write, bool reachable) {
        _cleanup_free_ char *writable = NULL;
        char above[PATH_MAX], path[PATH_MAX];
        bool found;

        assert_int_equal(chmod(path_in(directory, "above", above), mode), 0);
        assert_int_equal(
                root_look_above(path_in(directory, "above/root", path), &writable, &found), 0);
        assert_int_equal(found, reachable);
        if (others_write)
                assert_string_equal(writable, above);
        else
                assert_null(writable);
}

static void test_look_above(void **state) {
        _cleanup_free_ char *writable = NULL;
        char path[PATH_MAX], link[PATH_MAX];
        struct stat st;
        bool reachable;

        if (geteuid() != 0)
                skip();
        assert_int_equal(chmod(*state, 0755), 0);
        assert_int_equal(close(open_root(path_in(*state, "above/root", path))), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(stat(path_in(*state, "above", path), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);

        look_above_is(*state, 0700, false, false);
        look_above_is(*state, 0750, false, false);
        look_above_is(*state, 0755, false, true);
        look_above_is(*state, 0775, false, true); /* its group is root's */
        look_above_is(*state, 0777, true, true);
        look_above_is(*state, 01777, false, true);
        look_above_is(*state, 0702, true, false);
        assert_int_equal(chown(path, 0, 4242), 0);
        look_above_is(*state, 0770, true, false);
        assert_int_equal(chown(path, 4242, 0), 0);
        look_above_is(*state, 0700, true, false);

        /* A link that others may change leads to it. */
        assert_int_equal(chown(path, 0, 0), 0);
        look_above_is(*state, 0700, false, false);
        assert_int_equal(mkdir(path_in(*state, "shared", link), 0), 0);
        assert_int_equal(chmod(link, 0777), 0);
        assert_int_equal(symlink(path, path_in(*state, "shared/link", link)), 0);
        assert_int_equal(
                root_look_above(path_in(*state, "shared/link/root/", link), &writable, &reachable),
                0);
        assert_string_equal(writable, path_in(*state, "shared", path));
        assert_false(reachable);
}

/* More levels than there may be descriptors, or fit on the stack. */
static void test_remove_deep(void **state) {
        _cleanup_close_ int root = open_root(*state);
        int current = fcntl(root, F_DUPFD_CLOEXEC, 3);

        for (unsigned i = 0; i < 1500; i++) {
                assert_int_equal(mkdirat(current, ".spawnlet-new", 0755), 0);
                int fd = openat(current, ".spawnlet-new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(fd >= 0);
                (void) close(current);
                current = fd;
        }
        assert_int_equal(symlinkat("/", current, "link"), 0);
        (void) close(current);

        assert_int_equal(root_create(root, "file", "text", 4, 0644), 1);
        assert_int_equal(faccessat(root, ".spawnlet-new", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        assert_int_equal(root_remove(root, ".spawnlet-new"), 0);
}

/* What is mounted is not entered. */
static void test_remove_mounts(void **state) {
        static const char *const points[] = { "tree", "tree/deep/er" };
        _cleanup_close_ int root = open_root(*state);
        char outside[PATH_MAX], point[PATH_MAX];

        write_text(*state, "outside/kept", "");
        write_text(*state, "tree/deep/er/file", "");
        for (size_t i = 0; i < ELEMENTSOF(points); i++) {
                (void) path_in(*state, "outside", outside);
                (void) path_in(*state, points[i], point);
                if (mount(outside, point, "none", MS_BIND, NULL) < 0)
                        skip(); /* not root */
                assert_int_equal(root_remove(root, "tree"), -EBUSY);
                assert_int_equal(umount(point), 0);
                assert_int_equal(root_has_file(root, "outside/kept"), 1);
        }
        assert_int_equal(root_remove(root, "tree"), 0);
}

/*
 * Races: before each of the system calls in turn, somebody else exchanges a name for a link that
 * leads out of the root; and in a second run puts it back before the next one.
 */

static const struct {
        const char *directory, *name, *other;
} exchanged[] = {
        { ".", "etc", "link" },
        { "etc", "deep", "link" },
        { "etc", "made", "link" },
        { "etc", ".spawnlet-new", "link" },
        { "etc", ".spawnlet-new", "file" },
        { "etc/.spawnlet-new", "inner", "link" },
        { "etc/.spawnlet-new", "below", "link" },
};

static void exchange(void) {
        int fd = open_below(attack.root, exchanged[attack.what].directory);

        if (fd < 0)
                return; /* not there yet, or no more */
        (void) renameat2(fd, exchanged[attack.what].name, fd, exchanged[attack.what].other,
                RENAME_EXCHANGE); /* as above */
        (void) close(fd);
}

static void before_call(void) {
        if (attack.call == attack.when || (attack.back && attack.call == attack.when + 1))
                exchange();
        attack.call++;
}

/* The names in a directory, sorted. */
static void assert_only(const char *path, const char *expected) {
        _cleanup_closedir_ DIR *d = opendir(path);
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *text = NULL;

        assert_non_null(d);
        for (const struct dirent *e; (e = readdir(d));)
                if (!str_equal(e->d_name, ".") && !str_equal(e->d_name, ".."))
                        assert_int_equal(strv_extend(&names, e->d_name), 0);
        strv_sort(names);
        text = joined(names);
        assert_string_equal(text, expected);
}

/* What nothing is to reach. It is looked at after each attack, and stays for the next one. */
static void make_outside(const char *directory) {
        write_text(directory, "outside/kept", "as it was");
        write_text(directory, "outside/below/kept", "as it was");
        write_text(directory, "source/copied/file", "a file of the host");
}

/* With as few system calls as can be: this is done for each of some thousand attacks. Return: the root. */
static int plant(const char *directory) {
        static const char *const directories[] = { "etc", "etc/deep", "etc/.spawnlet-new",
                "etc/.spawnlet-new/inner", "etc/.spawnlet-new/inner/most" };
        static const char *const files[] = { "etc/file", "etc/deep/file",
                "etc/.spawnlet-new/inner/most/file" };
        static const char *const links[] = { "link", "etc/link", "etc/.spawnlet-new/link" };
        char path[PATH_MAX];
        int root;

        assert_int_equal(mkdir(path_in(directory, "root", path), 0755), 0);
        root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(root >= 0);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                assert_int_equal(mkdirat(root, directories[i], 0755), 0);
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                assert_int_equal(mknodat(root, files[i], S_IFREG | 0644, 0), 0);
        (void) path_in(directory, "outside", path);
        for (size_t i = 0; i < ELEMENTSOF(links); i++)
                assert_int_equal(symlinkat(path, root, links[i]), 0);
        return root;
}

static void make_deep(int root, const char *source) {
        _cleanup_close_ int fd = root_mkdir(root, "etc/deep/below/most", 0755);

        (void) source;
        if (fd >= 0)
                (void) root_create(fd, "made", "text", 4, 0644);
}

static void create(int root, const char *source) {
        _cleanup_close_ int fd = root_mkdir(root, "etc", 0755);

        (void) source;
        if (fd >= 0)
                (void) root_create(fd, "made", "text", 4, 0644);
}

static void copy(int root, const char *source) {
        _cleanup_close_ int fd = root_mkdir(root, "etc", 0755);

        if (fd >= 0)
                (void) root_copy(source, fd, "made");
}

static void remove_tree(int root, const char *source) {
        _cleanup_close_ int fd = root_mkdir(root, "etc", 0755);

        (void) source;
        if (fd >= 0)
                (void) root_remove(fd, ".spawnlet-new");
}

/* Return: whether the attack came before the end. */
static bool attacked(const char *directory, void (*operation)(int root, const char *source)) {
        char path[PATH_MAX], source[PATH_MAX];
        int r;

        attack.call = 0;
        attack.root = plant(directory);

        operation(attack.root, path_in(directory, "source", source));
        unsigned n_calls = attack.call;

        assert_only(path_in(directory, "outside", path), "below|kept");
        assert_only(path_in(directory, "outside/below", path), "kept");
        assert_only(source, "copied");
        (void) close(TAKE_FD(attack.root));
        r = root_remove(AT_FDCWD, path_in(directory, "root", path));
        assert_int_equal(r, 0);
        return attack.when < n_calls;
}

/* In memory, if that can be: much is made and removed. */
static int memory_setup(void **state) {
        char *path = strdup("/dev/shm/spawnlet-test-XXXXXX");

        assert_non_null(path);
        if (!mkdtemp(path)) {
                free(path);
                return directory_setup(state);
        }
        *state = path;
        return 0;
}

static void test_races(void **state) {
        static void (*const operations[])(
                int root, const char *source) = { make_deep, create, copy, remove_tree };

        make_outside(*state);
        for (size_t i = 0; i < ELEMENTSOF(operations); i++)
                for (attack.what = 0; attack.what < ELEMENTSOF(exchanged); attack.what++)
                        for (unsigned back = 0; back < 2; back++) {
                                attack.back = back > 0;
                                attack.when = 0;
                                while (attacked(*state, operations[i]))
                                        attack.when++;
                                assert_true(attack.when > 5); /* else nothing was tried */
                        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_links_stay_inside, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_renames_meanwhile, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_no_regular_file, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_leads_out, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_root_of_the_host, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_look_above, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(test_remove_deep, memory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_remove_mounts, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(test_races, memory_setup, directory_teardown),
        };

        return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
