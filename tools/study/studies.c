/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of studies. */
#include "tools/study/study.h"

#include <stddef.h>

extern const struct study STUDY_PPZF_PRECODERS, STUDY_PPZF_FIG3A, STUDY_PPZF_FIG3B, STUDY_PPZF_FIG3C, STUDY_PPZF_AN;

static const struct study *const TABLE[] = {&STUDY_PPZF_PRECODERS, &STUDY_PPZF_FIG3A, &STUDY_PPZF_FIG3B,
                                            &STUDY_PPZF_FIG3C,     &STUDY_PPZF_AN,    NULL};

const struct study *const *study_table(void)
{
    return TABLE;
}
