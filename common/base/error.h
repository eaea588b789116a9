/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One error map for all of Tutti. Functions that can fail return 0 or one of these negative codes; the sentence a
 * person needs is kept per thread by error_set and fetched by error_text. Never called on the block path. */
#ifndef TUTTI_BASE_ERROR_H
#define TUTTI_BASE_ERROR_H

#define TUTTI_ERROR_MAP(X)                                                                                             \
    X(TUTTI_OK, 0, "success")                                                                                          \
    X(TUTTI_EINVAL, -1, "invalid argument")                                                                            \
    X(TUTTI_ENOMEM, -2, "out of memory")                                                                               \
    X(TUTTI_ECONFIG, -3, "configuration error")                                                                        \
    X(TUTTI_EIO, -4, "input or output failed")                                                                         \
    X(TUTTI_EFORMAT, -5, "malformed data")                                                                             \
    X(TUTTI_EVERSION, -6, "version mismatch")                                                                          \
    X(TUTTI_ETIMEOUT, -7, "timed out")                                                                                 \
    X(TUTTI_ECLOSED, -8, "the other end is gone")                                                                      \
    X(TUTTI_EAGAIN, -9, "nothing available now")                                                                       \
    X(TUTTI_EREFUSED, -10, "refused by the other end")                                                                 \
    X(TUTTI_ENUMERIC, -11, "numerically singular or not finite")                                                       \
    X(TUTTI_EUNSUPPORTED, -12, "not supported")                                                                        \
    X(TUTTI_EDEVICE, -13, "radio device fault")                                                                        \
    X(TUTTI_ESTOPPED, -14, "stopped on request")

enum tutti_error {
#define TUTTI_ERROR_ENUM(name, value, text) name = (value),
    TUTTI_ERROR_MAP(TUTTI_ERROR_ENUM)
#undef TUTTI_ERROR_ENUM
};

/* The fixed text of a code; "unknown error" for anything else. */
const char *error_name(int code);

/* Keep a printf-style sentence for this thread and return code, so that callers write
 * `return error_set(TUTTI_EIO, "cannot open %s", path);`. The text is truncated at 511 bytes. */
int error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence last set on this thread; empty string if none. Valid until the next error_set on this thread. */
const char *error_text(void);

#endif
