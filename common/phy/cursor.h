/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A node's place in the frame while samples come in: which block and symbol the next sample belongs to. Pure
 * bookkeeping; the receive loops of APs and users share it. The pseudo-symbol n_symbol is the silent tail after the
 * last symbol. */
#ifndef TUTTI_PHY_CURSOR_H
#define TUTTI_PHY_CURSOR_H

#include "phy/frame.h"

struct cursor {
    const struct frame *frame;
    tutti_tick epoch, next_tick; /* the next sample expected */
    uint64_t block;
    int symbol;
    bool whole; /* every sample of this block so far has been received */
};

/* Start at tick `first`, anywhere in a block; a cut block is not whole. */
void cursor_start(struct cursor *cursor, const struct frame *frame, tutti_tick epoch, tutti_tick first);
/* Samples of the current symbol, or of the tail. */
int cursor_symbol_samples(const struct cursor *cursor);
/* Move to where `tick` lies; returns how many samples of that symbol lie before it. The block is whole if it starts
 * there. */
int cursor_seek(struct cursor *cursor, tutti_tick tick);
/* The current symbol is done. */
void cursor_advance(struct cursor *cursor);
/* First sample of a symbol of the current block. */
tutti_tick cursor_tick(const struct cursor *cursor, int symbol);

#endif
