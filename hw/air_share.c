/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air_share.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, RING_BYTES_LIMIT = 1 << 28 };

static size_t pages(size_t n_bytes)
{
    return (n_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static size_t ring_bytes(int n_ant, int chunk, int n_cell)
{
    return pages((size_t)n_cell * (size_t)n_ant * (size_t)chunk * sizeof(tutti_cf32));
}

static size_t head_bytes(int n_cell)
{
    return pages(sizeof(struct air_words) + (size_t)n_cell * sizeof(struct air_cell));
}

int air_share_cells(uint64_t n_tx_buffer_samples, int n_ant, int chunk)
{
    /* the newest sample a radio has fetched is not before the oldest cell */
    const uint64_t wanted = n_tx_buffer_samples / (uint64_t)chunk + (n_tx_buffer_samples % (uint64_t)chunk != 0);
    int n = AIR_MIN_CELL;
    while ((uint64_t)n < wanted && n < AIR_MAX_CELL && ring_bytes(n_ant, chunk, 2 * n) <= RING_BYTES_LIMIT) {
        n *= 2;
    }
    return n;
}

/* Sealed, so that no end can take the memory away under the other's feet. */
static int make_memory(size_t n_bytes, int *fd)
{
    *fd = memfd_create("tutti-air", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0) {
        return error_set(TUTTI_EIO, "cannot make shared memory: %s", strerror(errno));
    }
    if (ftruncate(*fd, (off_t)n_bytes) != 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        const int code = errno;
        close(*fd);
        *fd = -1;
        return error_set(TUTTI_ENOMEM, "cannot make %zu bytes of shared memory: %s", n_bytes, strerror(code));
    }
    return TUTTI_OK;
}

/* fd < 0: private memory. */
static int map_memory(void **map, size_t n_bytes, int fd)
{
    const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *at = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    *map = at == MAP_FAILED ? NULL : at;
    return *map ? TUTTI_OK : error_set(TUTTI_ENOMEM, "cannot map %zu bytes of samples: %s", n_bytes, strerror(errno));
}

static int check_passed(int fd, size_t n_bytes)
{
    struct stat info;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (fstat(fd, &info) != 0 || seals < 0 || !(seals & F_SEAL_SHRINK) || info.st_size < (off_t)n_bytes) {
        return error_set(TUTTI_EFORMAT, "the medium passed other memory than it said");
    }
    return TUTTI_OK;
}

static int lay_out(struct air_share *s, int n_ant, int chunk, int n_cell, int fd)
{
    *s = (struct air_share){.n_ant = n_ant, .chunk = chunk, .n_cell = n_cell};
    const size_t head = head_bytes(n_cell), ring = ring_bytes(n_ant, chunk, n_cell);
    s->n_bytes = head + 2 * ring;
    const int status = map_memory(&s->map, s->n_bytes, fd);
    if (!status) {
        uint8_t *at = s->map;
        s->words = (struct air_words *)at;
        s->cell = (struct air_cell *)(at + sizeof *s->words);
        s->tx = (tutti_cf32 *)(at + head);
        s->rx = (tutti_cf32 *)(at + head + ring);
    }
    return status;
}

int air_share_create(struct air_share *s, int n_ant, int chunk, int n_cell, int *fd)
{
    int status = TUTTI_OK;
    *s = (struct air_share){0};
    if (fd) {
        status = make_memory(head_bytes(n_cell) + 2 * ring_bytes(n_ant, chunk, n_cell), fd);
    }
    status = status ? status : lay_out(s, n_ant, chunk, n_cell, fd ? *fd : -1);
    if (!status) {
        atomic_store(&s->words->wake, AIR_NEVER);
        atomic_store(&s->words->needed, AIR_NEVER);
    }
    return status;
}

int air_share_attach(struct air_share *s, int n_ant, int chunk, int n_cell, int fd)
{
    *s = (struct air_share){0};
    const int status = check_passed(fd, head_bytes(n_cell) + 2 * ring_bytes(n_ant, chunk, n_cell));
    return status ? status : lay_out(s, n_ant, chunk, n_cell, fd);
}

void air_share_release(struct air_share *s)
{
    if (s->map) {
        munmap(s->map, s->n_bytes);
    }
    *s = (struct air_share){0};
}

int air_board_create(struct air_board **board, int *fd)
{
    void *map = NULL;
    int status = make_memory(PAGE_BYTES, fd);
    status = status ? status : map_memory(&map, PAGE_BYTES, *fd);
    *board = map;
    return status;
}

int air_board_attach(struct air_board **board, int fd)
{
    void *map = NULL;
    int status = check_passed(fd, PAGE_BYTES);
    status = status ? status : map_memory(&map, PAGE_BYTES, fd);
    *board = map;
    return status;
}

void air_board_release(struct air_board *board)
{
    if (board) {
        munmap(board, PAGE_BYTES);
    }
}
