/* protocol.c - see protocol.h. */
#include "core/mysql/protocol.h"

static const char *const commands[] = {
    [COM_SLEEP]               = "COM_SLEEP",
    [COM_QUIT]                = "COM_QUIT",
    [COM_INIT_DB]             = "COM_INIT_DB",
    [COM_QUERY]               = "COM_QUERY",
    [COM_FIELD_LIST]          = "COM_FIELD_LIST",
    [COM_CREATE_DB]           = "COM_CREATE_DB",
    [COM_DROP_DB]             = "COM_DROP_DB",
    [COM_REFRESH]             = "COM_REFRESH",
    [COM_SHUTDOWN]            = "COM_SHUTDOWN",
    [COM_STATISTICS]          = "COM_STATISTICS",
    [COM_PROCESS_INFO]        = "COM_PROCESS_INFO",
    [COM_CONNECT]             = "COM_CONNECT",
    [COM_PROCESS_KILL]        = "COM_PROCESS_KILL",
    [COM_DEBUG]               = "COM_DEBUG",
    [COM_PING]                = "COM_PING",
    [COM_TIME]                = "COM_TIME",
    [COM_DELAYED_INSERT]      = "COM_DELAYED_INSERT",
    [COM_CHANGE_USER]         = "COM_CHANGE_USER",
    [COM_BINLOG_DUMP]         = "COM_BINLOG_DUMP",
    [COM_TABLE_DUMP]          = "COM_TABLE_DUMP",
    [COM_CONNECT_OUT]         = "COM_CONNECT_OUT",
    [COM_REGISTER_SLAVE]      = "COM_REGISTER_SLAVE",
    [COM_STMT_PREPARE]        = "COM_STMT_PREPARE",
    [COM_STMT_EXECUTE]        = "COM_STMT_EXECUTE",
    [COM_STMT_SEND_LONG_DATA] = "COM_STMT_SEND_LONG_DATA",
    [COM_STMT_CLOSE]          = "COM_STMT_CLOSE",
    [COM_STMT_RESET]          = "COM_STMT_RESET",
    [COM_SET_OPTION]          = "COM_SET_OPTION",
    [COM_STMT_FETCH]          = "COM_STMT_FETCH",
    [COM_DAEMON]              = "COM_DAEMON",
    [COM_BINLOG_DUMP_GTID]    = "COM_BINLOG_DUMP_GTID",
    [COM_RESET_CONNECTION]    = "COM_RESET_CONNECTION",
    [COM_STMT_BULK_EXECUTE]   = "COM_STMT_BULK_EXECUTE",
    [COM_MULTI]               = "COM_MULTI",
};

static const char *const types[] = {
    [MYSQL_TYPE_DECIMAL]     = "MYSQL_TYPE_DECIMAL",
    [MYSQL_TYPE_TINY]        = "MYSQL_TYPE_TINY",
    [MYSQL_TYPE_SHORT]       = "MYSQL_TYPE_SHORT",
    [MYSQL_TYPE_LONG]        = "MYSQL_TYPE_LONG",
    [MYSQL_TYPE_FLOAT]       = "MYSQL_TYPE_FLOAT",
    [MYSQL_TYPE_DOUBLE]      = "MYSQL_TYPE_DOUBLE",
    [MYSQL_TYPE_NULL]        = "MYSQL_TYPE_NULL",
    [MYSQL_TYPE_TIMESTAMP]   = "MYSQL_TYPE_TIMESTAMP",
    [MYSQL_TYPE_LONGLONG]    = "MYSQL_TYPE_LONGLONG",
    [MYSQL_TYPE_INT24]       = "MYSQL_TYPE_INT24",
    [MYSQL_TYPE_DATE]        = "MYSQL_TYPE_DATE",
    [MYSQL_TYPE_TIME]        = "MYSQL_TYPE_TIME",
    [MYSQL_TYPE_DATETIME]    = "MYSQL_TYPE_DATETIME",
    [MYSQL_TYPE_YEAR]        = "MYSQL_TYPE_YEAR",
    [MYSQL_TYPE_NEWDATE]     = "MYSQL_TYPE_NEWDATE",
    [MYSQL_TYPE_VARCHAR]     = "MYSQL_TYPE_VARCHAR",
    [MYSQL_TYPE_BIT]         = "MYSQL_TYPE_BIT",
    [MYSQL_TYPE_TIMESTAMP2]  = "MYSQL_TYPE_TIMESTAMP2",
    [MYSQL_TYPE_DATETIME2]   = "MYSQL_TYPE_DATETIME2",
    [MYSQL_TYPE_TIME2]       = "MYSQL_TYPE_TIME2",
    [MYSQL_TYPE_JSON]        = "MYSQL_TYPE_JSON",
    [MYSQL_TYPE_NEWDECIMAL]  = "MYSQL_TYPE_NEWDECIMAL",
    [MYSQL_TYPE_ENUM]        = "MYSQL_TYPE_ENUM",
    [MYSQL_TYPE_SET]         = "MYSQL_TYPE_SET",
    [MYSQL_TYPE_TINY_BLOB]   = "MYSQL_TYPE_TINY_BLOB",
    [MYSQL_TYPE_MEDIUM_BLOB] = "MYSQL_TYPE_MEDIUM_BLOB",
    [MYSQL_TYPE_LONG_BLOB]   = "MYSQL_TYPE_LONG_BLOB",
    [MYSQL_TYPE_BLOB]        = "MYSQL_TYPE_BLOB",
    [MYSQL_TYPE_VAR_STRING]  = "MYSQL_TYPE_VAR_STRING",
    [MYSQL_TYPE_STRING]      = "MYSQL_TYPE_STRING",
    [MYSQL_TYPE_GEOMETRY]    = "MYSQL_TYPE_GEOMETRY",
};

static const char *
name_at(const char *const *names, size_t n, size_t i)
{
    return i < n && names[i] != NULL ? names[i] : "unknown";
}

const char *
command_name(uint8_t command)
{
    return name_at(commands, countof(commands), command);
}

const char *
type_name(uint8_t type)
{
    return name_at(types, countof(types), type);
}
