/* layout.h - from what somebody asks for to what a move does.
 *
 *   {"verb": "split", "shards": ["shard-1"], "into": 2}  --layout_make()-->  a spec, as in move.h
 *
 * What is asked (all but "verb" may be absent, by verb):
 *   split      shards: [one], into: parts (2), to: [shards] (those that lack are made),
 *              at: ["<16 hex digits>", ...] where the parts begin; else parts are equal
 *   merge      shards: [two or more], to: [one] (the first of `shards`)
 *   move       ranges: ["<start>-<last>" or "<start>" of a range], to: [one]
 *   rebalance  shards: [those that take part] (all that are up)
 *   drain      shards: [one], to: [shards] (all others that are up); databases at home there
 *              go to the first of those
 *   table      database, table, kind, key: a table becomes another kind, or gets another key;
 *              with: ["[database.]table[:key]", ...]: others that do so together with it
 *   by         "keys" (how wide ranges are), "rows" or "bytes" (as the servers estimate them), or
 *              "load": then weights: {"<start of a range>": what it weighs, ...}
 *
 * The spec has besides what move.h says:
 *   pieces     [{start, last, from, to, rows, bytes}, ...] what moves, ids and estimates
 *   new_shards how many have to be made first; their ids in the spec are guesses then
 *   remove     the shard (id) that goes when all is done; absent: none
 *   views      [catalog names] of views that go with their homes
 *   one_way    the switch cannot be reversed
 *   "ranges" are absent where the map stays: the verb table
 */
#ifndef CTL_MOVE_LAYOUT_H
#define CTL_MOVE_LAYOUT_H

#include "ctl/job/job.h"

/* The caller owns it. NULL with a sentence: it cannot be, or nothing would move. */
json_t *layout_make(struct cluster *c, const json_t *request, struct sql_error *error);

/* "split shard-1 into 2", for people; in a buffer of this thread. */
const char *layout_title(const json_t *request);

/* The map in the catalog cut as the spec says, as a part of a change: "ranges_before", or with
 * `after` "ranges". */
void layout_put_map(struct catalog_change *change, const json_t *spec, bool after);

/* Neighbours of one owner in the catalog's map become one range. */
void layout_join_map(struct catalog_change *change);

#endif
