/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/log.h"

#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error goes to a file between the two. */
static int capture_begin(FILE **file)
{
    *file = tmpfile();
    assert_non_null(*file);
    const int saved = dup(STDERR_FILENO);
    dup2(fileno(*file), STDERR_FILENO);
    return saved;
}

static size_t capture_end(FILE *file, int saved, char *text, size_t size)
{
    log_flush(60000);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    const size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    return n;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0) {
        fail_msg("\"%s\" does not match %s", text, pattern);
    }
    regfree(&regex);
}

static void test_line_format_and_utc(void **state)
{
    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    FILE *file;
    char text[4096];
    log_set_component("FH");
    const int saved = capture_begin(&file);
    const time_t before = time(NULL);
    log_write(LOG_WARNING, "block", "AP-LATE ap=%d by_us=%.1f", 3, 14.2);
    capture_end(file, saved, text, sizeof text);
    assert_matches(text, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} "
                         "\\[FH\\] \\[W\\] \\[block\\] AP-LATE ap=3 by_us=14\\.2\n$");
    struct tm tm = {0};
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
    const time_t stamped = timegm(&tm);
    assert_in_range(stamped, before, before + 5);
}

static void test_levels_filter(void **state)
{
    (void)state;
    static const char letters[] = {'E', 'W', 'I', 'D'};
    for (int set = LOG_ERROR; set <= LOG_DEBUG; set++) {
        FILE *file;
        char text[4096], wanted[8] = {0}, seen[8] = {0};
        memcpy(wanted, letters, (size_t)set + 1);
        log_set_level((enum log_level)set);
        const int saved = capture_begin(&file);
        for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
            log_write((enum log_level)i, "x", "LINE");
        }
        capture_end(file, saved, text, sizeof text);
        size_t n = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            seen[n++] = strstr(line, "] [")[3];
        }
        assert_string_equal(seen, wanted);
    }
    log_set_level(LOG_INFO);
}

static void test_level_names(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("warning", &level), 0);
    assert_int_equal(level, LOG_WARNING);
    assert_int_equal(log_level_parse("Loud", &level), TUTTI_EINVAL);
    assert_int_equal(level, LOG_WARNING);
    assert_non_null(strstr(error_text(), "Loud"));
}

static void test_foreign_text_cannot_forge_lines(void **state)
{
    (void)state;
    FILE *file;
    char text[8192], big[5000];
    const int saved = capture_begin(&file);
    log_write(LOG_INFO, "hello", "NAME name=%s", "x\n2026-01-01T00:00:00.000000 [CPU] [E] forged\033[2J");
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_write(LOG_INFO, "hello", "BIG text=%s", big);
    const size_t n = capture_end(file, saved, text, sizeof text);
    int lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += text[i] == '\n';
        assert_true(text[i] == '\n' || (unsigned char)text[i] >= 0x20);
    }
    assert_int_equal(lines, 2);
    assert_int_equal(text[n - 2], 'y');
    assert_int_equal(text[n - 1], '\n');
}

enum { N_THREADS = 4, N_LINES = 200 };

static void *chatter(void *id)
{
    for (int i = 0; i < N_LINES; i++) {
        log_write(LOG_INFO, "t", "CHATTER thread=%d pad=abcdefghijklmnopqrstuvwxyz", *(int *)id);
    }
    return NULL;
}

static void test_lines_of_threads_stay_whole(void **state)
{
    (void)state;
    FILE *file;
    static char text[N_THREADS * N_LINES * 128];
    pthread_t threads[N_THREADS];
    int ids[N_THREADS];
    const int saved = capture_begin(&file);
    for (int i = 0; i < N_THREADS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, &ids[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    capture_end(file, saved, text, sizeof text);
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_matches(line, "^[^ ]{26} \\[FH\\] \\[I\\] \\[t\\] CHATTER thread=[0-3] pad=abcdefghijklmnopqrstuvwxyz$");
        lines++;
    }
    assert_int_equal(lines, N_THREADS * N_LINES);
}

/* Nobody reads ------------------------------------------------------------------------------------------------------
 */

/* What a child of fork does, with standard error at `fd` (-1: closed). The parent waits for it: if a log call blocks,
 * it waits for ever, and the test's time runs out. */
static int in_child(int fd, int (*body)(void))
{
    const pid_t child = fork();
    if (child == 0) {
        if (fd >= 0) {
            dup2(fd, STDERR_FILENO);
        } else {
            close(STDERR_FILENO);
        }
        exit(body());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

enum { FLOOD = 30000 };

static int flood(void)
{
    const uint64_t lost = log_lost();
    for (int i = 0; i < FLOOD; i++) {
        log_write(LOG_INFO, "t", "FLOOD line=%d pad=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", i);
    }
    return log_lost() > lost && log_lost() - lost < FLOOD ? 0 : 1;
}

/* A pipe takes 64 KiB, the ring a thousand lines more; the rest is lost, and the program ends. */
static void test_a_full_pipe_stops_nobody(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(in_child(ends[1], flood), 0);
    close(ends[0]);
    close(ends[1]);
}

/* Twice: flood while nobody reads, say so, and log on when somebody does. */
static int flood_and_tell(void)
{
    char go;
    for (int i = 0; i < 2; i++) {
        if (flood() || write(STDOUT_FILENO, "f", 1) != 1) {
            return 3;
        }
        log_flush(60000);
        log_write(LOG_INFO, "t", "AFTER%d lost=%llu", i, (unsigned long long)log_lost());
        log_flush(60000);
        if (read(STDIN_FILENO, &go, 1) != 1) {
            return 4;
        }
    }
    return 0;
}

/* Reads on until the text has the mark. */
static size_t read_until(int fd, char *text, size_t room, const char *mark)
{
    size_t n = 0;
    text[0] = '\0';
    while (!strstr(n > 4096 ? text + n - 4096 : text, mark)) {
        const ssize_t got = read(fd, text + n, room - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        text[n] = '\0';
    }
    return n;
}

/* Once somebody reads, the losses are told, to the line. */
static void test_losses_are_told(void **state)
{
    (void)state;
    static char text[FLOOD * 150];
    char mark[16], told_mark;
    int log_end[2], told_end[2], go_end[2], total = 0, lines = 0;
    assert_int_equal(pipe(log_end) | pipe(told_end) | pipe(go_end), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(log_end[1], STDERR_FILENO);
        dup2(told_end[1], STDOUT_FILENO);
        dup2(go_end[0], STDIN_FILENO);
        exit(flood_and_tell());
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(told_end[0], &told_mark, 1), 1);
        snprintf(mark, sizeof mark, "AFTER%d lost=", i);
        read_until(log_end[0], text, sizeof text, mark);
        const int after = atoi(strstr(text, mark) + strlen(mark));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            const char *lost = strstr(line, "LOG-LOST lines=");
            lines += strstr(line, "FLOOD") != NULL;
            total += lost ? atoi(lost + strlen("LOG-LOST lines=")) : 0;
        }
        assert_true(after > 0 && total == after);
        assert_int_equal(lines + after, (i + 1) * FLOOD);
        assert_int_equal(write(go_end[1], "g", 1), 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        close(log_end[i]);
        close(told_end[i]);
        close(go_end[i]);
    }
}

static int say_one(void)
{
    log_write(LOG_INFO, "t", "ONE");
    return 0;
}

/* exit() does not leave before the line is out, in a child of fork as well. */
static void test_the_last_line_gets_out(void **state)
{
    (void)state;
    char text[256];
    int ends[2];
    log_write(LOG_INFO, "t", "PARENT"); /* the child must not write what is its parent's */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(in_child(ends[1], say_one), 0);
        close(ends[1]);
        const ssize_t n = read(ends[0], text, sizeof text - 1);
        assert_true(n > 0);
        text[n] = '\0';
        assert_matches(text, "^[^ ]{26} \\[FH\\] \\[I\\] \\[t\\] ONE\n$");
        close(ends[0]);
    }
}

static int log_into_nothing(void)
{
    log_set_component("FH"); /* standard error was closed: what is opened now must not take its place */
    FILE *file = tmpfile();
    if (!file || fileno(file) <= STDERR_FILENO) {
        return 1;
    }
    log_write(LOG_ERROR, "t", "NOBODY");
    log_flush(60000);
    return lseek(fileno(file), 0, SEEK_END) == 0 ? 0 : 2;
}

static int log_into_closed(void)
{
    close(STDERR_FILENO); /* later, and nobody opens another */
    log_write(LOG_ERROR, "t", "NOBODY");
    log_flush(60000);
    return log_lost() == 1 ? 0 : 1;
}

static void test_a_closed_standard_error(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(in_child(-1, log_into_nothing), 0);
    assert_int_equal(in_child(STDERR_FILENO, log_into_closed), 0);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]); /* nobody ever reads: EPIPE */
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(in_child(ends[1], say_one), 0);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_format_and_utc),
        cmocka_unit_test(test_levels_filter),
        cmocka_unit_test(test_level_names),
        cmocka_unit_test(test_foreign_text_cannot_forge_lines),
        cmocka_unit_test(test_lines_of_threads_stay_whole),
        cmocka_unit_test(test_a_full_pipe_stops_nobody),
        cmocka_unit_test(test_losses_are_told),
        cmocka_unit_test(test_the_last_line_gets_out),
        cmocka_unit_test(test_a_closed_standard_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
