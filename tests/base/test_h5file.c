/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "base/error.h"
#include "base/h5file.h"
#include "skip.h" /* after cmocka.h */

#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PYTHON "/usr/bin/python3"

static char folder[] = "/tmp/tutti_h5file_XXXXXX";
static char path[64], path_b[64];

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(path_b, sizeof path_b, "%s/b.h5", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(path_b);
    return rmdir(folder);
}

/* The value every test writes at (block, index): row and place can both be told from it. */
static float complex value_at(uint64_t block, size_t i)
{
    return (float)block + 0.25f * (float)i - I * (float)(block * 10 + i);
}

enum { N_AP = 3, N_ANT = 5, ROW = N_AP * N_ANT };

static void fill_row(float complex *row, uint64_t block)
{
    for (size_t i = 0; i < ROW; i++) {
        row[i] = value_at(block, i);
    }
}

static bool row_is(const float complex *row, uint64_t block)
{
    for (size_t i = 0; i < ROW; i++) {
        const float complex wanted = value_at(block, i);
        if (crealf(row[i]) != crealf(wanted) || cimagf(row[i]) != cimagf(wanted)) {
            return false;
        }
    }
    return true;
}

/* One file with every type; complex rows 0, 2 and 7 of /hops/H, so 1 and 3..6 are never written. */
static void write_everything(const char *name, bool seal)
{
    h5file_t *file;
    const size_t dims[] = {N_AP, N_ANT}, one[] = {4};
    assert_int_equal(h5file_create(&file, name), 0);
    const int h = h5file_declare(file, "/hops/H", H5_C64, 3, dims);
    const int f = h5file_declare(file, "/hops/deep/f32", H5_F32, 2, one);
    const int d = h5file_declare(file, "f64", H5_F64, 1, NULL);
    const int i32 = h5file_declare(file, "/i32", H5_I32, 1, NULL);
    const int i64 = h5file_declare(file, "/i64", H5_I64, 1, NULL);
    const int u64 = h5file_declare(file, "/u64", H5_U64, 1, NULL);
    const int u8 = h5file_declare(file, "/u8", H5_U8, 2, one);
    assert_true(h >= 0 && f >= 0 && d >= 0 && i32 >= 0 && i64 >= 0 && u64 >= 0 && u8 >= 0);
    const double beta[] = {1.5, -2.5, 1e-300, 4, 5, 6};
    const size_t beta_dims[] = {2, 3};
    assert_int_equal(h5file_put(file, "/beta", H5_F64, 2, beta_dims, beta), 0);
    const int32_t scalar = -7;
    assert_int_equal(h5file_put(file, "/scalar", H5_I32, 0, NULL, &scalar), 0);
    assert_int_equal(h5file_put_text(file, "/config", "name: \"caf\xc3\xa9\"\n"), 0);
    assert_int_equal(h5file_put_text(file, "/empty", ""), 0);
    assert_int_equal(h5file_put_attribute(file, "/", "ap_power", 3.0), 0);
    assert_int_equal(h5file_put_attribute(file, "/", "ap_power", 2.5), 0);
    assert_int_equal(h5file_put_attribute(file, "/hops/H", "rate_hz", 1.92e6), 0);
    if (seal) {
        assert_int_equal(h5file_seal(file), 0);
    }
    static const uint64_t rows[] = {2, 7, 0};
    for (size_t k = 0; k < 3; k++) {
        float complex row[ROW];
        fill_row(row, rows[k]);
        assert_int_equal(h5file_write_row(file, h, rows[k], row), 0);
    }
    const float floats[4] = {1, -2, INFINITY, 4};
    const unsigned char bytes[4] = {0, 1, 128, 255};
    assert_int_equal(h5file_write_row(file, f, 1, floats), 0);
    assert_int_equal(h5file_write_row(file, d, 1, &(double){1e300}), 0);
    assert_int_equal(h5file_write_row(file, i32, 1, &(int32_t){INT32_MIN}), 0);
    assert_int_equal(h5file_write_row(file, i64, 1, &(int64_t){INT64_MIN}), 0);
    assert_int_equal(h5file_write_row(file, u64, 1, &(uint64_t){UINT64_MAX}), 0);
    assert_int_equal(h5file_write_row(file, u8, 1, bytes), 0);
    h5file_close(file);
}

static void check_complex(h5file_t *file)
{
    struct h5_info info;
    assert_int_equal(h5file_info(file, "/hops/H", &info), 0);
    assert_int_equal(info.type, H5_C64);
    assert_int_equal(info.rank, 3);
    assert_int_equal(info.dims[0], 8);
    assert_int_equal(info.dims[1], N_AP);
    assert_int_equal(info.dims[2], N_ANT);
    float complex all[8][ROW], some[6][ROW];
    assert_int_equal(h5file_read(file, "/hops/H", H5_C64, all, sizeof all), 0);
    assert_int_equal(h5file_read_rows(file, "/hops/H", H5_C64, 2, 6, some), 0);
    for (size_t b = 0; b < 8; b++) {
        if (b == 0 || b == 2 || b == 7) {
            assert_true(row_is(all[b], b));
        } else {
            for (size_t i = 0; i < ROW; i++) {
                assert_true(isnan(crealf(all[b][i])) && isnan(cimagf(all[b][i])));
            }
        }
    }
    assert_true(row_is(some[0], 2));
    assert_true(row_is(some[5], 7));
    assert_int_equal(h5file_read_rows(file, "/hops/H", H5_C64, 8, 0, some), 0);
}

static void check_numbers(h5file_t *file)
{
    float f[2][4];
    double d[2], as_double[2];
    int32_t i32[2];
    int64_t i64[2];
    uint64_t u64[2];
    unsigned char u8[2][4];
    int64_t u8_wide[2][4];
    assert_int_equal(h5file_read(file, "/hops/deep/f32", H5_F32, f, sizeof f), 0);
    assert_true(isnan(f[0][0]) && isnan(f[0][3]) && f[1][1] == -2.0f && isinf(f[1][2]));
    assert_int_equal(h5file_read(file, "/f64", H5_F64, d, sizeof d), 0);
    assert_true(isnan(d[0]) && d[1] == 1e300);
    assert_int_equal(h5file_read(file, "/i32", H5_I32, i32, sizeof i32), 0);
    assert_true(i32[0] == 0 && i32[1] == INT32_MIN);
    assert_int_equal(h5file_read(file, "/i64", H5_I64, i64, sizeof i64), 0);
    assert_true(i64[0] == 0 && i64[1] == INT64_MIN);
    assert_int_equal(h5file_read(file, "/u64", H5_U64, u64, sizeof u64), 0);
    assert_true(u64[0] == 0 && u64[1] == UINT64_MAX);
    assert_int_equal(h5file_read(file, "/u8", H5_U8, u8, sizeof u8), 0);
    assert_true(u8[0][3] == 0 && u8[1][0] == 0 && u8[1][2] == 128 && u8[1][3] == 255);
    assert_int_equal(h5file_read(file, "/u8", H5_I64, u8_wide, sizeof u8_wide), 0);
    assert_true(u8_wide[1][2] == 128 && u8_wide[1][3] == 255);
    assert_int_equal(h5file_read(file, "/i32", H5_F64, as_double, sizeof as_double), 0);
    assert_true(as_double[1] == (double)INT32_MIN);
}

static void check_fixed(h5file_t *file)
{
    double beta[2][3], value = 0.0;
    uint64_t n;
    int32_t scalar = 0;
    struct h5_info info;
    assert_int_equal(h5file_read(file, "/beta", H5_F64, beta, sizeof beta), 0);
    assert_true(beta[0][1] == -2.5 && beta[0][2] == 1e-300 && beta[1][2] == 6.0);
    assert_int_equal(h5file_info(file, "/scalar", &info), 0);
    assert_int_equal(info.rank, 0);
    assert_int_equal(h5file_read(file, "/scalar", H5_I32, &scalar, sizeof scalar), 0);
    assert_int_equal(scalar, -7);
    char *text = h5file_read_text(file, "/config");
    assert_string_equal(text, "name: \"caf\xc3\xa9\"\n");
    free(text);
    text = h5file_read_text(file, "/empty");
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(h5file_info(file, "/config", &info), 0);
    assert_int_equal(info.type, H5_STRING);
    assert_int_equal(h5file_attribute_numbers(file, "/", "ap_power", 1, &value, &n), 0);
    assert_true(n == 1 && value == 2.5);
    assert_int_equal(h5file_attribute_numbers(file, "/hops/H", "rate_hz", 1, &value, &n), 0);
    assert_true(n == 1 && value == 1.92e6);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int seal = 0; seal < 2; seal++) {
        h5file_t *file;
        write_everything(path, seal);
        assert_int_equal(h5file_open(&file, path), 0);
        check_complex(file);
        check_numbers(file);
        check_fixed(file);
        h5file_close(file);
    }
    h5file_close(NULL);
}

/* Texts of fixed length, as the time line of a recording has them. */
static void test_rows_of_text(void **state)
{
    (void)state;
    enum { BYTES = 12, ROOM = 16 };
    char texts[3][ROOM], cut[3][5];
    h5file_t *file;
    assert_int_equal(h5file_create(&file, path), 0);
    const int handle = h5file_declare_text(file, "/events/text", BYTES);
    assert_true(handle >= 0);
    assert_int_equal(h5file_put_text(file, "/config", "a: b"), 0);
    assert_int_equal(h5file_seal(file), 0);
    assert_int_equal(h5file_write_row(file, handle, 0, "AP-UP ap=1\0\0"), 0);
    assert_int_equal(h5file_write_row(file, handle, 2, "twelve bytes"), 0); /* row 1 is never written */
    h5file_close(file);
    assert_int_equal(h5file_open(&file, path), 0);
    memset(texts, 'x', sizeof texts);
    assert_int_equal(h5file_read_texts(file, "/events/text", 0, 3, ROOM, texts[0]), 0);
    assert_string_equal(texts[0], "AP-UP ap=1");
    assert_string_equal(texts[1], "");
    assert_string_equal(texts[2], "twelve bytes");
    assert_int_equal(h5file_read_texts(file, "/events/text", 0, 3, 5, cut[0]), 0);
    assert_string_equal(cut[0], "AP-U");
    assert_string_equal(cut[2], "twel");
    assert_int_equal(h5file_read_texts(file, "/events/text", 2, 1, ROOM, texts[0]), 0);
    assert_string_equal(texts[0], "twelve bytes");
    assert_int_equal(h5file_read_texts(file, "/events/text", 2, 2, ROOM, texts[0]), TUTTI_EFORMAT);
    assert_int_equal(h5file_read_texts(file, "/events/text", 4, 0, ROOM, texts[0]), TUTTI_EFORMAT);
    assert_int_equal(h5file_read_texts(file, "/config", 0, 1, ROOM, texts[0]), TUTTI_EFORMAT);
    assert_true(h5file_read_texts(file, "/none", 0, 1, ROOM, texts[0]) < 0);
    h5file_close(file);
}

struct listing {
    h5file_t *file;
    char text[512];
};

static void note_dataset(void *context, const char *name, const struct h5_info *info)
{
    struct listing *l = context;
    struct h5_info again;
    assert_int_equal(h5file_info(l->file, name, &again), 0); /* reading inside the visit is allowed */
    assert_memory_equal(&again, info, sizeof again);
    strcat(strcat(l->text, name), " ");
}

static void test_list_in_name_order(void **state)
{
    (void)state;
    struct listing l = {0};
    write_everything(path, true);
    assert_int_equal(h5file_open(&l.file, path), 0);
    assert_int_equal(h5file_list(l.file, note_dataset, &l), 0);
    assert_string_equal(l.text, "/beta /config /empty /f64 /hops/H /hops/deep/f32 /i32 /i64 /scalar /u64 /u8 ");
    h5file_close(l.file);
}

static char *slurp(const char *name, size_t *n)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static void test_equal_contents_give_equal_files(void **state)
{
    (void)state;
    write_everything(path, true);
    clock_sleep_until_ns(clock_mono_ns() + 1100000000u); /* object times would have seconds */
    write_everything(path_b, true);
    size_t n_a, n_b;
    char *a = slurp(path, &n_a), *b = slurp(path_b, &n_b);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    free(a);
    free(b);
}

/* Each wrong use gives its code, and a sentence with the file and the dataset in it. */
static void assert_refused(int status, int wanted, const char *dataset)
{
    assert_int_equal(status, wanted);
    assert_non_null(strstr(error_text(), folder));
    if (!strstr(error_text(), dataset)) {
        fail_msg("\"%s\" is not in \"%s\"", dataset, error_text());
    }
}

/* Between the question how large it is and the answer a writer may add rows: what was asked for is read. */
static void test_reading_a_growing_file(void **state)
{
    (void)state;
    h5file_t *writer, *reader;
    struct h5_info info;
    const double row[2] = {1.5, -2.5};
    assert_int_equal(h5file_create(&writer, path), 0);
    const int handle = h5file_declare(writer, "/rows", H5_F64, 2, (size_t[]){2});
    assert_true(handle >= 0);
    assert_int_equal(h5file_seal(writer), 0);
    assert_int_equal(h5file_write_row(writer, handle, 0, row), 0);
    assert_int_equal(h5file_flush(writer), 0);
    assert_int_equal(h5file_open(&reader, path), 0);
    assert_int_equal(h5file_info(reader, "/rows", &info), 0);
    assert_int_equal(info.dims[0], 1);
    for (uint64_t r = 1; r < 1000; r++) {
        assert_int_equal(h5file_write_row(writer, handle, r, row), 0);
    }
    assert_int_equal(h5file_flush(writer), 0);
    double *const exactly = malloc(info.dims[0] * sizeof row); /* the sanitizer sees what goes beyond */
    assert_non_null(exactly);
    assert_int_equal(h5file_read(reader, "/rows", H5_F64, exactly, info.dims[0] * sizeof row), 0);
    assert_true(exactly[0] == 1.5 && exactly[1] == -2.5);
    free(exactly);
    h5file_close(reader);
    h5file_close(writer);
}

static void wrong_reading(void)
{
    h5file_t *file;
    struct h5_info info;
    float buffer[64];
    write_everything(path, true);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_refused(h5file_info(file, "/nothing/here", &info), TUTTI_EFORMAT, "/nothing/here");
    assert_refused(h5file_read(file, "/nope", H5_F32, buffer, sizeof buffer), TUTTI_EFORMAT, "/nope");
    assert_refused(h5file_info(file, "/hops", &info), TUTTI_EFORMAT, "/hops"); /* a group */
    assert_refused(h5file_read(file, "/hops/H", H5_F32, buffer, sizeof buffer), TUTTI_EFORMAT, "/hops/H");
    assert_refused(h5file_read(file, "/beta", H5_C64, buffer, sizeof buffer), TUTTI_EFORMAT, "/beta");
    assert_refused(h5file_read(file, "/config", H5_U8, buffer, sizeof buffer), TUTTI_EFORMAT, "/config");
    /* no whole number of rows, more than there are, a scalar that is larger or smaller */
    assert_refused(h5file_read(file, "/beta", H5_F64, buffer, 25), TUTTI_EINVAL, "/beta");
    assert_refused(h5file_read(file, "/beta", H5_F64, buffer, 72), TUTTI_EINVAL, "2 rows of 24");
    assert_refused(h5file_read(file, "/scalar", H5_I32, buffer, 8), TUTTI_EINVAL, "/scalar");
    assert_refused(h5file_read(file, "/scalar", H5_I32, buffer, 3), TUTTI_EINVAL, "/scalar");
    assert_int_equal(h5file_read(file, "/beta", H5_F64, buffer, 0), 0);
    assert_refused(h5file_read_rows(file, "/beta", H5_F64, 1, 2, buffer), TUTTI_EINVAL, "/beta");
    assert_refused(h5file_read_rows(file, "/beta", H5_F64, 1, UINT64_MAX, buffer), TUTTI_EINVAL, "/beta");
    assert_refused(h5file_read_rows(file, "/scalar", H5_F64, 0, 1, buffer), TUTTI_EINVAL, "/scalar");
    assert_null(h5file_read_text(file, "/beta"));
    assert_non_null(strstr(error_text(), "/beta"));
    assert_refused(h5file_declare(file, "/new", H5_F32, 1, NULL), TUTTI_EINVAL, "/new");
    assert_refused(h5file_write_row(file, 0, 0, buffer), TUTTI_EINVAL, "");
    h5file_close(file);
}

static void wrong_writing(void)
{
    h5file_t *file;
    const float zero = 0;
    assert_int_equal(h5file_create(&file, path), 0);
    const size_t none[] = {0}, vast[] = {SIZE_MAX / 2, 8}, many[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    assert_true(h5file_declare(file, "/x", H5_F32, 1, NULL) >= 0);
    assert_refused(h5file_declare(file, "/x", H5_F32, 1, NULL), TUTTI_EIO, "/x"); /* twice */
    assert_refused(h5file_declare(file, "/x/y", H5_F32, 1, NULL), TUTTI_EIO, "/x/y");
    assert_refused(h5file_declare(file, "/zero", H5_F32, 2, none), TUTTI_EINVAL, "/zero");
    assert_refused(h5file_declare(file, "/vast", H5_F32, 3, vast), TUTTI_EINVAL, "/vast");
    assert_refused(h5file_declare(file, "/many", H5_F32, 7, many), TUTTI_EINVAL, "/many");
    assert_refused(h5file_declare(file, "/flat", H5_F32, 0, NULL), TUTTI_EINVAL, "/flat");
    assert_refused(h5file_declare(file, "/words", H5_STRING, 1, NULL), TUTTI_EINVAL, "/words");
    assert_refused(h5file_put_attribute(file, "/absent", "a", 1.0), TUTTI_EIO, "/absent");
    assert_int_equal(h5file_seal(file), 0);
    assert_refused(h5file_seal(file), TUTTI_EINVAL, "sealed");
    assert_refused(h5file_declare(file, "/late", H5_F32, 1, NULL), TUTTI_EINVAL, "/late");
    assert_refused(h5file_put(file, "/late", H5_F32, 0, NULL, &zero), TUTTI_EINVAL, "/late");
    assert_refused(h5file_write_row(file, 1, 0, &zero), TUTTI_EINVAL, "1");
    assert_refused(h5file_write_row(file, -1, 0, &zero), TUTTI_EINVAL, "-1");
    h5file_close(file);
}

static void wrong_files(void)
{
    h5file_t *file = (h5file_t *)&file;
    char absent[96];
    snprintf(absent, sizeof absent, "%s/none/x.h5", folder);
    assert_refused(h5file_open(&file, absent), TUTTI_EIO, "No such file");
    assert_null(file);
    assert_refused(h5file_create(&file, absent), TUTTI_EIO, "No such file");
    assert_null(file);
    FILE *plain = fopen(path, "w");
    assert_non_null(plain);
    fputs("this is no HDF5 file", plain);
    fclose(plain);
    assert_refused(h5file_open(&file, path), TUTTI_EIO, "signature");
    assert_null(file);
}

/* A byte of the superblock changed: its checksum is wrong. HDF5 would read it again and again, as if a writer were at
 * work. */
static void test_a_damaged_file_is_refused_at_once(void **state)
{
    (void)state;
    h5file_t *file;
    for (int seal = 0; seal < 2; seal++) {
        write_everything(path, seal);
        FILE *bytes = fopen(path, "r+b");
        assert_non_null(bytes);
        assert_int_equal(fseek(bytes, 32, SEEK_SET), 0);
        assert_true(fputc(0x5a, bytes) != EOF && fclose(bytes) == 0);
        const uint64_t start_ns = clock_mono_ns();
        assert_int_equal(h5file_open(&file, path), TUTTI_EIO);
        assert_null(file);
        assert_true(clock_mono_ns() - start_ns < 2000000000u);
    }
}

static void test_existence(void **state)
{
    (void)state;
    h5file_t *file;
    write_everything(path, false);
    assert_int_equal(h5file_open(&file, path), 0);
    static const char *const there[] = {"/hops/H", "/hops", "/hops/deep/f32", "/f64", "/config"};
    static const char *const absent[] = {"/h", "/hops/h", "/none/at/all", "/f64/below_a_dataset", "/hops/deep/f32/x"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(h5file_exists(file, there[i]), 1);
        assert_int_equal(h5file_exists(file, absent[i]), 0);
    }
    h5file_close(file);
}

struct attributes {
    int n;
    char text[512];
};

static void add_attribute(void *context, const char *object, const char *name, const char *value)
{
    struct attributes *a = context;
    const size_t used = strlen(a->text);
    a->n++;
    snprintf(a->text + used, sizeof a->text - used, "%s %s %s;", object, name, value);
}

static void test_attributes(void **state)
{
    (void)state;
    h5file_t *file;
    double values[4] = {0};
    uint64_t n = 9;
    write_everything(path, false);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_attribute_numbers(file, "/", "ap_power", 4, values, &n), 0);
    assert_true(n == 1 && values[0] == 2.5);
    assert_int_equal(h5file_attribute_numbers(file, "/", "none", 4, values, &n), 0);
    assert_int_equal(n, 0);
    values[0] = 7; /* no room: told, not read */
    assert_int_equal(h5file_attribute_numbers(file, "/", "ap_power", 0, values, &n), 0);
    assert_true(n == 1 && values[0] == 7);
    assert_true(h5file_attribute_numbers(file, "/none", "ap_power", 4, values, &n) < 0);
    struct attributes seen = {0};
    assert_int_equal(h5file_list_attributes(file, add_attribute, &seen), 0);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text, "/ ap_power 2.5;/hops/H rate_hz 1920000;");
    h5file_close(file);
}

static void test_claims(void **state)
{
    (void)state;
    h5file_t *file;
    const struct h5_info plain = {H5_F64, 3, {5, 3, 2}}, none = {H5_F64, 3, {1ull << 40, 0, 1ull << 62}},
                         vast = {H5_F64, 3, {4, 1ull << 32, 1ull << 32}}, scalar = {H5_F64, 0, {0}};
    assert_true(h5file_rows_bytes(&plain, 5, 8) == 240 && h5file_rows_bytes(&plain, 1, 4) == 24);
    assert_true(h5file_rows_bytes(&none, 1ull << 40, 8) == 0 && h5file_rows_bytes(&scalar, 1, 8) == 8);
    assert_true(h5file_rows_bytes(&vast, 4, 8) == UINT64_MAX && h5file_rows_bytes(&plain, 1ull << 62, 8) == UINT64_MAX);
    write_everything(path, false);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_check_claim(file, "/x", 0), 0);
    assert_int_equal(h5file_check_claim(file, "/x", 100000000), 0);
    assert_refused(h5file_check_claim(file, "/x", 1ull << 40), TUTTI_EFORMAT, "damaged: /x claims 1.1e+03 GB");
    assert_refused(h5file_check_claim(file, "/x", UINT64_MAX), TUTTI_EFORMAT, "claims more than");
    h5file_close(file);
}

/* What is quoted from a file cannot break the line or steer a terminal. */
static void test_errors_are_one_line(void **state)
{
    (void)state;
    h5file_t *file;
    struct h5_info info;
    write_everything(path, false);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_refused(h5file_info(file, "/a\nb\033[2J", &info), TUTTI_EFORMAT, "no dataset /a?b?[2J");
    h5file_close(file);
}

/* A text of 1 GB that was never written. */
static void test_long_texts_are_refused(void **state)
{
    (void)state;
    static const char *const code[] = {
        "import h5py, sys, numpy",
        "with h5py.File(sys.argv[1], 'w') as f: f.create_dataset('t', (1,), dtype='S1073741824', chunks=(1,))"};
    char command[512];
    snprintf(command, sizeof command, "%s -c \"%s\n%s\" %s", PYTHON, code[0], code[1], path);
    assert_int_equal(system(command), 0);
    h5file_t *file;
    assert_int_equal(h5file_open(&file, path), 0);
    assert_null(h5file_read_text(file, "/t"));
    assert_non_null(strstr(error_text(), "text so long"));
    h5file_close(file);
}

static void test_wrong_use_is_named_and_quiet(void **state)
{
    (void)state;
    FILE *noise = tmpfile();
    assert_non_null(noise);
    fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    dup2(fileno(noise), STDERR_FILENO);
    wrong_reading();
    wrong_writing();
    wrong_files();
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(lseek(fileno(noise), 0, SEEK_END), 0); /* HDF5 printed nothing */
    fclose(noise);
}

/* A writer that tells through a pipe how many rows it has flushed, until it is killed. ------------------------------
 */

enum { FLUSH_EVERY = 7, SELF_KILL_ROW = 1234 };

static void write_until_killed(int pipe_fd, bool kill_self)
{
    h5file_t *file;
    const size_t dims[] = {N_AP, N_ANT};
    if (h5file_create(&file, path)) {
        _exit(1);
    }
    const int h = h5file_declare(file, "/H", H5_C64, 3, dims);
    const int t = h5file_declare(file, "/block/tick", H5_U64, 1, NULL);
    if (h < 0 || t < 0 || h5file_put_text(file, "/config", "x: 1") || h5file_seal(file)) {
        _exit(2);
    }
    for (uint64_t b = 0;; b++) {
        float complex row[ROW];
        fill_row(row, b);
        if (h5file_write_row(file, h, b, row) || h5file_write_row(file, t, b, &(uint64_t){b * 9600})) {
            _exit(3);
        }
        if (kill_self && b == SELF_KILL_ROW) {
            raise(SIGKILL);
        }
        if (b % FLUSH_EVERY == FLUSH_EVERY - 1) {
            const uint64_t flushed = b + 1;
            if (h5file_flush(file) || write(pipe_fd, &flushed, sizeof flushed) != sizeof flushed) {
                _exit(4);
            }
        }
    }
}

static pid_t start_writer(int *pipe_fd, bool kill_self)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(ends[1], kill_self);
    }
    close(ends[1]);
    *pipe_fd = ends[0];
    return child;
}

static void check_survivors(uint64_t n_flushed)
{
    h5file_t *file;
    struct h5_info info;
    if (h5file_open(&file, path)) {
        fail_msg("%s", error_text());
    }
    assert_int_equal(h5file_info(file, "/H", &info), 0);
    assert_true(info.dims[0] >= n_flushed);
    float complex *rows = malloc(info.dims[0] * ROW * sizeof *rows + 1);
    uint64_t *ticks = malloc(info.dims[0] * sizeof *ticks + 1);
    assert_true(rows && ticks);
    assert_int_equal(h5file_read_rows(file, "/H", H5_C64, 0, n_flushed, rows), 0);
    assert_int_equal(h5file_read_rows(file, "/block/tick", H5_U64, 0, n_flushed, ticks), 0);
    for (uint64_t b = 0; b < n_flushed; b++) {
        assert_true(row_is(rows + b * ROW, b));
        assert_int_equal(ticks[b], b * 9600);
    }
    free(rows);
    free(ticks);
    h5file_close(file);
}

static void test_killed_in_mid_writing(void **state)
{
    (void)state;
    int fd, status;
    const pid_t child = start_writer(&fd, true);
    uint64_t flushed = 0, n = 0;
    while (read(fd, &n, sizeof n) == sizeof n) {
        flushed = n;
    }
    close(fd);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(flushed, SELF_KILL_ROW / FLUSH_EVERY * FLUSH_EVERY);
    check_survivors(flushed);
}

/* Killed from outside at times of no one's choosing, inside flushes too. */
static void test_killed_at_any_time(void **state)
{
    (void)state;
    uint64_t total = 0;
    for (unsigned trial = 0; trial < 40; trial++) {
        int fd, status;
        const pid_t child = start_writer(&fd, false);
        uint64_t flushed = 0, n = 0;
        assert_int_equal(read(fd, &flushed, sizeof flushed), sizeof flushed);
        clock_sleep_until_ns(clock_mono_ns() + 137000u * trial);
        kill(child, SIGKILL);
        while (read(fd, &n, sizeof n) == sizeof n) {
            flushed = n;
        }
        close(fd);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_survivors(flushed);
        total += flushed;
    }
    assert_true(total > 40 * FLUSH_EVERY); /* some got further than the first flush */
}

static void test_reader_follows_a_living_writer(void **state)
{
    (void)state;
    int fd, status;
    uint64_t n = 0;
    const pid_t child = start_writer(&fd, false);
    assert_int_equal(read(fd, &n, sizeof n), sizeof n);
    h5file_t *file;
    assert_int_equal(h5file_open(&file, path), 0);
    for (int i = 0; i < 50; i++) {
        struct h5_info info;
        float complex row[ROW];
        assert_int_equal(read(fd, &n, sizeof n), sizeof n);
        assert_int_equal(h5file_info(file, "/H", &info), 0); /* the handle opened long ago sees the growth */
        assert_true(info.dims[0] >= n);
        assert_int_equal(h5file_read_rows(file, "/H", H5_C64, n - 1, 1, row), 0);
        assert_true(row_is(row, n - 1));
    }
    h5file_close(file);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(fd);
}

static void test_reader_in_the_writers_process(void **state)
{
    (void)state;
    h5file_t *writer, *reader;
    struct h5_info info;
    double value = 0.0;
    assert_int_equal(h5file_create(&writer, path), 0);
    const int h = h5file_declare(writer, "/x", H5_F64, 1, NULL);
    assert_int_equal(h5file_seal(writer), 0);
    assert_int_equal(h5file_write_row(writer, h, 4, &(double){0.5}), 0);
    assert_int_equal(h5file_flush(writer), 0);
    if (h5file_open(&reader, path)) {
        fail_msg("%s", error_text());
    }
    assert_int_equal(h5file_info(reader, "/x", &info), 0);
    assert_int_equal(info.dims[0], 5);
    assert_int_equal(h5file_read_rows(reader, "/x", H5_F64, 4, 1, &value), 0);
    assert_true(value == 0.5);
    h5file_close(reader);
    assert_int_equal(h5file_write_row(writer, h, 5, &(double){0.75}), 0);
    h5file_close(writer);
    assert_int_equal(h5file_open(&reader, path), 0);
    assert_int_equal(h5file_read_rows(reader, "/x", H5_F64, 5, 1, &value), 0);
    assert_true(value == 0.75);
    h5file_close(reader);
}

/* A lock someone else holds (h5py takes one) stops neither our writer nor our reader. */
static void test_file_locks_do_not_matter(void **state)
{
    (void)state;
    h5file_t *file;
    write_everything(path, true);
    FILE *holder = fopen(path, "r");
    assert_non_null(holder);
    assert_int_equal(flock(fileno(holder), LOCK_EX | LOCK_NB), 0);
    assert_int_equal(h5file_open(&file, path), 0);
    check_complex(file);
    h5file_close(file);
    write_everything(path, true);
    fclose(holder);
}

static void test_killed_before_the_seal(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        h5file_t *file;
        const int h = h5file_create(&file, path) ? -1 : h5file_declare(file, "/x", H5_F64, 1, NULL);
        h5file_write_row(file, h, 0, &(double){1.0});
        h5file_flush(file);
        raise(SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    h5file_t *file;
    assert_refused(h5file_open(&file, path), TUTTI_EIO, "unfinished");
    assert_null(file);
    write_everything(path, true); /* and the file can be made anew */
    assert_int_equal(h5file_open(&file, path), 0);
    check_complex(file);
    h5file_close(file);
}

static void *write_own_file(void *name)
{
    h5file_t *file;
    const size_t dims[] = {N_AP, N_ANT};
    intptr_t failures = h5file_create(&file, name) != 0;
    const int h = failures ? -1 : h5file_declare(file, "/H", H5_C64, 3, dims);
    failures += h < 0 || h5file_seal(file) != 0;
    for (uint64_t b = 0; b < 300 && !failures; b++) {
        float complex row[ROW], back[ROW];
        h5file_t *reader = NULL;
        fill_row(row, b);
        failures += h5file_write_row(file, h, b, row) != 0;
        if (b % 50 == 49) {
            failures += h5file_flush(file) != 0 || h5file_open(&reader, name) != 0 ||
                        h5file_read_rows(reader, "/H", H5_C64, b, 1, back) != 0 || !row_is(back, b);
            h5file_close(reader);
        }
    }
    h5file_close(file);
    return (void *)failures;
}

static void test_two_threads_with_a_file_each(void **state)
{
    (void)state;
    pthread_t thread;
    void *failures;
    assert_int_equal(pthread_create(&thread, NULL, write_own_file, path_b), 0);
    assert_null(write_own_file(path));
    pthread_join(thread, &failures);
    assert_null(failures);
}

static void test_large_rows(void **state)
{
    (void)state;
    enum { WIDE = 300000 };
    h5file_t *file;
    const size_t dims[] = {WIDE};
    double *row = malloc(WIDE * sizeof *row);
    assert_non_null(row);
    assert_int_equal(h5file_create(&file, path), 0);
    const int h = h5file_declare(file, "/wide", H5_F64, 2, dims);
    assert_true(h >= 0);
    assert_int_equal(h5file_seal(file), 0);
    for (uint64_t b = 0; b < 3; b++) {
        for (size_t i = 0; i < WIDE; i++) {
            row[i] = (double)(b * WIDE + i);
        }
        assert_int_equal(h5file_write_row(file, h, b, row), 0);
    }
    h5file_close(file);
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_read_rows(file, "/wide", H5_F64, 2, 1, row), 0);
    assert_true(row[0] == 2.0 * WIDE && row[WIDE - 1] == 3.0 * WIDE - 1.0);
    h5file_close(file);
    free(row);
}

/* Python ---------------------------------------------------------------------------------------------------------- */

static int python(const char *script)
{
    const pid_t child = fork();
    if (child == 0) {
        execl(PYTHON, PYTHON, "-c", script, path, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void skip_without_h5py(void)
{
    static int found = -1;
    if (found < 0) {
        found = python("import importlib.util as u, sys; sys.exit(not (u.find_spec('h5py') and u.find_spec('numpy')))");
    }
    if (found && H5PY_IS_PROMISED) {
        fail_msg("%s has no h5py or no numpy, which packages.txt promises", PYTHON);
    }
    if (found) {
        SKIP_BECAUSE("%s has no h5py or no numpy", PYTHON);
    }
}

static void test_h5py_reads_our_file(void **state)
{
    (void)state;
    skip_without_h5py();
    write_everything(path, true);
    assert_int_equal(
        python("import sys, h5py, numpy as np\n"
               "f = h5py.File(sys.argv[1], 'r')\n"
               "H = f['/hops/H'][:]\n"
               "assert H.dtype == np.complex64 and H.shape == (8, 3, 5), (H.dtype, H.shape)\n"
               "i = np.arange(15).reshape(3, 5)\n"
               "for b in (0, 2, 7): assert (H[b] == b + 0.25 * i - 1j * (10 * b + i)).all()\n"
               "for b in (1, 3, 4, 5, 6): assert np.isnan(H[b].real).all() and np.isnan(H[b].imag).all()\n"
               "assert np.isnan(f['/hops/deep/f32'][0]).all() and f['/hops/deep/f32'][1, 1] == -2\n"
               "assert f['/u64'].dtype == np.uint64 and list(f['/u64']) == [0, 2**64 - 1]\n"
               "assert f['/i64'].dtype == np.int64 and list(f['/i64']) == [0, -2**63]\n"
               "assert f['/i32'].dtype == np.int32 and list(f['/i32']) == [0, -2**31]\n"
               "assert f['/u8'].dtype == np.uint8 and f['/u8'][:].tolist() == [[0] * 4, [0, 1, 128, 255]]\n"
               "assert f['/beta'][:].tolist() == [[1.5, -2.5, 1e-300], [4, 5, 6]] and f['/scalar'][()] == -7\n"
               "assert f['/config'].asstr()[()] == 'name: \"caf\\u00e9\"\\n' and f['/empty'].asstr()[()] == ''\n"
               "assert f.attrs['ap_power'] == 2.5 and f['/hops/H'].attrs['rate_hz'] == 1.92e6\n"),
        0);
}

static void test_h5py_reads_after_kill(void **state)
{
    (void)state;
    skip_without_h5py();
    int fd, status;
    const pid_t child = start_writer(&fd, true);
    waitpid(child, &status, 0); /* its reports all fit into the pipe */
    close(fd);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(python("import sys, h5py, numpy as np\n"
                            "f = h5py.File(sys.argv[1], 'r', swmr=True)\n"
                            "n = 1234 // 7 * 7\n"
                            "assert f['/H'].shape[0] >= n\n"
                            "H = f['/H'][:n]\n"
                            "b = np.arange(n).reshape(n, 1, 1); i = np.arange(15).reshape(1, 3, 5)\n"
                            "assert (H == (b + 0.25 * i - 1j * (10 * b + i)).astype(np.complex64)).all()\n"
                            "assert (f['/block/tick'][:n] == 9600 * np.arange(n)).all()\n"),
                     0);
}

/* A file that points to another one, in all the ways HDF5 knows, does not make us read it. */
static void test_other_files_are_not_read(void **state)
{
    static const char *const datasets[] = {"/linked", "/group/x", "/stored", "/virtual"};
    (void)state;
    skip_without_h5py();
    assert_int_equal(python("import sys, h5py, numpy as np\n"
                            "other = sys.argv[1][:-4] + 'b.h5'\n"
                            "with h5py.File(other, 'w') as f: f['x'] = np.arange(4.0); f.attrs['secret'] = 1.0\n"
                            "f = h5py.File(sys.argv[1], 'w')\n"
                            "f['linked'] = h5py.ExternalLink(other, '/x')\n"
                            "f['group'] = h5py.ExternalLink(other, '/')\n"
                            "f.create_dataset('stored', (4,), 'f8', external=[(other, 0, 32)])\n"
                            "v = h5py.VirtualLayout((4,), 'f8'); v[:] = h5py.VirtualSource(other, 'x', (4,))\n"
                            "f.create_virtual_dataset('virtual', v)\n"
                            "f['own'] = np.arange(4.0)\n"),
                     0);
    h5file_t *file;
    struct h5_info info;
    double x[4], value;
    uint64_t n;
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_read(file, "/own", H5_F64, x, sizeof x), 0);
    for (size_t i = 0; i < sizeof datasets / sizeof datasets[0]; i++) {
        assert_true(h5file_info(file, datasets[i], &info) < 0);
        assert_true(h5file_read(file, datasets[i], H5_F64, x, sizeof x) < 0);
    }
    assert_refused(h5file_info(file, "/virtual", &info), TUTTI_EFORMAT, "in another file");
    assert_true(h5file_attribute_numbers(file, "/group", "secret", 1, &value, &n) < 0);
    assert_true(h5file_exists(file, "/group/x") <= 0);
    h5file_close(file);
}

/* What a researcher's script writes: default settings, double precision, compression, variable-length text. */
static void test_we_read_h5py_files(void **state)
{
    (void)state;
    skip_without_h5py();
    assert_int_equal(python("import sys, h5py, numpy as np\n"
                            "f = h5py.File(sys.argv[1], 'w')\n"
                            "i = np.arange(24).reshape(2, 3, 4)\n"
                            "f['c128'] = i - 0.5j * i\n"
                            "f.create_dataset('g/zip', data=(i + 1j).astype(np.complex64), compression='gzip')\n"
                            "f['i16'] = np.array([-3, 4], np.int16)\n"
                            "f['big'] = np.array([1.5, -2.5], '>f8')\n"
                            "f['flags'] = np.array([True, False, True])\n"
                            "f['note'] = 'h\\u00e9llo'\n"
                            "f['odd'] = np.zeros(2, [('a', 'f4'), ('b', 'f4'), ('c', 'i4')])\n"
                            "f.attrs['ap_power'] = 4\n"
                            "f.attrs['list'] = [1.0, 2.0]\n"
                            "f.attrs['word'] = 'x'\n"),
                     0);
    h5file_t *file;
    float complex c[24];
    int32_t i16[2];
    double big[2], value = 0.0;
    uint64_t n;
    unsigned char flags[3];
    struct h5_info info;
    assert_int_equal(h5file_open(&file, path), 0);
    assert_int_equal(h5file_read(file, "/c128", H5_C64, c, sizeof c), 0);
    assert_true(crealf(c[23]) == 23.0f && cimagf(c[23]) == -11.5f);
    assert_int_equal(h5file_read(file, "/g/zip", H5_C64, c, sizeof c), 0);
    assert_true(crealf(c[23]) == 23.0f && cimagf(c[23]) == 1.0f);
    assert_int_equal(h5file_read(file, "/i16", H5_I32, i16, sizeof i16), 0);
    assert_true(i16[0] == -3 && i16[1] == 4);
    assert_int_equal(h5file_read(file, "/big", H5_F64, big, sizeof big), 0);
    assert_true(big[0] == 1.5 && big[1] == -2.5);
    assert_int_equal(h5file_read(file, "/flags", H5_U8, flags, sizeof flags), 0);
    assert_true(flags[0] == 1 && flags[1] == 0 && flags[2] == 1);
    char *text = h5file_read_text(file, "/note");
    assert_string_equal(text, "h\xc3\xa9llo");
    free(text);
    assert_int_equal(h5file_attribute_numbers(file, "/", "ap_power", 1, &value, &n), 0);
    assert_true(n == 1 && value == 4.0);
    assert_int_equal(h5file_attribute_numbers(file, "/", "list", 1, &value, &n), 0);
    assert_int_equal(n, 2);
    assert_refused(h5file_attribute_numbers(file, "/", "word", 1, &value, &n), TUTTI_EFORMAT, "word");
    assert_refused(h5file_info(file, "/odd", &info), TUTTI_EFORMAT, "/odd");
    struct listing l = {.file = file};
    assert_int_equal(h5file_list(file, note_dataset, &l), 0);
    assert_string_equal(l.text, "/big /c128 /flags /g/zip /i16 /note ");
    h5file_close(file);
}

/* Who reads one number has room for one: a file from elsewhere may have rows of many. */
static void test_an_entry_is_one_value(void **state)
{
    (void)state;
    h5file_t *file;
    uint8_t values[4] = {9, 9, 9, 9};
    int64_t value = 0;
    write_everything("entry.h5", true);
    assert_int_equal(h5file_open(&file, "entry.h5"), 0);
    assert_int_equal(h5file_read_entry(file, "/u8", H5_U8, 0, values), TUTTI_EFORMAT);
    assert_non_null(strstr(error_text(), "/u8 has rank 2"));
    assert_int_equal(values[0] + values[1] + values[2] + values[3], 36);
    assert_int_equal(h5file_read_entry(file, "/scalar", H5_I32, 0, values), TUTTI_EFORMAT);
    assert_int_equal(h5file_read_entry(file, "/i64", H5_I64, 0, &value), 0);
    assert_int_equal(h5file_read_entry(file, "/i64", H5_I64, 1000000, &value), TUTTI_EINVAL);
    h5file_close(file);
    remove("entry.h5");
}

/* Nobody writes to the pipe: whoever opens it waits. */
static void test_a_pipe_is_refused(void **state)
{
    (void)state;
    h5file_t *file;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20); /* the old end of this test */
    assert_int_equal(h5file_open(&file, path), TUTTI_EFORMAT);
    alarm(0);
    assert_null(file);
    assert_non_null(strstr(error_text(), "pipe"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_rows_of_text),
        cmocka_unit_test(test_reading_a_growing_file),
        cmocka_unit_test(test_list_in_name_order),
        cmocka_unit_test(test_equal_contents_give_equal_files),
        cmocka_unit_test(test_wrong_use_is_named_and_quiet),
        cmocka_unit_test(test_a_damaged_file_is_refused_at_once),
        cmocka_unit_test(test_existence),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_errors_are_one_line),
        cmocka_unit_test(test_long_texts_are_refused),
        cmocka_unit_test(test_killed_in_mid_writing),
        cmocka_unit_test(test_killed_at_any_time),
        cmocka_unit_test(test_reader_follows_a_living_writer),
        cmocka_unit_test(test_reader_in_the_writers_process),
        cmocka_unit_test(test_file_locks_do_not_matter),
        cmocka_unit_test(test_killed_before_the_seal),
        cmocka_unit_test(test_two_threads_with_a_file_each),
        cmocka_unit_test(test_large_rows),
        cmocka_unit_test(test_h5py_reads_our_file),
        cmocka_unit_test(test_h5py_reads_after_kill),
        cmocka_unit_test(test_other_files_are_not_read),
        cmocka_unit_test(test_we_read_h5py_files),
        cmocka_unit_test(test_a_pipe_is_refused),
        cmocka_unit_test(test_an_entry_is_one_value),
    };
    return skip_status(cmocka_run_group_tests(tests, group_setup, group_teardown));
}
