/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/terminal/plot.h"

#include "base/error.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_DRAWINGS = 256 };

struct plot {
    FILE *script;
    char *script_text;
    size_t script_bytes;
    int n;
    char *drawn; /* all of gnuplot's output, cut into the next */
    const char *svg[MAX_DRAWINGS];
};

int plot_create(plot_t **out)
{
    plot_t *plot = *out = calloc(1, sizeof *plot);
    if (plot) {
        plot->script = open_memstream(&plot->script_text, &plot->script_bytes);
    }
    return plot && plot->script ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
}

void plot_destroy(plot_t *plot)
{
    if (!plot) {
        return;
    }
    if (plot->script) {
        fclose(plot->script);
    }
    free(plot->script_text);
    free(plot->drawn);
    free(plot);
}

int plot_begin(plot_t *plot, int width, int height)
{
    fprintf(plot->script,
            "set output\nreset\nset encoding utf8\n"
            "set terminal svg size %d,%d dynamic noenhanced name 'p%d' font 'Helvetica,13'\n"
            "set border 3 lc rgb '#8a939c'\nset tics nomirror out scale 0.5 textcolor rgb '#4a545e'\n"
            "set grid lc rgb '#e3e7eb' lw 1 lt 1\nset key off\n",
            width, height, plot->n);
    return plot->n < MAX_DRAWINGS ? plot->n++ : plot->n;
}

FILE *plot_script(plot_t *plot)
{
    return plot->script;
}

const char *plot_svg(const plot_t *plot, int number)
{
    return number >= 0 && number < plot->n ? plot->svg[number] : NULL;
}

/* A nameless file with the given contents, at its start. */
static int memory_file(const char *text, size_t n)
{
    const int fd = memfd_create("gnuplot", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < n) {
        const ssize_t step = write(fd, text + done, n - done);
        if (step <= 0) {
            break;
        }
        done += (size_t)step;
    }
    if (fd >= 0 && (done < n || lseek(fd, 0, SEEK_SET) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Script and drawings pass through files in memory, so neither side can block the other. */
static int run_gnuplot(int script_fd, int out_fd, int error_fd)
{
    static char name[] = "gnuplot", no_startup_file[] = "-d";
    char *const argv[] = {name, no_startup_file, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, script_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
    pid_t pid;
    const int failed = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        return error_set(TUTTI_EUNSUPPORTED, "cannot start gnuplot: %s", strerror(failed));
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(TUTTI_EFORMAT, "gnuplot failed");
    }
    return 0;
}

static char *read_all(int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0) {
        return NULL;
    }
    char *text = calloc(1, (size_t)info.st_size + 1);
    if (text && pread(fd, text, (size_t)info.st_size, 0) != (ssize_t)info.st_size) {
        text[0] = '\0';
    }
    return text;
}

/* gnuplot writes one XML document after the other; only the elements are wanted. */
static int cut(plot_t *plot)
{
    static const char end[] = "</svg>";
    int n = 0;
    for (char *at = plot->drawn; n < plot->n; n++) {
        char *start = strstr(at, "<svg"), *stop = start ? strstr(start, end) : NULL;
        if (!stop) {
            break;
        }
        at = stop + strlen(end);
        if (*at) {
            *at++ = '\0';
        }
        plot->svg[n] = start;
    }
    return n == plot->n ? 0 : error_set(TUTTI_EFORMAT, "gnuplot drew %d of %d plots", n, plot->n);
}

int plot_draw(plot_t *plot)
{
    fputs("set output\n", plot->script);
    if (fflush(plot->script) != 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    const int in = memory_file(plot->script_text, plot->script_bytes), out = memory_file("", 0),
              err = memory_file("", 0);
    int status = in >= 0 && out >= 0 && err >= 0 ? run_gnuplot(in, out, err)
                                                 : error_set(TUTTI_EIO, "memory file: %s", strerror(errno));
    if (status == TUTTI_EFORMAT) {
        char *said = read_all(err);
        error_set(status, "gnuplot: %.300s", said ? said : "failed");
        free(said);
    }
    plot->drawn = status == 0 ? read_all(out) : NULL;
    if (status == 0) {
        status = plot->drawn ? cut(plot) : error_set(TUTTI_ENOMEM, "out of memory");
    }
    const int fds[] = {in, out, err};
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    return status;
}
