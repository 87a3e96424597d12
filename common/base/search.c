/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/search.h"

#include <fcntl.h>

#include "common/base/check.h"
#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/name.h"

#define DEFINITION_SUFFIX ".container"
#define DROPIN_DIR_SUFFIX ".container.d"
#define DROPIN_DIR_ALL "container.d"

#define DEFAULT_PATH                                                                               \
        "/etc/spawnlet:" SPAWNLET_RUN_DIR "/definitions:"                                          \
        "/usr/local/lib/spawnlet/definitions:/usr/lib/spawnlet/definitions"

static void entries_free(SearchEntry *entries, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(entries[i].name);
                free(entries[i].path);
        }
        free(entries);
}

Search *search_free(Search *s) {
        if (!s)
                return NULL;

        entries_free(s->candidates, s->n_candidates);
        entries_free(s->dropin_dirs, s->n_dropin_dirs);
        for (size_t i = 0; i < s->n_dirs; i++)
                close_fdp(&s->dirs[i]);
        free(s->dirs);
        free(s);
        return NULL;
}

/* Room for one more item, by doubling: a directory may hold ten thousand definitions. */
static void *grow(void *items, size_t n, size_t size) {
        if (n > 0 && (n & (n - 1)) != 0)
                return items;
        return reallocarray(items, MAX(n * 2, (size_t) 1), size);
}

/* Add the file @file in @dir, whose name without suffix has @n_name bytes. */
static int add_entry(SearchEntry **entries, size_t *n, const char *dir, const char *file,
        size_t n_name, size_t priority) {
        SearchEntry *grown = grow(*entries, *n, sizeof(SearchEntry));
        SearchEntry new = { .priority = priority };

        if (!grown)
                return -ENOMEM;
        *entries = grown;

        new.name = strndup(file, n_name);
        if (!new.name || str_join(&new.path, dir, "/", file) < 0) {
                free(new.name);
                return -ENOMEM;
        }

        grown[(*n)++] = new;
        return 0;
}

static int list_entry(Search *s, const char *dir, const char *file, size_t priority) {
        const char *end;

        if (*file == '.')
                return 0;

        end = str_ends_with(file, DEFINITION_SUFFIX);
        if (end)
                return add_entry(&s->candidates, &s->n_candidates, dir, file, (size_t) (end - file),
                        priority);

        end = strcmp(file, DROPIN_DIR_ALL) == 0 ? file : str_ends_with(file, DROPIN_DIR_SUFFIX);
        if (end)
                return add_entry(&s->dropin_dirs, &s->n_dropin_dirs, dir, file,
                        (size_t) (end - file), priority);

        return 0;
}

/* Opening a definition in its directory takes a fourth less than by its whole path. */
static int add_dir(Search *s, DIR *d) {
        int *dirs = grow(s->dirs, s->n_dirs, sizeof(int));

        if (!dirs)
                return -ENOMEM;
        s->dirs = dirs;
        dirs[s->n_dirs++] = d ? fcntl(dirfd(d), F_DUPFD_CLOEXEC, 3) : -EBADF;
        return 0;
}

static int list_dir(Search *s, const char *dir, size_t priority, Diags *diags) {
        _cleanup_closedir_ DIR *d = opendir(dir);
        int e = errno, r;

        r = add_dir(s, d);
        if (r < 0)
                return r;

        errno = e;
        if (!d && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (!d)
                return errno == ENOMEM
                        ? -ENOMEM
                        : diags_add(diags, SEVERITY_ERROR, &(Place){ .file = dir }, NULL,
                                  "cannot read the directory: %s", strerror(errno));

        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(d);

                if (!entry && errno != 0)
                        return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = dir }, NULL,
                                "cannot read the directory: %s", strerror(errno));
                if (!entry)
                        return 0;

                r = list_entry(s, dir, entry->d_name, priority);
                if (r < 0)
                        return r;
        }
}

static int compare_entries(const void *a, const void *b) {
        const SearchEntry *x = a, *y = b;
        int c = strcmp(x->name, y->name);

        return c != 0 ? c : (x->priority > y->priority) - (x->priority < y->priority);
}

/* Keep the first candidate of each name. */
static void drop_shadowed(Search *s) {
        size_t kept = 0;

        for (size_t i = 0; i < s->n_candidates; i++) {
                SearchEntry c = s->candidates[i];

                if (kept > 0 && strcmp(s->candidates[kept - 1].name, c.name) == 0) {
                        free(c.name);
                        free(c.path);
                } else {
                        s->candidates[kept++] = c;
                }
        }
        s->n_candidates = kept;
}

static int compare_name(const void *name, const void *candidate) {
        return strcmp(name, ((const SearchEntry *) candidate)->name);
}

const SearchEntry *search_find(const Search *s, const char *name) {
        if (s->n_candidates == 0)
                return NULL;
        return bsearch(name, s->candidates, s->n_candidates, sizeof(SearchEntry), compare_name);
}

const SearchEntry *search_find_template(const Search *s, const char *name) {
        const char *instance = definition_name_instance(name);
        char template[MACHINE_NAME_MAX + 2];

        if (!instance || !*instance || (size_t) (instance - name) >= sizeof(template))
                return NULL;

        (void) snprintf(template, sizeof(template), "%.*s", (int) (instance - name), name);
        return search_find(s, template);
}

/* A directory of drop-ins makes an instance of a template, without a file of its own. */
static int add_instance(Search *s, const SearchEntry *dir, size_t n_files, Diags *diags) {
        const char *instance = definition_name_instance(dir->name);

        if (!instance || !*instance)
                return 0;

        /* Only those from files are sorted yet. */
        size_t n = s->n_candidates;
        s->n_candidates = n_files;
        const SearchEntry *own = search_find(s, dir->name),
                          *template = search_find_template(s, dir->name);
        s->n_candidates = n;

        if (own || (n > n_files && strcmp(s->candidates[n - 1].name, dir->name) == 0))
                return 0;
        if (!template)
                return diags_add(diags, SEVERITY_WARNING, &(Place){ .file = dir->path }, NULL,
                        "drop-ins of an instance whose template is not there, ignored");

        size_t index = (size_t) (template - s->candidates);
        SearchEntry *grown = reallocarray(s->candidates, n + 1, sizeof(SearchEntry));
        if (!grown)
                return -ENOMEM;
        s->candidates = grown;
        template = &grown[index];

        SearchEntry new = { .priority = template->priority };
        if (str_join(&new.name, dir->name) < 0 || str_join(&new.path, template->path) < 0) {
                free(new.name);
                return -ENOMEM;
        }
        s->candidates[s->n_candidates++] = new;
        return 0;
}

static int add_instances(Search *s, Diags *diags) {
        size_t n_files = s->n_candidates;

        for (size_t i = 0; i < s->n_dropin_dirs; i++) {
                int r = add_instance(s, &s->dropin_dirs[i], n_files, diags);

                if (r < 0)
                        return r;
        }

        if (s->n_candidates > n_files)
                qsort(s->candidates, s->n_candidates, sizeof(SearchEntry), compare_entries);
        return 0;
}

int search_new(Search **ret, Diags *diags) {
        _cleanup_(search_freep) Search *s = calloc(1, sizeof(Search));
        const char *path = getenv("SPAWNLET_PATH");
        size_t priority = 0;
        int r;

        if (!s)
                return -ENOMEM;

        for (const char *p = path ? path : DEFAULT_PATH; *p;) {
                size_t n = strcspn(p, ":");
                _cleanup_free_ char *dir = strndup(p, n);

                if (!dir)
                        return -ENOMEM;
                r = n > 0 ? list_dir(s, dir, priority++, diags) : 0;
                if (r < 0)
                        return r;
                p += n + (p[n] == ':');
        }

        if (s->n_candidates > 0)
                qsort(s->candidates, s->n_candidates, sizeof(SearchEntry), compare_entries);
        if (s->n_dropin_dirs > 0)
                qsort(s->dropin_dirs, s->n_dropin_dirs, sizeof(SearchEntry), compare_entries);
        drop_shadowed(s);

        r = add_instances(s, diags);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

/* A drop-in file: two of one file name compete, the more specific and earlier directory wins. */
typedef struct Dropin {
        char *file;
        char *path;
} Dropin;

typedef struct Dropins {
        Dropin *items;
        size_t n;
} Dropins;

static void dropins_done(Dropins *d) {
        for (size_t i = 0; i < d->n; i++) {
                free(d->items[i].file);
                free(d->items[i].path);
        }
        free(d->items);
}

static int add_dropin(Dropins *d, const char *dir, const char *file) {
        Dropin new = {};

        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->items[i].file, file) == 0)
                        return 0;

        Dropin *items = grow(d->items, d->n, sizeof(Dropin));
        if (!items)
                return -ENOMEM;
        d->items = items;

        if (str_join(&new.file, file) < 0 || str_join(&new.path, dir, "/", file) < 0) {
                free(new.file);
                return -ENOMEM;
        }

        d->items[d->n++] = new;
        return 0;
}

static int list_dropins(const char *dir, Dropins *dropins, Diags *diags) {
        _cleanup_closedir_ DIR *d = opendir(dir);
        const struct dirent *entry;
        int r;

        if (!d && errno == ENOTDIR)
                return 0; /* a file of that name is nothing of ours */
        if (!d)
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = dir }, NULL,
                        "cannot read the directory: %s", strerror(errno));

        while ((entry = readdir(d))) {
                if (*entry->d_name == '.' || !str_ends_with(entry->d_name, ".conf"))
                        continue;
                r = add_dropin(dropins, dir, entry->d_name);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int list_dropins_of(const Search *s, const char *owner, Dropins *dropins, Diags *diags) {
        size_t first = 0, end = s->n_dropin_dirs;

        /* The first of this name: there may be one in each directory of the search path. */
        while (first < end) {
                size_t middle = first + (end - first) / 2;

                if (strcmp(s->dropin_dirs[middle].name, owner) < 0)
                        first = middle + 1;
                else
                        end = middle;
        }

        for (; first < s->n_dropin_dirs && strcmp(s->dropin_dirs[first].name, owner) == 0;
                first++) {
                int r = list_dropins(s->dropin_dirs[first].path, dropins, diags);

                if (r < 0)
                        return r;
        }

        return 0;
}

static int compare_dropins(const void *a, const void *b) {
        return strcmp(((const Dropin *) a)->file, ((const Dropin *) b)->file);
}

/* From TEMPLATE@INSTANCE.container.d over TEMPLATE@.container.d and the prefixes that end in a dash
 * to container.d, as systemd does for units; systemd.unit(5). */
static int find_dropins(const Search *s, const char *name, Dropins *dropins, Diags *diags) {
        char owner[MACHINE_NAME_MAX + 2];
        bool template_done = false;
        int r;

        if (s->n_dropin_dirs == 0)
                return 0;

        r = list_dropins_of(s, name, dropins, diags);
        if (r < 0)
                return r;

        (void) snprintf(owner, sizeof(owner), "%s", name);
        for (size_t n = strlen(owner); n > 0; n--) {
                owner[n] = '\0';
                if (owner[n - 1] == '@' && n < strlen(name))
                        template_done = true;
                else if (owner[n - 1] != '-' || n == strlen(name) ||
                        (strchr(owner, '@') && !template_done))
                        continue;
                r = list_dropins_of(s, owner, dropins, diags);
                if (r < 0)
                        return r;
        }

        r = list_dropins_of(s, "", dropins, diags);
        if (r < 0)
                return r;

        if (dropins->n > 0)
                qsort(dropins->items, dropins->n, sizeof(Dropin), compare_dropins);
        return 0;
}

/* Read the definition's own file. Return: 1, or 0 if it is a mask; -ENOMEM. */
static int read_main(const Search *s, Definition *d, const SearchEntry *c, Diags *diags) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (file_read(s->dirs[c->priority], strrchr(c->path, '/') + 1, INI_FILE_MAX, &text,
                    &size) == 0) {
                if (size == 0)
                        return 0;
                int r = definition_parse(d, c->path, text, size, diags);
                return r < 0 ? r : 1;
        }

        int r = definition_read(d, c->path, diags); /* says why it cannot be read */
        return r < 0 ? r : 1;
}

int search_load(const Search *s, const SearchEntry *c, Diags *diags, Definition **ret) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_(dropins_done) Dropins dropins = {};
        int r;

        *ret = NULL;

        if (str_starts_with(c->name, "getty@"))
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = c->path },
                        "choose another name",
                        "its unit would replace systemd's container-getty@.service");
        if (!definition_name_is_valid(c->name))
                return diags_add(diags, SEVERITY_ERROR, &(Place){ .file = c->path },
                        "1 to 64 letters, digits, '-' and '.', with no '-' or '.' at an end or "
                        "beside a '.'",
                        "not the name of a container");

        r = definition_new(c->name, &d);
        if (r < 0)
                return r;

        r = read_main(s, d, c, diags);
        if (r <= 0)
                return r;

        r = find_dropins(s, c->name, &dropins, diags);
        if (r < 0)
                return r;

        for (size_t i = 0; i < dropins.n; i++) {
                r = definition_read(d, dropins.items[i].path, diags);
                if (r < 0)
                        return r;
        }

        r = check_definition(d, diags);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(d);
        return 0;
}
