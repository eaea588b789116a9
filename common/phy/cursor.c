/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/cursor.h"

void cursor_start(struct cursor *cursor, const struct frame *frame, tutti_tick epoch, tutti_tick first)
{
    *cursor = (struct cursor){.frame = frame, .epoch = epoch};
    const int skipped = cursor_seek(cursor, first);
    cursor->next_tick = first - (tutti_tick)skipped; /* in a cut symbol the first receive sees a gap and seeks */
}

int cursor_symbol_samples(const struct cursor *cursor)
{
    const struct frame *f = cursor->frame;
    return cursor->symbol < f->n_symbol ? f->n_symbol_samples : f->n_block_samples - f->n_symbol * f->n_symbol_samples;
}

int cursor_seek(struct cursor *cursor, tutti_tick tick)
{
    const struct frame *f = cursor->frame;
    cursor->block = frame_block_of(f, cursor->epoch, tick);
    const int in_block = (int)(tick - cursor_tick(cursor, 0));
    cursor->symbol = in_block / f->n_symbol_samples;
    if (cursor->symbol > f->n_symbol) { /* the tail may be longer than a symbol */
        cursor->symbol = f->n_symbol;
    }
    cursor->whole = in_block == 0;
    return in_block - cursor->symbol * f->n_symbol_samples;
}

void cursor_advance(struct cursor *cursor)
{
    const struct frame *f = cursor->frame;
    const bool tail = f->n_block_samples > f->n_symbol * f->n_symbol_samples;
    cursor->symbol++;
    if (cursor->symbol < f->n_symbol + (tail ? 1 : 0)) {
        return;
    }
    cursor->symbol = 0;
    cursor->whole = true;
    cursor->block++;
}

tutti_tick cursor_tick(const struct cursor *cursor, int symbol)
{
    return frame_symbol_tick(cursor->frame, cursor->epoch, cursor->block, symbol);
}
