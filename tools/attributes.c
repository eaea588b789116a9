/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/attributes.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

struct walk {
    void (*visit)(void *context, const char *object, const char *name, const char *value);
    void *context;
    const char *object;
};

static void value_text(hid_t attribute, char *text, size_t n)
{
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const H5T_class_t class = H5Tget_class(type);
    const hssize_t n_value = H5Sget_simple_extent_npoints(space);
    double value = 0;
    snprintf(text, n, "(%lld values)", (long long)n_value);
    if (n_value == 1 && (class == H5T_FLOAT || class == H5T_INTEGER) &&
        H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) >= 0)
        snprintf(text, n, "%.9g", value);
    else if (class == H5T_STRING && n_value == 1 && !H5Tis_variable_str(type) && H5Tget_size(type) < n &&
             H5Aread(attribute, type, text) >= 0)
        text[H5Tget_size(type)] = '\0';
    else if (class == H5T_STRING)
        snprintf(text, n, "(text)");
    H5Sclose(space);
    H5Tclose(type);
}

static herr_t visit_attribute(hid_t location, const char *name, const H5A_info_t *info, void *data)
{
    const struct walk *walk = data;
    char text[256];
    (void)info;
    const hid_t attribute = H5Aopen(location, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    value_text(attribute, text, sizeof text);
    walk->visit(walk->context, walk->object, name, text);
    H5Aclose(attribute);
    return 0;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *data)
{
    struct walk *walk = data;
    char path[512];
    (void)info;
    snprintf(path, sizeof path, "/%s", strcmp(name, ".") == 0 ? "" : name);
    walk->object = path;
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (object < 0)
        return -1;
    hsize_t position = 0;
    const herr_t status = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &position, visit_attribute, walk);
    H5Oclose(object);
    return status;
}

int attributes_list(const char *file_path,
                    void (*visit)(void *context, const char *object, const char *name, const char *value),
                    void *context)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, 0, 1); /* a writer, living or killed, must not keep a reader out */
    hid_t file = H5Fopen(file_path, H5F_ACC_RDONLY, access);
    if (file < 0)
        file = H5Fopen(file_path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    H5Pclose(access);
    if (file < 0)
        return error_set(TUTTI_EIO, "%s: cannot open it as HDF5", file_path);
    struct walk walk = {.visit = visit, .context = context};
    const herr_t status = H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &walk, H5O_INFO_BASIC);
    H5Fclose(file);
    return status < 0 ? error_set(TUTTI_EFORMAT, "%s: cannot read its attributes", file_path) : 0;
}
