/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled for the oldest x86-64, whatever the rest is built for. PROCESSOR_LEVEL comes from TUTTI_ARCH. */
#include "base/processor.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const struct feature {
    int level;
    size_t word; /* offset in struct processor_features */
    int bit;
    const char *name;
} needed[] = {
    {2, offsetof(struct processor_features, basic), 20, "SSE4.2"},
    {2, offsetof(struct processor_features, basic), 19, "SSE4.1"},
    {2, offsetof(struct processor_features, basic), 9, "SSSE3"},
    {2, offsetof(struct processor_features, basic), 0, "SSE3"},
    {2, offsetof(struct processor_features, basic), 23, "POPCNT"},
    {2, offsetof(struct processor_features, basic), 13, "CMPXCHG16B"},
    {2, offsetof(struct processor_features, extended), 0, "LAHF in 64-bit mode"},
    {3, offsetof(struct processor_features, structured), 5, "AVX2"},
    {3, offsetof(struct processor_features, basic), 28, "AVX"},
    {3, offsetof(struct processor_features, basic), 12, "FMA"},
    {3, offsetof(struct processor_features, basic), 29, "F16C"},
    {3, offsetof(struct processor_features, basic), 22, "MOVBE"},
    {3, offsetof(struct processor_features, basic), 27, "OSXSAVE"},
    {3, offsetof(struct processor_features, structured), 3, "BMI1"},
    {3, offsetof(struct processor_features, structured), 8, "BMI2"},
    {3, offsetof(struct processor_features, extended), 5, "LZCNT"},
};

const char *processor_lacks(const struct processor_features *features, int level)
{
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        uint32_t word;
        memcpy(&word, (const char *)features + needed[i].word, sizeof word);
        if (needed[i].level <= level && !(word >> needed[i].bit & 1)) {
            return needed[i].name;
        }
    }
    return NULL;
}

#if defined(__x86_64__)
static void say(const char *text)
{
    const ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* nobody to tell */
}
#endif

int processor_check(void)
{
#if defined(__x86_64__)
    struct processor_features features = {0};
    unsigned a, b, c, d;
    features.basic = __get_cpuid(1, &a, &b, &c, &d) ? c : 0;
    features.structured = __get_cpuid_count(7, 0, &a, &b, &c, &d) ? b : 0;
    features.extended = __get_cpuid(0x80000001u, &a, &b, &c, &d) ? c : 0;
    const char *name = processor_lacks(&features, PROCESSOR_LEVEL);
    if (name) {
        say("tutti: this processor lacks ");
        say(name);
        say(", which this build needs; build with cmake -DTUTTI_ARCH=x86-64 for older processors\n");
        return -1;
    }
#endif
    return 0;
}

static bool checked;

bool processor_checked(void)
{
    return checked;
}

/* 101 is the first priority left to programs: before every constructor that was compiled for more. */
__attribute__((constructor(101))) static void check_before_main(void)
{
    if (processor_check() != 0) {
        _exit(1);
    }
    checked = true;
}
