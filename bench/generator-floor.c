/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The least that any generator has to do: read every definition, write as many units of the same
 * size, and link each to the target that starts it. It understands nothing of what it reads.
 *
 * generator-floor DEFINITIONS SAMPLE DIRECTORY
 *
 * The units are SAMPLE's bytes, with the container's name in none of them; that the generator
 * writes files of the same names, sizes and links is for the caller to check.
 */

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Return: the file's bytes, to be freed. */
static char *read_whole(int dir, const char *name, size_t *ret_size) {
        int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                err(EXIT_FAILURE, "%s", name);

        char *data = malloc((size_t) st.st_size + 1);

        if (!data || read(fd, data, (size_t) st.st_size + 1) != st.st_size)
                err(EXIT_FAILURE, "%s", name);
        (void) close(fd);
        *ret_size = (size_t) st.st_size;
        return data;
}

static void write_unit(int dir, const char *name, const char *data, size_t size) {
        char unit[NAME_MAX], link[2 * NAME_MAX], target[2 * NAME_MAX];
        int length = (int) (strlen(name) - strlen(".container"));

        (void) snprintf(unit, sizeof(unit), "container-%.*s.service", length, name);
        (void) snprintf(link, sizeof(link), "machines.target.wants/%s", unit);
        (void) snprintf(target, sizeof(target), "../%s", unit);

        int fd = openat(dir, unit, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        if (fd < 0 || write(fd, data, size) != (ssize_t) size || close(fd) < 0)
                err(EXIT_FAILURE, "%s", unit);
        if (symlinkat(target, dir, link) < 0)
                err(EXIT_FAILURE, "%s", link);
}

int main(int argc, char *argv[]) {
        if (argc != 4)
                errx(EXIT_FAILURE, "Usage: %s DEFINITIONS SAMPLE DIRECTORY", argv[0]);

        DIR *definitions = opendir(argv[1]);
        int dir = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        size_t size, ignored;
        char *sample = read_whole(AT_FDCWD, argv[2], &size);

        if (!definitions || dir < 0 || mkdirat(dir, "machines.target.wants", 0755) < 0 ||
                mkdirat(dir, "multi-user.target.wants", 0755) < 0 ||
                symlinkat("../machines.target", dir, "multi-user.target.wants/machines.target") < 0)
                err(EXIT_FAILURE, "%s", argv[3]);

        for (struct dirent *entry; (entry = readdir(definitions));)
                if (entry->d_name[0] != '.') {
                        free(read_whole(dirfd(definitions), entry->d_name, &ignored));
                        write_unit(dir, entry->d_name, sample, size);
                }

        free(sample);
        (void) closedir(definitions);
        return EXIT_SUCCESS;
}
