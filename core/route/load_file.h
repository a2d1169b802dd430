/* load_file.h - the file of a LOAD DATA, cut into its records as a server cuts it.
 *
 *   file:    >>>1,"a ""b"" c",\N\n>>>2,...
 *            |  |             |   |
 *            |  fields, separated, enclosed, escaped
 *            record: from where the one before it ended
 *
 * Whatever a record's bytes are, a server that is given the records one behind the
 * other finds the same ones; so some of them can go to one server and some to another.
 * A record may have fewer fields than there are columns, or more: what is behind
 * its last column belongs to it up to the end of its line.
 *
 * Not here: fixed rows (neither separator nor enclosure), separators that are not
 * ASCII or contain a zero byte (where another one is empty), character sets whose
 * characters can contain ASCII bytes.
 *
 * Source: MariaDB Knowledge Base "LOAD DATA INFILE"; each rule was compared with a
 * server by tests/integration/test_load_file.py.
 */
#ifndef CORE_ROUTE_LOAD_FILE_H
#define CORE_ROUTE_LOAD_FILE_H

#include "core/base/buf.h"

enum { LOAD_NO_BYTE = -1 };

struct load_format {
    struct span field_term; /* may be empty when `enclosed` is not */
    struct span line_term;  /* empty: a record ends with its last column */
    struct span line_start; /* may be empty; all before it is skipped */
    int         enclosed, escape; /* a byte, or LOAD_NO_BYTE */
    uint32_t    n_columns;  /* of the file, as the statement names them */
    /* What load_format_finish() makes of these. */
    int     charset;       /* enum charset */
    uint8_t character_max; /* bytes */
    bool    stray_zero;    /* 0xff in a field is not stored as it is */
    bool    one_term;      /* fields and lines end alike: there are no lines */
    uint8_t stops[256];    /* bytes that may mean something */
};

struct load_field {
    bool        present; /* the line had it */
    bool        null;
    bool        broken; /* not text in the file's character set: a server may store anything */
    struct span value;   /* escapes undone; borrowed from the input or from `room` */
    size_t      from, to; /* what it was written as, within the record */
    bool        in_room;  /* private until load_record() returns */
    size_t      room_at;
};

enum load_status {
    LOAD_RECORD, /* the first *used bytes are one */
    LOAD_MORE,   /* where it ends is not known yet */
    LOAD_END,    /* no record in what is left of the file */
};

/* Set up `f` after its separators and n_columns; `collation`: an id of the file's
 * character set. False: not such a file. */
bool load_format_finish(struct load_format *f, uint16_t collation) must_check;

/* The record at the start of `in`; `whole`: nothing comes behind `in`. The fields
 * wanted[0..n), which ascend, are told in `fields`; *start is where the first field
 * begins. `room` (cleared first) holds values that are not in `in` as they are. */
enum load_status load_record(const struct load_format *f, struct span in, bool whole,
                             const uint32_t *wanted, uint32_t n, struct load_field *fields,
                             struct buf *room, size_t *start, size_t *used) must_check;

/* A line to be left out (IGNORE n LINES). LOAD_END: there is none. Without a line
 * terminator records are left out instead, by load_record(); with `one_term` nothing is. */
enum load_status load_skip_line(const struct load_format *f, struct span in, bool whole,
                                size_t *used) must_check;

#endif
