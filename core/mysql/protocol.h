/* protocol.h - the numbers of the MySQL/MariaDB protocol, under their own names.
 *
 * Do not include it beside libmariadb's <mysql.h>, which declares the same
 * names. Source: MariaDB knowledge base, "MariaDB Client/Server Protocol",
 * and MySQL's internals manual for what MariaDB does not have.
 */
#ifndef CORE_MYSQL_PROTOCOL_H
#define CORE_MYSQL_PROTOCOL_H

#include "core/base/base.h"

/* Capabilities: one 64-bit set. Bits from 32 are MariaDB's and travel in what
 * MySQL left as filler, and only when CLIENT_MYSQL is *not* set. */
#define CLIENT_MYSQL                          (UINT64_C(1) << 0) /* MySQL: LONG_PASSWORD */
#define CLIENT_FOUND_ROWS                     (UINT64_C(1) << 1)
#define CLIENT_LONG_FLAG                      (UINT64_C(1) << 2)
#define CLIENT_CONNECT_WITH_DB                (UINT64_C(1) << 3)
#define CLIENT_NO_SCHEMA                      (UINT64_C(1) << 4)
#define CLIENT_COMPRESS                       (UINT64_C(1) << 5)
#define CLIENT_ODBC                           (UINT64_C(1) << 6)
#define CLIENT_LOCAL_FILES                    (UINT64_C(1) << 7)
#define CLIENT_IGNORE_SPACE                   (UINT64_C(1) << 8)
#define CLIENT_PROTOCOL_41                    (UINT64_C(1) << 9)
#define CLIENT_INTERACTIVE                    (UINT64_C(1) << 10)
#define CLIENT_SSL                            (UINT64_C(1) << 11)
#define CLIENT_IGNORE_SIGPIPE                 (UINT64_C(1) << 12)
#define CLIENT_TRANSACTIONS                   (UINT64_C(1) << 13)
#define CLIENT_RESERVED                       (UINT64_C(1) << 14)
#define CLIENT_SECURE_CONNECTION              (UINT64_C(1) << 15)
#define CLIENT_MULTI_STATEMENTS               (UINT64_C(1) << 16)
#define CLIENT_MULTI_RESULTS                  (UINT64_C(1) << 17)
#define CLIENT_PS_MULTI_RESULTS               (UINT64_C(1) << 18)
#define CLIENT_PLUGIN_AUTH                    (UINT64_C(1) << 19)
#define CLIENT_CONNECT_ATTRS                  (UINT64_C(1) << 20)
#define CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA (UINT64_C(1) << 21)
#define CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS   (UINT64_C(1) << 22)
#define CLIENT_SESSION_TRACK                  (UINT64_C(1) << 23)
#define CLIENT_DEPRECATE_EOF                  (UINT64_C(1) << 24)
#define CLIENT_OPTIONAL_RESULTSET_METADATA    (UINT64_C(1) << 25) /* MySQL 8 only */
#define CLIENT_ZSTD_COMPRESSION               (UINT64_C(1) << 26)
#define CLIENT_QUERY_ATTRIBUTES               (UINT64_C(1) << 27) /* MySQL 8 only */
#define CLIENT_MULTI_FACTOR_AUTHENTICATION    (UINT64_C(1) << 28) /* MySQL 8 only */
#define CLIENT_CAPABILITY_EXTENSION           (UINT64_C(1) << 29)
#define CLIENT_SSL_VERIFY_SERVER_CERT         (UINT64_C(1) << 30)
#define CLIENT_REMEMBER_OPTIONS               (UINT64_C(1) << 31)
#define MARIADB_CLIENT_PROGRESS               (UINT64_C(1) << 32)
#define MARIADB_CLIENT_COM_MULTI              (UINT64_C(1) << 33)
#define MARIADB_CLIENT_STMT_BULK_OPERATIONS   (UINT64_C(1) << 34)
#define MARIADB_CLIENT_EXTENDED_METADATA      (UINT64_C(1) << 35)
#define MARIADB_CLIENT_CACHE_METADATA         (UINT64_C(1) << 36)
#define MARIADB_CLIENT_BULK_UNIT_RESULTS      (UINT64_C(1) << 37)

enum { /* status flags of OK and EOF packets */
    SERVER_STATUS_IN_TRANS             = 0x0001,
    SERVER_STATUS_AUTOCOMMIT           = 0x0002,
    SERVER_MORE_RESULTS_EXISTS         = 0x0008,
    SERVER_QUERY_NO_GOOD_INDEX_USED    = 0x0010,
    SERVER_QUERY_NO_INDEX_USED         = 0x0020,
    SERVER_STATUS_CURSOR_EXISTS        = 0x0040,
    SERVER_STATUS_LAST_ROW_SENT        = 0x0080,
    SERVER_STATUS_DB_DROPPED           = 0x0100,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES = 0x0200,
    SERVER_STATUS_METADATA_CHANGED     = 0x0400,
    SERVER_QUERY_WAS_SLOW              = 0x0800,
    SERVER_PS_OUT_PARAMS               = 0x1000,
    SERVER_STATUS_IN_TRANS_READONLY    = 0x2000,
    SERVER_SESSION_STATE_CHANGED       = 0x4000,
    SERVER_STATUS_ANSI_QUOTES          = 0x8000,
};

enum { /* kinds of entries in the session-track bytes of an OK packet */
    SESSION_TRACK_SYSTEM_VARIABLES            = 0,
    SESSION_TRACK_SCHEMA                      = 1,
    SESSION_TRACK_STATE_CHANGE                = 2,
    SESSION_TRACK_GTIDS                       = 3,
    SESSION_TRACK_TRANSACTION_CHARACTERISTICS = 4,
    SESSION_TRACK_TRANSACTION_STATE           = 5,
};

enum { /* the first byte of a command */
    COM_SLEEP               = 0x00,
    COM_QUIT                = 0x01,
    COM_INIT_DB             = 0x02,
    COM_QUERY               = 0x03,
    COM_FIELD_LIST          = 0x04,
    COM_CREATE_DB           = 0x05,
    COM_DROP_DB             = 0x06,
    COM_REFRESH             = 0x07,
    COM_SHUTDOWN            = 0x08,
    COM_STATISTICS          = 0x09,
    COM_PROCESS_INFO        = 0x0a,
    COM_CONNECT             = 0x0b,
    COM_PROCESS_KILL        = 0x0c,
    COM_DEBUG               = 0x0d,
    COM_PING                = 0x0e,
    COM_TIME                = 0x0f,
    COM_DELAYED_INSERT      = 0x10,
    COM_CHANGE_USER         = 0x11,
    COM_BINLOG_DUMP         = 0x12,
    COM_TABLE_DUMP          = 0x13,
    COM_CONNECT_OUT         = 0x14,
    COM_REGISTER_SLAVE      = 0x15,
    COM_STMT_PREPARE        = 0x16,
    COM_STMT_EXECUTE        = 0x17,
    COM_STMT_SEND_LONG_DATA = 0x18,
    COM_STMT_CLOSE          = 0x19,
    COM_STMT_RESET          = 0x1a,
    COM_SET_OPTION          = 0x1b,
    COM_STMT_FETCH          = 0x1c,
    COM_DAEMON              = 0x1d,
    COM_BINLOG_DUMP_GTID    = 0x1e,
    COM_RESET_CONNECTION    = 0x1f,
    COM_STMT_BULK_EXECUTE   = 0xfa,
    COM_MULTI               = 0xfe,
};

enum { /* column and parameter types; 16-19 and above 250 as noted */
    MYSQL_TYPE_DECIMAL     = 0,
    MYSQL_TYPE_TINY        = 1,
    MYSQL_TYPE_SHORT       = 2,
    MYSQL_TYPE_LONG        = 3,
    MYSQL_TYPE_FLOAT       = 4,
    MYSQL_TYPE_DOUBLE      = 5,
    MYSQL_TYPE_NULL        = 6,
    MYSQL_TYPE_TIMESTAMP   = 7,
    MYSQL_TYPE_LONGLONG    = 8,
    MYSQL_TYPE_INT24       = 9,
    MYSQL_TYPE_DATE        = 10,
    MYSQL_TYPE_TIME        = 11,
    MYSQL_TYPE_DATETIME    = 12,
    MYSQL_TYPE_YEAR        = 13,
    MYSQL_TYPE_NEWDATE     = 14,
    MYSQL_TYPE_VARCHAR     = 15,
    MYSQL_TYPE_BIT         = 16,
    MYSQL_TYPE_TIMESTAMP2  = 17, /* binlog only, as the next two */
    MYSQL_TYPE_DATETIME2   = 18,
    MYSQL_TYPE_TIME2       = 19,
    MYSQL_TYPE_JSON        = 245, /* MySQL only */
    MYSQL_TYPE_NEWDECIMAL  = 246,
    MYSQL_TYPE_ENUM        = 247,
    MYSQL_TYPE_SET         = 248,
    MYSQL_TYPE_TINY_BLOB   = 249,
    MYSQL_TYPE_MEDIUM_BLOB = 250,
    MYSQL_TYPE_LONG_BLOB   = 251,
    MYSQL_TYPE_BLOB        = 252,
    MYSQL_TYPE_VAR_STRING  = 253,
    MYSQL_TYPE_STRING      = 254,
    MYSQL_TYPE_GEOMETRY    = 255,
};

enum { /* flags of a column definition */
    NOT_NULL_FLAG         = 0x0001,
    PRI_KEY_FLAG          = 0x0002,
    UNIQUE_KEY_FLAG       = 0x0004,
    MULTIPLE_KEY_FLAG     = 0x0008,
    BLOB_FLAG             = 0x0010,
    UNSIGNED_FLAG         = 0x0020,
    ZEROFILL_FLAG         = 0x0040,
    BINARY_FLAG           = 0x0080,
    ENUM_FLAG             = 0x0100,
    AUTO_INCREMENT_FLAG   = 0x0200,
    TIMESTAMP_FLAG        = 0x0400,
    SET_FLAG              = 0x0800,
    NO_DEFAULT_VALUE_FLAG = 0x1000,
    ON_UPDATE_NOW_FLAG    = 0x2000,
    NUM_FLAG              = 0x8000,
};

enum { /* flags of COM_STMT_EXECUTE */
    CURSOR_TYPE_NO_CURSOR = 0,
    CURSOR_TYPE_READ_ONLY = 1,
};

enum {
    NOT_FIXED_DEC              = 31, /* `decimals` from here on: digits are not fixed */
    CHARSET_BINARY             = 63, /* collation ids */
    CHARSET_UTF8MB4_GENERAL_CI = 45,
};

/* "COM_QUERY"; "unknown" for a byte that is no command. */
const char *command_name(uint8_t command);

/* "MYSQL_TYPE_LONG"; "unknown" for anything else. */
const char *type_name(uint8_t type);

#endif
