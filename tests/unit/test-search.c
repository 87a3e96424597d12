/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-search: which files count as definitions, which of several counts, which drop-ins belong
 * to it and in which order, and what an odd file in one of the directories costs: that name and
 * no other.
 */

#include "tests/unit/test.h"

#include "common/base/ini.h"
#include "common/base/search.h"

/* $SPAWNLET_PATH of the directories @names below @directory, with ':' between. */
static void set_path(const char *directory, const char *names) {
        _cleanup_str_ Str s = {};

        for (const char *p = names; *p;) {
                size_t n = strcspn(p, ":");

                str_appendf(&s, "%s%s/%.*s", s.len > 0 ? ":" : "", directory, (int) n, p);
                p += n + (p[n] == ':');
        }
        assert_int_equal(setenv("SPAWNLET_PATH", s.data, 1), 0);
}

static Search *search(void) {
        _cleanup_diags_ Diags diags = {};
        Search *s = NULL;

        assert_int_equal(search_new(&s, &diags), 0);
        assert_diags(&diags, "");
        return s;
}

static Definition *load(const char *name, Diags *diags) {
        _cleanup_(search_freep) Search *s = search();
        const SearchEntry *c = search_find(s, name);
        Definition *d = NULL;

        assert_non_null(c);
        assert_int_equal(search_load(s, c, diags, &d), 0);
        return d;
}

/* The files of @name, last parts only, and its description. */
static void assert_loads(const char *name, const char *files, const char *description) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *text = NULL, *found = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_strv_ char **names = NULL;

        d = load(name, &diags);
        found = diags_text(&diags);
        assert_string_equal(found, "");
        assert_non_null(d);
        STRV_FOREACH(f, d->files)
                assert_int_equal(strv_extend(&names, strrchr(*f, '/') + 1), 0);
        text = joined(names);
        assert_string_equal(text, files);
        if (!str_equal(definition_value(d, KEY_DESCRIPTION), description))
                fail_msg("%s: %s", name, definition_value(d, KEY_DESCRIPTION));
}

/* That @name makes a definition with an error that has @message in it. */
static void assert_load_fails(const char *name, const char *message) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *found = NULL;
        _cleanup_diags_ Diags diags = {};

        d = load(name, &diags);
        assert_non_null(d);
        assert_non_null(d->files); /* a stub has a source */
        assert_true(diags_count(&diags, SEVERITY_ERROR) > 0);
        found = diags_text(&diags);
        assert_contains(found, message);
}

static void assert_masked(const char *name) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        d = load(name, &diags);
        assert_null(d);
        assert_diags(&diags, "");
}

static void write_description(const char *directory, const char *name, const char *description) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(str_format(&text, "[Container]\nDescription=%s\n", description), 0);
        write_text(directory, name, text);
}

static void link_to(const char *directory, const char *name, const char *target) {
        char path[PATH_MAX];

        assert_int_equal(symlink(target, path_in(directory, name, path)), 0);
}

static void test_no_directories(void **state) {
        _cleanup_(search_freep) Search *empty = NULL, *missing = NULL, *file = NULL;

        assert_int_equal(setenv("SPAWNLET_PATH", "", 1), 0);
        empty = search();
        assert_int_equal(empty->n_candidates, 0);
        assert_null(search_find(empty, "web"));

        set_path(*state, "missing");
        missing = search();
        assert_int_equal(missing->n_candidates, 0);

        write_text(*state, "file", "");
        set_path(*state, "file");
        file = search();
        assert_int_equal(file->n_candidates, 0);
        assert_null(search_free(NULL));
}

static void test_which_files_count(void **state) {
        static const char *const names[] = { "b.container", "a.container", "a.b.container",
                "a.container~", "a.container.swp", ".hidden.container", ".container", "c.conf",
                "container", "d.Container", "web@.container", "-bad.container" };
        _cleanup_(search_freep) Search *s = NULL;
        _cleanup_strv_ char **found = NULL;
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                write_description(*state, names[i], "x");
        set_path(*state, ".");
        s = search();
        for (size_t i = 0; i < s->n_candidates; i++)
                assert_int_equal(strv_extend(&found, s->candidates[i].name), 0);
        text = joined(found);
        assert_string_equal(text, "-bad|a|a.b|b|web@");
}

static void test_find(void **state) {
        _cleanup_(search_freep) Search *s = NULL;

        for (int i = 0; i < 40; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "c%i.container", i);
                write_description(*state, name, "x");
        }
        set_path(*state, ".");
        s = search();
        assert_int_equal(s->n_candidates, 40);
        for (int i = 0; i < 40; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "c%i", i);
                assert_string_equal(search_find(s, name)->name, name);
        }
        assert_null(search_find(s, "c40"));
        assert_null(search_find(s, ""));
        assert_null(search_find(s, "c0.container"));
}

static void test_first_directory_wins(void **state) {
        write_description(*state, "etc/web.container", "etc");
        write_description(*state, "usr/web.container", "usr");
        write_description(*state, "usr/db.container", "db");

        set_path(*state, "etc:usr");
        assert_loads("web", "web.container", "etc");
        assert_loads("db", "db.container", "db");
        set_path(*state, "usr:etc");
        assert_loads("web", "web.container", "usr");
        set_path(*state, "missing:etc:usr:etc");
        assert_loads("web", "web.container", "etc");
}

static void test_empty_parts_of_the_path(void **state) {
        _cleanup_free_ char *path = NULL;

        write_description(*state, "etc/web.container", "etc");
        write_description(*state, "usr/web.container", "usr");
        assert_int_equal(
                str_format(&path, ":%s/etc::%s/usr:", (char *) *state, (char *) *state), 0);
        assert_int_equal(setenv("SPAWNLET_PATH", path, 1), 0);
        assert_loads("web", "web.container", "etc");
}

static void test_links_are_followed(void **state) {
        write_description(*state, "elsewhere", "x");
        link_to(*state, "web.container", "elsewhere");
        set_path(*state, ".");
        assert_loads("web", "web.container", "x");
}

static void test_masks(void **state) {
        write_description(*state, "usr/empty.container", "x");
        write_description(*state, "usr/null.container", "x");
        write_description(*state, "usr/null.container.d/a.conf", "x");
        write_text(*state, "etc/empty.container", "");
        link_to(*state, "etc/null.container", "/dev/null");
        set_path(*state, "etc:usr");

        assert_masked("empty");
        assert_masked("null");
}

/* Only emptiness masks: a file with nothing but a comment is a container with all defaults. */
static void test_comment_is_no_mask(void **state) {
        write_text(*state, "web.container", "# all as it is\n");
        set_path(*state, ".");
        assert_loads("web", "web.container", NULL);
}

static void test_dropins_in_order_of_their_names(void **state) {
        write_description(*state, "etc/web.container", "main");
        write_description(*state, "etc/web.container.d/20-b.conf", "20");
        write_description(*state, "usr/web.container.d/10-a.conf", "10");
        write_description(*state, "usr/web.container.d/30-c.conf", "30");
        write_description(*state, "usr/container.d/25-all.conf", "25");
        set_path(*state, "etc:usr");

        assert_loads("web", "web.container|10-a.conf|20-b.conf|25-all.conf|30-c.conf", "30");
}

static void test_dropins_of_prefixes(void **state) {
        write_description(*state, "a-b-c.container", "main");
        write_description(*state, "a-b.container", "other");
        write_description(*state, "container.d/1.conf", "all");
        write_description(*state, "a-.container.d/2.conf", "a-");
        write_description(*state, "a-b-.container.d/3.conf", "a-b-");
        write_description(*state, "a-b-c.container.d/4.conf", "a-b-c");
        /* None of these belongs to a-b-c. */
        write_description(*state, "a.container.d/5.conf", "a");
        write_description(*state, "a-b.container.d/6.conf", "a-b");
        write_description(*state, "b-.container.d/7.conf", "b-");
        write_description(*state, "-.container.d/8.conf", "-");
        write_description(*state, "a-b-c-.container.d/9.conf", "a-b-c-");
        set_path(*state, ".");

        assert_loads("a-b-c", "a-b-c.container|1.conf|2.conf|3.conf|4.conf", "a-b-c");
        assert_loads("a-b", "a-b.container|1.conf|2.conf|6.conf", "a-b");
}

/* Two of one file name: the directory that means fewer containers, then the earlier one. */
static void test_dropins_of_one_name(void **state) {
        write_description(*state, "usr/a-b.container", "main");
        write_description(*state, "etc/container.d/x.conf", "all in etc");
        write_description(*state, "usr/a-.container.d/x.conf", "prefix in usr");
        set_path(*state, "etc:usr");
        assert_loads("a-b", "a-b.container|x.conf", "prefix in usr");

        write_description(*state, "usr/a-b.container.d/x.conf", "name in usr");
        assert_loads("a-b", "a-b.container|x.conf", "name in usr");
        write_description(*state, "etc/a-b.container.d/x.conf", "name in etc");
        assert_loads("a-b", "a-b.container|x.conf", "name in etc");
}

static void test_masked_dropins(void **state) {
        write_description(*state, "usr/web.container", "main");
        write_description(*state, "usr/web.container.d/a.conf", "a");
        write_description(*state, "usr/web.container.d/b.conf", "b");
        write_text(*state, "etc/web.container.d/a.conf", "");
        link_to(*state, "etc/web.container.d/b.conf", "/dev/null");
        set_path(*state, "etc:usr");
        assert_loads("web", "web.container|a.conf|b.conf", "main");
}

static void test_which_dropins_count(void **state) {
        write_description(*state, "web.container", "main");
        write_description(*state, "web.container.d/a.conf~", "x");
        write_description(*state, "web.container.d/.a.conf", "x");
        write_description(*state, "web.container.d/a.container", "x");
        write_description(*state, "web.container.d/sub/a.conf", "x");
        set_path(*state, ".");
        assert_loads("web", "web.container", "main");
}

static void test_dropin_resets_a_list(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        write_text(*state, "web.container", "[Files]\nBind=/a\nBind=/b\n");
        write_text(*state, "web.container.d/x.conf", "[Files]\nBind=\nBind=/c\n");
        set_path(*state, ".");
        d = load("web", &diags);
        assert_diags(&diags, "");
        assert_int_equal(d->n_settings, 1);
        assert_string_equal(definition_value(d, KEY_BIND), "/c");
}

static void test_dropins_alone_make_nothing(void **state) {
        _cleanup_(search_freep) Search *s = NULL;

        write_description(*state, "web.container.d/x.conf", "x");
        set_path(*state, ".");
        s = search();
        assert_int_equal(s->n_candidates, 0);
}

#define NAME_OF_64 "a-34567890123456789012345678901234567890123456789012345678901234"

static void test_longest_name(void **state) {
        write_description(*state, NAME_OF_64 ".container", "main");
        write_description(*state, NAME_OF_64 ".container.d/y.conf", "y");
        write_description(*state, "a-.container.d/x.conf", "x");
        set_path(*state, ".");
        assert_loads(NAME_OF_64, NAME_OF_64 ".container|x.conf|y.conf", "y");
}

static void test_names_of_no_container(void **state) {
        static const char *const names[] = { "-bad", "bad-", "b..ad", "under_score", "b ad", "b%ad",
                NAME_OF_64 "5" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_free_ char *file = NULL, *found = NULL;
                _cleanup_diags_ Diags diags = {};

                assert_int_equal(str_format(&file, "%s.container", names[i]), 0);
                write_description(*state, file, "x");
                set_path(*state, ".");
                d = load(names[i], &diags);
                assert_null(d);
                assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 1);
                found = diags_text(&diags);
                assert_contains(found, "not the name of a container");
        }
}

/* What is wrong with one name is not wrong with the others. */
static void test_odd_files(void **state) {
        char path[PATH_MAX];

        write_description(*state, "good.container", "good");
        assert_int_equal(mkdir(path_in(*state, "dir.container", path), 0755), 0);
        assert_int_equal(mkfifo(path_in(*state, "fifo.container", path), 0600), 0);
        link_to(*state, "dangling.container", "missing");
        link_to(*state, "loop.container", "loop.container");
        link_to(*state, "zero.container", "/dev/zero");
        write_description(*state, "dropin.container", "x");
        assert_int_equal(mkdir(path_in(*state, "dropin.container.d", path), 0755), 0);
        assert_int_equal(mkfifo(path_in(*state, "dropin.container.d/x.conf", path), 0600), 0);
        set_path(*state, ".");

        assert_load_fails("dir", "not a regular file");
        assert_load_fails("fifo", "not a regular file");
        assert_load_fails("dangling", "No such file or directory");
        assert_load_fails("loop", "Too many levels of symbolic links");
        assert_load_fails("zero", "not a regular file");
        assert_load_fails("dropin", "x.conf: not a regular file");
        assert_loads("good", "good.container", "good");
}

/* A file that is called like the directory for all must not cost all of them their units. */
static void test_file_in_the_place_of_a_dropin_directory(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        write_description(*state, "web.container", "main");
        write_text(*state, "container.d", "");
        set_path(*state, ".");

        d = load("web", &diags);
        assert_non_null(d);
        assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 0);
}

static void test_file_size(void **state) {
        _cleanup_free_ char *text = malloc(INI_FILE_MAX + 1);

        assert_non_null(text);
        memset(text, '\n', INI_FILE_MAX + 1);
        memcpy(text, "[Container]\nDescription=x\n", 26);
        write_bytes(*state, "fits.container", text, INI_FILE_MAX);
        write_bytes(*state, "over.container", text, INI_FILE_MAX + 1);
        set_path(*state, ".");
        assert_loads("fits", "fits.container", "x");
        assert_load_fails("over", "larger than 1 MiB");
}

static void test_settings_are_checked_together(void **state) {
        write_text(*state, "web.container", "[Network]\nPrivate=no\n");
        write_text(*state, "web.container.d/x.conf", "[Network]\nMTU=1500\n");
        set_path(*state, ".");
        assert_load_fails("web", "x.conf:2: [Network] MTU=1500: contradicts Private=no");
}

#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, directory_setup, directory_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                IN_DIRECTORY(test_no_directories),
                IN_DIRECTORY(test_which_files_count),
                IN_DIRECTORY(test_find),
                IN_DIRECTORY(test_first_directory_wins),
                IN_DIRECTORY(test_empty_parts_of_the_path),
                IN_DIRECTORY(test_links_are_followed),
                IN_DIRECTORY(test_masks),
                IN_DIRECTORY(test_comment_is_no_mask),
                IN_DIRECTORY(test_dropins_in_order_of_their_names),
                IN_DIRECTORY(test_dropins_of_prefixes),
                IN_DIRECTORY(test_dropins_of_one_name),
                IN_DIRECTORY(test_masked_dropins),
                IN_DIRECTORY(test_which_dropins_count),
                IN_DIRECTORY(test_dropin_resets_a_list),
                IN_DIRECTORY(test_dropins_alone_make_nothing),
                IN_DIRECTORY(test_longest_name),
                IN_DIRECTORY(test_names_of_no_container),
                IN_DIRECTORY(test_odd_files),
                IN_DIRECTORY(test_file_in_the_place_of_a_dropin_directory),
                IN_DIRECTORY(test_file_size),
                IN_DIRECTORY(test_settings_are_checked_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
