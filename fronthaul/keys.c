/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/keys.h"

#include "base/error.h"
#include "base/folder.h"
#include "fronthaul/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define LIST_NAME "public.keys"

enum { PATH_ROOM = 1024, LINE_ROOM = 256 };

int keys_supported(void)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    return zmq_has("curve") ? TUTTI_OK
                            : error_set(TUTTI_EUNSUPPORTED,
                                        "fronthaul.security: libzmq %d.%d.%d is built without CURVE (libsodium); "
                                        "install one with it, or use security: none on a closed network",
                                        major, minor, patch);
}

void keys_name(char name[KEY_NAME_ROOM], enum fh_role role, int id)
{
    if (role == FH_ROLE_OBSERVER) {
        snprintf(name, KEY_NAME_ROOM, "observer");
    } else if (role == FH_ROLE_CPU && id == 0) {
        snprintf(name, KEY_NAME_ROOM, "%s", KEY_NAME_CPU);
    } else {
        snprintf(name, KEY_NAME_ROOM, "%.8s%d", control_role_name(role), id % 10000);
    }
}

/* Reading ------------------------------------------------------------------------------------------------------- */

static int make_path(char path[PATH_ROOM], const char *directory, const char *name, const char *end)
{
    return snprintf(path, PATH_ROOM, "%s/%s%s", directory, name, end) < PATH_ROOM
               ? TUTTI_OK
               : error_set(TUTTI_EINVAL, "%.200s...: the path of a key is too long", directory);
}

/* The mode is that of the opened file, so it cannot be exchanged in between. */
static int open_checked(FILE **file, const char *path, mode_t forbidden, const char *rule)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    *file = NULL;
    if (fd < 0) {
        return error_set(TUTTI_EIO, "%s: %s (keys are made by `tutti keygen`)", path, strerror(errno));
    }
    int error = TUTTI_OK;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        error = error_set(TUTTI_EIO, "%s: not a plain file", path);
    } else if (st.st_mode & forbidden) {
        error = error_set(TUTTI_EIO, "%s: mode %04o, %s", path, (unsigned)(st.st_mode & 07777), rule);
    } else if (!folder_is_ours(&st)) {
        error = error_set(TUTTI_EIO, "%s: belongs to user %u, not to this one", path, (unsigned)st.st_uid);
    } else if (!(*file = fdopen(fd, "r"))) {
        error = error_set(TUTTI_ENOMEM, "%s: no memory to read it", path);
    }
    if (error) {
        close(fd);
    }
    return error;
}

/* The next line that is not a comment; false at the end. */
static bool next_line(FILE *file, char line[LINE_ROOM])
{
    while (fgets(line, LINE_ROOM, file)) {
        if (line[0] != '#' && line[strspn(line, " \t\r\n")]) {
            return true;
        }
    }
    return false;
}

static bool is_key(const char *text)
{
    uint8_t bytes[KEY_BYTES];
    const bool is = strlen(text) == KEY_TEXT_ROOM - 1 && zmq_z85_decode(bytes, text) != NULL;
    explicit_bzero(bytes, sizeof bytes);
    return is;
}

static int parse_pair(struct key_pair *pair, const char *path, const char *name, const char *line)
{
    char found[KEY_NAME_ROOM] = "", derived[KEY_TEXT_ROOM], rest[2] = "";
    const int n = sscanf(line, "%15s %40s %40s %1s", found, pair->public_key, pair->secret_key, rest);
    if (n != 3 || !is_key(pair->public_key) || !is_key(pair->secret_key)) {
        return error_set(TUTTI_EFORMAT, "%s: not a key file: one line with name, public and secret key is expected",
                         path);
    }
    if (strcmp(found, name) != 0) {
        return error_set(TUTTI_EFORMAT, "%s: holds the key of %s, not of %s", path, found, name);
    }
    if (zmq_curve_public(derived, pair->secret_key) || strcmp(derived, pair->public_key) != 0) {
        return error_set(TUTTI_EFORMAT, "%s: public and secret key do not belong together", path);
    }
    return TUTTI_OK;
}

int keys_read_pair(struct key_pair *pair, const char *directory, const char *name)
{
    char path[PATH_ROOM], line[LINE_ROOM] = "";
    FILE *file;
    memset(pair, 0, sizeof *pair);
    int error = make_path(path, directory, name, ".key");
    error = error ? error
                  : open_checked(&file, path, 077,
                                 "a secret key may be open to its owner only (0600): chmod 600, and make new keys if "
                                 "others may have read it");
    if (error) {
        return error;
    }
    setvbuf(file, NULL, _IONBF, 0); /* the secret is in no buffer but ours */
    next_line(file, line);
    error = parse_pair(pair, path, name, line);
    explicit_bzero(line, sizeof line);
    fclose(file);
    if (error) {
        keys_forget(pair);
    }
    return error;
}

void keys_forget(struct key_pair *pair)
{
    explicit_bzero(pair, sizeof *pair);
}

static int add_pin(struct key_list *list, const char *path, const char *line)
{
    struct key_pin *const grown = realloc(list->pin, ((size_t)list->n + 1) * sizeof *grown);
    if (!grown) {
        return error_set(TUTTI_ENOMEM, "%s: no memory", path);
    }
    list->pin = grown;
    struct key_pin *pin = &grown[list->n];
    char rest[2] = "";
    if (sscanf(line, "%15s %40s %1s", pin->name, pin->text, rest) != 2 || !is_key(pin->text)) {
        return error_set(TUTTI_EFORMAT, "%s: entry %d is not a name and a public key", path, list->n + 1);
    }
    zmq_z85_decode(pin->public_key, pin->text);
    const struct key_pin *same = keys_find_name(list, pin->name);
    same = same ? same : keys_find_key(list, pin->public_key);
    if (same) {
        return error_set(TUTTI_EFORMAT, "%s: %s and %s have the same name or key", path, same->name, pin->name);
    }
    list->n++;
    return TUTTI_OK;
}

int keys_read_list(struct key_list *list, const char *directory)
{
    char path[PATH_ROOM], line[LINE_ROOM];
    FILE *file;
    *list = (struct key_list){0};
    int error = make_path(path, directory, LIST_NAME, "");
    if (!error && access(directory, F_OK) == 0 && folder_check(directory)) {
        error = error_set(TUTTI_EIO, "fronthaul.key_dir: %s", error_text());
    }
    error = error ? error
                  : open_checked(&file, path, 022,
                                 "the list of public keys may be written by its owner only (0644): chmod 644");
    if (error) {
        return error;
    }
    while (!error && next_line(file, line)) {
        error = add_pin(list, path, line);
    }
    fclose(file);
    if (!error && !keys_find_name(list, KEY_NAME_CPU)) {
        error = error_set(TUTTI_EFORMAT, "%s: the key of %s is not in it", path, KEY_NAME_CPU);
    }
    if (error) {
        keys_free_list(list);
    }
    return error;
}

void keys_free_list(struct key_list *list)
{
    free(list->pin);
    *list = (struct key_list){0};
}

const struct key_pin *keys_find_name(const struct key_list *list, const char *name)
{
    for (int i = 0; i < list->n; i++) {
        if (strcmp(list->pin[i].name, name) == 0) {
            return &list->pin[i];
        }
    }
    return NULL;
}

const struct key_pin *keys_find_key(const struct key_list *list, const uint8_t key[KEY_BYTES])
{
    for (int i = 0; i < list->n; i++) {
        if (memcmp(list->pin[i].public_key, key, KEY_BYTES) == 0) {
            return &list->pin[i];
        }
    }
    return NULL;
}

/* Making -------------------------------------------------------------------------------------------------------- */

/* A new file: what is there already, a link included, is never touched. */
static int create_file(FILE **file, const char *path, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (*file) {
        fchmod(fd, mode); /* whatever the umask */
        return TUTTI_OK;
    }
    const int error = error_set(TUTTI_EIO, "%s: %s%s", path, strerror(errno),
                                errno == EEXIST ? "; keys are not overwritten, choose another directory" : "");
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static int finish_file(FILE *file, const char *path)
{
    const bool bad = ferror(file) || fflush(file) || fsync(fileno(file));
    return fclose(file) || bad ? error_set(TUTTI_EIO, "%s: cannot write it: %s", path, strerror(errno)) : TUTTI_OK;
}

static int generate_one(const char *directory, const char *name, FILE *list)
{
    char path[PATH_ROOM];
    struct key_pair pair;
    FILE *file;
    int error = make_path(path, directory, name, ".key");
    error = error ? error : create_file(&file, path, 0600);
    if (error) {
        return error;
    }
    setvbuf(file, NULL, _IONBF, 0);
    if (zmq_curve_keypair(pair.public_key, pair.secret_key)) {
        fclose(file);
        return error_set(TUTTI_EIO, "%s: cannot make a key: %s", path, zmq_strerror(errno));
    }
    fprintf(file, "# Tutti secret key: only for the host that runs this node, mode 0600\n%s %s %s\n", name,
            pair.public_key, pair.secret_key);
    fprintf(list, "%s %s\n", name, pair.public_key);
    keys_forget(&pair);
    return finish_file(file, path);
}

static int generate_all(const char *directory, const struct keys_network *network, FILE *list)
{
    const struct {
        const char *role;
        int n;
    } group[] = {{"ap", network->n_ap}, {"ue", network->n_ue}, {"eve", network->n_eve}};
    int error = generate_one(directory, KEY_NAME_CPU, list);
    for (int id = 1; !error && id < network->n_cpu; id++) {
        char name[KEY_NAME_ROOM];
        keys_name(name, FH_ROLE_CPU, id);
        error = generate_one(directory, name, list);
    }
    error = error ? error : generate_one(directory, "observer", list);
    for (size_t g = 0; g < sizeof group / sizeof group[0]; g++) {
        for (int id = 0; !error && id < group[g].n; id++) {
            char name[KEY_NAME_ROOM];
            snprintf(name, sizeof name, "%s%d", group[g].role, id % 10000);
            error = generate_one(directory, name, list);
        }
    }
    return error;
}

int keys_generate(const char *directory, const struct keys_network *network)
{
    char path[PATH_ROOM];
    FILE *list;
    int error = keys_supported();
    if (error) {
        return error;
    }
    if (mkdir(directory, 0700) && errno != EEXIST) {
        return error_set(TUTTI_EIO, "%s: cannot make the directory: %s", directory, strerror(errno));
    }
    error = make_path(path, directory, LIST_NAME, "");
    error = error ? error : create_file(&list, path, 0644);
    if (error) {
        return error;
    }
    fputs("# Tutti public keys: whom the CPU node lets in, and how the others know it\n", list);
    error = generate_all(directory, network, list);
    const int finished = finish_file(list, path);
    return error ? error : finished;
}
