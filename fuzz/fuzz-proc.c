/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what is read of processes and cgroups. The kernel writes these files, but processes choose
 * their names, command lines and executables, and whoever is inside makes cgroups: whatever they are,
 * what is taken from the other fields stays the same.
 */

#include <assert.h>

#include "common/kernel/cgroup.c" /* NOLINT: its parsers are its own */
#include "common/kernel/init.c"   /* NOLINT: the same */
#include "fuzz/fuzz.h"

/* A name as the kernel writes it into /proc/PID/status: fs/proc/array.c, task_name. */
static void append_escaped(Str *s, const char *name) {
        for (; *name; name++)
                if (*name == '\n')
                        str_append(s, "\\n");
                else if (*name == '\\')
                        str_append(s, "\\\\");
                else
                        str_append_char(s, *name);
}

static void check_status(const char *text) {
        InitState state = {}, again = {};
        _cleanup_str_ Str s = {};

        (void) status_is_init_of(text, 1);
        if (parse_signals(text, &state) >= 0) {
                str_appendf(&s, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
                        (unsigned long long) state.blocked, (unsigned long long) state.ignored,
                        (unsigned long long) state.caught);
                assert(str_error(&s) == 0 && parse_signals(s.data, &again) == 0);
                assert(state.blocked == again.blocked && state.ignored == again.ignored &&
                        state.caught == again.caught);
                assert(status_field(text, "SigBlk") && status_field(text, "SigCgt"));
                for (int signal = 1; signal <= SIGRTMAX; signal++)
                        (void) init_can_take(&state, signal);
        }

        /* A process that is called so. */
        str_done(&s);
        str_append(&s, "Name:\t");
        append_escaped(&s, text);
        str_append(
                &s, "\nPid:\t7\nPPid:\t42\nNSpid:\t7\t2\nSigBlk:\t01\nSigIgn:\t02\nSigCgt:\t04\n");
        assert(str_error(&s) == 0);
        assert(!status_is_init_of(s.data, 42));
        assert(parse_signals(s.data, &state) == 0);
        assert(state.blocked == 1 && state.ignored == 2 && state.caught == 4);
}

static void check_start_time(const char *text) {
        _cleanup_str_ Str s = {};
        uint64_t time;

        (void) parse_start_time(text, &time);
        str_append_all(
                &s, "7 (", text, ") S 42 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 4711 23\n");
        assert(str_error(&s) == 0 && parse_start_time(s.data, &time) == 0 && time == 4711);
}

/* What is mapped beside a container's own users, whatever it is, makes them no fewer, and no others. */
static void check_users(const char *text) {
        uint32_t first, count, again, more;
        _cleanup_str_ Str s = {};

        if (parse_users(text, &first, &count) >= 0)
                assert(count > 0);

        str_append_all(&s, "         0     524288       1000\n", text);
        assert(str_error(&s) == 0);
        if (parse_users(s.data, &again, &more) >= 0)
                assert(again == 524288 && more >= 1000);
        /* BindUser= of user 1000. */
        assert(parse_users("0 524288 1000\n1000 1000 1\n1001 525289 64535\n", &first, &count) == 0);
        assert(first == 524288 && count == 65536);
}

static void check_children(const char *text) {
        const char *p = text;

        for (size_t n = 0; next_child(&p) > 0; n++)
                assert(n <= strlen(text) && p <= text + strlen(text));
        assert(*p == '\0');
}

static void check_names(const char *text) {
        char name[PROCESS_NAME_MAX], executable[64], *target = strdup(text);

        clean_name(text, name);
        assert(strlen(name) < sizeof(name));
        for (const char *p = name; *p; p++)
                assert(*p >= ' ' && *p <= '~');

        assert(target);
        executable_name(target, executable, sizeof(executable));
        assert(strlen(executable) < sizeof(executable) && !strchr(executable, '/'));
        free(target);
}

/* What follows "--" is the container's. */
static void check_options(const char *text, size_t size) {
        static const char inside[] = "--\0--boot\0--kill-signal=SIGHUP";
        InitOptions options = {}, more = {};
        int r = parse_options(text, size, &options);

        assert(r >= 0 ? options.kill_signal >= 0 && options.kill_signal <= SIGRTMAX : r == -EINVAL);

        _cleanup_str_ Str s = {};
        str_append_n(&s, text, size);
        str_append_char(&s, '\0');
        str_append_n(&s, inside, sizeof(inside));
        /* But that of who executes nspawn. */
        if (str_ends_with(text, "/spawnlet-network"))
                return;
        assert(str_error(&s) == 0 && parse_options(s.data, s.len, &more) == r);
        assert(r < 0 || (more.kill_signal == options.kill_signal && more.boots == options.boots));
}

static void check_cgroup(const char *text) {
        _cleanup_free_ char *path = NULL;
        int populated = parse_populated(text);

        assert(populated == 0 || populated == 1 || populated == -EBADMSG);
        if (parse_cgroup(text, &path) < 0)
                return;

        const char *below = str_starts_with(path, CGROUP_ROOT);
        _cleanup_free_ char *line = NULL;

        assert(below && !strchr(below, '\n'));
        assert(str_join(&line, "0::", below) == 0 && count_lines(text, line) > 0);
}

/* In whatever parts a list is read. */
static void check_processes(const char *text, size_t size) {
        CgroupProcesses whole = {}, parts = {};
        pid_t torn = 0, torn_parts = 0;

        add_pids(&whole, text, size, &torn);
        for (size_t i = 0, n; i < size; i += n) {
                n = MIN(size - i, (size_t) 1 + (unsigned char) text[i] % 5);
                add_pids(&parts, text + i, n, &torn_parts);
        }
        assert(torn == torn_parts && whole.n == parts.n && torn >= 0);
        assert(memcmp(whole.some, parts.some, sizeof(whole.some)) == 0);
        for (size_t i = 0; i < ELEMENTSOF(whole.some); i++)
                assert(whole.some[i] >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = calloc(1, size + 1);

        assert(text);
        memcpy(text, data, size);
        check_status(text);
        check_start_time(text);
        check_users(text);
        check_children(text);
        check_names(text);
        check_options(text, size);
        check_cgroup(text);
        check_processes(text, size);
        free(text);
        return 0;
}
