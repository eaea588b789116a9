/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attributes in an HDF5 file, whatever their names. */
#ifndef TUTTI_TOOLS_ATTRIBUTES_H
#define TUTTI_TOOLS_ATTRIBUTES_H

/* Calls visit for every attribute with the path of its object and its value as text, in name order. */
int attributes_list(const char *file_path,
                    void (*visit)(void *context, const char *object, const char *name, const char *value),
                    void *context);

#endif
