/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/credential.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/name.h"

/* Where systemd has its generators write to, systemd.generator(7). A unit has it also where the
 * generator writes to another place, for trying things out. */
#define GENERATOR_DIR "/run/systemd/generator"

#define CREDENTIAL_SIZE_MAX INI_FILE_MAX /* no part of a definition is larger */

/* Of ID:VALUE. */
static size_t id_size(const char *value) {
        return strcspn(value, ":");
}

int credential_decode(const char *text, char **ret, size_t *ret_size) {
        _cleanup_str_ Str s = {};

        for (const char *p = text;;) {
                size_t n = strcspn(p, "\\");

                str_append_n(&s, p, n);
                p += n;
                if (!*p)
                        break;
                p = word_unescape(p + 1, true, &s);
                if (!p)
                        return -EINVAL;
        }

        size_t size = s.len;
        int r = str_take(&s, ret);
        if (r >= 0)
                *ret_size = size;
        return r;
}

static int directory_name(const Definition *d, char **ret) {
        return str_join(ret, "container-", d->name, ".credentials");
}

static int write_all_values(int dirfd, const Definition *d) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_SET_CREDENTIAL, s));) {
                size_t n = id_size(s->value);
                _cleanup_free_ char *id = strndup(s->value, n);
                const char *value = s->value + n + 1;
                int r;

                if (!id)
                        return -ENOMEM;
                r = file_create(dirfd, id, value, strlen(value), 0600);
                if (r < 0)
                        return r;
        }
        return 0;
}

int credentials_generate(int dirfd, const Definition *d) {
        _cleanup_free_ char *name = NULL, *unfinished = NULL;
        _cleanup_close_ int directory = -EBADF;
        int r;

        if (!definition_find(d, KEY_SET_CREDENTIAL))
                return 0;

        r = directory_name(d, &name);
        if (r >= 0)
                r = str_join(&unfinished, ".", name);
        if (r < 0)
                return r;

        if (mkdirat(dirfd, unfinished, 0700) < 0)
                return -errno;
        directory = openat(dirfd, unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        /* What is left of a failure goes at the next daemon-reload, as all in there. */
        r = write_all_values(directory, d);
        if (r < 0)
                return r;
        return renameat(dirfd, unfinished, dirfd, name) < 0 ? -errno : 0;
}

void credentials_append_sources(Str *s, const Definition *d) {
        _cleanup_free_ char *directory = NULL;

        if (!definition_find(d, KEY_SET_CREDENTIAL))
                return;
        if (directory_name(d, &directory) < 0) {
                s->failed = true;
                return;
        }

        for (const Setting *i = NULL; (i = definition_next(d, KEY_SET_CREDENTIAL, i));) {
                _cleanup_free_ char *path = NULL;

                if (str_format(&path, GENERATOR_DIR "/%s/%.*s", directory, (int) id_size(i->value),
                            i->value) < 0)
                        s->failed = true;
                else /* a file's name: systemd sees no specifier in it, see credentials_install() */
                        word_append_exec(s, "--credential=", path, 0);
        }
        if (definition_is_template(d))
                str_append(s, " --instance=%i");
}

void credentials_append_options(Str *s, const Definition *d) {
        for (const Setting *i = NULL; (i = definition_next(d, KEY_SET_CREDENTIAL, i));) {
                _cleanup_free_ char *value = NULL;
                int n = (int) id_size(i->value);

                if (str_format(&value, "%.*s:" SPAWNLET_CREDENTIALS_DIR "/%s/%.*s", n, i->value,
                            d->machine, n, i->value) < 0)
                        s->failed = true;
                else
                        word_append_exec(s, "--load-credential=", value, definition_word_flags(d));
        }
}

static int install_one(int directory, const char *source, const char *instance, char **reterr) {
        _cleanup_free_ char *id = NULL, *text = NULL, *data = NULL;
        const char *slash = strrchr(source, '/');
        size_t size;
        int r;

        id = strdup(slash ? slash + 1 : source);
        if (!id)
                return -ENOMEM;
        r = file_read(AT_FDCWD, source, CREDENTIAL_SIZE_MAX, &text, NULL);
        if (r < 0) {
                int q = str_format(reterr, "Failed to read credential '%s'", source);

                return q < 0 ? q : r;
        }

        if (instance) {
                r = key_expand(&id, instance);
                if (r >= 0)
                        r = key_expand(&text, instance);
        }
        if (r >= 0)
                r = credential_decode(text, &data, &size);
        if (r >= 0)
                r = file_create(directory, id, data, size, 0600);
        if (r < 0 && r != -ENOMEM) {
                int q = str_format(reterr, "Failed to write credential '%s'", id);

                return q < 0 ? q : r;
        }
        return r;
}

/* Return: a descriptor of the container's directory, made anew; negative errno. */
static int make_directory(const char *machine) {
        _cleanup_close_ int all = -EBADF;
        int fd;

        fd = mkdir_parents(SPAWNLET_RUN_DIR, 0755);
        if (fd < 0)
                return fd;
        if (mkdir(SPAWNLET_CREDENTIALS_DIR, 0700) < 0 && errno != EEXIST)
                return -errno;
        all = open(SPAWNLET_CREDENTIALS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (all < 0 || mkdirat(all, machine, 0700) < 0)
                return -errno;
        fd = openat(all, machine, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int credentials_install(
        const char *machine, char *const *sources, const char *instance, char **reterr) {
        _cleanup_close_ int directory = -EBADF;
        int r;

        r = credentials_remove(machine); /* of a start that nothing has cleaned up after */
        if (r >= 0 && sources)
                r = directory = make_directory(machine);
        if (r < 0) {
                int q = str_format(
                        reterr, "Failed to make '" SPAWNLET_CREDENTIALS_DIR "/%s'", machine);

                return q < 0 ? q : r;
        }

        STRV_FOREACH(source, sources) {
                r = install_one(directory, *source, instance, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int credentials_remove(const char *machine) {
        _cleanup_closedir_ DIR *directory = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = str_join(&path, SPAWNLET_CREDENTIALS_DIR "/", machine);
        if (r < 0)
                return r;
        directory = opendir(path);
        if (!directory)
                return errno == ENOENT ? 0 : -errno;

        for (const struct dirent *entry; (entry = readdir(directory));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                        unlinkat(dirfd(directory), entry->d_name, 0) < 0)
                        r = -errno;
        return r >= 0 && rmdir(path) < 0 ? -errno : r;
}

/* Return: 1 or 0, negative errno. */
static int is_same(const char *machine, const char *id, const char *text) {
        _cleanup_free_ char *path = NULL, *data = NULL, *wanted = NULL;
        size_t size, wanted_size;
        int r;

        r = credential_decode(text, &wanted, &wanted_size);
        if (r >= 0)
                r = str_join(&path, SPAWNLET_CREDENTIALS_DIR "/", machine, "/", id);
        if (r >= 0)
                r = file_read(AT_FDCWD, path, CREDENTIAL_SIZE_MAX, &data, &size);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return size == wanted_size && memcmp(data, wanted, size) == 0;
}

int credentials_compare(const Definition *d, char ***ret) {
        _cleanup_strv_ char **changed = NULL;

        for (const Setting *s = NULL; (s = definition_next(d, KEY_SET_CREDENTIAL, s));) {
                size_t n = id_size(s->value);
                _cleanup_free_ char *id = strndup(s->value, n);
                int r = id ? is_same(d->machine, id, s->value + n + 1) : -ENOMEM;

                if (r == 0)
                        r = strv_extend(&changed, id);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(changed);
        return 0;
}
