/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of studies. */
#include "tools/study/study.h"

#include <stddef.h>
#include <string.h>

extern const struct study STUDY_OB_FIG1, STUDY_OB_FIG2, STUDY_OB_TABLE1, STUDY_OB_CERTIFICATE, STUDY_OB_FRONTHAUL;
extern const struct study STUDY_PPZF_CLOSED_FORM, STUDY_PPZF_PRECODERS, STUDY_PPZF_FIG3A, STUDY_PPZF_FIG3B,
    STUDY_PPZF_FIG3C, STUDY_PPZF_AN, STUDY_PPZF_TIMELINE;
extern const struct study STUDY_RLSPA_FIG1, STUDY_RLSPA_FIG2, STUDY_RLSPA_LAMBDA, STUDY_RLSPA_BOUND, STUDY_RLSPA_NNLS,
    STUDY_RLSPA_BLOCK, STUDY_RLSPA_SENSITIVITY, STUDY_RLSPA_SCHEDULE;
extern const struct study STUDY_SPZF_FIG5, STUDY_SPZF_FIG6, STUDY_SPZF_FIG7, STUDY_SPZF_FIG8, STUDY_SPZF_FIG9,
    STUDY_SPZF_FIG10, STUDY_SPZF_TABLE1, STUDY_SPZF_K3;
extern const struct study STUDY_ISAC_FIG2, STUDY_ISAC_FIG3, STUDY_ISAC_FIG4, STUDY_ISAC_EXHAUSTIVE,
    STUDY_ISAC_CLOSED_FORM, STUDY_ISAC_MODES, STUDY_ISAC_NU_QOS;
extern const struct study STUDY_CLUSTER;

static const struct study *const TABLE[] = {&STUDY_OB_FIG1,           &STUDY_OB_FIG2,
                                            &STUDY_OB_TABLE1,         &STUDY_OB_CERTIFICATE,
                                            &STUDY_OB_FRONTHAUL,      &STUDY_PPZF_CLOSED_FORM,
                                            &STUDY_PPZF_PRECODERS,    &STUDY_PPZF_FIG3A,
                                            &STUDY_PPZF_FIG3B,        &STUDY_PPZF_FIG3C,
                                            &STUDY_PPZF_AN,           &STUDY_PPZF_TIMELINE,
                                            &STUDY_RLSPA_FIG1,        &STUDY_RLSPA_FIG2,
                                            &STUDY_RLSPA_LAMBDA,      &STUDY_RLSPA_BOUND,
                                            &STUDY_RLSPA_NNLS,        &STUDY_RLSPA_BLOCK,
                                            &STUDY_RLSPA_SENSITIVITY, &STUDY_RLSPA_SCHEDULE,
                                            &STUDY_SPZF_FIG5,         &STUDY_SPZF_FIG6,
                                            &STUDY_SPZF_FIG7,         &STUDY_SPZF_FIG8,
                                            &STUDY_SPZF_FIG9,         &STUDY_SPZF_FIG10,
                                            &STUDY_SPZF_TABLE1,       &STUDY_SPZF_K3,
                                            &STUDY_ISAC_FIG3,         &STUDY_ISAC_FIG4,
                                            &STUDY_ISAC_EXHAUSTIVE,   &STUDY_ISAC_CLOSED_FORM,
                                            &STUDY_ISAC_MODES,        &STUDY_ISAC_NU_QOS,
#ifdef TUTTI_IPOPT
                                            &STUDY_ISAC_FIG2,
#endif
                                            &STUDY_CLUSTER,           NULL};

const struct study *const *study_table(void)
{
    return TABLE;
}

const char *study_page(const struct study *study)
{
    static const char *const PAGES[][2] = {{"ob-", "docs/precoders.md"},
                                           {"ppzf-", "docs/resilience.md"},
                                           {"rlspa-", "docs/power.md"},
                                           {"isac-", "docs/isac.md"},
                                           {"spzf-", "docs/noise.md"}};
    for (size_t i = 0; i < sizeof PAGES / sizeof *PAGES; i++) {
        if (strncmp(study->name, PAGES[i][0], strlen(PAGES[i][0])) == 0) {
            return PAGES[i][1];
        }
    }
    return "docs/clusters.md";
}
