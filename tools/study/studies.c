/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of studies. */
#include "tools/study/study.h"

#include <stddef.h>

extern const struct study STUDY_PPZF_PRECODERS, STUDY_PPZF_FIG3A, STUDY_PPZF_FIG3B, STUDY_PPZF_FIG3C, STUDY_PPZF_AN,
    STUDY_PPZF_TIMELINE;
extern const struct study STUDY_RLSPA_FIG1, STUDY_RLSPA_FIG2, STUDY_RLSPA_LAMBDA, STUDY_RLSPA_BOUND, STUDY_RLSPA_NNLS,
    STUDY_RLSPA_BLOCK, STUDY_RLSPA_SENSITIVITY, STUDY_RLSPA_SCHEDULE;
extern const struct study STUDY_SPZF_FIG5, STUDY_SPZF_FIG6, STUDY_SPZF_FIG7, STUDY_SPZF_FIG8, STUDY_SPZF_FIG9,
    STUDY_SPZF_FIG10, STUDY_SPZF_TABLE1, STUDY_SPZF_K3;
extern const struct study STUDY_ISAC_FIG3, STUDY_ISAC_FIG4, STUDY_ISAC_EXHAUSTIVE, STUDY_ISAC_CLOSED_FORM;

static const struct study *const TABLE[] = {&STUDY_PPZF_PRECODERS,    &STUDY_PPZF_FIG3A,       &STUDY_PPZF_FIG3B,
                                            &STUDY_PPZF_FIG3C,        &STUDY_PPZF_AN,          &STUDY_PPZF_TIMELINE,
                                            &STUDY_RLSPA_FIG1,        &STUDY_RLSPA_FIG2,       &STUDY_RLSPA_LAMBDA,
                                            &STUDY_RLSPA_BOUND,       &STUDY_RLSPA_NNLS,       &STUDY_RLSPA_BLOCK,
                                            &STUDY_RLSPA_SENSITIVITY, &STUDY_RLSPA_SCHEDULE,   &STUDY_SPZF_FIG5,
                                            &STUDY_SPZF_FIG6,         &STUDY_SPZF_FIG7,        &STUDY_SPZF_FIG8,
                                            &STUDY_SPZF_FIG9,         &STUDY_SPZF_FIG10,       &STUDY_SPZF_TABLE1,
                                            &STUDY_SPZF_K3,           &STUDY_ISAC_FIG3,        &STUDY_ISAC_FIG4,
                                            &STUDY_ISAC_EXHAUSTIVE,   &STUDY_ISAC_CLOSED_FORM, NULL};

const struct study *const *study_table(void)
{
    return TABLE;
}
