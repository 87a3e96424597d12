/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-credential: what the values of SetCredential= stand for, and the files that the generator writes.
 */

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/base/credential.h"
#include "common/base/notify.h"

/* As cunescape() of systemd has it with UNESCAPE_ACCEPT_NUL. */
static void test_decode(void **state) {
        static const struct {
                const char *text, *data;
                size_t size;
        } cases[] = {
                { "", "", 0 },
                { "as it stands", "as it stands", 12 },
                { " \" ' $ % # ", " \" ' $ % # ", 11 },
                { "\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\s", "\a\b\f\n\r\t\v\\\"' ", 11 },
                { "a\\x00b\\000c\\u0000", "a\0b\0c\0", 6 },
                { "\\xff\\377\\x4A\\x4a",
                        "\xff\xff"
                        "JJ",
                        4 },
                { "\\u00e4\\U0001f600", "\xc3\xa4\xf0\x9f\x98\x80", 6 },
                { "\\\\x41", "\\x41", 4 },
        };
        static const char *const wrong[] = { "\\", "a\\", "\\q", "\\x", "\\x4", "\\xg0", "\\8",
                "\\400", "\\12", "\\u12", "\\U00110000", "\\ud800" };
        char *data;
        size_t size;

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(credential_decode(cases[i].text, &data, &size), 0);
                assert_int_equal(size, cases[i].size);
                assert_memory_equal(data, cases[i].data, size + 1);
                free(data);
        }
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(credential_decode(wrong[i], &data, &size), -EINVAL);
}

static void assert_file(int directory, const char *path, const char *text) {
        _cleanup_free_ char *content = NULL;
        struct stat st;

        assert_int_equal(file_read(directory, path, 1000, &content, NULL), 0);
        assert_string_equal(content, text);
        assert_int_equal(fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
}

static void test_generate(void **state) {
        _cleanup_diags_ Diags diags = {};
        _cleanup_(definition_freep) Definition *d = define("web@",
                "[Exec]\nSetCredential=key-%i:a\\n%i\nSetCredential=a b:x:y\nSetCredential=c:\n",
                &diags);
        _cleanup_(definition_freep) Definition *none = define("web", "", &diags);
        _cleanup_close_ int directory = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_str_ Str sources = {}, options = {};
        struct stat st;

        assert_diags(&diags, "");
        assert_int_equal(credentials_generate(directory, d), 0);
        assert_file(directory, "container-web@.credentials/key-%i", "a\\n%i");
        assert_file(directory, "container-web@.credentials/a b", "x:y");
        assert_file(directory, "container-web@.credentials/c", "");
        assert_int_equal(fstatat(directory, "container-web@.credentials", &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0700);
        assert_true(credentials_generate(directory, d) < 0); /* nothing is overwritten */

        credentials_append_sources(&sources, d);
        assert_string_equal(sources.data,
                " --credential=/run/systemd/generator/container-web@.credentials/key-%%i"
                " \"--credential=/run/systemd/generator/container-web@.credentials/a b\""
                " --credential=/run/systemd/generator/container-web@.credentials/c --instance=%i");
        credentials_append_options(&options, d);
        assert_string_equal(options.data,
                " --load-credential=key-%i:/run/spawnlet/credentials/web-%i/key-%i"
                " \"--load-credential=a b:/run/spawnlet/credentials/web-%i/a b\""
                " --load-credential=c:/run/spawnlet/credentials/web-%i/c");

        assert_int_equal(credentials_generate(directory, none), 0);
        assert_int_equal(faccessat(directory, "container-web.credentials", F_OK, 0), -1);
        credentials_append_sources(&sources, none);
        assert_null(strstr(sources.data, "web.credentials"));
}

/* No finding has the secret, however its line is wrong. */
static void test_diags(void **state) {
        static const char *const lines[] = { "SetCredential=hunter2", "SetCredential=a:hunter2\\q",
                "SetCredential=a/b:hunter2", "SetCredentail=a:hunter2", "setcredential=hunter2",
                "SetCredential=a:b\nSetCredential=a:hunter2", "SetCredentialEncrypted=a:hunter2",
                "SteCredential=a:hunter2", "SetCerdential=a:hunter2",
                "[Files]\nSetCredential=a:hunter2", "[Unit]\n[Install]\nSetCredential=a:hunter2" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_free_ char *text = NULL, *found = NULL;
                _cleanup_diags_ Diags diags = {};

                assert_int_equal(str_join(&text, "[Exec]\n", lines[i], "\n"), 0);
                definition_free(define("web", text, &diags));
                found = diags_text(&diags);
                assert_contains_not(found, "hunter2");
                assert_contains(found, "...");
        }
}

/* What a service manager does with BARRIER=1: it closes what comes with it. */
static int receive_barrier(int fd) {
        char text[100] = "", control[200];
        struct iovec data = { .iov_base = text, .iov_len = sizeof(text) };
        struct msghdr message = { .msg_iov = &data,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

        return n == (ssize_t) strlen("BARRIER=1") && memcmp(text, "BARRIER=1", (size_t) n) == 0 &&
                        CMSG_FIRSTHDR(&message)
                ? 0
                : 1;
}

static void test_barrier(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int status;

        assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
        assert_int_equal(notify_barrier(1), -ENOENT);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", (char *) *state);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
        assert_int_equal(notify_barrier(1), -ETIMEDOUT);
        assert_int_equal(receive_barrier(fd), 0); /* its end stays open here */

        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
                _exit(receive_barrier(fd));
        assert_int_equal(notify_barrier(60000), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode),
                cmocka_unit_test_setup_teardown(test_generate, directory_setup, directory_teardown),
                cmocka_unit_test(test_diags),
                cmocka_unit_test_setup_teardown(test_barrier, directory_setup, directory_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
