/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drawings made by gnuplot: scripts are collected, drawn by one gnuplot process, and come back as SVG elements that can
 * stand in a web page. */
#ifndef TUTTI_TOOLS_TERMINAL_PLOT_H
#define TUTTI_TOOLS_TERMINAL_PLOT_H

#include <stdio.h>

typedef struct plot plot_t;

int plot_create(plot_t **plot);
void plot_destroy(plot_t *plot); /* NULL allowed */

/* Starts the next drawing, width x height pixels; the commands and data go to plot_script. Returns its number, 0.. */
int plot_begin(plot_t *plot, int width, int height);
FILE *plot_script(plot_t *plot);

/* Runs gnuplot. TUTTI_EUNSUPPORTED if there is none, TUTTI_EFORMAT if it fails. */
int plot_draw(plot_t *plot);
/* A drawing as `<svg ...>...</svg>`; NULL if it was not drawn. */
const char *plot_svg(const plot_t *plot, int number);

#endif
